"""Colours drawn out over what is not known, from the nearest that are: beside a cut-out, in an emptied room."""

import cv2
import numpy as np

from koutu.types import Alpha, Rgb


def extended(rgb: Rgb, weight: Alpha) -> Rgb:
    """rgb (H, W, 3) where `weight` (H, W) is 255, and its colours drawn out over the rest: what is near, ever softer.

    The pull and push of Gortler et al., "The Lumigraph", SIGGRAPH 1996: means over ever coarser cells, each finer one
    written over the coarser as far as it is known.
    """
    share = cv2.LUT(weight, _KNOWN)
    level = cv2.merge([*cv2.split(cv2.multiply(rgb, cv2.merge([share] * 3), scale=1 / 255)), share])
    levels = []
    while min(level.shape[:2]) > 2:
        height, width = level.shape[:2]
        level = cv2.resize(level, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
        levels.append(level)
    filled = None
    for level in reversed(levels):
        known = level[..., 3:].astype(np.float32)
        own = level[..., :3] * (255 / np.maximum(known, 1))
        if filled is None:
            total = level.reshape(-1, 4).sum(axis=0, dtype=np.float64)
            filled = np.full(own.shape, total[:3] * 255 / max(1.0, total[3]), np.float32)
        else:
            filled = cv2.resize(filled, own.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        filled += np.minimum(known * (3 / 255), 1) * (own - filled)
    if filled is None:
        return rgb
    far = cv2.resize(np.clip(filled, 0, 255).astype(np.uint8), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    keep = cv2.merge([cv2.LUT(weight, _KEPT)] * 3)
    return cv2.add(cv2.multiply(rgb, keep, scale=1 / 255), cv2.multiply(far, cv2.bitwise_not(keep), scale=1 / 255))


# Thin alpha says little about its colour: from 0.5 on a pixel's colour is passed on, below that more and more others'.
_LEVELS = np.arange(256) / 255
_KNOWN = np.rint(255 * np.clip(2 * _LEVELS - 1, 0, 1)).astype(np.uint8)
_KEPT = np.rint(255 * np.clip(2.5 * _LEVELS - 0.25, 0, 1)).astype(np.uint8)
