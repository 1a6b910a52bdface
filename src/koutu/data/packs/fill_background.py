"""A portrait's place without the person, so that images of people are backgrounds too."""

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Rgb

MOST = 0.75  # share of an image that may be filled in; beyond it nothing of a place is left
_MARGIN = 15  # pixels around the person that are filled too, at a long side of 448
_FIRST, _LAST, _STEP = 2.0, 400.0, 1.6  # standard deviations of the means


def emptied(rgb: Rgb, pha: NDArray[np.uint8]) -> Rgb | None:
    """The image (H, W, 3) with the colours around the person drawn into the gap; None if too little is left.

    pha (H, W) uint8. Each pixel takes the mean of what is known in the smallest neighbourhood that knows enough: smooth
    like something far out of focus, and never sharp where the outline ran.
    """
    side = max(3, round(_MARGIN * max(rgb.shape[:2]) / 448)) // 2 * 2 + 1
    gap = cv2.dilate((pha > 5).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    if gap.mean() > MOST:
        return None
    known = (~gap).astype(np.float32)
    colours = rgb.astype(np.float32) * known[..., None]
    filled, covered, sigma = np.zeros_like(colours), np.zeros_like(known), _FIRST
    while sigma < _LAST:
        weight = cv2.GaussianBlur(known, (0, 0), sigma)
        mean = cv2.GaussianBlur(colours, (0, 0), sigma) / np.maximum(weight, 1e-6)[..., None]
        share = np.clip(4 * weight, 0, 1) * (1 - covered)
        filled += share[..., None] * mean
        covered, sigma = covered + share, sigma * _STEP
    filled /= np.maximum(covered, 1e-6)[..., None]
    return np.where(gap[..., None], np.rint(np.clip(filled, 0, 255)).astype(np.uint8), rgb)
