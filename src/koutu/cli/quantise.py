"""`koutu quantise`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.cli.gate import require
from koutu.export.defaults import TOLERANCE, SceneSources

if TYPE_CHECKING:
    from koutu.export.int8.quantise import Quantised


def quantise(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Packaged weights, or an .onnx file of koutu's.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", readable=False, help="File for the quantised network, .onnx.")
    ],
    people: options.People = None,
    backgrounds: options.Backgrounds = None,
    clip: options.Clips = None,
    scenes: options.Scenes = 12,
    frames: options.SceneFrames = 12,
    held_out: options.HeldOut = SceneSources.held_out,
    tolerance: options.Tolerance = TOLERANCE,
    seed: options.Seed = SceneSources.seed,
) -> None:
    """Store a network's convolutions in eight bits, but for those that alpha depends on; ONNX Runtime and OpenVINO.

    \b
    koutu quantise koutu -o koutu-int8.onnx --clip talk.mp4
    koutu quantise mine.onnx -o mine-int8.onnx --people packs/people --backgrounds packs/backgrounds --tolerance 1
    koutu eval koutu koutu-int8.onnx datasets/AIM-500
    """
    require("quantising", "onnx", "sympy")
    from koutu.engines.onnxruntime import OnnxBackend
    from koutu.export.clips import CalibrationClip, clip_of, halves, made
    from koutu.export.int8.quantise import quantise as store
    from koutu.progress import Steps
    from koutu.zoo import packaged

    options.require_packs(people, backgrounds)
    source = Path(model) if model.endswith(".onnx") else packaged(model)
    sizing = OnnxBackend(source).network_size
    with Steps(source.name) as watch:
        clips: list[CalibrationClip] = [half for path in clip or [] for half in halves(clip_of(path, sizing))]
        if people and backgrounds:
            clips += made(SceneSources(people, backgrounds, scenes, frames, held_out, seed), sizing, watch)
        found = store(source, output, clips, tolerance=tolerance, watch=watch)
    for line in _lines(found):
        print(line)


def _lines(found: "Quantised") -> list[str]:
    rows = [
        f"difference to float32, thousandths of alpha: {found.error:.2f}; with all {found.layers} layers in eight bits "
        f"{found.whole:.2f}"
    ]
    if found.kept:
        rows += ["", f"{len(found.kept)} layers stay in float32; alone, each makes a difference of"]
        rows += [f"{found.sensitivity[name]:7.2f}  {name}" for name in found.kept]
    return [*rows, f"wrote {found.path}"]
