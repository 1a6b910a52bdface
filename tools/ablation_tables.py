"""The table of what each step of temporal MODNet brings, for docs/training.md; figures of bench/ablation.py."""

import json
from pathlib import Path
from typing import Any

from bars import number
from bench_tables import FOLDER, filled, table, where

ERRORS = ("mad_stills", "mad_backlit", "dtssd")
KINDS = ("ones", "zeros", "shifted", "other", "appears", "walks in")


def rows(run: dict[str, Any]) -> list[list[str]]:
    """A line a step: what it is, errors, and frames until normal as "median, worst" with the error above normal."""
    return [
        [
            name,
            row["told"],
            number(row["ms"]),
            *(number(row[key]) for key in ERRORS),
            number(row["mad_clips"]),
            number(max(row["mad_each_clip"])),
            *(frames(row["recovery"].get(k)) for k in KINDS),
        ]
        for name, row in run["rows"].items()
    ]


def frames(found: dict[str, Any] | None) -> str:
    """Of one kind; a network without memory has nothing to get over."""
    if found is None or not found["memory"]:
        return "–"
    worst = f"> {found['worst']}" if found["never"] else f"{found['worst']}"
    return f"{found['median']:g}, {worst} ({found['extra']:+.0f} %)"


def brought(root: Path) -> str:
    """docs/training.md: the conditions and the table."""
    run = json.loads((root / FOLDER / "ablation.json").read_text("utf-8"))
    made = run["settings"]
    intro = (
        f"`tmodnet` trained {made['steps']} steps of {made['batch']} samples of {made['side']}×{made['side']} a row, "
        "from the same beginning and seed, each row with what the rows above it have (`bench/ablation.py`), the "
        "searched shape from its supernet's weights. Measured "
        f"on {made['stills']} stills, as many lit by up to two lamps, and {made['clips']} clips of {made['frames']} "
        "frames, composed with people of groups that were not trained on: MAD × 1000, dtSSD × 100, and frames until "
        "the error is normal again as `koutu eval --recovery` counts them, median and worst, with the error of all "
        f"frames watched above normal; ms: a frame of the network at that size, one thread, all in turn. {where(run)}."
    )
    head = ["step", "what", "ms", "MAD, stills", "MAD, backlit", "dtSSD", "MAD, clips", "of the worst clip", *KINDS]
    return f"{filled(intro)}\n{table(head, rows(run))}\n"
