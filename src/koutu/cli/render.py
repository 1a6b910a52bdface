"""`koutu data render`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli.data import BROKEN, tell_broken
from koutu.types import InputError

if TYPE_CHECKING:
    from koutu.data.render.run import Report

_KINDS = "still,still,still,group,clip"


def render(
    output: Annotated[Path, typer.Option("--output", "-o", readable=False, help="A folder; it is gone on with.")],
    count: Annotated[int, typer.Option(min=1, help="Samples in all, those there already among them.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Decides every sample.")] = 0,
    kinds: Annotated[
        str, typer.Option(metavar="KIND,…", help="Of still, group (two to five people) and clip; one may come twice.")
    ] = _KINDS,
    size: Annotated[str, typer.Option(metavar="WxH", help="Pixels.")] = "512x288",
    samples: Annotated[int, typer.Option(min=1, help="A pixel's, of colour.")] = 12,
    alpha_samples: Annotated[int, typer.Option(min=1, help="A pixel's, of alpha.")] = 48,
    threads: Annotated[int, typer.Option(min=1, help="Of the processor.")] = 1,
    assets: Annotated[
        Path | None, typer.Option(metavar="DIR", readable=False, help="Where MakeHuman's files lie; docs/render.md.")
    ] = None,
    backgrounds: Annotated[
        Path | None, typer.Option(metavar="DIR", readable=False, help="Photographs to take light from.")
    ] = None,
    blender_python: Annotated[
        str, typer.Option(metavar="PATH", help="A Python that has bpy; else what KOUTU_BLENDER_PYTHON names.")
    ] = "",
    retry: Annotated[bool, typer.Option("--retry", help="Try once more what failed before.")] = False,
) -> None:
    """Render people who do not exist, with exact mattes: pictures and clips of RGBA, to be packed and trained from.

    A sample depends on seed, kinds and size alone. Run again, the command does what is missing, whatever ended it.
    Exit code 3 if a sample could not be rendered; its reason is kept, and it is left out.

    \b
    koutu data render -o renders/ --count 1000 --assets makehuman/ --backgrounds scenery/
    koutu data pack renders/ -o packs/rendered
    """
    from koutu.data.render.run import Order, render_people
    from koutu.progress import Steps

    order = Order(
        count, seed, [kind.strip() for kind in kinds.split(",") if kind.strip()], _size(size), samples, alpha_samples,
        threads, assets, backgrounds, blender_python, retry,
    )  # fmt: skip
    with Steps(output.name) as progress:
        report = render_people(order, output, progress=progress)
    print("\n".join(_told(report)))
    tell_broken([f"{name}: {reason}" for name, reason in report.failed.items()])
    print(f"wrote {output / 'index.json'}")
    if report.failed:
        raise typer.Exit(BROKEN)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isdigit() and height.isdigit() and min(int(width), int(height)) >= 32):
        raise InputError(f"expected a size such as 512x288, 32 pixels at least, got {text!r}; give --size WxH")
    return int(width), int(height)


def _told(report: "Report") -> list[str]:
    lines = [f"{len(report.made)} samples rendered, {len(report.found)} were there, {len(report.failed)} failed"]
    if report.made:
        lines.append(f"  {report.cpu / len(report.made):.1f} seconds of processor each")
    lines += [f"  {name} was half a render ({reason}): rendered anew" for name, reason in report.mended.items()]
    return lines
