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
from koutu.types import Alpha, Picture, Yuv

RADIUS = 2  # of the window in which alpha is a straight line of luma, in the small alpha's pixels
EPS = 1e-3  # contrast, as a variance of luma in [0, 1], below which a window is taken for plain
SURE = 5  # of 255: a matte this near to either end is left as it is
_STRIP = 64  # rows worked on at a time, so that temporaries stay in the cache


def quantise(pha: NDArray) -> Alpha:
    """[0, 1] → 0 … 255, rounded and clipped."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(pha, 0), alpha=255))


def luma(picture: Picture) -> NDArray:
    """The brightness plane (H, W) of either kind of frame, in its own units."""
    return picture.y if isinstance(picture, Yuv) else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def guided_upsample(pha: NDArray, picture: Picture) -> Alpha:
    """pha (h, w) in [0, 1], no larger than the frame (H, W) → alpha (H, W) uint8 with the frame's edges."""
    guide = luma(picture)
    small_guide = shrink(guide, pha.shape).astype(np.float32)
    white = 255 if guide.dtype == np.uint8 else 1023
    slope = _slope(pha, np.asarray(small_guide / white, np.float32)) * (255 / white)
    offset = -slope * small_guide
    small = quantise(pha)
    alpha = np.asarray(cv2.resize(small, guide.shape[::-1], interpolation=cv2.INTER_CUBIC))
    for box in _unsure_boxes(small, guide.shape):
        a, b = (_enlarged(x, box, guide.shape) for x in (slope, offset))
        cv2.accumulateProduct(guide[box].astype(np.float32), a, b)
        alpha[box] = cv2.add(alpha[box], b, dtype=cv2.CV_8U)
    return alpha


def _unsure_boxes(small: Alpha, size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Parts of a frame of `size` (H, W), strip by strip, that hold all that is neither 0 nor 255 in `small`."""
    unsure = cv2.dilate(cv2.inRange(small, SURE, 255 - SURE), np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8))
    fy, fx = size[0] / small.shape[0], size[1] / small.shape[1]
    for top in range(0, size[0], _STRIP):
        bottom = min(top + _STRIP, size[0])
        left, _, width, _ = cv2.boundingRect(unsure[int(top / fy) : int(np.ceil(bottom / fy))])
        if width:
            yield slice(top, bottom), slice(int(left * fx), min(size[1], int(np.ceil((left + width) * fx))))


def _enlarged(small: NDArray, box: tuple[slice, slice], size: tuple[int, int]) -> NDArray:
    """The part `box` of what bilinear enlargement of `small` to `size` (H, W) gives."""
    rows, columns = box
    fy, fx = small.shape[0] / size[0], small.shape[1] / size[1]
    to_small = np.array([[fx, 0, fx * (columns.start + 0.5) - 0.5], [0, fy, fy * (rows.start + 0.5) - 0.5]])
    target = columns.stop - columns.start, rows.stop - rows.start
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(small, to_small, target, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _slope(pha: NDArray[np.float32], guide: NDArray[np.float32]) -> NDArray[np.float32]:
    """Slope (h, w) of the local fits pha ≈ slope · guide + offset."""

    def mean(x: NDArray) -> NDArray:
        return cv2.blur(x, (2 * RADIUS + 1, 2 * RADIUS + 1), borderType=cv2.BORDER_REFLECT)

    mean_guide, mean_pha = mean(guide), mean(pha)
    return mean((mean(guide * pha) - mean_guide * mean_pha) / (mean(guide * guide) - mean_guide**2 + EPS))
