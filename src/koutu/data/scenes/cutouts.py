"""Cut-outs ready to be put elsewhere: their own colours without the old background's, and where their image cut them.

A packed cut-out is an image with an alpha. In its rim the old background still shines, and beside the rim there is
nothing else; both would show as a halo on a new background.
"""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.foreground import decontaminate
from koutu.matting.pull_push import extended
from koutu.types import Alpha

SIDES = ("left", "right", "top", "bottom")
_PRESENT = 64  # alpha from which somebody counts as being there
PAD = 2


@dataclass(frozen=True)
class Body:
    """Where somebody is in an (H, W) picture: box in pixels, right and bottom exclusive; cut: side → (first, last).

    The last gives the rows (left, right) or columns (top, bottom) on which the image's border cuts the body.
    """

    size: tuple[int, int]
    box: tuple[int, int, int, int]
    cut: dict[str, tuple[int, int]] = field(default_factory=dict)


def find_body(alpha: Alpha) -> Body | None:
    """The body of an alpha (H, W); None for an empty one."""
    there = alpha > _PRESENT
    columns, rows = np.flatnonzero(there.any(axis=0)), np.flatnonzero(there.any(axis=1))
    if not len(columns):
        return None
    edges = (there[:, :2].any(axis=1), there[:, -2:].any(axis=1), there[:2].any(axis=0), there[-2:].any(axis=0))
    cut = {}
    for side, edge in zip(SIDES, edges, strict=True):
        touched = np.flatnonzero(edge)
        if len(touched):
            cut[side] = int(touched[0]), int(touched[-1]) + 1
    height, width = alpha.shape
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return Body((height, width), box, cut)


def cut_out(rgba: NDArray[Any], body: Body, scale: float) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The body's part of a packed (H, W, 4), shrunk to about `scale`, clean, and the (2, 3) map that it took.

    Around it lies a margin of nobody. Cleaned after shrinking, where it costs less; the mixing equation holds for mean
    colours as well. It is never enlarged: that is the warp's work.
    """
    left, top, right, bottom = body.box
    margin = 4 + max(right - left, bottom - top) // 12
    y, x = max(0, top - margin), max(0, left - margin)
    small, shrunk = shrink(rgba[y : bottom + margin, x : right + margin], scale)
    alpha = np.ascontiguousarray(small[..., 3])
    rgb = np.asarray(decontaminate(np.ascontiguousarray(small[..., :3]), alpha))
    padded = cv2.copyMakeBorder(extended(rgb, alpha), PAD, PAD, PAD, PAD, cv2.BORDER_REPLICATE)
    alpha = cv2.copyMakeBorder(alpha, PAD, PAD, PAD, PAD, cv2.BORDER_CONSTANT, value=(0,))
    shift = shrunk @ (-x, -y, 1) + PAD
    return cv2.merge([padded, alpha]), np.hstack([shrunk[:, :2], shift[:, None]])


def shrink(picture: NDArray[Any], scale: float) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """(H, W, C) at about `scale`, if that is under 1, and the (2, 3) map: halved by means, then bilinear."""
    height, width = picture.shape[:2]
    picture = np.ascontiguousarray(picture)
    while scale <= 0.5 and min(picture.shape[:2]) > 3:
        half = picture.shape[1] // 2, picture.shape[0] // 2
        picture, scale = cv2.resize(picture, half, interpolation=cv2.INTER_AREA), 2 * scale
    if scale < 0.95:
        size = max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    sx, sy = picture.shape[1] / width, picture.shape[0] / height
    return picture, np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2]])
