"""Masks and plain portraits into soft mattes: most people have masks, and a network needs alphas."""

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Alpha, Rgb


def trimap_from_mask(probability: NDArray[np.float32], band: int) -> NDArray[np.float32]:
    """Foreground 1, background 0 and unknown 0.5 within `band` pixels of where `probability` (H, W) is unsure."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    sure_fgr = cv2.erode((probability > 0.9).astype(np.uint8), kernel)
    maybe_fgr = cv2.dilate((probability > 0.1).astype(np.uint8), kernel)
    return np.where(sure_fgr > 0, 1.0, np.where(maybe_fgr > 0, 0.5, 0.0)).astype(np.float32)


def closed_form_matte(rgb: Rgb, trimap: NDArray[np.float32]) -> Alpha:
    """Alpha by Levin et al., "A Closed-Form Solution to Natural Image Matting", TPAMI 2008; needs `pymatting`.

    rgb: (H, W, 3); trimap: (H, W) in {0, 0.5, 1}. Alphas under 2 % and over 98 % are snapped to the ends.
    """
    from pymatting import estimate_alpha_cf  # compiles for a minute when first imported

    alpha = estimate_alpha_cf(rgb.astype(np.float64) / 255, trimap.astype(np.float64))
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
