"""`koutu batch`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.cli.image import Kind
from koutu.cli.options import Deinterlace
from koutu.defaults import DEVICE
from koutu.media.containers import EncodeOptions
from koutu.pipeline.look import Look

if TYPE_CHECKING:
    from koutu.batch.ledger import Entry

UNFINISHED = 10  # exit code: some items failed, or are still to be made
LOST_INPUT = 6  # exit code: finished, but part of an input could not be read
TOLD = 20  # failures named on the terminal

_ENCODE = EncodeOptions()


def batch(
    target: Annotated[
        str,
        typer.Option("--output", "-o", help="Folder of the results, here or at an address such as s3://bucket/cut."),
    ],
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCES",
            help="Videos, pictures, folders, patterns, addresses, or lists: .txt, and .csv or .parquet with options.",
        ),
    ] = None,
    status: Annotated[
        bool, typer.Option("--status", help="Only tell what is done, what failed and what is left.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed before, which is left alone otherwise.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes; 0 is as many as cores and memory allow, by measuring the first item.")
    ] = 0,
    max_memory: Annotated[
        int,
        typer.Option(min=0, metavar="MB", help="Memory of all workers of a machine together; 0 is four fifths of it."),
    ] = 0,
    segment: Annotated[
        float,
        typer.Option(
            min=0.0,
            metavar="SECONDS",
            help="Cut longer videos into segments of about that length, side by side; 0: none.",
        ),
    ] = 60.0,
    here: Annotated[
        bool,
        typer.Option("--here", help="Work in this process alone, which a crash ends; for memory:// and debuggers."),
    ] = False,
    ray: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Work on a cluster of Ray: HOST:PORT of its head, ray://HOST, or auto, which is this "
            "machine's own and meant where no address follows.",
        ),
    ] = "",
    review: Annotated[bool, typer.Option(help="Look for each video's worst moments, which the record keeps.")] = True,
    report: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            readable=False,
            help="Write what became of all items, .html or .csv; give it again for both.",
        ),
    ] = [],  # noqa: B006
    hourly: Annotated[
        float, typer.Option(min=0.0, metavar="PRICE", help="Price of an hour of one worker, for what a minute costs.")
    ] = 0.0,
    background: options.Background = options.BACKGROUND,
    alpha: Annotated[bool, typer.Option("--alpha", help="Also write alpha, as NAME.alpha.")] = False,
    format: Annotated[
        str, typer.Option(help="Format of videos: mp4, mov, mkv or webm; webm with alpha, else mp4, if not given.")
    ] = "",
    image_format: Annotated[Kind, typer.Option(help="Format of pictures.")] = Kind.png,
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
    threads: Annotated[int, typer.Option(min=1, help="Threads of each worker's engine.")] = 1,
    gate: options.Gate = None,
    steady: options.Steady = None,
    fit: options.BackgroundFit = options.FIT,
    hold: options.Hold = not Look.loop,
    smooth: options.Smooth = Look.smooth,
    refine: options.Refine = Look.refine,
    zoom: options.Zoom = Look.zoom,
    decontaminate: options.Decontaminate = Look.decontaminate,
    premultiplied: options.Premultiplied = Look.premultiplied,
    codec: options.VideoCodec = options.CODEC,
    preset: options.Preset = _ENCODE.preset,
    crf: options.Crf = _ENCODE.crf,
    alpha_crf: options.AlphaCrf = _ENCODE.alpha_crf,
    depth: options.Depth = _ENCODE.depth,
    sdr: options.Sdr = False,
    audio: options.Audio = _ENCODE.audio,
    deinterlace: options.Deinterlacing = Deinterlace.auto,
) -> None:
    """Cut people out of thousands of videos and pictures. Run it again, after whatever happened, and it goes on.

    What is done stays as long as its source, options and network do. What fails is set aside with its reason, and the
    rest goes on; the exit code is then 10.

    \b
    koutu batch talks/ portraits/ -o cut/ --background transparent
    koutu batch 'talks/*.mp4' list.csv -o cut/ --background beach.jpg
    koutu batch s3://bucket/talks/ -o s3://bucket/cut/ --ray ray://head
    koutu batch -o cut/ --status
    """
    from koutu.batch.ledger import has_record, open_ledger
    from koutu.batch.options import ItemOptions
    from koutu.batch.plan import BatchPlan
    from koutu.batch.pools import pool_for
    from koutu.batch.run import run
    from koutu.batch.sources import items_of
    from koutu.review import require_writable
    from koutu.types import InputError, OutputError

    for path in report:
        if path.parent.is_dir() or path.parent != Path(target):  # the target is made with the first result
            require_writable(path)
        if path.suffix not in (".html", ".csv"):
            raise OutputError(f"{path}: expected a report that ends in .html or .csv, got {path.suffix!r}; rename it")
    if status:
        if not has_record(target):
            raise InputError(
                f"{target}: expected a folder that koutu batch has written to, got another; check its name"
            )
        ledger = open_ledger(target)
        entries = ledger.entries().values()
        ledger.close()
        _leave(list(entries), report, hourly)
        return
    asked = ItemOptions(
        background=background, fit=fit.value, hold=hold, smooth=smooth, refine=refine, zoom=zoom,
        decontaminate=decontaminate, premultiplied=premultiplied, alpha=alpha, format=format,
        image_format=image_format.value, model=model,
        weights=weights, option=tuple(option), engine=engine, device=device, threads=threads, gate=gate, steady=steady,
        trimap=str(trimap or ""), mask=mask, plate=str(plate or ""), plate_fixed=plate_fixed, clicks=clicks,
        trimap_radius=trimap_radius, codec=codec.value, preset=preset, crf=crf, alpha_crf=alpha_crf, depth=depth,
        sdr=sdr, audio=audio, deinterlace=deinterlace.value,
    )  # fmt: skip
    if not here and any(address.startswith("memory://") for address in (target, *(sources or []))):
        raise InputError("expected addresses that other processes know, got memory://; give --here, or another address")
    items = items_of(sources or [], target, asked)
    plan = BatchPlan(workers, max_memory, segment, review, retry_failed)
    with pool_for(plan, threads=threads, here=here, ray=ray) as pool:
        outcome = run(items, target, pool, plan)
    for line in outcome.summary():
        print(line, file=sys.stderr)
    _leave(list(outcome.entries), report, hourly)


def _leave(entries: "list[Entry]", report: list[Path], hourly: float) -> None:
    """Tell how many are done and what failed, and write the reports; the exit code is of that."""
    from koutu.batch.report import costs, html, table
    from koutu.review import write_text

    for path in report:
        write_text(path, table(entries) if path.suffix == ".csv" else html(entries, hourly))
    failed = [entry for entry in entries if entry.state == "failed"]
    waiting = [entry for entry in entries if entry.state == "waiting"]
    done = len(entries) - len(failed) - len(waiting)
    for line in costs(entries, hourly):
        print(line)
    print(f"{len(entries)} items: {done} done, {len(failed)} failed, {len(waiting)} left")
    for entry in [entry for entry in failed + waiting if entry.reason][:TOLD]:
        print(f"{entry.state}: {entry.name}: {entry.reason}")
    if len(failed) > TOLD:
        print(f"and {len(failed) - TOLD} more")
    if failed or waiting:
        raise typer.Exit(UNFINISHED)
    if any(entry.made.lost for entry in entries):
        raise typer.Exit(LOST_INPUT)
