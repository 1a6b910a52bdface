"""Measures of one frame and its alpha without a truth, on small pictures, and how it changed since the last."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.matting.one_frame_delay import smooth_middle
from koutu.matting.shots import CUT_DIFFERENCE, CUT_SIZE, MAX_GAP
from koutu.metrics import no_reference as nr
from koutu.metrics.regions import Region, band
from koutu.types import Alpha, Rgb

SIDE = 320  # longer side of the frames that are measured
_FLOW_SIDE = 256
_CHANGED = 0.5  # of alpha: more than hair and noise do
_BLOB = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))  # thinner changes are an edge that trembles
_WIDE = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))  # what is unsure for longer than this is no edge
_MEMORY = 2.0  # seconds in which what alpha used to be follows what it is
_UNSTEADY = 26  # of 255, as smoothing counts a jump
_NEAR = 0.08  # of the longer side: how far what lies around the person reaches

# name → what it is; ratios lie in 0 … 1, brightness in 0 … 255. docs/review.md tells more.
MEASURES = {
    "area": "share of the frame that is person",
    "flicker": "change of alpha in the edge band that the frame does not explain",
    "unsteady": "the same over the whole frame",
    "unsure": "unsure alpha beyond the edge's width, as a share of the person",
    "holes": "enclosed holes, as a share of the person",
    "islands": "loose parts away from the border, as a share of the person",
    "appeared": "share of the frame that turned into person without a change of the frame",
    "vanished": "share of the frame that ceased to be person without a change of the frame",
    "edge": "distance of alpha's edge from the frame's edges",
    "halo": "old background that alpha takes for the person along its edge",
    "light": "median brightness of the person",
    "behind": "brightness of what lies around the person",
    "exposure": "median brightness of the frame",
    "sharpness": "mean edge strength on the person",
    "motion": "speed of the person, sides of the picture a frame",
    "single": "share of alpha's jumps that last one frame and that --smooth would undo",
    "cut": "1 where a shot begins",
}
_OF_COLOURS = ("edge", "halo", "behind", "exposure")  # nothing of the scene is left of these in a cut-out


@dataclass(frozen=True)
class _Past:
    rgb: Rgb
    alpha: Alpha
    thumbnail: NDArray[Any]
    seconds: float


class Observer:
    """Call with one small frame after the other; each call gives the measures of it by name, NaN where unknown.

    scene: False for a cut-out, whose frames are black or made up where alpha is 0, so that only alpha can be judged.
    """

    def __init__(self, *, scene: bool = True):
        self.scene = scene
        self._last: _Past | None = None
        self._before: Alpha | None = None
        self._usual: NDArray[Any] | None = None  # alpha carried along the motion, following what it is now slowly

    def __call__(self, rgb: Rgb, alpha: Alpha, seconds: float, fresh: bool = False) -> dict[str, float]:
        """rgb (h, w, 3) and alpha (h, w), uint8. fresh: the network began anew. "single" is of the frame before."""
        thumbnail = cv2.resize(rgb, CUT_SIZE[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        now = _Past(rgb, alpha, thumbnail, seconds)
        row = dict.fromkeys(MEASURES, math.nan) | _still(rgb, alpha)
        last = self._last
        same_shot = last is not None and not self._cut(last, now, fresh)
        row["cut"] = float(not same_shot)
        if last is not None and same_shot:
            row |= self._moving(last, now)
            if self._before is not None:
                row["single"] = _single(self._before, last.alpha, alpha)
        else:
            self._usual = alpha / np.float32(255)
        self._before = last.alpha if last is not None and same_shot else None
        self._last = now
        if not self.scene:
            row |= dict.fromkeys(_OF_COLOURS, math.nan)
        return row

    def _moving(self, last: _Past, now: _Past) -> dict[str, float]:
        """What changed along the motion of the frame."""
        frames = (last.rgb, now.rgb)
        backward, forward = nr.flow(*frames, side=_FLOW_SIDE), nr.flow(*frames[::-1], side=_FLOW_SIDE)
        known = nr.consistent(backward, forward, *(frames if self.scene else ()))
        before, alpha = nr.warp(last.alpha, backward) / 255, now.alpha / np.float32(255)
        change = np.abs(alpha - before)
        edge = known & (band(alpha) | band(np.clip(before, 0, 1)))
        person = now.alpha > 127
        speed = np.hypot(backward[..., 0], backward[..., 1])
        appeared, vanished = self._departed(alpha, backward, known, now.seconds - last.seconds)
        return {
            "flicker": float(change[edge].mean()) if edge.any() else 0.0,
            "unsteady": float(change[known].mean()) if known.any() else math.nan,
            "appeared": appeared,
            "vanished": vanished,
            "motion": float(np.median(speed[person])) / max(alpha.shape) if person.any() else 0.0,
        }

    def _departed(
        self, alpha: NDArray[Any], backward: NDArray[Any], known: Region, elapsed: float
    ) -> tuple[float, float]:
        """Areas in which alpha has now left what it used to be at that place of the frame; each is reported once.

        Compared with the last frame alone, an error that fades in would never show.
        """
        assert self._usual is not None
        usual = np.where(known, nr.warp(self._usual, backward), alpha)
        departure = alpha - usual
        up, down = _blobs(departure > _CHANGED), _blobs(departure < -_CHANGED)
        usual += departure * min(1.0, elapsed / _MEMORY)
        self._usual = np.where(up | down, alpha, usual)
        return float(up.mean()), float(down.mean())

    def _cut(self, last: _Past, now: _Past, fresh: bool) -> bool:
        if fresh or last.alpha.shape != now.alpha.shape or not 0 < now.seconds - last.seconds <= MAX_GAP:
            return True
        changed = float(np.abs(last.thumbnail - now.thumbnail).mean()) > CUT_DIFFERENCE
        return changed and self.scene  # a cut-out whose alpha goes is no cut


def small(size: tuple[int, int]) -> tuple[int, int]:
    """(h, w) at which a frame of (H, W) is measured."""
    scale = min(1.0, SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _still(rgb: Rgb, alpha: Alpha) -> dict[str, float]:
    person = alpha > 127
    count = int(np.count_nonzero(person))
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    row = {"area": nr.area(alpha), "exposure": float(np.median(luma)), "holes": nr.holes(alpha)}
    if count < 16:
        return row
    row |= {"edge": nr.edge_disagreement(rgb, alpha), "halo": nr.halo(rgb, alpha, radius=3)}
    row |= {"islands": _floating(person) / count, "unsure": _unsure(alpha) / count}
    row |= {"light": float(np.median(luma[person])), "sharpness": _sharpness(luma, person)}
    reach = 2 * round(_NEAR * max(alpha.shape)) + 1
    around = (cv2.dilate(person.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0) & (alpha < 13)
    if around.any():
        row["behind"] = float(np.percentile(luma[around], 75))
    return row


def _blobs(mask: Region) -> Region:
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _BLOB) > 0)


def _single(before: Alpha, middle: Alpha, after: Alpha) -> float:
    """Of the pixels that jumped in the middle, the share that one-frame-delay smoothing takes back."""
    jumped = np.count_nonzero(cv2.absdiff(before, middle) > _UNSTEADY)
    undone = np.count_nonzero(smooth_middle(before, middle, after) != middle)
    return min(1.0, undone / jumped) if jumped else 0.0


def _floating(person: Region) -> int:
    """Pixels of parts beside the largest that do not touch the border: a hand that reaches in from outside does."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(person.astype(np.uint8), connectivity=8)
    if count <= 2:
        return 0
    height, width = person.shape
    left, top, w, h, areas = (stats[1:, i] for i in range(5))
    inside = (left > 0) & (top > 0) & (left + w < width) & (top + h < height)
    inside[int(areas.argmax())] = False
    return int(areas[inside].sum())


def _unsure(alpha: Alpha) -> int:
    """Pixels that are neither person nor background for more than an edge's width."""
    unsure = ((alpha > 12) & (alpha < 243)).astype(np.uint8)
    return int(np.count_nonzero(cv2.morphologyEx(unsure, cv2.MORPH_OPEN, _WIDE)))


def _sharpness(luma: NDArray[Any], person: Region) -> float:
    inner = cv2.erode(person.astype(np.uint8), _BLOB) > 0  # the outline is a matter of what lies behind
    if not inner.any():
        return math.nan
    across, down = cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    return float(cv2.magnitude(across, down)[inner].mean())
