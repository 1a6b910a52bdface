"""What an adaptation brought, for people: lines for a terminal, JSON, and a page with the frames that changed most."""

import base64
import json
import os
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.files import whole_file
from koutu.train.adapt import Adaptation
from koutu.train.adapt_measure import HISTORY, MEASURES, plain
from koutu.types import OutputError

SHOWN = 4  # runs whose most changed frame is on the page
_GREEN = np.array([0, 177, 64], np.float32)
_STYLE = """
:root { color-scheme: light dark; } body { margin: 0 auto; max-width: 66rem; padding: 2rem 1.25rem;
font: 1rem/1.5 system-ui, sans-serif; } table { border-collapse: collapse; } th, td { text-align: left;
padding: .2rem 1.2rem .2rem 0; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.25rem 0; display: grid; grid-template-columns: repeat(5, 1fr); gap: .4rem; }
figcaption { grid-column: 1 / -1; } img { width: 100%; display: block; }
@media (max-width: 40rem) { figure { grid-template-columns: repeat(2, 1fr); } }
"""


def verdict_of(found: Adaptation) -> str:
    """One sentence."""
    if found.accepted:
        return f"adapted: on held-out frames of {found.clip} it is better by {-found.verdict.score:.0%} in the mean"
    return f"not adapted, the network stays as it was: {'; '.join(found.verdict.problems)}"


def summary(found: Adaptation) -> list[str]:
    """Lines for a terminal."""
    lines = [verdict_of(found), f"{'held-out frames':17}{'before':>9}{'after':>9}{'change':>9}"]
    before, after = found.before.measures, found.after.measures
    for name in MEASURES:
        change = found.verdict.change[name]
        lines.append(f"{name:17}{before[name]:9.4f}{after[name]:9.4f}{change:+9.1%}  {MEASURES[name]}")
    lines += [f"mean change of alpha: {alpha_change(found):.4f} here, {found.verdict.kept:.4f} on other content"]
    lines += [f"{len(found.epochs)} epochs in {found.seconds:.0f} s, {_chosen(found)}; {found.ended}"]
    return [*lines, f"note: part of the clip was damaged: {found.sampled.lost}"] if found.sampled.lost else lines


def to_dict(found: Adaptation) -> dict[str, Any]:
    """Plain values for JSON; what is unknown is None."""
    return {
        "clip": found.clip, "verdict": verdict_of(found), "accepted": found.accepted,
        "written": str(found.path) if found.path else None, "problems": list(found.verdict.problems),
        "size": list(found.sampled.size), "frames": found.sampled.frames, "lost": found.sampled.lost,
        "runs": {"all": [run.first for run in found.sampled.runs], "held_out": [run.first for run in found.held_out]},
        "measures": MEASURES, "before": plain(found.before.measures), "after": plain(found.after.measures),
        "change": plain(found.verdict.change), "score": plain({"": found.verdict.score})[""],
        "alpha_change": round(alpha_change(found), 6), "alpha_change_elsewhere": round(found.verdict.kept, 6),
        "best_epoch": found.best, "ended": found.ended, "seconds": round(found.seconds, 1),
        "epochs": [
            {"loss": round(e.loss, 6), "score": plain({"": e.verdict.score})[""], "change": plain(e.verdict.change),
             "alpha_change_elsewhere": round(e.verdict.kept, 6), "problems": list(e.verdict.problems)}
            for e in found.epochs
        ],
    }  # fmt: skip


def page(found: Adaptation) -> str:
    """One HTML file that needs nothing else."""
    rows = "".join(
        f"<tr><td>{name}<td>{escape(text)}<td class=n>{found.before.measures[name]:.4f}"
        f"<td class=n>{found.after.measures[name]:.4f}<td class=n>{found.verdict.change[name]:+.1%}"
        for name, text in MEASURES.items()
    )
    figures = "".join(_figure(found, run, t) for run, t in most_changed(found))
    title, notes = escape(f"{found.clip}: adaptation"), summary(found)[2 + len(MEASURES) :]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>{escape(verdict_of(found))}</h1><table><tr><th>measure<th>is<th>before<th>after<th>change{rows}</table>"
        + "".join(f"<p>{escape(note)}</p>" for note in notes)
        + f"<h2>Held-out frames that changed most</h2>{figures}</body></html>\n"
    )


def most_changed(found: Adaptation) -> list[tuple[int, int]]:
    """(held-out run, frame of it): the most changed frame of each of the runs with the largest, the largest first."""
    changes = []
    for index, (old, new) in enumerate(zip(found.before.alphas, found.after.alphas, strict=True)):
        frames = np.abs(new - old).mean(axis=(1, 2))[HISTORY:]
        changes.append((float(frames.max()), index, HISTORY + int(frames.argmax())))
    return [(index, t) for _, index, t in sorted(changes, reverse=True)[:SHOWN]]


def alpha_change(found: Adaptation) -> float:
    """Mean |Δα| on the held-out runs."""
    pairs = zip(found.before.alphas, found.after.alphas, strict=True)
    return float(np.mean([np.abs(new - old).mean() for old, new in pairs]))


def write_report(found: Adaptation, path: str | os.PathLike[str]) -> None:
    """The page, or JSON if `path` ends in .json; whole or not at all. Raises OutputError."""
    text = json.dumps(to_dict(found), indent=1, allow_nan=False) if Path(path).suffix == ".json" else page(found)
    try:
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as e:
        raise OutputError(f"{path}: the report could not be written ({e.strerror or e}); choose another place") from e


def pictures(found: Adaptation, run: int, t: int) -> dict[str, NDArray[np.uint8]]:
    """The frame, alpha before and after in grey, and both on green; (h, w, 3) uint8 RGB."""
    src = found.held_out[run].frames[t]
    alphas = [x.alphas[run][t][..., None] for x in (found.before, found.after)]
    grey = [np.repeat(np.round(a * 255), 3, axis=2).astype(np.uint8) for a in alphas]
    over = [np.round(a * src + (1 - a) * _GREEN).astype(np.uint8) for a in alphas]
    return {"frame": src, "alpha before": grey[0], "alpha after": grey[1], "before": over[0], "after": over[1]}


def _figure(found: Adaptation, run: int, t: int) -> str:
    change = float(np.abs(found.after.alphas[run][t] - found.before.alphas[run][t]).mean())
    images = "".join(_image(picture, name) for name, picture in pictures(found, run, t).items())
    number = found.held_out[run].first + t
    return (
        f"<figure>{images}<figcaption>frame {number}: alpha changed by {change:.4f} in the mean</figcaption></figure>"
    )


def _image(rgb: NDArray[np.uint8], name: str) -> str:
    data = base64.b64encode(cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()).decode()
    return f'<div><img alt="{name}" src="data:image/png;base64,{data}">{name}</div>'


def _chosen(found: Adaptation) -> str:
    return f"the best is number {found.best}" if found.best else "none is good enough"
