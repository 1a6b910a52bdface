"""The field's other scores under names of their own, for comparing with tables that were made with them.

They agree with `picture` nowhere exactly: use them only beside figures known to come from the same script.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.metrics.picture import THRESHOLDS, connected_level, degree, gradient, slope
from koutu.metrics.regions import Region, inside, known, levels, unknown

Alphas = NDArray[Any]


def rvm_gradient(pred: Alphas, true: Alphas) -> float:
    """RVM's low-resolution script: `picture.gradient` of the whole image, in thousands."""
    return gradient(pred, true) / 1000


def rvm_connectivity(pred: Alphas, true: Alphas) -> float:
    """RVM's low-resolution script: `picture.connectivity` of the whole image in float32, in thousands."""
    p, g = (x.astype(np.float32) for x in levels(pred, true))
    last = connected_level(np.minimum(p, g)).astype(np.float32)
    return float(np.abs(degree(p, last) - degree(g, last)).sum(dtype=np.float64) / 1000)


def gca_gradient(pred: Alphas, true: Alphas, trimap: Alphas) -> float:
    """GCA's and MGMatting's script: unknown region, known overwritten, alphas not stretched, in thousands."""
    p, g = levels(known(pred, trimap), true)
    return float(inside((slope(p) - slope(g)) ** 2, unknown(trimap)).sum()) / 1000


def gca_connectivity(pred: Alphas, true: Alphas, trimap: Alphas) -> float:
    """GCA's and MGMatting's script, in thousands: what is below a threshold competes for the largest part too.

    Where the background is larger than any part, it is taken for the part; the figure is then wrong, high or low.
    """
    p, g = levels(known(pred, trimap), true)
    shared = np.minimum(p, g)
    alive, last = np.ones(shared.shape, bool), np.zeros_like(shared)
    for threshold in THRESHOLDS:
        _, parts, stats, _ = cv2.connectedComponentsWithStats((shared >= threshold).astype(np.uint8), connectivity=4)
        alive &= parts == int(stats[:, cv2.CC_STAT_AREA].argmax())
        last[alive] = threshold
    return float(inside(np.abs(degree(p, last) - degree(g, last)), unknown(trimap)).sum()) / 1000


def p3m_gradient(pred: Alphas, true: Alphas, region: Region | None = None) -> float:
    """P3M's, AIM's and IndexNet's Python: a Gaussian's derivative (σ 1.4, to 4 σ, border mirrored), Σ / 10."""
    slopes = []
    for alpha in levels(pred, true):
        stretched = (alpha - alpha.min()) / max(float(alpha.max() - alpha.min()), np.finfo(float).tiny)
        slopes.append(_gaussian_slope(stretched))
    return float(inside((slopes[0] - slopes[1]) ** 2, region).sum()) / 10


def _gaussian_slope(alpha: NDArray[np.float64], sigma: float = 1.4) -> NDArray[np.float64]:
    half = int(4 * sigma + 0.5)
    x = np.arange(-half, half + 1, dtype=np.float64)
    bell = np.exp(-(x**2) / (2 * sigma**2))
    bell /= bell.sum()
    odd = x / sigma**2 * bell
    border = cv2.BORDER_REFLECT
    return np.hypot(
        cv2.sepFilter2D(alpha, cv2.CV_64F, odd, bell, borderType=border),
        cv2.sepFilter2D(alpha, cv2.CV_64F, bell, odd, borderType=border),
    )
