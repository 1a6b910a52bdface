"""The front that `koutu search` found, as docs/search.md tells it, from docs/bench/search.json."""

import json
from pathlib import Path
from typing import Any

from bench_tables import FOLDER, filled, table, where

WORTH = 3.0  # times the least error, beyond which a shape is of no use


def told(choice: dict[str, Any]) -> list[str]:
    """Genes of a shape for people."""
    blocks = [
        f"{kernel}×{width:g}" if kept else "–"
        for kernel, width, kept in zip(choice["kernels"], choice["widths"], choice["kept"], strict=True)
    ]
    views = "both" if choice["mirrored"] else "one"
    detail = f"{choice['detail']:g}, {choice['detail_blocks']}"
    return [f"{choice['semantic_size']}²", views, " ".join(blocks), detail, f"{choice['pixels']:,}".replace(",", " ")]


def found(root: Path) -> str:
    """docs/search.md: how much was tried, how latency was predicted, and the front."""
    run = json.loads((root / FOLDER / "search.json").read_text("utf-8"))
    least = min(member["mad"] for member in run["front"])
    shown = [member for member in run["front"] if member["mad"] <= WORTH * least]
    fit, plan = run["prediction"], run["plan"]
    intro = (
        f"{run['tried']} shapes tried in {plan['generations']} generations on {plan['clips']} held-out scenes, "
        f"{plan['engine']}, {plan['threads']} thread, for pictures of 1280×720. The table's sums were held against "
        f"{fit['networks']} networks: correlation {fit['correlation']:.3f}, half within {100 * fit['error']:.0f} %. "
        f"{len(run['front']) - len(shown)} members of the front are left out, quick and of no use: their error is over "
        f"{WORTH:g} times the least. **Bold**: the one chosen. {where(run)}."
    )
    rows = []
    for member in shown:
        cells = [f"{member['ms']:.1f}", f"{member['mad']:.1f}", *told(member["choice"])]
        chosen = member["choice"] == run["chosen"]["choice"]
        rows.append([f"**{cell}**" for cell in cells] if chosen else cells)
    head = ["ms", "error × 1000", "square", "views", "blocks: kernel × width", "detail: width, blocks", "pixels"]
    return f"{filled(intro)}\n{table(head, rows)}\n"


def reference(root: Path) -> str:
    """docs/search.md: MODNet with MobileNetV2-1.0, and the shapes that do as well."""
    run = json.loads((root / FOLDER / "search_reference.json").read_text("utf-8"))
    rows = []
    for row in run["rows"]:
        equal, (height, width) = row["equal"], row["size"]
        rows.append(
            [
                f"{width}×{height}", f"{row['mad']:.0f}", f"{row['ms']:.0f}", f"{equal['mad']:.0f}",
                f"{equal['ms']:.1f}", f"{row['ms'] / equal['ms']:.0f} ×",
            ]
        )  # fmt: skip
    head = ["MODNet, MobileNetV2-1.0", "error × 1000", "ms", "quickest shape no worse: error", "ms", "quicker"]
    return f"{table(head, rows)}\n{filled(where(run) + '.')}\n"
