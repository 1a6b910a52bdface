"""`koutu data check`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.cli.options import AUTO
from koutu.types import OutputError

if TYPE_CHECKING:
    from koutu.data.sets.check import Findings, Summary

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look into data sets and make some.")

BROKEN = 3  # exit code: something cannot be used
SHOWN = 20  # broken items and duplicates printed
_CELLS = 60  # of a contact sheet


@app.callback()
def _top() -> None:
    """A group, even of a single command."""


@app.command()
def check(
    root: Annotated[Path, typer.Argument(metavar="DIR", readable=False, help="A data set's folder, or a video.")],
    layout: options.Layout = AUTO,
    against: Annotated[
        Path | None,
        typer.Option(metavar="DIR", readable=False, help="Another data set, to look for the same images in."),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", readable=False, help="Write a contact sheet, .jpg or .png.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", readable=False, help="Write everything found, as JSON.")
    ] = None,
    threads: options.Readers = 0,
) -> None:
    """Read a whole data set: what it holds, what is broken, what is there twice. Exit code 3 if something is broken.

    \b
    koutu data check P3M-10k
    koutu data check portraits/ --against AIM-500 --sheet sheet.jpg --json report.json
    """
    from koutu.data.sets.check import check_sets
    from koutu.data.sets.contact_sheet import contact_sheet
    from koutu.data.sets.open import open_splits
    from koutu.media.image import write_image
    from koutu.progress import Steps

    own = open_splits(root, layout)
    other = open_splits(against) if against else []
    with Steps(root.name) as progress:
        found = check_sets([*own, *other], threads=threads, keep=_CELLS if sheet else 0, progress=progress)
    for summary in found.summaries:
        print("\n".join(_told(summary)))
    print("\n".join(_twice(found)))
    if sheet:
        write_image(sheet, contact_sheet(found.cells()[:_CELLS]))
        print(f"wrote {sheet}")
    if report:
        _write(report, found)
        print(f"wrote {report}")
    if found.broken:
        raise typer.Exit(BROKEN)


def _told(summary: "Summary") -> list[str]:
    """A set in a few lines."""
    facts = summary.facts()
    lines = [f"{facts['root']}: {facts['layout']}, {facts['split']}{' (cut-outs)' if facts['cutouts'] else ''}"]
    clips = f"{facts['clips']} clips and " if facts["clips"] else ""
    sizes = ", ".join(f"{name} {w}×{h}" for name, (w, h) in facts["sizes"].items())
    lines.append(f"  {clips}{facts['stills']} stills, {facts['pictures']} images read: {sizes}")
    if facts["binary"] is not None:
        soft = "" if facts["soft"] is None else f"; soft pixels of a matte: {facts['soft']:.1%}"
        lines.append(f"  truths that are masks: {facts['binary']:.1%}{soft}")
    if facts["without_truth"]:
        lines.append(f"  without truth: {facts['without_truth']}")
    if odd := facts["empty_or_full"]:
        lines.append(f"  truths all background or all person: {len(odd)}: {_few(odd, 5)}")
    lines += [f"  broken: {item.name}: {item.reason}" for item in summary.broken[:SHOWN]]
    if len(summary.broken) > SHOWN:
        lines.append(f"  broken: and {len(summary.broken) - SHOWN} more")
    return lines


def _twice(found: "Findings") -> list[str]:
    """Pictures that look the same, those of different sets first."""
    between = found.between
    inside = [group for group in found.duplicates if group not in between]
    lines = [f"groups that look the same: {len(inside)} within a set, {len(between)} between sets or splits"]
    groups = [*between, *inside]
    lines += [f"  {_few([f'{data}/{name}' for data, name in group], 6)}" for group in groups[:SHOWN]]
    return lines if len(groups) <= SHOWN else [*lines, f"  and {len(groups) - SHOWN} more"]


def _few(names: list[str], limit: int) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _write(path: Path, found: "Findings") -> None:
    from koutu.files import whole_file

    whole = {"sets": [summary.facts() for summary in found.summaries], "duplicates": found.duplicates}
    try:
        with whole_file(path) as file:
            file.write(json.dumps(whole, indent=1, ensure_ascii=False).encode())
    except OSError as e:
        raise OutputError(f"{path} could not be written: {e.strerror or e}; check the folder and its room") from e


def tell_broken(lines: Sequence[str]) -> None:
    """What could not be used, on stderr, a line each; of many the first."""
    for line in lines[:SHOWN]:
        print(f"koutu: {line}", file=sys.stderr)
    if len(lines) > SHOWN:
        print(f"koutu: and {len(lines) - SHOWN} more that cannot be used", file=sys.stderr)
