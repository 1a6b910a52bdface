"""The table of what every recipe learns in a few minutes, for docs/training.md; figures of bench/recipes.py."""

import json
from pathlib import Path
from typing import Any

from bars import number
from bench_tables import FOLDER, filled, table, where

FIGURES = ("mad", "mse", "grad")


def reached(recipe: dict[str, Any]) -> dict[str, float] | None:
    """The figures after the last stage; None if the training ended in an error."""
    return None if recipe["error"] else list(recipe["stages"].values())[-1]


def rows(run: dict[str, Any]) -> list[list[str]]:
    """A line a recipe: what it is, its baseline's figures, its own, and MAD after every stage."""
    found = []
    for name, recipe in sorted(run["rows"].items()):
        own, baseline = reached(recipe), recipe["baseline"]
        stages = [number(stage["mad"]) for stage in recipe["stages"].values()]
        found.append([
            f"`{name}`", f"{recipe['parameters'] / 1000:.0f}", " + ".join(map(str, recipe["steps"].values())),
            baseline["what"], *(number(baseline[key]) for key in FIGURES),
            *(number(own[key]) if own else "–" for key in FIGURES), ", ".join(stages[:-1]) or "–",
        ])  # fmt: skip
    return found


def verdict(run: dict[str, Any]) -> str:
    """Which recipes are not below their baseline, in MAD alone or in MSE too, and which failed."""
    below: dict[tuple[bool, bool], list[str]] = {}
    failed = []
    for name, recipe in sorted(run["rows"].items()):
        own, baseline = reached(recipe), recipe["baseline"]
        if own is None:
            failed.append(f"`{name}` ({recipe['error']})")
        else:
            below.setdefault((own["mad"] < baseline["mad"], own["mse"] < baseline["mse"]), []).append(f"`{name}`")
    parts = {
        "Below the baseline in MAD and MSE": below.get((True, True)),
        "In MAD only": below.get((True, False)),
        "In MSE only": below.get((False, True)),
        "In neither": below.get((False, False)),
        "Failed": failed,
    }
    return " ".join(f"{title}: {', '.join(names)}." for title, names in parts.items() if names)


def learned(root: Path) -> str:
    """docs/training.md: the conditions, the table, and what it does not say."""
    run = json.loads((root / FOLDER / "recipes.json").read_text("utf-8"))
    intro = (
        f"Each recipe's {run['minutes'] * 60:.0f} seconds of one core, divided among its stages, from random weights, "
        f"with a narrow network of its kind and samples of {run['side']}×{run['side']} (`bench/recipes.py`). Figures "
        f"are of {run['clips']} composed clips of {run['frames']} frames with people of groups that were not trained "
        "on; the places were. MAD and MSE × 1000 and Grad a frame, over the whole picture. These are not the published "
        f"figures, nor near them: published trainings take days on GPUs. {where(run)}."
    )
    head = ["recipe", "thousand parameters", "steps", "baseline", "MAD", "MSE", "Grad", "trained: MAD", "MSE", "Grad",
            "MAD after earlier stages"]  # fmt: skip
    return f"{filled(intro)}\n{table(head, rows(run))}\n{filled(verdict(run))}"
