"""Masks and plain portraits into soft mattes: most people have masks, and a network needs alphas."""

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.classical import solve_alpha
from koutu.types import Alpha, Rgb


def closed_form_matte(rgb: Rgb, trimap: NDArray[np.uint8]) -> Alpha:
    """The closed-form alpha of (H, W, 3) and a trimap (H, W); under 2 % and over 98 % it is snapped to the ends."""
    alpha = solve_alpha(rgb, trimap)
    return np.clip((alpha - 0.02) / 0.96 * 255 + 0.5, 0, 255).astype(np.uint8)


def guided_matte(rgb: Rgb, mask: NDArray[np.float32], radius: int = 6, eps: float = 1e-4) -> Alpha:
    """A mask (H, W) in [0, 1] made to follow the picture's edges by He et al.'s guided filter on luminance."""
    guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255

    def mean(x: NDArray) -> NDArray:
        return np.asarray(cv2.boxFilter(x, -1, (2 * radius + 1, 2 * radius + 1)))

    mean_guide, mean_mask = mean(guide), mean(mask)
    a = (mean(guide * mask) - mean_guide * mean_mask) / (mean(guide * guide) - mean_guide**2 + eps)
    b = mean_mask - a * mean_guide
    alpha = mean(a) * guide + mean(b)
    return np.clip((alpha - 0.05) / 0.9 * 255 + 0.5, 0, 255).astype(np.uint8)
