"""`koutu image` and `koutu trimap`."""

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from koutu.cli import options
from koutu.cli.options import load_backend, make_hints
from koutu.defaults import DEVICE
from koutu.pipeline.look import Look
from koutu.types import KoutuError

Sources = Annotated[
    list[str], typer.Argument(metavar="IN…", help="Images to cut out, folders of them, globs, or - for standard input.")
]
Output = Annotated[
    str, typer.Option("--output", "-o", help="Folder to write into, a file for one image, or - for standard output.")
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Look in the folders within a folder too; they are kept.")
]


class Kind(str, Enum):
    """Format of the files in a folder."""

    png = "png"
    webp = "webp"
    tiff = "tiff"
    jpg = "jpg"


def image(
    sources: Sources,
    output: Output,
    recursive: Recursive = False,
    format: Annotated[
        Kind | None,
        typer.Option(help="Format of the files in a folder; png if not given."),
    ] = None,
    background: options.Background = "transparent",
    alpha_only: Annotated[
        bool, typer.Option("--alpha-only", help="Write alpha as a grey image instead of the person.")
    ] = False,
    multilevel: Annotated[
        bool, typer.Option(help="Estimate the person's colours by pymatting's multi-level method, which is slower.")
    ] = False,
    model: options.Model = "",
    weights: options.Weights = "",
    option: options.Option = [],  # noqa: B006
    trimap: options.Trimap = None,
    mask: options.Mask = "",
    plate: options.Plate = None,
    plate_fixed: options.Fixed = False,
    clicks: options.Clicks = "",
    trimap_radius: options.Radius = -1,
    engine: options.Engine = "",
    device: options.Device = DEVICE,
    threads: options.Threads = 0,
    fit: options.BackgroundFit = options.FIT,
    premultiplied: options.Premultiplied = Look.premultiplied,
    zoom: options.Zoom = Look.zoom,
    solve: Annotated[
        bool, typer.Option(help="Solve the outline of people who are large in closed form, for a tenth of a second.")
    ] = True,
    opinion: options.Opinion = True,
) -> None:
    """Cut the person out of images. Into a folder, each is written as STEM.png, or as --format says.

    \b
    koutu image portrait.jpg -o portrait.png
    koutu image *.jpg -o cut/ --background white --format jpg
    koutu image portraits/ -o cut/ --recursive
    koutu image - -o - < portrait.jpg > portrait.png
    koutu image portrait.jpg -o cut.png --trimap trimap.png
    koutu image portrait.jpg -o cut.png --model closed-form --mask auto
    koutu image portrait.jpg -o cut.png --model mgmatting --weights latest.pth --clicks "320,200 -20,20"
    """
    from koutu.api import convert_image
    from koutu.media.background_spec import make_background
    from koutu.pictures import jobs
    from koutu.zoo import load_opinion

    pairs = jobs(sources, output, ending=format.value if format else "", recursive=recursive, tell=_tell)
    backend = load_backend(model, engine, device, threads, weights, option)
    hints = make_hints(trimap, mask, plate, clicks, trimap_radius, plate_fixed)
    asked = load_opinion(device, threads) if opinion else False
    with make_background(background, fit=fit.value) as behind:

        def cut(picture: Any, target: Any) -> None:
            convert_image(
                picture, target, background=behind, alpha_only=alpha_only, backend=backend, hints=hints,
                format="PNG" if output == "-" else None, multilevel=multilevel, premultiplied=premultiplied,
                zoom=zoom, solve=solve, opinion=asked, tell=_tell,
            )  # fmt: skip

        _each(pairs, output, cut)


def trimap(
    sources: Sources,
    output: Output,
    mask: options.Mask = "",
    recursive: Recursive = False,
    clicks: options.Clicks = "",
    trimap_radius: options.Radius = -1,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Network that makes trimaps: shm, by Semantic Human Matting's T-Net.")
    ] = "",
    weights: options.Weights = "",
    option: options.Option = [],  # noqa: B006
    device: options.Device = DEVICE,
) -> None:
    """Make trimaps: from a mask, from clicks, from the default network's matte, or by a network made for it.

    \b
    koutu trimap portrait.jpg -o trimap.png
    koutu trimap portrait.jpg -o trimap.png --mask coarse.png --trimap-radius 12
    koutu trimap portrait.jpg -o trimap.png --model shm --weights shm.pth
    """
    from koutu.api import make_trimap
    from koutu.matting.hints import AUTO
    from koutu.pictures import jobs

    pairs = jobs(sources, output, recursive=recursive, tell=_tell)
    backend = load_backend(model, "", device, 0, weights, option) if model else None
    hints = make_hints(None, mask or ("" if clicks else AUTO), None, clicks, trimap_radius, False)

    def make(picture: Any, target: Any) -> None:
        make_trimap(picture, target, backend=backend, hints=hints, format="PNG" if output == "-" else None)

    _each(pairs, output, make)


def _tell(line: str) -> None:
    print(f"note: {line}", file=sys.stderr)


def _each(pairs: list[tuple[Any, Any]], output: str, work: Any) -> None:
    """Run `work` on every image; of several, a broken one is reported and the others are done."""
    from koutu.files import folder
    from koutu.media.image import read_frame

    failed = 0
    for source, target in pairs:
        try:
            picture = read_frame(source)  # before a folder is made for it
            if isinstance(target, Path) and target != Path(output):
                folder(target.parent)
            work(picture, target)
        except KoutuError as e:
            if len(pairs) == 1:
                raise
            print(f"koutu: {e}", file=sys.stderr)
            failed = e.exit_code
    if failed:
        raise typer.Exit(failed)
