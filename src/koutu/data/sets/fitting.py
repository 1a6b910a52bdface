"""Images brought to a size that suits them: shrunk by means, or fitted into the squares of a sheet."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def shrunk(picture: NDArray[Any], long_side: int) -> NDArray[Any]:
    """A picture or mask (H, W[, C]) with a longer side of at most `long_side` pixels, never enlarged; 0: as it is."""
    scale = long_side / max(picture.shape[:2])
    if not 0 < scale < 1:
        return picture
    return np.asarray(cv2.resize(picture, _scaled(picture, scale), interpolation=cv2.INTER_AREA))


def in_square(picture: NDArray[Any], side: int, paper: int, enlarged: int = cv2.INTER_LINEAR) -> NDArray[Any]:
    """(side, side[, C]) uint8 of a picture that keeps its shape, in the middle of paper of this grey.

    enlarged: OpenCV's interpolation for a picture that is smaller.
    """
    scale = side / max(picture.shape[:2])
    size = _scaled(picture, scale)
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else enlarged))
    square = np.full((side, side, *picture.shape[2:]), paper, np.uint8)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def _scaled(picture: NDArray[Any], scale: float) -> tuple[int, int]:
    """(width, height), a pixel at least."""
    return max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
