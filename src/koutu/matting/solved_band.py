"""The band around an outline solved in closed form, where a network is unsure of it: finer than networks, not live."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.matting.closed_form import STEPS, solved_unknown
from koutu.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from koutu.types import Rgb

REACH = 0.003  # of the longer side, beyond what is unsure, that is solved too
LARGE = 1 / 3  # of what the network sees: people who fill less show no strands there
FADES = 0.28, 0.38  # likewise, between which a video's frames go from as they were to solved: no step is seen
QUICK_STEPS = 12
_SURE = 0.05  # of alpha
_ENDS = 0.02  # of what is solved, that is nobody's or somebody's wholly


def quickly_solved_band(pha: NDArray[np.float32], rgb: Rgb) -> NDArray[np.float32]:
    """`solved_band` for a video's frame: at half the size alone, and fading in with the people's size."""
    share = float(np.clip((pha.mean() - FADES[0]) / (FADES[1] - FADES[0]), 0, 1))
    if not share:
        return pha
    solved = solved_band(pha, rgb, steps=QUICK_STEPS, fully=False)
    return np.asarray(pha + share * (solved - pha), np.float32)


def solved_band(
    pha: NDArray[np.float32], rgb: Rgb, reach: float = REACH, *, steps: int = STEPS, fully: bool = True
) -> NDArray[np.float32]:
    """Alpha (h, w) in [0, 1] of a picture (h, w, 3) uint8, its band solved anew; as it was without anybody or a band.

    reach: of the longer side, beyond what is unsure, that is solved too. steps, fully: as of `solved_unknown`.
    """
    trimap = band_trimap(pha, reach)
    if not (trimap == FOREGROUND).any() or not (trimap == BACKGROUND).any():
        return pha
    guess = np.where(trimap == UNKNOWN, pha, trimap / np.float32(255)).astype(np.float32)
    return solved_to_ends(rgb, trimap == UNKNOWN, guess, steps, fully=fully)


def solved_to_ends(
    rgb: Rgb, unknown: NDArray[np.bool_], guess: NDArray[np.float32], steps: int = STEPS, *, fully: bool = True
) -> NDArray[np.float32]:
    """Alpha (h, w) as of `solved_unknown`, within [0, 1], what is nearly nobody's or somebody's being so wholly."""
    solved = solved_unknown(rgb, unknown, guess, steps, fully=fully)
    return np.clip((solved - _ENDS) / (1 - 2 * _ENDS), 0, 1).astype(np.float32)


def band_trimap(pha: NDArray[np.float32], reach: float = REACH) -> NDArray[np.uint8]:
    """{0, 128, 255}: unknown is what is unsure, and `reach` beyond it on both sides."""
    disc = _disc(max(2, round(reach * max(pha.shape))))
    person = cv2.erode((pha > 1 - _SURE).astype(np.uint8), disc) > 0
    maybe = cv2.dilate((pha > _SURE).astype(np.uint8), disc) > 0
    return np.where(person, FOREGROUND, np.where(maybe, UNKNOWN, BACKGROUND)).astype(np.uint8)


def _disc(radius: int) -> NDArray[Any]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
