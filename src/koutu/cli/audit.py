"""`koutu data audit`."""

from pathlib import Path
from typing import Annotated

import typer

from koutu.cli import options
from koutu.data.packs.plan import AuditPlan
from koutu.types import InputError


def audit(
    pack: Annotated[Path, typer.Argument(metavar="PACK", readable=False, help="Pack of people, without ending.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", readable=False, help="Folder to fill with what is to be graded.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Images drawn of every set.")] = AuditPlan.count,
    seed: options.Seed = AuditPlan.seed,
    grades: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="Tell what the grades in a filled grades.csv say."),
    ] = None,
) -> None:
    """Look into a pack: draw images of every set, large enough to be graded; or tell what the grades say.

    The folder gets sheets SET-1.jpg …, and grades.csv with a row an image, whose column "grade" takes good, usable or
    wrong: in a text editor, or in audit.html with the keys 1, 2 and 3. Told is the share of each set, with the range
    that holds it for the whole set, and which sets are under four fifths usable and are not to be learned from.

    \b
    koutu data audit packs/people -o audit/
    koutu data audit packs/people --grades audit/grades.csv
    """
    from koutu.data.packs.audit import PAGE_FILE, draw_audit, graded
    from koutu.data.packs.grades import LEAST, table
    from koutu.progress import Steps

    plan = AuditPlan(count, seed)
    if output is not None and grades is None:
        with Steps(output.name) as progress:
            files = draw_audit(pack, output, plan, progress=progress)
        print(f"wrote {len(files) - 2} sheets, {files[-2]} and {files[-1]} to {output}")
        print(f"grade in {output / PAGE_FILE} or {output / files[-1]}, then give it as --grades")
    elif grades is not None and output is None:
        tallies = graded(pack, grades, plan)
        print("\n".join(table(tallies)))
        low = [tally.source for tally in tallies if tally.share < LEAST]
        print(f"under {LEAST:.0%} usable, to be left out: {', '.join(low) or 'none'}")
    else:
        raise InputError(
            "expected a folder to fill (-o FOLDER) or grades to tell of (--grades FILE), got "
            f"{'neither' if output is None else 'both'}; give one of them"
        )
