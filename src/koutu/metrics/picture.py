"""Errors of one alpha against the true one: SAD, MSE, MAD, Gradient and Connectivity.

After Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009, as the Matlab code that
circulates with Composition-1k computes them. All return raw values; `PRINTED` has the factors by which papers print.
pred and true: (H, W), unsigned integers or floats in [0, 1]. region: (H, W) bool, or None for the whole image.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.metrics.regions import Region, foreground, inside, levels
from koutu.types import InputError

PRINTED = {"sad": 1e-3, "mse": 1e3, "mad": 1e3, "grad": 1e-3, "conn": 1e-3, "fgr_mad": 1e3, "fgr_mse": 1e3}
SIGMA, TRUNCATION = 1.4, 1e-2
THRESHOLDS = tuple(i * 0.1 for i in range(1, 11))  # of connectivity; as doubles, so that 153/255 misses the sixth
_ROWS = 32  # at a time, so that what is computed between stays in the processor's cache
TOLERANCE = 0.15  # a level this far below a pixel's own still counts as connected

Alphas = NDArray[Any]


def sad(pred: Alphas, true: Alphas, region: Region | None = None) -> float:
    """Σ |p − g|, in pixels."""
    p, g = levels(pred, true)
    return float(inside(np.abs(p - g), region).sum())


def mse(pred: Alphas, true: Alphas, region: Region | None = None) -> float:
    """Mean of (p − g)²."""
    p, g = levels(pred, true)
    return float(inside((p - g) ** 2, region).mean())


def mad(pred: Alphas, true: Alphas, region: Region | None = None) -> float:
    """Mean of |p − g|."""
    p, g = levels(pred, true)
    return float(inside(np.abs(p - g), region).mean())


def iou(pred: Alphas, true: Alphas, region: Region | None = None) -> float:
    """Intersection over union of p > ½ and g > ½; 1 where both are empty."""
    p, g = (inside(x, region) > 0.5 for x in levels(pred, true))
    union = int((p | g).sum())
    return float((p & g).sum() / union) if union else 1.0


def gradient(pred: Alphas, true: Alphas, region: Region | None = None) -> float:
    """Σ (‖∇p‖ − ‖∇g‖)²: derivatives of a Gaussian with σ 1.4 (9×9, unit norm, replicated border).

    Each alpha is first stretched to 0 … 1 over the whole image, which for a flat one leaves it 0.
    """
    p, g = (slope(_stretched(x)) for x in levels(pred, true))
    return float(inside((p - g) ** 2, region).sum())


def connectivity(pred: Alphas, true: Alphas, region: Region | None = None) -> float:
    """Σ |φ(p) − φ(g)|, φ a pixel's degree of connectedness to the largest part that both alphas share.

    l: the last of the thresholds 0, 0.1 … 1 at which a pixel was still in the largest 4-connected part of p ≥ t and
    g ≥ t; φ(x) = 1 − (x − l)·[x − l ≥ 0.15]. Where no pixel reaches a threshold, none is connected at it.
    """
    p, g = levels(pred, true)
    last = connected_level(np.minimum(pred, true) if pred.dtype == true.dtype == np.uint8 else np.minimum(p, g))
    error = np.empty_like(p)
    for rows in (slice(top, top + _ROWS) for top in range(0, len(p), _ROWS)):
        np.abs(degree(p[rows], last[rows]) - degree(g[rows], last[rows]), out=error[rows])
    return float(inside(error, region).sum())


def foreground_mad(pred: NDArray[Any], true: NDArray[Any], pha: Alphas) -> float:
    """Mean |F̂ − F| over pixels of true alpha > 0 and channels; colours (H, W, 3) uint8 count as 0 … 1."""
    return float(np.abs(_colour_error(pred, true, pha)).mean())


def foreground_mse(pred: NDArray[Any], true: NDArray[Any], pha: Alphas) -> float:
    """Mean (F̂ − F)² over pixels of true alpha > 0 and channels; colours (H, W, 3) uint8 count as 0 … 1."""
    return float((_colour_error(pred, true, pha) ** 2).mean())


def gaussian_derivative(sigma: float = SIGMA) -> NDArray[np.float64]:
    """The kernel of the horizontal derivative, of unit norm: 9×9 for σ 1.4."""
    half = math.ceil(sigma * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * sigma * TRUNCATION)))
    x = np.arange(-half, half + 1, dtype=np.float64)
    bell = np.exp(-(x**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    kernel = np.outer(bell, -x / sigma**2 * bell)
    return kernel / np.sqrt((kernel**2).sum())


def slope(alpha: NDArray[np.float64]) -> NDArray[np.float64]:
    """‖∇α‖ (H, W) by `gaussian_derivative`, border replicated."""
    kernel = gaussian_derivative()
    across, down = (cv2.filter2D(alpha, -1, k, borderType=cv2.BORDER_REPLICATE) for k in (kernel, kernel.T))
    return np.hypot(across, down)


def connected_level(shared: NDArray[Any]) -> NDArray[np.float64]:
    """The last of 0 and `THRESHOLDS` up to which a pixel stayed in the largest part of shared ≥ t; (H, W).

    shared: uint8, or floats in [0, 1].
    """
    reached = _reached(shared)
    left, top, width, height = cv2.boundingRect(reached)
    count = np.zeros_like(reached)
    if width:
        here = np.s_[top : top + height, left : left + width]
        count[here] = _connected(np.ascontiguousarray(reached[here]))
    return np.array((0.0, *THRESHOLDS)).take(count)


def _reached(shared: NDArray[Any]) -> NDArray[np.uint8]:
    """How many of the thresholds each value is at or over."""
    if shared.dtype == np.uint8:
        return np.asarray(cv2.LUT(shared, _reached(np.arange(256) / 255)), dtype=np.uint8)
    reached = np.zeros(shared.shape, np.uint8)
    for threshold in THRESHOLDS:
        reached += shared >= threshold
    return reached


def _connected(reached: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How many thresholds in turn each pixel is in the largest part at."""
    pixels = np.asarray(cv2.calcHist([reached], [0], None, [256], [0, 256])).ravel()
    steps = range(1, len(THRESHOLDS) + 1)
    new = [i for i in steps if i == 1 or pixels[i - 1]]  # else it is the same mask as at the threshold before
    alive, count = np.ones_like(reached), np.zeros_like(reached)
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        for chunk in (new[at : at + cores] for at in range(0, len(new), cores)):
            parts = pool.map(lambda i: _largest((reached >= i).view(np.uint8)), chunk)
            for i, part in zip(chunk, parts, strict=True):
                alive &= part
                after = new.index(i) + 1
                same = (new[after] if after < len(new) else steps.stop) - i  # thresholds with this mask
                count += np.uint8(same) * alive
            if not alive.any():  # among crumbs the largest part is soon another one
                break
    return count


