"""`koutu video`."""

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from koutu.cli import options
from koutu.cli.options import load_backend, make_hints

LOST_INPUT = 6  # exit code: finished, but part of the input could not be read


class Codec(str, Enum):
    """Video codec of .mp4, .mkv and .mov."""

    h264 = "h264"
    hevc = "hevc"


def video(
    source: Annotated[Path, typer.Argument(metavar="IN", readable=False, help="Any video that FFmpeg reads.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", readable=False, help="Composite, or cut-out with alpha.")
    ] = None,
    background: Annotated[
        str, typer.Option("--background", "-b", help="Image, video, colour, blur[:STRENGTH], green or transparent.")
    ] = "green",
    alpha: Annotated[Path | None, typer.Option(readable=False, help="Also write alpha as a grey video.")] = None,
    foreground: Annotated[Path | None, typer.Option(readable=False, help="Also write the person on black.")] = None,
    side_by_side: Annotated[Path | None, typer.Option(readable=False, help="Also write original | composite.")] = None,
    review: Annotated[Path | None, typer.Option(readable=False, help="Also a page: where it is bad, and why.")] = None,
    model: options.Model = "",
    weights: options.Weights = "",
    option: options.Option = [],  # noqa: B006
    trimap: options.Trimap = None,
    mask: options.Mask = "",
    plate: options.Plate = None,
    plate_fixed: options.Fixed = False,
    clicks: options.Clicks = "",
    trimap_radius: options.Radius = -1,
    propagate: options.Propagate = "",
    engine: options.Engine = "",
    device: options.Device = "cpu",
    threads: options.Threads = 0,
    gate: options.Gate = None,
    steady: options.Steady = None,
    fit: options.BackgroundFit = options.Fit.cover,
    hold: Annotated[bool, typer.Option("--hold", help="Hold a background video's last frame, not loop.")] = False,
    smooth: Annotated[bool, typer.Option(help="One-frame-delay smoothing.")] = False,
    refine: Annotated[bool, typer.Option(help="Let alpha follow the edges of the full-size picture.")] = True,
    decontaminate: Annotated[bool, typer.Option(help="Take the old background's light off the edges.")] = True,
    codec: Annotated[Codec, typer.Option(help="Codec of .mp4, .mkv and .mov without alpha.")] = Codec.h264,
    preset: Annotated[str, typer.Option(help="x264/x265 preset.")] = "veryfast",
    crf: Annotated[int, typer.Option(min=0, max=51, help="Quality: 0 lossless, 51 worst.")] = 18,
    depth: Annotated[int, typer.Option(help="Bits a sample: 8, or 10 (HEVC).")] = 8,
    audio: Annotated[bool, typer.Option(help="Keep the sound.")] = True,
) -> None:
    """Cut the person out of a video and put another background behind.

    \b
    koutu video talk.mp4 -o out.mp4 --background beach.jpg
    koutu video talk.mp4 -o out.mp4 --background blur --alpha alpha.mp4
    koutu video talk.mp4 -o cut.webm --background transparent
    koutu video talk.mp4 --side-by-side compare.mp4 --background '#204060'
    koutu video talk.mp4 -o out.mp4 --model bgmv2 --weights pytorch_resnet50.pth --plate empty-room.jpg
    """
    from koutu.api import convert
    from koutu.media.writer import EncodeOptions
    from koutu.progress import summary, watch
    from koutu.review import Reviewer, page, require_writable, write_text

    encode = EncodeOptions(codec=codec.value, preset=preset, crf=crf, depth=depth, audio=audio)
    backend = load_backend(model, engine, device, threads, weights, option, gate=gate, steady=steady)
    hints = make_hints(trimap, mask, plate, clicks, trimap_radius, plate_fixed, propagate)
    if review:
        require_writable(review, source)
    reviewer = Reviewer(source.name) if review else None
    with watch(source.name) as progress:
        report = convert(
            source, output, background=background, alpha=alpha, foreground=foreground, side_by_side=side_by_side,
            model=backend, hints=hints, fit=fit.value, loop=not hold, smooth=smooth, refine=refine,
            decontaminate=decontaminate, encode=encode, progress=progress, observe=reviewer,
        )  # fmt: skip
    for line in summary(report):
        print(line, file=sys.stderr)
    if review and reviewer:
        found = reviewer.finish(lost=str(report.lost))
        write_text(review, page(found))
        print("\n".join([*found.summary(), f"wrote {review}"]), file=sys.stderr)
    if report.lost:
        raise typer.Exit(LOST_INPUT)
