"""The README of a package."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from koutu.engines.ascend.aipp import Aipp
from koutu.export.ascend.commands import Conversion, atc, omg, shell
from koutu.export.ascend.operators import Finding
from koutu.export.ascend.options import PackageOptions
from koutu.export.ascend.rewrite import Rewritten

if TYPE_CHECKING:
    from koutu.export.parity import ClipDifference

_TEXT = """\
# {name} for {soc}

    {name}.onnx      the network: {inputs}
    aipp.cfg         what the chip does to the camera's picture before it
    build.sh         builds {name}.om by CANN's atc; {om}
{more}    card.json        sizes, names, hashes and figures

In: {bytes} bytes of {source_format}, {width}×{height}{colours}{memory}.
Out: {outputs}, {memory_type}, alpha in [0, 1]{window}.

The memory is zeros with the first frame, then {fed}; the first frame is best shown twice.

## Commands

{commands}

Success is the line "ATC run success". Weights in {name}.onnx are half floats already, as the chip has them.

## Run it here

    koutu video talk.mp4 -o out.mp4 --model card.json

or in Python, with a camera's bytes:

    from pathlib import Path
    from koutu.engines.ascend.backend import AscendBackend

    chip = AscendBackend(Path("card.json"))
    state = chip.initial_state(chip.aipp.source)
    alpha, state = chip.infer(nv21, state)     # flat uint8; alpha ({h}, {w}) float32

Colours are those of the chip to the bit, as documented; between input and output the host computes in float32. On
{frames} frames of {clip} alpha differs from the network with exact colours by {mean:.2g} in the mean and {largest:.2g}
at most.
None of this has run on the chip.

## Operators

{operators}
"""


def readme(
    conversion: Conversion,
    aipp: Aipp,
    options: PackageOptions,
    rewritten: Rewritten,
    beyond: Sequence[str],
    figures: "ClipDifference",
    built: str,
) -> str:
    """The text; beyond: what in the Caffe files the kit's list does not allow; built: the .om's name, if atc ran."""
    height, width = next(iter(conversion.shapes.values()))[2:]
    shapes = {name: "×".join(map(str, shape)) for name, shape in conversion.shapes.items()}
    space = f", {'full' if options.full_range else 'limited'} range {options.matrix.upper()}"
    states = "".join(f", then {name} ({shapes[name]} {options.memory_type})" for name in conversion.memory)
    return _TEXT.format(
        name=conversion.name, soc=conversion.soc, inputs=", ".join(f"{name} {shape}" for name, shape in shapes.items()),
        om="done" if built else "not run: atc was not there", more=_more(conversion, options), bytes=aipp.size,
        source_format=options.source_format, width=aipp.source[1], height=aipp.source[0],
        colours=space if aipp.matrix else "", memory=states, memory_type=options.memory_type, outputs="pha first",
        window=_window(aipp), fed="what came out for the frame before" if conversion.memory else "nothing: it has none",
        commands=_commands(conversion, options), h=height, w=width, frames=figures.frames, clip=figures.clip,
        mean=figures.mean, largest=figures.largest, operators=_operators(options, rewritten, beyond),
    )  # fmt: skip


def _more(conversion: Conversion, options: PackageOptions) -> str:
    if not options.with_caffe:
        return ""
    lines = [f"{conversion.name}.prototxt, {conversion.name}.caffemodel: the network for Caffe's road"]
    lines += ["build-caffe.sh   builds it of those"]
    lines += ["build-kit.sh     the same by omg of the HiLens Kit's DDK, which reads no ONNX"] if options.is_310 else []
    return "".join(f"    {line}\n" for line in lines)


def _window(aipp: Aipp) -> str:
    top, left, height, width = aipp.window
    said = "" if aipp.crop is None else f"; of the picture it sees {width}×{height} at {left}, {top}"
    if any(aipp.padding):
        said += "; padded by {} above, {} below, {} left, {} right".format(*aipp.padding)
    return said


def _commands(conversion: Conversion, options: PackageOptions) -> str:
    commands = [atc(conversion)]
    if options.with_caffe:
        commands.append(atc(conversion, "caffe"))
        commands += [omg(conversion)] if options.is_310 and options.memory_type == "FP32" else []
    return "\n\n".join("\n".join(f"    {line}" for line in shell(words).splitlines()) for words in commands)


def _operators(options: PackageOptions, rewritten: Rewritten, beyond: Sequence[str]) -> str:
    lines = [f"Kept to the list {options.list_name!r}."]
    if rewritten.done:
        lines[0] += (
            f" {len(rewritten.done)} places were written otherwise; they differ by {rewritten.difference:.1g} at most:"
        )
        lines += ["", *_grouped(rewritten.done)]
    if options.with_caffe:
        said = "Caffe files: all layers are in the kit's list." if not beyond else (
            "Caffe files: the kit's list does not allow these layers:"
        )  # fmt: skip
        lines += ["", said, "", *(f"- {sentence}" for sentence in beyond)]
    return "\n".join(lines).rstrip()


def _grouped(done: Sequence[Finding]) -> list[str]:
    """A line for each kind of finding, with where the first one is."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for finding in done:
        groups.setdefault((finding.kind, finding.problem, finding.remedy), []).append(finding.node)
    return [
        f"- {kind} ({nodes[0]}{f' and {len(nodes) - 1} more' if nodes[1:] else ''}): {problem}; now {remedy}"
        for (kind, problem, remedy), nodes in groups.items()
    ]
