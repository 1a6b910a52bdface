"""A network's small alpha at full size, with what the full-size frame shows between the small alpha's pixels.

Alpha's local slope over luma is found as in He and Sun, "Fast Guided Filter", arXiv 1505.00996. Theirs answers with the
fitted lines, which smooths hair away; ours keeps the small alpha and adds only slope × the luma that the small frame
lost, so that shrinking the result gives the small alpha back.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import shrink
from koutu.sparse import STRIP, Box
from koutu.types import Alpha, Picture, Yuv

RADIUS = 2  # of the window in which alpha is a straight line of luma, in the small alpha's pixels
EPS = 1e-3  # contrast, as a variance of luma in [0, 1], below which a window is taken for plain
SURE = 5  # of 255: a matte this near to either end is left as it is
_GAP = 24  # of the small alpha's pixels in a row: what is sure for so long is left out


def quantise(pha: NDArray) -> Alpha:
    """[0, 1] → 0 … 255, rounded and clipped."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(pha, 0), alpha=255))


def luma(picture: Picture) -> NDArray:
    """The brightness plane (H, W) of either kind of frame, in its own units."""
    return picture.y if isinstance(picture, Yuv) else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def guided_upsample(pha: NDArray, picture: Picture) -> Alpha:
    """pha (h, w) in [0, 1], no larger than the frame (H, W) → alpha (H, W) uint8 with the frame's edges."""
    guide, small = luma(picture), quantise(pha)
    alpha = np.asarray(cv2.resize(small, guide.shape[::-1], interpolation=cv2.INTER_CUBIC))
    seen = 4 * RADIUS + 1  # in which an unsure pixel changes the slope
    unsure = cv2.dilate(cv2.inRange(small, SURE, 255 - SURE), np.ones((seen, seen), np.uint8))
    part = _reach(unsure)
    if part is None:
        return alpha
    white = 255 if guide.dtype == np.uint8 else 1023
    small_guide = shrink(guide, pha.shape)[part].astype(np.float32)
    slope = _slope(pha[part], small_guide * np.float32(1 / white)) * np.float32(255 / white)
    offset = -slope * small_guide
    scale = small.shape[0] / guide.shape[0], small.shape[1] / guide.shape[1]
    for box in _unsure_boxes(unsure, guide.shape):
        a, b = (_enlarged(x, box, part, scale) for x in (slope, offset))
        cv2.accumulateProduct(guide[box].astype(np.float32), a, b)
        alpha[box] = cv2.add(alpha[box], b, dtype=cv2.CV_8U)
    return alpha


def _reach(unsure: NDArray) -> Box | None:
    """The part of a small mask that holds all it marks, and what their windows see; None if it marks nothing."""
    left, top, width, height = cv2.boundingRect(unsure)
    if not width:
        return None
    reach = 2 * RADIUS
    rows, columns = slice(max(0, top - reach), top + height + reach), slice(max(0, left - reach), left + width + reach)
    return rows, columns


def _unsure_boxes(unsure: NDArray, size: tuple[int, int]) -> Iterator[Box]:
    """Parts of a frame of `size` (H, W), strip by strip, that hold all that a small mask marks."""
    fy, fx = size[0] / unsure.shape[0], size[1] / unsure.shape[1]
    for top in range(0, size[0], STRIP):
        bottom = min(top + STRIP, size[0])
        columns = np.flatnonzero(cv2.reduce(unsure[int(top / fy) : int(np.ceil(bottom / fy))], 0, cv2.REDUCE_MAX))
        if len(columns):
            ends = np.flatnonzero(np.diff(columns) > _GAP)
            for left, right in zip(columns[[0, *(ends + 1)]].tolist(), columns[[*ends, -1]].tolist(), strict=True):
                yield slice(top, bottom), slice(int(left * fx), min(size[1], int(np.ceil((right + 1) * fx))))


def _enlarged(small: NDArray, box: Box, part: Box, scale: tuple[float, float]) -> NDArray:
    """The part `box` of what bilinear enlargement of a plane gives whose part `part` is known, `scale` times (y, x)."""
    (rows, columns), (fy, fx) = box, scale
    x, y = fx * (columns.start + 0.5) - 0.5 - part[1].start, fy * (rows.start + 0.5) - 0.5 - part[0].start
    target = columns.stop - columns.start, rows.stop - rows.start
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    to_small = np.array([[fx, 0, x], [0, fy, y]])
    return cv2.warpAffine(small, to_small, target, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _slope(pha: NDArray[np.float32], guide: NDArray[np.float32]) -> NDArray[np.float32]:
    """Slope (h, w) of the local fits pha ≈ slope · guide + offset."""

    row = np.full(2 * RADIUS + 1, 1 / (2 * RADIUS + 1), np.float32)

    def mean(x: NDArray) -> NDArray:
        return cv2.sepFilter2D(x, -1, row, row, borderType=cv2.BORDER_REFLECT)

    mean_guide, mean_pha = mean(guide), mean(pha)
    return mean((mean(guide * pha) - mean_guide * mean_pha) / (mean(guide * guide) - mean_guide**2 + EPS))
