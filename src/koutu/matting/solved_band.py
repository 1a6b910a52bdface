"""The band around an outline solved in closed form, where a network is unsure of it: slow, and finer than networks."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.matting.tiled_solver import solve
from koutu.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from koutu.types import Rgb

REACH = 0.009  # of the longer side, beyond what is unsure, that is solved too
_SURE = 0.05  # of alpha
_ENDS = 0.02  # of what is solved, that is nobody's or somebody's wholly


def solved_band(pha: NDArray[np.float32], rgb: Rgb) -> NDArray[np.float32]:
    """Alpha (h, w) in [0, 1] of a picture (h, w, 3) uint8, its band solved anew; as it was without anybody or a band.

    Raises ModelError without pymatting.
    """
    trimap = band_trimap(pha)
    if not (trimap == FOREGROUND).any() or not (trimap == BACKGROUND).any():
        return pha
    solved = solve(rgb, trimap, pha)
    return np.clip((solved - _ENDS) / (1 - 2 * _ENDS), 0, 1).astype(np.float32)


def band_trimap(pha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """{0, 128, 255}: unknown is what is unsure, and `REACH` beyond it on both sides."""
    disc = _disc(max(2, round(REACH * max(pha.shape))))
    person = cv2.erode((pha > 1 - _SURE).astype(np.uint8), disc) > 0
    maybe = cv2.dilate((pha > _SURE).astype(np.uint8), disc) > 0
    return np.where(person, FOREGROUND, np.where(maybe, UNKNOWN, BACKGROUND)).astype(np.uint8)


def _disc(radius: int) -> NDArray[Any]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
