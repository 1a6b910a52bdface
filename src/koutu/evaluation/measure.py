"""The row of figures that one matte gets, in the scale that papers print."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from koutu import metrics
from koutu.data.sets.open import Example
from koutu.evaluation.settings import MeasureSettings
from koutu.foreground import decontaminate
from koutu.metrics.no_reference import Motion, flicker, motion, uncertain_share
from koutu.types import Alpha, InputError, Rgb

FAR = 8  # pixels from a mask's edge beyond which a binary truth is trusted
# column → what it is, in the order of tables; smaller is better but for HIGHER
COLUMNS = {
    "mad": "mean |p − g| × 1000, whole image",
    "mse": "mean (p − g)² × 1000, whole image",
    "sad": "Σ |p − g| / 1000, whole image",
    "grad": "Gradient / 1000, whole image",
    "conn": "Connectivity / 1000, whole image",
    "band_mad": "mean |p − g| × 1000 in the transition band",
    "unknown_sad": "Σ |p − g| / 1000 in the trimap's unknown region",
    "unknown_mse": "mean (p − g)² × 1000 in the trimap's unknown region",
    "unknown_grad": "Gradient / 1000 in the trimap's unknown region",
    "unknown_conn": "Connectivity / 1000 in the trimap's unknown region",
    "far_mad": f"mean |p − g| × 1000, more than {FAR} pixels from a mask's edge",
    "iou": "intersection over union at ½",
    "fgr_mad": "mean |F̂ − F| × 1000 where true alpha > 0",
    "fgr_mse": "mean (F̂ − F)² × 1000 where true alpha > 0",
    "unknown_mad": "mean |p − g| × 1000 in the trimap's unknown region",
    "dtssd": "dtSSD × 100, whole image, mean over pairs of frames",
    "ssda": "√Σ (p − g)² in the trimap's unknown region",
    "dtssd_sum": "dtSSD of TCVOM: √Σ in the trimap's unknown region",
    "messddt": "MESSDdt / 1000, in the trimap's unknown region or all",
    "flicker": "motion-compensated change of alpha × 1000, no truth needed",
    "band_flicker": "the same in the transition band, whose size it does not depend on",
    "uncertain": "share of pixels neither in nor out, × 100, no truth needed",
}
HIGHER = frozenset({"iou"})
RANKED = ("mad", "far_mad", "flicker", "uncertain")  # the first of these that a row has says how bad it is


class SharedMotion:
    """`motion` for the scorers of several networks, which ask for the same two frames one after the other."""

    def __init__(self) -> None:
        self._last: tuple[Rgb, Rgb, Motion] | None = None

    def __call__(self, previous: Rgb, current: Rgb) -> Motion:
        if self._last is None or self._last[0] is not previous or self._last[1] is not current:
            self._last = previous, current, motion(previous, current)
        return self._last[2]


@dataclass
class Scorer:
    """Scores the mattes of one clip in order, by one network. `overwrites`: it was given the trimap.

    motion: of two frames of the clip, which the scorers of several networks may share.
    """

    settings: MeasureSettings
    still: bool
    overwrites: bool = False
    motion: Callable[[Rgb, Rgb], Motion] = motion
    _before: tuple[Example, Alpha] | None = None

    def __call__(self, example: Example, alpha: Alpha, foreground: Rgb | None) -> dict[str, float]:
        """The columns that the example's truth allows. Raises InputError where sizes differ."""
        row: dict[str, float] = {}
        if example.pha is not None:
            true = _as_levels(example.pha)
            if true.shape != alpha.shape:
                raise InputError(f"expected a truth of {alpha.shape}, got {true.shape}; mend or leave out this pair")
            row |= _binary(alpha, example.pha > 0.5) if example.binary else self._soft(alpha, true, example, foreground)
        row["uncertain"] = uncertain_share(alpha) * 100
        if not self.still and self.settings.video:
            row |= self._over_time(example, alpha)
            self._before = example, alpha
        return {name: value for name, value in row.items() if np.isfinite(value)}

    def _soft(self, alpha: Alpha, true: np.ndarray, example: Example, foreground: Rgb | None) -> dict[str, float]:
        row = {
            "mad": metrics.mad(alpha, true) * 1e3,
            "mse": metrics.mse(alpha, true) * 1e3,
            "sad": metrics.sad(alpha, true) / 1e3,
        }
        if (band := metrics.band(true)).any():  # there is none without anybody
            row["band_mad"] = metrics.mad(alpha, true, band) * 1e3
        if self.settings.perceptual:
            row["grad"] = metrics.gradient(alpha, true) / 1e3
            row["conn"] = metrics.connectivity(alpha, true) / 1e3
        if example.trimap is not None and metrics.unknown(example.trimap).any():
            row |= self._unknown(alpha, true, example.trimap)
        if self.settings.foreground and example.fgr is not None and example.src is not None and (true > 0).any():
            colours = decontaminate(example.src, alpha) if foreground is None else foreground
            assert isinstance(colours, np.ndarray)
            row["fgr_mad"] = metrics.foreground_mad(colours, example.fgr, true) * 1e3
            row["fgr_mse"] = metrics.foreground_mse(colours, example.fgr, true) * 1e3
        return row

    def _unknown(self, alpha: Alpha, true: np.ndarray, trimap: np.ndarray) -> dict[str, float]:
        region = metrics.unknown(trimap)
        pred = metrics.known(alpha, trimap) if self.overwrites else alpha
        row = {
            "unknown_sad": metrics.sad(pred, true, region) / 1e3,
            "unknown_mse": metrics.mse(pred, true, region) * 1e3,
            "unknown_mad": metrics.mad(pred, true, region) * 1e3,
        }
        if self.settings.perceptual:
            row["unknown_grad"] = metrics.gradient(pred, true, region) / 1e3
            row["unknown_conn"] = metrics.connectivity(pred, true, region) / 1e3
        return row

    def _over_time(self, example: Example, alpha: Alpha) -> dict[str, float]:
        if self._before is None or self._before[1].shape != alpha.shape:
            return {}
        (last, last_alpha), row = self._before, {}
        if example.src is not None and last.src is not None:
            moved = self.motion(last.src, example.src)
            found = flicker(alpha, last_alpha, example.src, last.src, moved=moved)
            row |= {"flicker": found.whole * 1e3, "band_flicker": found.band * 1e3}
        if example.pha is not None and last.pha is not None and not example.binary:
            pairs = last_alpha, _as_levels(last.pha), alpha, _as_levels(example.pha)
            row["dtssd"] = metrics.dtssd(*pairs) * 1e2
            region = None if last.trimap is None else metrics.between(last.trimap)
            if region is not None and region.any():
                row["ssda"] = metrics.ssda(*pairs[:2], region)
                row["dtssd_sum"] = metrics.dtssd_sum(*pairs, region)
            if last.flow is not None and (region is None or region.any()):
                row["messddt"] = metrics.messddt(*pairs, last.flow, region) / 1e3
        return row


def _as_levels(pha: np.ndarray) -> np.ndarray:
    """Alpha that came from 8 bits as those 8 bits again: at thresholds of Connectivity the last digit decides."""
    scaled = np.clip(pha, 0, 1) * 255
    levels = np.rint(scaled)
    return levels.astype(np.uint8) if np.abs(scaled - levels).max() < 1e-3 else scaled / 255


def _binary(alpha: Alpha, mask: np.ndarray) -> dict[str, float]:
    row = {"iou": metrics.iou(alpha, mask.astype(np.float32))}
    away = [cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5) for side in (mask, ~mask)]
    far = (away[0] > FAR) | (away[1] > FAR)
    if far.any():
        row["far_mad"] = metrics.mad(alpha, mask.astype(np.float32), far) * 1e3
    return row


def badness(row: dict[str, float]) -> float:
    """How bad a row is, for finding the worst: its error, or what stands for it without a truth."""
    return next((row[name] for name in RANKED if name in row), 0.0)
