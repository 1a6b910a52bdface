"""Alphas that were solved frame by frame made steady over time, by what the frames before and after say of them.

Each frame is solved anew, and where alpha is unsure the answers differ a little from frame to frame. What the flow
brings here from either side, there and back again and of the same colour, is as good an answer as the frame's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.metrics.no_reference import consistent, flow, warp
from koutu.types import Alpha, Rgb

Floats = NDArray[Any]  # float32, which OpenCV's stubs forget

COLOUR = 12.0  # mean difference of the channels, of 255, up to which the flow is believed
DISPUTED = 0.35  # of alpha: one neighbour that differs by more is not asked
_LOW, _HIGH = 0.02, 0.98  # alphas between which a pixel is unsure
_WIDER = 1.05  # times as wide as it was, a boundary may become
_CHANGED = 0.5  # of alpha, by which a frame that both neighbours contradict is wrong
_SPOT = 0.006  # of the longer side: contradictions thinner than twice this are the boundary's own


@dataclass(frozen=True)
class Neighbour:
    """A frame (H, W, 3) beside the one in question and its alpha (H, W), uint8 both."""

    rgb: Rgb
    alpha: Alpha


@dataclass(frozen=True)
class Steadied:
    """alpha: (H, W) uint8. contradicted: area where both neighbours agree and the frame does not, of the person's."""

    alpha: Alpha
    contradicted: float


def steadied(
    rgb: Rgb, alpha: Alpha, trimap: NDArray[np.uint8], beside: Sequence[Neighbour], *, mean: bool = False
) -> Steadied:
    """The alpha (H, W) uint8 of a frame (H, W, 3), steadied by those beside it: one before, one after, or either.

    Changed only where it or a neighbour's is unsure, or the trimap (H, W) is. With both, the middle of the three; with
    one, the mean of two that do not dispute. A boundary that came out wider than it was is left as it was. mean: with
    both, the mean of what does not dispute, which is steadier, and the middle elsewhere.
    """
    own = alpha.astype(np.float32) / 255
    said = [_said(rgb, other) for other in beside]
    unsure = (trimap > 0) & (trimap < 255)
    for there, known in said:
        unsure |= known & (there > _LOW) & (there < _HIGH)
    mixed = own
    for there, known in said:
        near = known & unsure & (np.abs(there - own) < DISPUTED)
        mixed = np.where(near, (own + there) / 2, mixed)
    contradicted = 0.0
    if len(said) == 2:
        (before, known_before), (after, known_after) = said
        both = known_before & known_after
        middle = np.maximum(np.minimum(before, after), np.minimum(np.maximum(before, after), own))
        asked = both & unsure
        if mean:
            near = [known & (np.abs(there - own) < DISPUTED) for there, known in said]
            total = own + near[0] * before + near[1] * after
            count = 1 + near[0].astype(np.float32) + near[1]
            mixed = np.where(unsure & (count > 1), total / count, mixed)
            asked &= ~near[0] & ~near[1]
        mixed = np.where(asked, middle, mixed)
        contradicted = _contradicted(own, before, after, both)
    levels = np.rint(mixed * 255).astype(np.uint8)
    return Steadied(levels if width(levels) <= _WIDER * width(alpha) else alpha, contradicted)


def width(alpha: Alpha) -> float:
    """Pixels that the boundary of an alpha (H, W) uint8 is wide, in the mean."""
    mid = np.count_nonzero((alpha > 26) & (alpha < 229))
    outline = cv2.morphologyEx((alpha > 127).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return 2.0 * mid / max(1, np.count_nonzero(outline))


def _said(rgb: Rgb, other: Neighbour) -> tuple[Floats, NDArray[np.bool_]]:
    """The neighbour's alpha (H, W) in [0, 1] where its things are now, and where that is known."""
    backward, forward = flow(other.rgb, rgb), flow(rgb, other.rgb)
    known = consistent(backward, forward, other.rgb, rgb, colour=COLOUR)
    return np.clip(warp(other.alpha.astype(np.float32) / 255, backward), 0, 1), known


def _contradicted(own: Floats, before: Floats, after: Floats, known: NDArray[np.bool_]) -> float:
    agreed = known & (np.abs(before - after) < 1 - _CHANGED)
    wrong = agreed & (np.abs(own - (before + after) / 2) > _CHANGED)
    radius = max(2, round(_SPOT * max(own.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    spots = cv2.morphologyEx(wrong.astype(np.uint8), cv2.MORPH_OPEN, disc)
    return float(spots.sum()) / max(1.0, float((own > 0.5).sum()))
