"""Where an error counts: the whole image, a trimap's unknown, the transition band, or where there is foreground."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import InputError

Region = NDArray[np.bool_]
UNKNOWN = 128


def level(picture: NDArray[Any], name: str = "alpha") -> NDArray[np.float64]:
    """Alpha (H, W) as float64 in [0, 1]: integers by their type's largest value, floats as they are.

    Raises InputError for other shapes, NaN, infinities, and floats outside of [0, 1].
    """
    if picture.ndim != 2 or 0 in picture.shape:
        raise InputError(f"expected {name} (H, W), got {picture.shape}; give one channel")
    if picture.dtype == np.bool_:
        return picture.astype(np.float64)
    if np.issubdtype(picture.dtype, np.unsignedinteger):
        return picture.astype(np.float64) / np.iinfo(picture.dtype).max
    if not np.issubdtype(picture.dtype, np.floating):
        raise InputError(f"expected {name} of unsigned integers or floats, got {picture.dtype}; convert it")
    if not np.isfinite(picture).all():
        count = int((~np.isfinite(picture)).sum())
        raise InputError(f"expected finite {name}, got NaN or infinity in {count} pixels; find what made them")
    if picture.min() < 0 or picture.max() > 1:
        raise InputError(f"expected {name} in [0, 1], got {picture.min():.4g} … {picture.max():.4g}; clip or scale it")
    return picture.astype(np.float64)


def levels(pred: NDArray[Any], true: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both alphas in [0, 1]; raises InputError unless they have one size."""
    if pred.shape != true.shape:
        raise InputError(f"expected alphas of one size, got {pred.shape} for a truth of {true.shape}; resize neither")
    return level(pred, "predicted alpha"), level(true, "true alpha")


def inside(values: NDArray[Any], region: Region | None) -> NDArray[Any]:
    """The values (H, W[, C]) of a region (H, W) bool, all of them without one; raises InputError if it is empty."""
    if region is None:
        return values.reshape(-1, *values.shape[2:])
    if region.shape != values.shape[:2] or region.dtype != np.bool_:
        raise InputError(f"expected a region {values.shape[:2]} of bool, got {region.shape} {region.dtype}")
    if not region.any():
        raise InputError("the region holds no pixel; leave this image out of this measure")
    return values[region]


def unknown(trimap: NDArray[Any]) -> Region:
    """Exactly 128 in a trimap (H, W) uint8, as the Composition-1k scripts have it."""
    return trimap == UNKNOWN


def between(trimap: NDArray[Any]) -> Region:
    """Neither 0 nor 255 in a trimap (H, W) uint8, as VideoMatting108's scripts have it."""
    return (trimap > 0) & (trimap < 255)


def foreground(true: NDArray[Any]) -> Region:
    """Where true alpha (H, W) is over 0: the region of errors of foreground colours."""
    return np.asarray(level(true, "true alpha") > 0)


def band(true: NDArray[Any], *, low: float = 0.02, high: float = 0.98, radius: int = 2) -> Region:
    """The transition band: low < true alpha < high, and `radius` pixels around it (a square). Ours.

    A binary truth has no value between; its band is what lies within `radius` of its edge.
    """
    alpha = level(true, "true alpha")
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    soft = ((alpha > low) & (alpha < high)).astype(np.uint8)
    hard = (alpha >= 0.5).astype(np.uint8)
    edge = cv2.dilate(hard, np.ones((3, 3), np.uint8)) != cv2.erode(hard, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.dilate(soft | edge.astype(np.uint8), kernel) > 0)


def known(pred: NDArray[Any], trimap: NDArray[Any]) -> NDArray[Any]:
    """Alpha with the known of a trimap overwritten by 0 and full, as trimap methods are scored."""
    full = 1 if np.issubdtype(pred.dtype, np.floating) else np.iinfo(pred.dtype).max
    return np.where(unknown(trimap), pred, np.where(trimap > UNKNOWN, full, 0)).astype(pred.dtype)
