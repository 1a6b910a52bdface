"""`koutu review`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from koutu.cli import options
from koutu.cli.options import load_backend
from koutu.defaults import DEVICE

LOST_INPUT = 6  # exit code: finished, but part of the input could not be read


def review(
    source: Annotated[Path, typer.Argument(metavar="IN", readable=False, help="A cut-out with alpha, or any video.")],
    alpha: Annotated[
        Path | None, typer.Option(readable=False, help="The alpha of IN: a grey video, or a cut-out made of it.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", readable=False, help="Write the report as an HTML page.")
    ] = None,
    json: Annotated[str, typer.Option(metavar="FILE", help="Write the report as JSON; - is standard output.")] = "",
    model: options.Model = "",
    weights: options.Weights = "",
    option: options.Option = [],  # noqa: B006
    engine: options.Engine = "",
    device: options.Device = DEVICE,
    threads: options.Threads = 0,
) -> None:
    """Tell where a cut-out video is bad, why, and which option of `koutu video` to try.

    A video without alpha and without --alpha is matted first, by the default network or --model: the report is then
    about that matte, and says so. A finished composite is best reviewed by its original and --alpha.

    \b
    koutu review cut.webm -o review.html
    koutu review talk.mp4 --alpha alpha.mp4 -o review.html
    koutu review talk.mp4 --json review.json
    """
    from koutu.matting.matter import Matter
    from koutu.media.alpha_track import has_alpha
    from koutu.progress import watch
    from koutu.review import page, require_writable, write_text
    from koutu.review import review as look_through
    from koutu.types import ModelError

    for path in (output, json):
        if path and path != "-":
            require_writable(path, source, *([alpha] if alpha else []))
    matter = None
    if alpha is None and not has_alpha(source):
        backend = load_backend(model, engine, device, threads, weights, option)
        if backend.needs:
            raise ModelError(
                f"expected a network that needs frames only, got {backend.name}, which needs "
                f"{' and '.join(backend.needs)}; run koutu video --alpha with it, then review with --alpha"
            )
        matter = Matter(backend)
    with watch(source.name) as progress:
        found = look_through(source, alpha, matter=matter, progress=progress)
    if json == "-":
        print(found.to_json())
    elif json:
        write_text(json, found.to_json())
    if output is not None:
        write_text(output, page(found))
    for line in found.summary():
        print(line, file=sys.stderr if json == "-" else sys.stdout)
    for path in (output, json if json != "-" else ""):
        if path:
            print(f"wrote {path}", file=sys.stderr)
    if found.lost:
        raise typer.Exit(LOST_INPUT)
