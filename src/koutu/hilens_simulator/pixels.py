"""NV21 as the Kit's framework hands it about: H rows of luma, then V and U in turns, (H*3//2, W) uint8."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Yuv420

_BLACK, _NO_COLOUR = 16, 128


def nv21_of(picture: Yuv420) -> NDArray[np.uint8]:
    """Eight bits, an odd last row or column left out; the numbers as they are, whatever their matrix and range."""
    height, width = picture.size[0] & -2, picture.size[1] & -2
    planes = [
        picture.y[:height, :width],
        picture.v[: height // 2, : width // 2],
        picture.u[: height // 2, : width // 2],
    ]
    if picture.depth > 8:
        planes = [plane >> (picture.depth - 8) for plane in planes]
    y, v, u = (plane.astype(np.uint8) for plane in planes)
    return np.vstack([y, np.stack([v, u], axis=-1).reshape(height // 2, width)])


def split(picture: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Luma (H, W) and chroma (H/2, W/2, 2) of (H*3//2, W)."""
    height = picture.shape[0] * 2 // 3
    return picture[:height], picture[height:].reshape(height // 2, picture.shape[1] // 2, 2)


def scaled(picture: NDArray[Any], width: int, height: int) -> NDArray[np.uint8]:
    """The whole frame at another size, which must be even."""
    y, vu = split(picture)
    y = cv2.resize(y, (width, height), interpolation=cv2.INTER_LINEAR)
    vu = cv2.resize(vu, (width // 2, height // 2), interpolation=cv2.INTER_LINEAR)
    return np.vstack([y, vu.reshape(height // 2, width)]).astype(np.uint8)


def cropped(picture: NDArray[Any], x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
    """A part of it; all numbers even."""
    luma, chroma = split(picture)
    chroma = chroma[y // 2 : (y + height) // 2, x // 2 : (x + width) // 2]
    return np.vstack([luma[y : y + height, x : x + width], chroma.reshape(height // 2, width)])


def framed(picture: NDArray[Any], width: int, height: int) -> NDArray[np.uint8]:
    """In the middle of black; all sides even."""
    luma, chroma = split(picture)
    (h, w), whole = luma.shape, np.full((height * 3 // 2, width), _NO_COLOUR, np.uint8)
    y, vu = split(whole)
    y[:] = _BLACK
    top, left = (height - h) // 4 * 2, (width - w) // 4 * 2
    y[top : top + h, left : left + w] = luma
    vu[top // 2 : (top + h) // 2, left // 2 : (left + w) // 2] = chroma
    return whole


def to_bgr(picture: NDArray[Any]) -> NDArray[Any]:
    """BT.601, limited range, as a USB camera would give it."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_NV21))


def from_bgr(bgr: NDArray[Any], *, swapped: bool = False) -> NDArray[np.uint8]:
    """NV21 of BGR (H, W, 3), both sides even; `swapped`: NV12."""
    height, width = bgr.shape[:2]
    i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    quarter = height * width // 4
    u, v = i420[height:].reshape(-1)[:quarter], i420[height:].reshape(-1)[quarter:]
    chroma = np.stack([u, v] if swapped else [v, u], axis=-1)
    return np.vstack([i420[:height], chroma.reshape(height // 2, width)]).astype(np.uint8)


def swap_chroma(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """NV21 as NV12, or back."""
    height = picture.shape[0] * 2 // 3
    swapped = picture.copy()
    swapped[height:, 0::2], swapped[height:, 1::2] = picture[height:, 1::2], picture[height:, 0::2]
    return swapped
