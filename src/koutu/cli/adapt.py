"""`koutu adapt`."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from koutu.cli import options
from koutu.train.adapt_options import AdaptOptions

NOT_BETTER = 8  # exit code: it was not made better, so that nothing was written


def adapt(
    clip: Annotated[Path, typer.Argument(metavar="CLIP", readable=False, help="Any video that FFmpeg reads.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", readable=False, help="File for the adapted network, .onnx.")
    ],
    frames: Annotated[
        int, typer.Option(min=64, help="Frames to learn from, in runs of 16 spread over the clip.")
    ] = AdaptOptions.frames,
    minutes: Annotated[
        float, typer.Option(min=0.05, help="Most minutes of adapting; reading the clip comes on top.")
    ] = AdaptOptions.minutes,
    epochs: Annotated[int, typer.Option(min=1, help="Most passes over these frames.")] = AdaptOptions.epochs,
    lr: Annotated[float, typer.Option(min=0.0, help="Learning rate.")] = AdaptOptions.lr,
    seed: options.Seed = AdaptOptions.seed,
    pixels: Annotated[
        int, typer.Option(min=0, help="Pixels of the image that the network is shown; 0 is as many as usual.")
    ] = AdaptOptions.pixels,
    model: Annotated[
        str,
        typer.Option("--model", "-m", help="Packaged weights, or modnet or tmodnet with --weights; else the default."),
    ] = "",
    weights: options.Weights = "",
    threads: Annotated[int, typer.Option(min=0, help="Threads of PyTorch; 0 leaves their number to it.")] = 0,
    report: Annotated[
        Path | None, typer.Option(readable=False, help="Write how it did before and after: .html or .json.")
    ] = None,
) -> None:
    """Adapt MODNet to a clip of your own, without any truth, for koutu video --model ADAPTED.onnx.

    Frames that it did not learn from tell whether it helped. If it did not, nothing is written but the report, and the
    exit code is 8: go on with the network as it was.

    \b
    koutu adapt talk.mp4 -o talk.onnx --report talk.html
    koutu video talk.mp4 -o out.mp4 --model talk.onnx
    koutu adapt talk.mp4 -o talk.onnx --model modnet --weights weights.pt --minutes 20
    """
    _require()
    from koutu.progress import Steps
    from koutu.train.adapt import adapt as adapt_to
    from koutu.train.adapt import check_report
    from koutu.train.adapt_report import summary, write_report

    if threads:
        import torch

        torch.set_num_threads(threads)
    given = AdaptOptions(frames=frames, minutes=minutes, epochs=epochs, lr=lr, pixels=pixels, seed=seed)
    if report:
        check_report(report, clip, output)
    with Steps(clip.name) as watch:
        found = adapt_to(
            clip, output, options=given, watch=watch, **({"model": model} if model else {}), weights=weights or None
        )
    if report:
        write_report(found, report)
    for line in summary(found):
        print(line, file=sys.stderr)
    for path in (found.path, report):
        if path:
            print(f"wrote {path}", file=sys.stderr)
    if not found.accepted:
        raise typer.Exit(NOT_BETTER)


def _require() -> None:
    from koutu.extras import pip_line
    from koutu.types import ModelError

    for module in ("torch", "onnx"):
        if find_spec(module) is None:
            raise ModelError(f"adapting needs {module}, which is not installed; {pip_line('train')}")
