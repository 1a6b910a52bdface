"""`koutu data render`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.cli.data import BROKEN, tell_broken

if TYPE_CHECKING:
    from koutu.data.render.run import RenderReport

_KINDS = "still,still,still,group,clip"


def render(
    output: Annotated[
        Path, typer.Option("--output", "-o", readable=False, help="Folder to fill; what is there already is kept.")
    ],
    count: Annotated[int, typer.Option(min=1, help="Samples in all, with those that are there already.")] = 100,
    seed: options.Seed = 0,
    kinds: Annotated[
        str,
        typer.Option(
            metavar="KIND,…", help="What takes turns: still, group (two to five people), clip; one may come twice."
        ),
    ] = _KINDS,
    size: Annotated[str, typer.Option(metavar="WxH", help="Pixels of every sample.")] = "512x288",
    samples: Annotated[int, typer.Option(min=1, help="Rays a pixel for its colour.")] = 12,
    alpha_samples: Annotated[int, typer.Option(min=1, help="Rays a pixel for its alpha.")] = 48,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the renderer, and cores it keeps to.")] = 1,
    assets: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            readable=False,
            help="Folder of MakeHuman's files, that docs/render.md names.",
        ),
    ] = None,
    backgrounds: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            readable=False,
            help="Folder of photographs that light is taken from; studio lamps if not given.",
        ),
    ] = None,
    blender_python: Annotated[
        str, typer.Option(metavar="PATH", help="Python that has bpy; what KOUTU_BLENDER_PYTHON names if not given.")
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
    from koutu.data.render.run import RenderOrder, render_people
    from koutu.progress import Steps

    height, width = options.parse_size(size, 32)
    order = RenderOrder(
        count, seed, [kind.strip() for kind in kinds.split(",") if kind.strip()],
        (width, height), samples, alpha_samples, threads, assets, backgrounds, blender_python, retry,
    )  # fmt: skip
    with Steps(output.name) as progress:
        report = render_people(order, output, progress=progress)
    print("\n".join(_lines(report)))
    tell_broken([f"{name}: {reason}" for name, reason in report.failed.items()])
    print(f"wrote {output / 'index.json'}")
    if report.failed:
        raise typer.Exit(BROKEN)


def _lines(report: "RenderReport") -> list[str]:
    lines = [f"{len(report.made)} samples rendered, {len(report.found)} were there, {len(report.failed)} failed"]
    if report.made:
        lines.append(f"  {report.cpu / len(report.made):.1f} seconds of processor each")
    lines += [f"  {name} was half a render ({reason}): rendered anew" for name, reason in report.mended.items()]
    return lines
