"""`koutu export`."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from koutu.cli import options
from koutu.export.defaults import FRAMES, TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from koutu.export.parity import Bounds
    from koutu.export.run import Exported


_TARGETS = "Form to write: onnx, openvino, tflite, coreml, ncnn, caffe, ascend (a folder) or hilens (a skill)."


class Preprocess(str, Enum):
    """Where levels become numbers."""

    inside = "inside"
    outside = "outside"


def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Packaged weights, a .pt file, or the name of a network.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="TARGET", help=_TARGETS)],
    output: Annotated[
        Path, typer.Option("--output", "-o", readable=False, help="File or folder to write; its card goes beside it.")
    ],
    size: Annotated[
        str,
        typer.Option(metavar="WxH", help="Pixels of the pictures, or any; what suits the target best if not given."),
    ] = "",
    preprocess: Annotated[
        Preprocess | None,
        typer.Option(help="inside: takes uint8 RGB NHWC; outside: float NCHW in [0, 1]; the target's if not given."),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32, fp16 or int8, as far as the target has it; its usual one if not given.")
    ] = "",
    ratio: Annotated[
        str,
        typer.Option(
            help="Side of what the network sees over the picture's, 1/4 or 0.25, built in; its own if not given."
        ),
    ] = "",
    refine: Annotated[
        bool, typer.Option("--refine", help="Let alpha follow the full-size edges inside the file.")
    ] = False,
    clip: Annotated[
        list[Path] | None,
        typer.Option(
            "--clip", readable=False, help="Video for parity and int8, the packaged sample if not given; several."
        ),
    ] = None,
    people: options.People = None,
    backgrounds: options.Backgrounds = None,
    scenes: options.Scenes = 8,
    frames: Annotated[
        int,
        typer.Option(min=FRAMES, help="Frames of each clip for the parity check; shorter clips are looped."),
    ] = FRAMES,
    tolerance: options.Tolerance = TOLERANCE,
    allow: Annotated[
        str,
        typer.Option(
            metavar="LARGEST,MEAN,DTSSD", help="Largest differences to torch allowed; the precision's own if not given."
        ),
    ] = "",
    soc: Annotated[str, typer.Option(help="Chip, for ascend: Ascend310, Ascend310B1 … as npu-smi tells it.")] = "",
    camera: Annotated[
        str,
        typer.Option(
            help="Camera's pictures: nv21 (if not given), nv12, rgb888 or bgr888 for ascend; nv21 or rgb for hilens."
        ),
    ] = "",
    background: Annotated[
        str,
        typer.Option(
            "--background",
            "-b",
            help="Behind the person, for hilens: image, colour, blur[:STRENGTH], or camera, which changes nothing.",
        ),
    ] = "",
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--setting", metavar="NAME=VALUE", help="A field of the skill's config.json, for hilens; several."
        ),
    ] = None,
    article: Annotated[
        bool,
        typer.Option("--article", help="Give hilens a network of the picture alone, for run(work_path)."),
    ] = False,
    weights: options.Weights = "",
    option: options.Option = [],  # noqa: B006
) -> None:
    """Write a network for an engine or a device; refused unless it does there what it does in torch.

    \b
    koutu export koutu --to onnx -o koutu.onnx
    koutu export koutu --to openvino --size 1920x1080 --refine --precision fp16 -o koutu-1080p.xml
    koutu export runs/small/best.pt --to onnx --precision int8 --clip street.mp4 -o small-int8.onnx
    koutu export rvm --weights rvm_mobilenetv3.pth --to ncnn --size 640x360 --ratio 0.5 -o rvm.param
    koutu export koutu-small --to ascend --soc Ascend310B1 --size 512x288 -o package
    koutu export koutu-small --to hilens --background lake.jpg -o skill
    koutu export koutu-small --to hilens --article --size 320x320 -o skill
    koutu video talk.mp4 -o out.mp4 --model koutu-1080p.json
    """
    import shlex
    import sys

    from koutu.export.targets.table import require_tools
    from koutu.progress import Steps

    require_tools(to)
    from koutu.export.defaults import SceneSources
    from koutu.export.run import Request
    from koutu.export.run import export as write
    from koutu.export.subject import parse_ratio, subject
    from koutu.zoo import parse_options

    options.require_packs(people, backgrounds)
    given = {"soc": soc, "source_format": camera, "background": background}
    device = {k: v for k, v in given.items() if v} | {"settings": parse_options(setting or [])}
    device |= {"article": True} if article else {}
    request = Request(
        target=to, out=output, size=_size(size), preprocess=preprocess.value if preprocess else "",
        precision=precision, ratio=parse_ratio(ratio), refine=refine, clips=tuple(clip or ()),
        scenes=SceneSources(people, backgrounds, scenes, 24) if people and backgrounds else None, frames=frames,
        tolerance=tolerance, device=device, bounds=_bounds(allow), command=shlex.join(["koutu", *sys.argv[1:]]),
    )  # fmt: skip
    found = subject(model, weights or None, parse_options(option))
    with Steps(f"{found.name} → {to}") as watch:
        done = write(request, found, watch)
    for line in _lines(done):
        print(line)


def _size(text: str) -> tuple[int, int] | str | None:
    from koutu.engines.exported.card import ANY

    return ANY if text == ANY else options.parse_size(text) if text else None


def _bounds(text: str) -> "Bounds | None":
    from koutu.export.parity import Bounds
    from koutu.types import InputError

    if not text:
        return None
    try:
        largest, mean, dtssd = (float(word) for word in text.split(","))
    except ValueError as e:
        raise InputError(f"expected --allow LARGEST,MEAN,DTSSD, got {text!r}; for example 0.1,0.001,0.2") from e
    return Bounds(largest, mean, dtssd)


def _lines(done: "Exported") -> list[str]:
    """What was made, how it was proved, and where it is."""
    content = done.content
    rows = [_described(content)]
    if not done.figures:
        rows.append(content["parity"]["why"])
    for row in done.figures:
        rows.append(
            f"parity, {row.frames} frames of {row.clip} at {row.size[1]}x{row.size[0]}: largest {row.largest:.2g}, "
            f"mean {row.mean:.2g}, dtSSD x 100 {row.dtssd:.2g}"
        )
    if done.figures:
        b, engine = done.bounds, content.get("parity_of_its_onnx", content["parity"])["engine"]
        rows.append(f"allowed: {b.largest:g}, {b.mean:g}, {b.dtssd:g}; on {engine}")
    rows += _table(content.get("int8", {}))
    if "ascend" in content:
        rows += _chip(content)
    rows += [f"note: {note}" for note in content["notes"] if note != content["parity"].get("why")]
    return [*rows, *(f"wrote {path}" for path in (*done.files, done.card))]


def _described(content: "Mapping[str, Any]") -> str:
    size, seen = content["size"], content["network_size"]
    said = "pictures of any size" if size == "any" else f"pictures of {size['width']}x{size['height']}"
    if content["ratio"] or seen != size:
        shown = f"{seen['width']}x{seen['height']}" if seen != "any" else content["ratio"]
        said += f", of which the network sees {shown}" + (", refined" if content["refined"] else "")
    source = content["input"]
    return f"{content['name']} in {content['precision']}: {said}, as {source['layout']} {source['dtype']}"


def _chip(content: "Mapping[str, Any]") -> list[str]:
    """What the chip would do, as far as that can be said here."""
    rows = [
        f"behind AIPP, simulated to the bit, beside exact colours: largest {row['largest']:.2g}, mean "
        f"{row['mean']:.2g}, dtSSD x 100 {row['dtssd_x100']:.2g} on {row['frames']} frames of {row['clip']}"
        for row in content["parity"].get("clips", ())
    ]
    return [
        *rows,
        f"for {content['ascend']['soc']}, {content['ascend']['source_format']}; .om: {content['ascend']['om']}",
    ]


def _table(eight: "Mapping[str, Any]") -> list[str]:
    """int8 before and after, clip by clip."""
    if not eight:
        return []
    kept = len(eight["kept_in_float32"])
    rows = [
        f"int8: {eight['layers'] - kept} of {eight['layers']} layers; difference to float32, thousandths of alpha: "
        f"{eight['error']:.2f}, with all layers {eight['error_with_all_layers']:.2f}",
        "clip                      mean x1000  largest  dtSSD x100   off the truth x1000: float32   int8",
    ]
    for row in eight["quality"]:
        truth = ""
        if "int8_mad_x1000" in row:
            truth = f"{row['float32_mad_x1000']:31.2f} {row['int8_mad_x1000']:6.2f}"
        rows.append(
            f"{row['clip'][:24]:24}  {1000 * row['mean']:10.2f} {row['largest']:8.3f} {row['dtssd_x100']:11.2f}{truth}"
        )
    return rows
