"""`koutu gate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.export.defaults import ALLOWED, SceneSources

if TYPE_CHECKING:
    from koutu.export.early_exit.calibrate import Calibration


def gate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx", readable=False, help="The network; its two parts lie beside it.")
    ],
    people: options.People = None,
    backgrounds: options.Backgrounds = None,
    clip: options.Clips = None,
    scenes: options.Scenes = SceneSources.scenes,
    frames: options.SceneFrames = SceneSources.frames,
    held_out: options.HeldOut = SceneSources.held_out,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, help="Thousandths of alpha that a frame may lose; chosen by --allowed if not given."),
    ] = None,
    allowed: Annotated[
        float, typer.Option(min=0.0, help="Share by which the error may get worse: 0.05 is 5 %.")
    ] = ALLOWED,
    seed: options.Seed = SceneSources.seed,
) -> None:
    """Calibrate when koutu video may leave a frame to the network's low-resolution branch; written into MODEL-low.onnx.

    \b
    koutu gate koutu-small.onnx --people packs/people --backgrounds packs/backgrounds
    koutu gate koutu-small.onnx --people packs/people --backgrounds packs/backgrounds --clip talk.mp4 --allowed 0.01
    koutu gate koutu-small.onnx --clip talk.mp4 --clip walk.mp4 --threshold 4
    """
    require("calibrating")
    from koutu.engines.early_exit import parts_of
    from koutu.engines.onnxruntime import OnnxBackend
    from koutu.export.clips import CalibrationClip, clip_of, made
    from koutu.export.early_exit.calibrate import calibrate
    from koutu.progress import Steps

    options.require_packs(people, backgrounds)
    sizing = OnnxBackend(parts_of(model)[0]).network_size
    with Steps(model.name) as watch:
        clips: list[CalibrationClip] = []
        if people and backgrounds:
            clips += made(SceneSources(people, backgrounds, scenes, frames, held_out, seed), sizing, watch)
        clips += [clip_of(path, sizing) for path in clip or []]
        found = calibrate(model, clips, threshold=threshold, allowed=allowed, watch=watch)
    for line in _lines(found):
        print(line)


def _lines(found: "Calibration") -> list[str]:
    low, middle, high = found.gaps
    rows = [
        f"gap of the two parts, thousandths of alpha: {middle:.1f}, 10 % below {low:.1f}, 10 % above {high:.1f}",
        f"predicted in clips not fitted to: {100 * found.explained:.0f} % of the variance, half within a factor of "
        f"{found.factor:.2f}",
        "",
        "threshold   low     ms  saved    paid   error   worse  switches   jump  change",
    ]
    for i, row in enumerate(found.tried):
        name = f"{row.threshold:9.1f}" if i else "    whole"
        rows.append(
            f"{name} {100 * row.low:4.0f} % {row.ms:6.1f} {row.saved:6.1f} {row.paid:7.2f} {row.error:7.2f} "
            f"{100 * row.worse:5.1f} % {row.switches:9d} {row.jump:6.2f} {row.change:7.2f}"
        )
    return [
        *rows,
        "paid: mean |gated - whole|; error: against the truth; jump: the largest a switch made in a frame; change: "
        "the ordinary one; thousandths of alpha",
        f"threshold {found.gate.threshold:g}, wrote {found.path}",
    ]


def require(work: str, *modules: str) -> None:
    """Raise ModelError, with the remedy, if what `work` needs is not installed."""
    from importlib.util import find_spec

    from koutu.extras import pip_line
    from koutu.types import ModelError

    for module in modules or ("torch", "onnx"):
        if find_spec(module) is None:
            raise ModelError(f"{work} needs {module}, which is not installed; {pip_line('train')}")
