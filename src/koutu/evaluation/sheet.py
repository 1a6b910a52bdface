"""A run as a workbook: overall, a row a clip, and a sheet a column with a row a clip and a column a frame."""

import io
from pathlib import Path
from typing import Any

from koutu.evaluation.measure import COLUMNS
from koutu.evaluation.result import Evaluation
from koutu.evaluation.table import Table, clip_means, save

_TITLE = 31  # characters of a sheet's title, at most
_COLUMNS = 16_000  # of a sheet, at most


def write_workbook(table: Table, run: Evaluation, path: Path) -> None:
    """The workbook as a file; raises OutputError, and ModuleNotFoundError without openpyxl."""
    buffer = io.BytesIO()
    workbook(table, run).save(buffer)
    save(path, buffer.getvalue())


def workbook(table: Table, run: Evaluation) -> Any:
    """An openpyxl Workbook, not saved."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("overall")
    sheet.append(["model", *(f"{c}{part}" for c in table.columns for part in ("", " low", " high")), "what ran"])
    for name, cells in table.rows.items():
        figures = [x for c in table.columns for x in _figures(cells.get(c))]
        sheet.append([name, *figures, run.models[name]])
    sheet = book.create_sheet("clips")
    sheet.append(["model", "clip", "frames", "error", *table.columns])
    for r in run.results:
        means = clip_means(r)
        sheet.append([r.model, r.clip, len(r.rows), r.error, *(means.get(c) for c in table.columns)])
    for column in table.columns:
        _frames(book.create_sheet(column[:_TITLE]), column, run)
    _recoveries(book, run)
    sheet = book.create_sheet("what the columns are")
    for column in table.columns:
        sheet.append([column, COLUMNS[column]])
    return book


def _recoveries(book: Any, run: Evaluation) -> None:
    """A row a network, clip and kind; no sheet where memories were not tried."""
    tried = [(r, trial) for r in run.results for trial in r.trials]
    if tried:
        sheet = book.create_sheet("recovery")
        sheet.append(["model", "clip", "kind", "frames", "back"])
        for r, trial in tried:
            sheet.append([r.model, r.clip, *(trial[key] for key in ("kind", "frames", "back"))])


def _frames(sheet: Any, column: str, run: Evaluation) -> None:
    longest = min(_COLUMNS, max((len(r.rows) for r in run.results), default=0))
    sheet.append(["model", "clip", *range(longest)])
    for r in run.results:
        sheet.append([r.model, r.clip, *(row.get(column) for row in r.rows[:longest])])


def _figures(cell: Any) -> tuple[float | None, ...]:
    return (cell.mean, cell.low, cell.high) if cell else (None, None, None)
