"""`koutu video`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.cli.options import Deinterlace, load_backend, make_hints
from koutu.defaults import DEVICE
from koutu.media.containers import EncodeOptions
from koutu.pipeline.look import Look
from koutu.types import InputError

if TYPE_CHECKING:
    from koutu.review import Reviewer

LOST_INPUT = 6  # exit code: finished, but part of the input could not be read


_ENCODE = EncodeOptions()


def video(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            readable=False,
            allow_dash=True,
            help="Any video that FFmpeg reads, - for standard input, or pictures: a folder, %04d.png, '*.png'.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", readable=False, help="Write the composite, or the cut-out with its alpha."),
    ] = None,
    background: options.Background = options.BACKGROUND,
    alpha: Annotated[Path | None, typer.Option(readable=False, help="Also write alpha as a grey video.")] = None,
    foreground: Annotated[Path | None, typer.Option(readable=False, help="Also write the person on black.")] = None,
    side_by_side: Annotated[
        Path | None, typer.Option(readable=False, help="Also write the original beside the composite.")
    ] = None,
    review: Annotated[
        Path | None, typer.Option(readable=False, help="Also write a page that tells where the matte is bad, and why.")
    ] = None,
    model: options.Model = "",
    weights: options.Weights = "",
    option: options.Option = [],  # noqa: B006
    trimap: options.Trimap = None,
    mask: options.Mask = "",
    plate: options.Plate = None,
    plate_fixed: options.Fixed = False,
    clicks: options.Clicks = "",
    trimap_radius: options.Radius = -1,
    keep: Annotated[
        list[str],
        typer.Option(
            metavar="X,Y@T",
            help="Whoever is at that point in pixels at second T stays, all others go; give it again for more people.",
        ),
    ] = [],  # noqa: B006
    only_person: Annotated[
        int,
        typer.Option(
            min=0, help="Keep one: the N-th from the left in the first frame that N people are in; 0 keeps all."
        ),
    ] = 0,
    propagate: options.Propagate = "",
    engine: options.Engine = "",
    device: options.Device = DEVICE,
    threads: options.Threads = 0,
    gate: options.Gate = None,
    steady: options.Steady = None,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="The best mattes in any time: every frame is seen from both sides; a stopped run goes on.",
        ),
    ] = False,
    fit: options.BackgroundFit = options.FIT,
    hold: options.Hold = not Look.loop,
    smooth: options.Smooth = Look.smooth,
    refine: options.Refine = Look.refine,
    zoom: options.Zoom = Look.zoom,
    opinion: options.Opinion = Look.opinion,
    decontaminate: options.Decontaminate = Look.decontaminate,
    codec: options.VideoCodec = options.CODEC,
    preset: options.Preset = _ENCODE.preset,
    crf: options.Crf = _ENCODE.crf,
    alpha_crf: options.AlphaCrf = _ENCODE.alpha_crf,
    depth: options.Depth = _ENCODE.depth,
    sdr: options.Sdr = False,
    audio: options.Audio = _ENCODE.audio,
    premultiplied: options.Premultiplied = Look.premultiplied,
    fps: Annotated[
        float, typer.Option(min=0.0, help="Pictures a second of numbered pictures; 0 is 25. Videos have their own.")
    ] = 0.0,
    deinterlace: options.Deinterlacing = Deinterlace.auto,
) -> None:
    """Cut the person out of a video and put another background behind.

    \b
    koutu video talk.mp4 -o out.mp4 --background beach.jpg
    koutu video talk.mp4 -o out.mp4 --background blur --alpha alpha.mp4
    koutu video talk.mp4 -o cut.webm --background transparent
    koutu video two.mp4 -o one.mp4 --keep 320,200@1.5
    koutu video shot_%04d.png -o out.mov --fps 30 --background transparent
    koutu video talk.mp4 --side-by-side compare.mp4 --background '#204060'
    koutu video talk.mp4 -o out.mp4 --offline
    koutu video talk.mp4 -o out.mp4 --plate empty-room.jpg
    koutu video two.mp4 -o one.mp4 --mask first.png
    koutu video talk.mp4 -o out.mp4 --model bgmv2 --weights pytorch_resnet50.pth --plate empty-room.jpg
    """
    from koutu.api import convert
    from koutu.matting.people import parse_person
    from koutu.progress import summary, watch

    encode = EncodeOptions(codec.value, preset, crf, depth, audio, alpha_crf)
    if offline and (gate or steady):
        raise InputError("expected --offline or --gate and --steady, got both; leave one out")
    gate, steady = (False, False) if offline else (gate, steady)
    backend = load_backend(model, engine, device, threads, weights, option, gate=gate, steady=steady)
    people = [parse_person(text) for text in keep]
    hints = make_hints(trimap, mask, plate, clicks, trimap_radius, plate_fixed, propagate)
    reviewer = _reviewer(review, source) if review else None
    with watch(source.name) as progress:
        report = convert(
            source, output, background=background, alpha=alpha, foreground=foreground, side_by_side=side_by_side,
            model=backend, device=device, threads=threads, hints=hints, fit=fit.value, loop=not hold, smooth=smooth,
            refine=refine, zoom=zoom, opinion=opinion, decontaminate=decontaminate, encode=encode, progress=progress,
            observe=reviewer, keep=people, only_person=only_person or None,
            premultiplied=premultiplied, rate=fps or None, deinterlace=deinterlace.value, sdr=sdr, offline=offline,
        )  # fmt: skip
    for line in summary(report):
        print(line, file=sys.stderr)
    if review and reviewer:
        from koutu.review import page, write_text

        found = reviewer.finish(lost=str(report.lost))
        write_text(review, page(found))
        print("\n".join([*found.summary(), f"wrote {review}"]), file=sys.stderr)
    if report.lost:
        raise typer.Exit(LOST_INPUT)


def _reviewer(page: Path, source: Path) -> "Reviewer":
    from koutu.review import Reviewer, require_writable

    require_writable(page, source)
    return Reviewer(source.name)
