"""Plain backdrops: found, painted on behind the person, and taken out of the person's colours.

Before a studio's paper the background is known where nobody sees it, and with it the mixing equation I = αF + (1 − α)B
loses three of its seven unknowns: single hairs come out, and no rim of the old backdrop stays.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.matting.pull_push import extended
from koutu.types import Alpha, Rgb

Floats = NDArray[Any]  # float32, which OpenCV's stubs forget

_SAMPLES = 20_000  # pixels that a fit looks at, at most
_DEGREE = 3
_PLAIN = 0.012  # residual, of 1, of a backdrop that counts as plain: studio paper has 0.002…0.008
_INLIERS = 0.95  # share of the sure background that must lie on it, near the person too
_NEAR = 0.08  # of the longer side: what is near the person
_NOISE = 0.005  # of 1, at least: a white wall that is overexposed has none at all


@dataclass(frozen=True)
class Backdrop:
    """colours: (H, W, 3) float32 in [0, 1]. noise: what a pixel of it differs by, root mean square over channels."""

    colours: Floats
    noise: float


def fit_backdrop(rgb: Rgb, sure: NDArray[np.bool_]) -> Backdrop | None:
    """The plain backdrop of an image (H, W, 3) uint8 by the pixels that are surely background; None if it is none.

    A cubic polynomial for each channel, fitted again without what lies off it, and what is left of it smoothed.
    """
    rows, columns = np.nonzero(sure)
    if len(rows) < 100:
        return None
    step = max(1, len(rows) // _SAMPLES)
    rows, columns = rows[::step], columns[::step]
    basis = _basis(rows, columns, sure.shape)
    colours = rgb[rows, columns].astype(np.float64) / 255
    near = np.ones(len(rows), bool)
    weights = np.zeros((basis.shape[1], 3))
    off = np.zeros(len(rows))
    for _ in range(5):
        weights = np.linalg.lstsq(basis[near], colours[near], rcond=None)[0]
        off = np.sqrt(((colours - basis @ weights) ** 2).mean(axis=1))
        near = off <= max(2.5 * float(np.median(off)), 0.004)
    residual = float(np.sqrt((off[near] ** 2).mean()))
    if residual > _PLAIN or (off <= max(4 * residual, 0.02)).mean() < _INLIERS:
        return None
    smooth = _painted(weights, sure.shape)
    beside = sure & (cv2.dilate((~sure).astype(np.uint8), np.ones((round(2 * _NEAR * max(sure.shape)) + 1,) * 2)) > 0)
    off = np.sqrt(((rgb[beside] / 255 - smooth[beside]) ** 2).mean(axis=1))
    if len(off) and (off <= max(4 * residual, 0.02)).mean() < _INLIERS:
        return None
    return _local(rgb, sure, smooth, residual)


def off_backdrop(rgb: Rgb, backdrop: Backdrop) -> Floats:
    """How far each pixel (H, W) is from the backdrop, in multiples of its noise, of means over 3×3."""
    off = cv2.blur(rgb.astype(np.float32) / 255 - backdrop.colours, (3, 3))
    return np.sqrt((off**2).mean(axis=2)) / np.float32(max(backdrop.noise, _NOISE))


def least_alpha(rgb: Rgb, backdrop: Backdrop) -> Floats:
    """The least alpha (H, W) with which a colour between black and white can be mixed with the backdrop to this."""
    back = np.clip(backdrop.colours, 0.02, 0.98)  # to divide by
    off = rgb.astype(np.float32) / 255 - backdrop.colours
    slack = 2 * max(backdrop.noise, _NOISE)
    least = np.maximum((-off - slack) / back, (off - slack) / (1 - back)).max(axis=2)
    return np.clip(least, 0, 1)


def unmixed(rgb: Rgb, alpha: Alpha, backdrop: Backdrop) -> Rgb:
    """The person's own colours (H, W, 3) uint8: (I − (1 − α)B)/α, drawn to those nearby where alpha is thin."""
    solid = np.where(alpha >= 250, 255, 0).astype(np.uint8)
    near = extended(rgb, solid).astype(np.float32) / 255
    share = (alpha.astype(np.float32) / 255)[..., None]
    missing = rgb.astype(np.float32) / 255 - share * near - (1 - share) * backdrop.colours
    own = near + share * missing / (share**2 + 0.02 * (1 - share))
    return np.rint(np.clip(np.where(share > 0, own, near), 0, 1) * 255).astype(np.uint8)


def _basis(rows: NDArray, columns: NDArray, size: tuple[int, ...]) -> NDArray[np.float64]:
    y, x = 2 * rows / size[0] - 1, 2 * columns / size[1] - 1
    terms = [x**i * y**j for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)]
    return np.stack(terms, axis=-1).astype(np.float64)


def _painted(weights: NDArray, size: tuple[int, ...]) -> Floats:
    """The polynomial over the whole image, evaluated on a grid of eighths: it bends slowly."""
    height, width = (max(8, n // 8) for n in size)
    rows, columns = np.mgrid[:height, :width]
    at = (rows + 0.5) * size[0] / height - 0.5, (columns + 0.5) * size[1] / width - 0.5
    grid = _basis(at[0].ravel(), at[1].ravel(), size) @ weights
    grid = np.clip(grid, 0, 1).reshape(height, width, 3).astype(np.float32)
    return np.asarray(cv2.resize(grid, (size[1], size[0]), interpolation=cv2.INTER_CUBIC))


def _local(rgb: Rgb, sure: NDArray[np.bool_], smooth: Floats, residual: float) -> Backdrop:
    """The polynomial with what the image differs from it in wide windows of the sure background."""
    off = rgb.astype(np.float32) / 255 - smooth
    on = sure & (np.sqrt((off**2).mean(axis=2)) < max(4 * residual, 0.02))
    span = 2 * (max(sure.shape) // 60) + 1
    count = cv2.blur(on.astype(np.float32), (span, span))
    total = cv2.blur(np.where(on[..., None], off, 0).astype(np.float32), (span, span))
    colours = smooth + total / (count + np.float32(0.1))[..., None]
    left = (rgb.astype(np.float32) / 255 - colours)[on]
    return Backdrop(np.clip(colours, 0, 1), float(np.sqrt((left**2).mean())) if len(left) else residual)
