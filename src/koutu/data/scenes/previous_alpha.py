"""What the previous frame's alpha might have been, made from one still: right, wrong, or not there.

A network shown the exact alpha learns to copy it; one shown these learns to use it as a hint and to drop it when it
contradicts the image. After the mask channel of "Mobile Real-time Video Segmentation" (Google, 2018).
"""

from collections.abc import Mapping

import cv2
import numpy as np

from koutu.data.scenes.motion import random_affine
from koutu.types import Alpha

# how often each case is drawn
CASES = {"blank": 0.3, "near": 0.33, "far": 0.1, "other": 0.05, "corrupt": 0.17, "exact": 0.05}


def warp(picture: np.ndarray, matrix: np.ndarray, *, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """`picture` (H, W[, C]) moved by a (2, 3) matrix, bilinear, same size."""
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=border)


def corrupt(alpha: Alpha, rng: np.random.Generator) -> Alpha:
    """A bad estimate: grown or shrunk, with holes or blocks, blurred, coarse, or faint."""
    kind = rng.integers(5)
    h, w = alpha.shape
    if kind == 0:
        k = int(rng.integers(1, max(2, h // 20)))
        morph = cv2.erode if rng.random() < 0.5 else cv2.dilate
        return np.asarray(morph(alpha, np.ones((2 * k + 1, 2 * k + 1), np.uint8)))
    if kind == 1:
        alpha = alpha.copy()
        for _ in range(rng.integers(1, 5)):
            y, x = int(rng.integers(h)), int(rng.integers(w))
            bottom, right = y + int(rng.integers(1, h // 4 + 1)), x + int(rng.integers(1, w // 4 + 1))
            alpha[y:bottom, x:right] = rng.choice([0, 255])
        return alpha
    if kind == 2:
        return np.asarray(cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.5, 4)))
    if kind == 3:
        coarse = cv2.resize(alpha, (max(1, w // 16), max(1, h // 16)), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR))
    return (alpha * rng.uniform(0.5, 1)).astype(np.uint8)


def previous_alpha(
    alpha: Alpha, other: Alpha, rng: np.random.Generator, *, cases: Mapping[str, float] = CASES
) -> Alpha:
    """A plausible alpha of the frame before `alpha` (H, W); `other`: another sample's; cases: how often each."""
    shares = np.array(list(cases.values()))
    case = rng.choice(list(cases), p=shares / shares.sum())
    if case == "blank":
        return np.zeros_like(alpha)
    if case == "near":
        return warp(alpha, random_affine(alpha.shape, rng, turn=5, shift=0.05, zoom=0.05, shear=3))
    if case == "far":
        return warp(alpha, random_affine(alpha.shape, rng, turn=20, shift=0.2, zoom=0.25))
    if case == "other":
        return other
    return corrupt(alpha, rng) if case == "corrupt" else alpha
