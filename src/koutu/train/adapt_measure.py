"""How a network does on runs of a clip without a truth, and whether one network does better than another."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from koutu.losses.portrait import coarse_target
from koutu.metrics import no_reference as nr
from koutu.metrics.regions import band
from koutu.models.modnet import TrainingOutputs, Trimapless
from koutu.train.adapt_clip import Excerpt

HISTORY = 8  # first frames of a run that are not measured: the memory is still filling
MARGIN = 0.05  # mean relative fall of the four that has to be reached
TOLERANCE = 0.05  # relative rise of any one that is put up with
AREA = 0.15  # relative change of the person's area that is put up with: vanishing would make all else perfect
KEPT = 0.01  # mean |Δα| on other content that is put up with, in the run where it is largest
EMPTY = 0.003  # share of the image below which nobody is there

MEASURES = {
    "flicker": "change of alpha along the motion, whole image",
    "band flicker": "the same in the edge band",
    "unsure": "share of pixels with 0.05 < alpha < 0.95",
    "torn": "holes in the person and loose parts, as a share of the person",
    "disagreement": "mean |matte − semantic head| at 1/16",
    "edge": "distance of alpha's edge from the image's edges",
    "area": "share of the image that is person",
}
# Ought to fall. Disagreement is not among them: it falls in any case, being learnt, and mostly in a head nobody uses.
WANTED = ("flicker", "band flicker", "unsure", "torn")
GUARDED = (*WANTED, "disagreement", "edge")  # must not rise; "edge" alone is measured against the image
# What is below is as good as 0 and does not count; changes of it are relative to this, lest noise should decide.
_FLOOR = dict.fromkeys(MEASURES, 5e-3) | {"flicker": 5e-4, "torn": 0.03, "disagreement": 2e-3, "area": EMPTY}


@dataclass(frozen=True)
class Measured:
    """measures: name of MEASURES → mean over the runs, NaN where unknown; alphas: a run's (T, h, w) float32 each."""

    measures: dict[str, float]
    alphas: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class Verdict:
    """change: of each measure, relative; score: mean of the wanted, the lower the better; problems: why not."""

    change: dict[str, float]
    score: float
    kept: float  # mean |Δα| on other content
    problems: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether it is better, and worse in nothing."""
        return not self.problems


def tensor(pictures: NDArray[Any]) -> Tensor:
    """(T, h, w, 3) uint8 → (T, 3, h, w) float in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 255


@torch.no_grad()
def roll(network: Trimapless, run: Excerpt) -> list[TrainingOutputs]:
    """All heads' results of a run, with the network's own history, which begins as at run time: one frame twice."""
    network.eval()
    src = tensor(run.frames)
    state = network.initial_state(src[:1])
    if state:
        state = network.training_outputs(src[:1], *state).state
    outs = []
    for frame in src.split(1):
        outs.append(network.training_outputs(frame, *state))
        state = outs[-1].state
    return outs


def measure(network: Trimapless, runs: Sequence[Excerpt]) -> Measured:
    """The measures on runs of one size, each frame but the first few of a run."""
    rows: list[dict[str, float]] = []
    alphas = []
    for run in runs:
        outs = roll(network, run)
        alpha = np.stack([out.pha[0, 0].numpy() for out in outs])
        alphas.append(alpha)
        for t in range(min(HISTORY, len(run) - 1), len(run)):
            apart = (coarse_target(outs[t].pha) - outs[t].semantic).abs().mean()
            rows.append(_row(alpha[t], alpha[t - 1], run, t) | {"disagreement": float(apart)})
    return Measured({name: _mean([row[name] for row in rows]) for name in MEASURES}, tuple(alphas))


def judge(before: Measured, after: Measured, kept: float) -> Verdict:
    """Whether `after` is better than `before`: by MARGIN in the mean of WANTED, and by no bound worse in anything."""
    old, new = before.measures, after.measures
    change = {name: _relative(old[name], new[name], _FLOOR[name]) for name in MEASURES}
    judged = [change[name] for name in WANTED if max(old[name], new[name]) > _FLOOR[name]]
    score = sum(judged) / len(judged) if judged else math.nan
    problems = [] if score <= -MARGIN else [_unless(score)]
    problems += [
        f"{name} rose by {change[name]:.0%}, more than {TOLERANCE:.0%}"
        for name in GUARDED
        if change[name] > TOLERANCE or (not math.isfinite(new[name]) and math.isfinite(old[name]))
    ]
    if not abs(change["area"]) <= AREA:
        problems.append(f"the person's area changed by {change['area']:+.0%}, more than ±{AREA:.0%}")
    if not kept <= KEPT:
        problems.append(f"alpha of other content changed by {kept:.4f}, more than {KEPT}: the network forgets")
    return Verdict(change, score, kept, tuple(problems))


def largest_change(before: Measured, after: Measured) -> float:
    """Mean |Δα| of the run in which it is largest."""
    return max(float(np.abs(b - a).mean()) for b, a in zip(before.alphas, after.alphas, strict=True))


def peopled(alpha: NDArray[Any]) -> bool:
    """Whether somebody is in a run (T, h, w)."""
    return float((alpha >= 0.5).mean()) >= EMPTY


def _row(alpha: NDArray[Any], previous: NDArray[Any], run: Excerpt, t: int) -> dict[str, float]:
    known = run.known[t - 1]
    before = np.clip(nr.warp(previous, run.backward[t - 1]), 0, 1)
    change, edge = np.abs(alpha - before), known & (band(alpha) | band(before))
    return {
        "flicker": float(change[known].mean()) if known.any() else math.nan,
        "band flicker": float(change[edge].mean()) if edge.any() else math.nan,
        "unsure": nr.uncertain_share(alpha),
        "torn": float(nr.holes(alpha) + nr.islands(alpha)),
        "edge": nr.edge_disagreement(run.frames[t], alpha),
        "area": nr.area(alpha),
    }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _relative(old: float, new: float, floor: float) -> float:
    return (new - old) / max(old, floor)


def _unless(score: float) -> str:
    names = ", ".join(WANTED)
    found = f"changed by {score:+.1%}" if math.isfinite(score) else "could not be measured"
    return f"{names} {found} in the mean, and should fall by {MARGIN:.0%} or more"


def plain(measures: Mapping[str, float]) -> dict[str, float | None]:
    """Rounded for JSON; what is unknown is None."""
    return {name: round(value, 6) if math.isfinite(value) else None for name, value in measures.items()}
