"""A run summed up: a figure a clip, their mean with a confidence interval, and how sure a difference is."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.evaluation.measure import COLUMNS, HIGHER
from koutu.evaluation.recoveries import lines as recovery_lines
from koutu.evaluation.recoveries import recoveries
from koutu.evaluation.result import ClipResult, Evaluation
from koutu.files import whole_file
from koutu.types import OutputError

RESAMPLES = 2000
BESIDE = 4  # networks beside each other on a terminal


@dataclass(frozen=True)
class Cell:
    """The mean over clips of a column, 95 % of the bootstrap's means, and the difference to the first network's.

    difference, difference_low, difference_high: over the clips both have; None for the first network itself.
    """

    mean: float
    low: float
    high: float
    clips: int
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference leaves out 0."""
        low, high = self.difference_low, self.difference_high
        return low is not None and high is not None and (low > 0 or high < 0)


@dataclass(frozen=True)
class Table:
    """rows: network → column → Cell; columns in the order of `COLUMNS`. clips: network → clip → column → mean."""

    columns: list[str]
    rows: dict[str, dict[str, Cell]]
    clips: dict[str, dict[str, dict[str, float]]]
    errors: dict[str, int]  # clips on which a network failed
    broken: int  # files and pairs of the set that could not be used


def sum_up(run: Evaluation, *, seed: int = 0) -> Table:
    """Means over frames, then over clips; resampled `RESAMPLES` times over clips, for every network alike."""
    clips = {name: {r.clip: clip_means(r) for r in run.results if r.model == name and r.rows} for name in run.models}
    found = {column for means in clips.values() for clip in means.values() for column in clip}
    columns = [column for column in COLUMNS if column in found]
    first = next(iter(run.models), "")
    rows: dict[str, dict[str, Cell]] = {}
    for name in run.models:
        cells = {c: _cell(clips, name, first, c, seed) for c in columns}
        rows[name] = {column: cell for column, cell in cells.items() if cell}
    errors = {name: sum(bool(r.error) for r in run.results if r.model == name) for name in run.models}
    broken = {(r.clip, b["name"]) for r in run.results for b in r.broken}
    return Table(columns, rows, clips, errors, len(broken) + len(run.data["broken"]))


def clip_means(result: ClipResult) -> dict[str, float]:
    """The mean of every column over the frames that have it."""
    columns = dict.fromkeys(column for row in result.rows for column in row)
    return {c: float(np.mean([row[c] for row in result.rows if c in row])) for c in columns}


def bootstrap(values: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the mean of as many values drawn with replacement."""
    drawn = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    means: NDArray[Any] = np.asarray(values)[drawn].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _cell(clips: dict[str, dict[str, dict[str, float]]], name: str, first: str, column: str, seed: int) -> Cell | None:
    mine = {clip: means[column] for clip, means in clips[name].items() if column in means}
    if not mine:
        return None
    values = list(mine.values())
    cell = Cell(float(np.mean(values)), *bootstrap(values, seed=seed), clips=len(values))
    pairs = [
        (value, clips[first][clip][column]) for clip, value in mine.items() if column in clips[first].get(clip, {})
    ]
    if name == first or not pairs:
        return cell
    differences = [a - b for a, b in pairs]
    low, high = bootstrap(differences, seed=seed)
    return Cell(cell.mean, cell.low, cell.high, cell.clips, float(np.mean(differences)), low, high)


def text(table: Table, run: Evaluation) -> list[str]:
    """Lines for a terminal: a line a column, a few networks beside each other, the best of each marked."""
    names, lines = list(table.rows), []
    for block in (names[i : i + BESIDE] for i in range(0, len(names), BESIDE)):
        widths = {name: max(len(name), 18) + 2 for name in block}
        lines.append(f"{'':14}" + "".join(f"{name:>{widths[name]}}" for name in block))
        for column in table.columns:
            shown = "".join(f"{_shown(table, name, column):>{widths[name]}}" for name in block)
            lines.append(f"{column:12} {'↑' if column in HIGHER else '↓'}{shown}")
    lines += recovery_lines(run)
    for name in names:
        reasons = [r.error for r in run.results if r.model == name and r.error]
        if reasons:
            lines.append(f"{name} failed on {len(reasons)} clip(s), first: {reasons[0]}")
    used = max((len(clips) for clips in table.clips.values()), default=0)
    lines.append(f"{used} of {run.data['clips']} clips measured; ± half the 95 % interval; * best, ° as good within it")
    lines += shown_how(run)
    if table.broken:
        lines.append(f"{table.broken} file(s) could not be used; the report and results.json name them")
    return lines


def shown_how(run: Evaluation) -> list[str]:
    """What all networks had alike, and what a gate did: sentences for the terminal and the page."""
    times = {1: "once", 2: "twice"}.get(run.settings.looks, f"{run.settings.looks} times")
    lines = [f"a first frame is shown {times} to every network with a memory, unless it carries a hint on"]
    for name in run.models:
        own = [r for r in run.results if r.model == name]
        low, frames = sum(r.low_frames for r in own), sum(len(r.rows) for r in own)
        if low:
            lines.append(f"{name}: its gate left {low} of {frames} frames to the low-resolution branch")
    return lines


def best(table: Table, column: str) -> str:
    """The network with the best mean."""
    means = {name: cells[column].mean for name, cells in table.rows.items() if column in cells}
    return (max if column in HIGHER else min)(means, key=lambda name: means[name])


def _shown(table: Table, name: str, column: str) -> str:
    cell = table.rows[name].get(column)
    if cell is None:
        return "–"
    top = best(table, column)
    other = table.rows[top][column]
    mark = "*" if name == top else "°" if cell.low <= other.high and other.low <= cell.high else " "
    if cell.clips < 2:  # nothing to resample
        return f"{cell.mean:.4g} {mark}"
    return f"{cell.mean:.4g} ±{(cell.high - cell.low) / 2:.2g}{mark}"


def write(table: Table, run: Evaluation, folder: Path) -> list[Path]:
    """results.json and results.csv (a row a network and clip); the paths."""
    paths = [folder / "results.json", folder / "results.csv"]
    overall = {name: {c: asdict(cell) for c, cell in cells.items()} for name, cells in table.rows.items()}
    content = {
        "data": run.data, "models": run.models, "settings": asdict(run.settings),
        "columns": {c: COLUMNS[c] for c in table.columns}, "overall": overall, "recovery": recoveries(run),
        "clips": [_of_clip(r) for r in run.results],
    }  # fmt: skip
    save(paths[0], json.dumps(content, indent=1).encode())
    save(paths[1], _csv(table, run).encode())
    return paths


def _of_clip(result: ClipResult) -> dict[str, Any]:
    return asdict(result) | {"mean": clip_means(result)}


def _csv(table: Table, run: Evaluation) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["model", "clip", "frames", "broken", "error", *table.columns])
    for r in run.results:
        means = clip_means(r)
        values = [means.get(column, "") for column in table.columns]
        writer.writerow([r.model, r.clip, len(r.rows), len(r.broken), r.error, *values])
    return out.getvalue()


def save(path: Path, content: bytes) -> None:
    """Write a file whole; raises OutputError."""
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as e:
        raise OutputError(f"{path} could not be written: {e.strerror}; make room or name another folder") from e
