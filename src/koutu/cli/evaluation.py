"""`koutu eval`, and `koutu data compose`."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.defaults import DEVICE
from koutu.evaluation.settings import MeasureSettings, SetRecipe
from koutu.types import InputError

if TYPE_CHECKING:
    from koutu.data.sets.open import DataSet

Backgrounds = Annotated[
    Path | None, typer.Option(readable=False, help="Folder of images or videos that cut-outs are composed on.")
]
Frames = Annotated[int, typer.Option(min=1, help="Frames of each composed clip; 1 makes stills.")]
Cause = Annotated[
    str, typer.Option(help="Compose for one difficulty, or for all: `koutu data compose --help` names them.")
]
Split = Annotated[str, typer.Option(help="Part of the data set; auto takes the first that is for tests.")]
Size = Annotated[str, typer.Option(metavar="WxH", help="Pixels of composed images; those of the cut-out if not given.")]
Limit = Annotated[int, typer.Option(min=0, help="Take only the first so many clips; 0 takes all.")]
Only = Annotated[
    Path | None,
    typer.Option(readable=False, help="Text file with the names, or files, of the clips to take, one a line."),
]


def evaluate(
    things: Annotated[
        list[str],
        typer.Argument(metavar="MODEL... DATA", help="Names of `koutu models`, .onnx or .yaml files; then a data set."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", readable=False, help="Folder for the results.")] = Path(
        "koutu-eval"
    ),
    layout: options.Layout = options.AUTO,
    split: Split = options.AUTO,
    backgrounds: Backgrounds = None,
    seed: options.Seed = SetRecipe.seed,
    frames: Frames = SetRecipe.frames,
    cause: Cause = SetRecipe.cause,
    size: Size = "",
    limit: Limit = 0,
    only: Only = None,
    looks: Annotated[
        int,
        typer.Option(min=1, help="How often every network with a memory, whoever made it, is shown a first frame."),
    ] = MeasureSettings.looks,
    zoom: options.Zoom = MeasureSettings.zoom,
    opinion: Annotated[
        bool, typer.Option(help="Let stills of koutu's networks get a second opinion, as koutu image gives it.")
    ] = MeasureSettings.opinion,
    recovery: Annotated[
        bool,
        typer.Option(
            "--recovery",
            help="Run clips, of 24 frames or more, again with a wrong memory and with somebody who comes in.",
        ),
    ] = MeasureSettings.recovery,
    perceptual: Annotated[
        bool, typer.Option(help="Measure Gradient and Connectivity too.")
    ] = MeasureSettings.perceptual,
    mask: Annotated[
        str,
        typer.Option(help="auto gives networks that need a mask the default network's matte; no mask if not given."),
    ] = "",
    trimap_radius: Annotated[
        int, typer.Option(min=1, help="Pixels on either side of the edge, of trimaps made where the set has none.")
    ] = MeasureSettings.trimap_radius,
    device: options.Device = DEVICE,
    threads: options.Threads = 0,
    gate: options.Gate = None,
    steady: options.Steady = None,
) -> None:
    """Measure networks on a data set: a table, results.csv, .json and .xlsx, and report.html to look at.

    Published weights and files of described peers are given as NAME=FILE; with {h} and {w} in FILE, every picture meets
    the file of its own size. A run that was stopped goes on where it was.

    \b
    koutu eval koutu PPM-100 -o ppm
    koutu eval koutu rvm=rvm_mobilenetv3.pth u2net=u2net_human_seg.pth AIM-500 -o aim
    koutu eval koutu portraits/ --backgrounds places/ --frames 100 --cause all -o hard
    koutu eval koutu portraits/ --backgrounds places/ --recovery -o memory
    koutu eval koutu rvm-onnx-fixed='rvm_{h}x{w}.onnx' portraits/ --backgrounds places/ --frames 24 -o beside
    """
    from koutu.evaluation.cards import card
    from koutu.evaluation.recovery import LENGTH
    from koutu.evaluation.report import page
    from koutu.evaluation.run import evaluate as run_evaluation
    from koutu.evaluation.sheet import write_workbook
    from koutu.evaluation.table import save, sum_up, text, write
    from koutu.files import folder
    from koutu.matting.matter import Matter
    from koutu.progress import Steps
    from koutu.zoo import load, load_named, load_opinion

    if len(things) < 2:
        raise InputError(f"expected one or more models and then a data set, got only {things[0]}; name the other")
    models = _names(things[:-1])
    how = {"device": device, "threads": threads, "gate": gate, "steady": steady}
    backends = {name: load_named(spec, **how) for name, spec in models.items()}
    guess = Matter(load()) if mask == "auto" else None
    settings = MeasureSettings(
        perceptual=perceptual,
        trimap_radius=trimap_radius,
        recovery=recovery,
        looks=looks,
        zoom=zoom,
        opinion=opinion,
    )
    recipe = SetRecipe(
        seed=seed,
        frames=max(frames, LENGTH) if recovery else frames,
        cause=cause,
        size=options.parse_size(size) if size else None,
    )
    for data in _sets(Path(things[-1]), layout, split, backgrounds, recipe, limit, only):
        where = folder(output / (data.name if cause == "all" else "."))
        with Steps(data.name) as progress:
            run = run_evaluation(
                backends, data, where, settings=settings, guess=guess, progress=progress,
                opinion=lambda: load_opinion(device, threads),
            )  # fmt: skip
        table = sum_up(run)
        paths = write(table, run, where)
        if find_spec("openpyxl"):
            paths.append(where / "results.xlsx")
            write_workbook(table, run, paths[-1])
        cards = {name: card(spec.partition("=")[0]) for name, spec in models.items()}
        save(where / "report.html", page(table, run, cards).encode())
        print(f"{data.name}: {len(data.clips)} clips of {data.root}")
        for line in [*text(table, run), *(f"wrote {path}" for path in [*paths, where / "report.html"])]:
            print(line)


def compose(
    cutouts: Annotated[Path, typer.Argument(readable=False, help="A data set of cut-outs: foregrounds and alphas.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", readable=False, help="Folder for the test set; it must not exist.")
    ],
    backgrounds: Backgrounds = None,
    layout: options.Layout = options.AUTO,
    split: Split = options.AUTO,
    seed: options.Seed = SetRecipe.seed,
    frames: Frames = SetRecipe.frames,
    cause: Cause = SetRecipe.cause,
    size: Size = "",
    limit: Limit = 0,
    only: Only = None,
) -> None:
    """Write a test set composed from cut-outs, as RVM's evaluation lays it out: SET/CLIP/com, pha, fgr, bgr.

    Causes: plain, backlight, low-light, entering (clips only), hair, props, two-people, motion-blur, compression; all.

    \b
    koutu data compose PhotoMatte85 -o test --backgrounds places/ --seed 10
    koutu data compose VideoMatte240K --split test -o hard --backgrounds clips/ --frames 100 --cause all --size 512x288
    """
    from koutu.evaluation.testset import save_set
    from koutu.progress import Steps

    if backgrounds is None:
        raise InputError("expected a folder of backgrounds, got none; give --backgrounds")
    recipe = SetRecipe(seed=seed, frames=frames, cause=cause, size=_size(size))
    for data in _sets(cutouts, layout, split, backgrounds, recipe, limit, only):
        with Steps(data.name) as progress:
            broken = save_set(data, output / data.name, progress)
        print(f"wrote {len(data.clips) - len(broken)} clips to {output / data.name}")
        for item in broken:
            print(f"koutu: {item.name}: {item.reason}", file=sys.stderr)


def _sets(  # type: ignore[no-untyped-def]
    root: Path, layout: str, split: str, backgrounds: Path | None, recipe, limit: int, only: Path | None
) -> "list[DataSet]":
    """The set as it lies there, or composed: once, or for every cause that stills or clips can show."""
    from dataclasses import replace

    from koutu.data.sets.open import open_dataset
    from koutu.evaluation.causes import CAUSES, MOVING
    from koutu.evaluation.only import only_named
    from koutu.evaluation.testset import backgrounds_in, compose

    data = open_dataset(root, layout, split)
    if only is not None:
        data = only_named(data, only)
    if limit:
        data = replace(data, clips=list(data.clips)[:limit])
    if not data.cutouts:
        if backgrounds is not None or recipe.cause:
            raise InputError(f"{root} holds composed images ({data.layout}); leave --backgrounds and --cause out")
        return [data]
    if backgrounds is None:
        raise InputError(f"{root} holds cut-outs ({data.layout}) and nothing to matte; give --backgrounds FOLDER")
    found = backgrounds_in(backgrounds)
    wanted = [c for c in CAUSES if recipe.frames > 1 or c not in MOVING] if recipe.cause == "all" else [recipe.cause]
    return [compose(data, found, replace(recipe, cause=name)) for name in wanted]


def _names(specs: list[str]) -> dict[str, str]:
    """Network → what was asked for; two files of one network go by the network's name and theirs."""
    plain = [spec.partition("=")[0] if "=" in spec else Path(spec).name for spec in specs]
    names = {
        f"{name} {Path(spec.partition('=')[2]).stem}".strip() if plain.count(name) > 1 else name: spec
        for name, spec in zip(plain, specs, strict=True)
    }
    if len(names) < len(specs):
        raise InputError(f"expected different models, got {', '.join(specs)}; name each once")
    return names


def _size(text: str) -> tuple[int, int] | None:
    return options.parse_size(text) if text else None
