"""The table of docs/compare.md: programs on the same pictures, from docs/bench/compare.json."""

from pathlib import Path

from bench_tables import filled, read, table, where

_SCORES = (("far", "{:.1f}"), ("iou", "{:.3f}"), ("all", "{:.1f}"), ("band", "{:.0f}"))


def compared(root: Path) -> str:
    """Processor time and errors of each program that ran."""
    run = read(root, "compare")
    about = (
        f"{where(run)}; medians of {run['rounds']} alternating round(s) of {run['pictures']} pictures, after one "
        f"to warm up, with {run['threads']} thread(s) (`bench/compare.py`). MAD × 1000: of photographs farther than 8 "
        "pixels from the mask's outline; of portraits with known alpha all pixels, and those of the soft edge:"
    )
    head = ["program, network", "CPU ms a picture", "× koutu", "photographs", "IoU", "known alpha", "its edge"]
    rows = [
        [_title(name, row), f"{row['cpu_ms']:.0f}", f"{row['times_koutu']:.2f}", *_scores(row)]
        for name, row in run["systems"].items()
        if not row["error"]
    ]
    return f"{filled(about)}\n{table(head, rows)}"


def _title(name: str, row: dict) -> str:
    return f"{name} ({row['package']} {row['version']})" if row["package"] not in ("koutu", name) else name


def _scores(row: dict) -> list[str]:
    return [form.format(row[name]) for name, form in _SCORES]
