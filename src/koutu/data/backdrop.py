"""Plain backdrops: found, painted on behind the person, and taken out of the person's colours.

Before a studio's paper the background is known where nobody sees it, and with it the mixing equation I = αF + (1 − α)B
loses three of its seven unknowns: single hairs come out, and no rim of the old backdrop stays.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.cutouts import extended
from koutu.types import Alpha, Rgb

Floats = NDArray[np.float32]

_SAMPLES = 20_000  # pixels that a fit looks at, at most
_DEGREE = 3
_PLAIN = 0.02  # residual, of 1, of a backdrop that counts as plain: paper 0.002…0.008, a wall with a lamp 0.015
_INLIERS = 0.85  # share of the sure background that must lie on it
_TRUST = 0.25  # squared distance of F from B, of 3, from which their difference alone tells alpha
_OFF_LINE = 0.04  # distance of a colour from the line between F and B at which it tells little
_AGREED = 0.12  # standard deviation of alpha over groups of colours, from which it tells little
_NEAR = 0.1  # summed weight of groups under which a pixel is on no line
_GROUPS = 6  # of colours of a person: hair, skin, clothes, each in light and shade


@dataclass(frozen=True)
class Backdrop:
    """colours: (H, W, 3) float32 in [0, 1]. noise: what a pixel of it differs by, root mean square over channels."""

    colours: Floats
    noise: float


def fit_backdrop(rgb: Rgb, sure: NDArray[np.bool_]) -> Backdrop | None:
    """The plain backdrop of a picture (H, W, 3) uint8 by the pixels that are surely background; None if it is none.

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
    return _local(rgb, sure, _painted(weights, sure.shape), residual)


def off_backdrop(rgb: Rgb, backdrop: Backdrop) -> Floats:
    """How far each pixel (H, W) is from the backdrop, in multiples of its noise, of means over 3×3."""
    off = cv2.blur(rgb.astype(np.float32) / 255 - backdrop.colours, (3, 3))
    return np.sqrt((off**2).mean(axis=2)) / np.float32(max(backdrop.noise, 0.002))


def alpha_before(
    rgb: Rgb, backdrop: Backdrop, sure: NDArray[np.bool_], near: NDArray[np.bool_], reach: float
) -> tuple[Floats, Floats]:
    """Alpha (H, W) in [0, 1] by the difference from the backdrop, and its trust in [0, 1], for the pixels `near`.

    The person's colours are those of the pixels `sure`, in a few groups of similar ones; a pixel's alpha is the mean
    over groups on whose line to the backdrop it lies and that are not much farther than `reach` pixels. The trust is
    small where groups disagree, where the two colours are alike, and where a pixel is on no line.
    """
    seen = (rgb.astype(np.float32) / 255 - backdrop.colours)[near]
    total, mean, square, strong = (np.zeros(len(seen), np.float32) for _ in range(4))
    for group in _groups(rgb, sure):
        nearby = extended(rgb, np.where(group, 255, 0).astype(np.uint8))[near].astype(np.float32) / 255
        away = cv2.distanceTransform((~group).astype(np.uint8), cv2.DIST_L2, 5)[near] / np.float32(reach)
        towards = nearby - backdrop.colours[near]
        length = (towards**2).sum(axis=1)
        raw = (seen * towards).sum(axis=1) / np.maximum(length, 1e-4)
        beside = ((seen - np.clip(raw, 0, 1.1)[:, None] * towards) ** 2).sum(axis=1)
        weight = np.exp(-np.minimum(beside / (2 * _OFF_LINE**2) + away**2 / 2, 30)) + 1e-12
        share = np.clip(raw, 0, 1)
        total, mean, square = total + weight, mean + weight * share, square + weight * share**2
        strong = strong + weight * np.minimum(1, length / _TRUST)
    mean, strong = mean / total, strong / total
    spread = np.maximum(square / total - mean**2, 0)
    trust = strong**2 * np.exp(-spread / _AGREED**2) * np.minimum(1, total / _NEAR)
    out = np.zeros((2, *near.shape), np.float32)
    out[0][near], out[1][near] = mean, trust
    return out[0], out[1]


def least_alpha(rgb: Rgb, backdrop: Backdrop) -> Floats:
    """The least alpha (H, W) with which a colour between black and white can be mixed with the backdrop to this."""
    back = np.clip(backdrop.colours, 0.02, 0.98)
    off = rgb.astype(np.float32) / 255 - back
    slack = 2 * backdrop.noise
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


def _groups(rgb: Rgb, sure: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The pixels `sure` (H, W) in groups of similar colour: Lloyd's means, begun along the luminance."""
    picked = rgb[sure].astype(np.float32)
    sample = picked[:: max(1, len(picked) // 5000)]
    order = sample[np.argsort(sample.sum(axis=1), kind="stable")]
    means = order[(np.arange(_GROUPS) + 0.5).astype(int) * len(order) // _GROUPS]
    for _ in range(8):
        label = _nearest(sample, means)
        means = np.stack([sample[label == k].mean(axis=0) if (label == k).any() else means[k] for k in range(_GROUPS)])
    whole = np.full(sure.shape, -1, np.int32)
    whole[sure] = _nearest(picked, means)
    return [whole == k for k in range(_GROUPS) if (whole == k).any()]


def _nearest(colours: Floats, means: NDArray) -> NDArray:
    return np.argmin([((colours - mean) ** 2).sum(axis=1) for mean in means], axis=0)


def _basis(rows: NDArray, columns: NDArray, size: tuple[int, ...]) -> NDArray[np.float64]:
    y, x = 2 * rows / size[0] - 1, 2 * columns / size[1] - 1
    terms = [x**i * y**j for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)]
    return np.stack(terms, axis=-1).astype(np.float64)


def _painted(weights: NDArray, size: tuple[int, ...]) -> Floats:
    """The polynomial over the whole picture, evaluated on a grid of eighths: it bends slowly."""
    height, width = (max(8, n // 8) for n in size)
    rows, columns = np.mgrid[:height, :width]
    at = (rows + 0.5) * size[0] / height - 0.5, (columns + 0.5) * size[1] / width - 0.5
    grid = _basis(at[0].ravel(), at[1].ravel(), size) @ weights
    grid = np.clip(grid, 0, 1).reshape(height, width, 3).astype(np.float32)
    return np.asarray(cv2.resize(grid, (size[1], size[0]), interpolation=cv2.INTER_CUBIC))


def _local(rgb: Rgb, sure: NDArray[np.bool_], smooth: Floats, residual: float) -> Backdrop:
    """The polynomial with what the picture differs from it in wide windows of the sure background."""
    off = rgb.astype(np.float32) / 255 - smooth
    on = sure & (np.sqrt((off**2).mean(axis=2)) < max(4 * residual, 0.02))
    span = 2 * (max(sure.shape) // 60) + 1
    count = cv2.blur(on.astype(np.float32), (span, span))
    total = cv2.blur(np.where(on[..., None], off, 0).astype(np.float32), (span, span))
    colours = smooth + total / (count + np.float32(0.1))[..., None]
    left = (rgb.astype(np.float32) / 255 - colours)[on]
    return Backdrop(np.clip(colours, 0, 1), float(np.sqrt((left**2).mean())) if len(left) else residual)
