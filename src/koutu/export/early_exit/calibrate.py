"""Calibrate the gate: what predicts the gap of a network's two parts, and up to which the low branch is trusted.

The fit is least squares with a little ridge, judged on clips it did not see; the threshold is the largest that costs
next to nothing on made scenes, whose truth is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from koutu.engines.early_exit import FLOOR, SIGNS, UNTRIED, Gate, GatedBackend, difference, parts_of, terms
from koutu.engines.onnxruntime import OnnxBackend
from koutu.export.clips import CalibrationClip, Watch
from koutu.export.defaults import ALLOWED
from koutu.export.early_exit.sweep import Tried, choose, sweep
from koutu.export.onnx_file import save
from koutu.export.trace import describe, described
from koutu.types import InputError

THRESHOLDS = (2.0, 3.0, 4.0, 4.5, 5.0, 6.0, 8.0)  # tried, in thousandths of alpha
_RIDGE = 1e-3  # of the number of frames
_FOLDS = 8


@dataclass(frozen=True)
class Rows:
    """Frames measured: signs (N, K), gaps (N,) in thousandths of alpha, and the number of the clip each is of."""

    signs: NDArray[np.float64]
    gaps: NDArray[np.float64]
    clips: NDArray[np.int64]


@dataclass(frozen=True)
class Calibration:
    """The gate that was written to `path`, and what it was chosen by.

    explained: share of the variance of log(gap + FLOOR) that is predicted in clips not fitted to; factor: half of all
    gaps are predicted within × or ÷ this; gaps: their 10th, 50th and 90th percentile; tried: thresholds, the whole
    network alone first.
    """

    gate: Gate
    path: Path
    explained: float
    factor: float
    gaps: tuple[float, float, float]
    tried: list[Tried]


def calibrate(
    path: Path,
    clips: Sequence[CalibrationClip],
    *,
    threshold: float | None = None,
    allowed: float = ALLOWED,
    watch: Watch = lambda *_: None,
) -> Calibration:
    """Fit the gate of the network NAME.onnx at `path`, try thresholds, and write the gate into NAME-low.onnx.

    threshold: in thousandths of alpha; without, the largest tried that makes the error of clips with truth worse by
    `allowed` at most, a share. Raises ModelError without both parts, InputError without clips or, for want of a
    threshold, without any truth.
    """
    known = any(clip.pha is not None for clip in clips)
    if len(clips) < 2 or (threshold is None and not known):
        raise InputError(
            f"expected two clips or more, and made scenes to choose a threshold by, got {len(clips)} clips "
            f"{'with' if known else 'without'} truth; give packs of people and backgrounds, or a threshold"
        )
    low, rest = (OnnxBackend(part) for part in parts_of(path))
    rows = measure(GatedBackend(low, rest, gate=UNTRIED), clips, watch)
    gate, explained, factor = fit(rows)
    wanted = THRESHOLDS if threshold is None else (threshold,)
    gates = [replace(gate, threshold=one) for one in wanted]
    tried = sweep(low, rest, gates, clips, watch)
    gate = replace(gate, threshold=choose(tried, allowed) if threshold is None else threshold)
    write_gate(parts_of(path)[0], gate)
    low10, middle, high10 = np.percentile(rows.gaps, (10, 50, 90))
    return Calibration(gate, parts_of(path)[0], explained, factor, (float(low10), float(middle), float(high10)), tried)


def measure(backend: GatedBackend, clips: Sequence[CalibrationClip], watch: Watch = lambda *_: None) -> Rows:
    """Both parts on every frame; in every other clip the memory is that of the low-resolution branch running alone."""
    signs, gaps, numbers = [], [], []
    for i, clip in enumerate(clips):
        watch(i, len(clips), "measuring gaps")
        memory = backend.initial_state(clip.src.shape[1:3]).memory
        for rgb in (clip.src[0], *clip.src):  # the first is seen twice, as in use
            low, found, finish = backend.begin(rgb, memory)
            whole = finish()
            memory = {name: (low if i % 2 else whole)[None, None] for name in memory}
            signs.append(found)
            gaps.append(difference(low, whole))
            numbers.append(i)
    return Rows(np.array(signs, np.float64), np.array(gaps), np.array(numbers))


def fit(rows: Rows) -> tuple[Gate, float, float]:
    """The gate, without a threshold, and how well it predicts: explained and factor of `Calibration`."""
    x, y = terms(rows.signs), np.log(rows.gaps + FLOOR)
    predicted = np.zeros_like(y)
    for fold in range(_FOLDS):
        out = rows.clips % _FOLDS == fold
        if out.any() and not out.all():
            weights, bias = _least_squares(x[~out], y[~out])
            predicted[out] = x[out] @ weights + bias
    miss = y - predicted
    explained = 1 - float(np.square(miss).sum() / max(1e-12, np.square(y - y.mean()).sum()))
    weights, bias = _least_squares(x, y)
    return Gate(tuple(map(float, weights)), bias, 0.0), explained, float(np.exp(np.median(np.abs(miss))))


def write_gate(low: Path, gate: Gate) -> None:
    """Write the gate into the card of NAME-low.onnx."""
    model, card = described(low)
    card["gate"] = {"signs": SIGNS, "weights": gate.weights, "bias": gate.bias, "threshold": gate.threshold}
    describe(model, card)
    save(model, low)


def _least_squares(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    z = (x - mean) / spread
    weights = np.linalg.solve(z.T @ z + _RIDGE * len(z) * np.eye(z.shape[1]), z.T @ (y - y.mean())) / spread
    return weights, float(y.mean() - mean @ weights)
