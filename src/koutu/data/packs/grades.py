"""Grades that a person gave to what was drawn of a pack: the table they stand in, read strictly, and what they say."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from koutu.data.packs.audit_draw import Drawn
from koutu.types import InputError

GOOD, USABLE, WRONG = GRADES = ("good", "usable", "wrong")
COLUMNS = ("number", "name", "source", "group", "grade", "pixels")
LEAST = 0.8  # share of a set that must be good or usable, for the set to be learned from
_Z = 1.959964  # of a 95 % interval


@dataclass
class Tally:
    """How many of a set's drawn images got which grade."""

    source: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GRADES, 0))

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def share(self) -> float:
        """Of good and usable ones."""
        return (self.counts[GOOD] + self.counts[USABLE]) / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """That holds the share of all of the set with 95 % certainty; after Wilson, 1927."""
        n, p = self.total, self.share
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        reach = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return max(0.0, middle - reach), min(1.0, middle + reach)


def grades_text(drawn: Sequence[Drawn], grades: Sequence[str]) -> str:
    """The table as CSV: a row an image."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows((s.number, s.name, s.source, s.group, g, s.pixels) for s, g in zip(drawn, grades, strict=True))
    return out.getvalue()


def read_grades(path: Path, drawn: Sequence[Drawn], *, partly: bool = False) -> list[str]:
    """The grade of each image, "" for one that has none yet if `partly`; raises InputError naming the line."""
    rows = _rows(path)
    for (line, row), one in zip(rows, drawn, strict=False):
        if (row["number"], row["source"], row["pixels"]) != (str(one.number), one.source, one.pixels):
            raise InputError(
                f"{path}, line {line}: expected number {one.number} of {one.source}, {one.name} "
                f"({one.pixels}), got {row['number']} of {row['source']}, {row['name']} ({row['pixels']}): another "
                "draw, or another pack; give the --count and --seed that it was drawn with, or draw into another folder"
            )
    if len(rows) != len(drawn):
        raise InputError(
            f"{path}: expected {len(drawn)} rows, an image each, got {len(rows)}; give the --count and --seed "
            "that it was drawn with, and all its rows"
        )
    allowed = (*GRADES, "") if partly else GRADES
    strange = [(line, row["grade"]) for line, row in rows if row["grade"] not in allowed]
    if strange:
        line, grade = strange[0]
        more = f", and so in {len(strange) - 1} more lines" if strange[1:] else ""
        raise InputError(f"{path}, line {line}: expected the grade {', '.join(GRADES)}, got {grade!r}{more}; grade it")
    return [row["grade"] for _, row in rows]


def tallied(drawn: Sequence[Drawn], grades: Sequence[str]) -> list[Tally]:
    """Of each set, in the order in which they were drawn."""
    tallies: dict[str, Tally] = {}
    for one, grade in zip(drawn, grades, strict=True):
        tallies.setdefault(one.source, Tally(one.source)).counts[grade] += 1
    return list(tallies.values())


def table(tallies: Sequence[Tally]) -> list[str]:
    """In Markdown, a line a set."""
    head = ("set", "looked at", *GRADES, "usable share", "95 % interval")
    rows = [
        (
            t.source.replace("|", "\\|"), str(t.total), *(str(t.counts[grade]) for grade in GRADES), f"{t.share:.0%}",
            f"{t.interval[0]:.0%} to {t.interval[1]:.0%}",
        )
        for t in tallies
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in (head, *rows)]
    return [lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]]


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells of each row; grades in small letters."""
    try:
        reader = csv.reader(io.StringIO(path.read_text("utf-8-sig")), strict=True)
        held = [(reader.line_num, row) for row in reader if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise InputError(f"{path}: expected the grades.csv that koutu data audit wrote, got {e}; name it") from e
    if not held or tuple(held[0][1]) != COLUMNS:
        came = ",".join(held[0][1])[:80] if held else "nothing"
        raise InputError(
            f"{path}: expected a table with the columns {','.join(COLUMNS)}, got {came}; name the grades.csv that "
            "koutu data audit wrote, saved with commas"
        )
    for line, cells in held:
        if len(cells) != len(COLUMNS):
            raise InputError(f"{path}, line {line}: expected {len(COLUMNS)} cells, got {len(cells)}; mend the line")
    rows = [(line, dict(zip(COLUMNS, cells, strict=True))) for line, cells in held[1:]]
    return [(line, row | {"grade": row["grade"].strip().lower()}) for line, row in rows]