def _largest(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest 4-connected part of a mask of 0 and 1; of equals the first in reading order."""
    found, parts = cv2.connectedComponentsWithAlgorithm(mask, 4, cv2.CV_32S, cv2.CCL_SPAGHETTI)
    if found <= 2:
        return mask
    areas = _areas(parts, found)
    equal = [int(label) for label in 1 + np.flatnonzero(areas[1:] == areas[1:].max())]
    # labels need not follow reading order
    label = equal[0] if len(equal) == 1 else min(equal, key=lambda label: int((parts.ravel() == label).argmax()))
    return np.asarray(parts == label).view(np.uint8)


def _areas(parts: NDArray[Any], count: int) -> NDArray[Any]:
    """Pixels of every label; a histogram of 16-bit labels is three times as fast, and exact up to 2²⁴ pixels."""
    if count < 2**16 and parts.size < 2**24:
        return np.asarray(cv2.calcHist([parts.astype(np.uint16)], [0], None, [count], [0, count])).ravel()
    return np.bincount(np.asarray(parts).ravel(), minlength=count)


def degree(alpha: NDArray[Any], last: NDArray[Any]) -> NDArray[Any]:
    """φ: 1, less what a pixel stands over the last level at which it was connected, where that is 0.15 or more."""
    above = alpha - last
    return 1 - above * (above >= TOLERANCE)


def _stretched(alpha: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = alpha.min(), alpha.max()
    return (alpha - low) / (high - low) if high > low else np.zeros_like(alpha)


def _colour_error(pred: NDArray[Any], true: NDArray[Any], pha: Alphas) -> NDArray[np.float64]:
    if not (pred.shape == true.shape == (*pha.shape, 3) and pred.dtype == true.dtype == np.uint8):
        raise InputError(
            f"expected colours {(*pha.shape, 3)} uint8, got {pred.shape} {pred.dtype} and {true.shape} {true.dtype}"
        )
    return inside(pred.astype(np.float64) - true, foreground(pha)) / 255
