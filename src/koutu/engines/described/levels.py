"""Levels of frames as a described network wants them, and what it gives as alpha or colours."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.described.description import Output, PictureInput
from koutu.engines.graph import Port
from koutu.types import ModelError

_UNITS = {"0-1": (1 / 255, 0.0), "0-255": (1.0, 0.0), "-1-1": (1 / 127.5, -1.0)}  # value = level · unit + offset
_SLACK = 1e-2  # alpha may leave [0, 1] by so much through rounding, as half precision does


def encode(picture: NDArray[Any], entry: PictureInput, port: Port, canvas: tuple[int, int]) -> NDArray[Any]:
    """A frame (h, w[, C]) uint8, in the middle of a black canvas, as the network's tensor (1, C, h, w) or NHWC."""
    planes = _padded(picture, canvas)
    planes = planes[None] if planes.ndim == 2 else planes.transpose(2, 0, 1)
    if entry.channels == "bgr":
        planes = planes[::-1]
    values = planes if _raw(entry, port) else _values(planes, entry)
    if port.scale:
        values = values / port.scale + port.zero
    if port.dtype.kind in "iu" and values.dtype != port.dtype:
        limits = np.iinfo(port.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    values = values if entry.layout == "NCHW" else values.transpose(1, 2, 0)
    return np.ascontiguousarray(values[None], port.dtype)


def laid_out(tensor: NDArray[Any], entry: Output, port: Port, canvas: tuple[int, int], name: str) -> NDArray[Any]:
    """An output as it lies over the network's frame of (h, w): in its shape, and enlarged where corners meet."""
    if entry.shape:
        if tensor.size != math.prod(entry.shape):
            raise ModelError(f"{name}: expected {port.name} of the shape {entry.shape}, got {tensor.shape}")
        tensor = tensor.reshape(1, *entry.shape) if len(entry.shape) == 3 else tensor.reshape(entry.shape)
    if not entry.corners:
        return tensor
    axis = tensor.ndim - (3 if entry.layout == "NHWC" and tensor.ndim > 2 else 2)
    tensor = tensor.astype(np.float32)
    for at, side in enumerate(canvas, axis):
        tensor = np.moveaxis(np.tensordot(_between(tensor.shape[at], side), tensor, (1, at)), 0, at)
    return tensor


def decode_alpha(tensor: NDArray[Any], entry: Output, port: Port, name: str) -> NDArray[np.float32]:
    """Alpha (h, w) in [0, 1] of an output; ModelError if it is not finite or lies elsewhere."""
    planes = _planes(tensor, entry, port, name)
    if entry.channel >= len(planes):
        raise ModelError(f"{name}: expected channel {entry.channel} in {port.name}, which has {len(planes)}")
    if not np.isfinite(planes).all():
        raise ModelError(f"{name}: expected finite values in {port.name}, got NaN or infinity; check range and dtype")
    planes = planes * np.float32(entry.gain)
    if "softmax" in entry.activation:
        planes = np.exp(planes - planes.max(0))
        planes = planes / planes.sum(0)
    if "argmax" in entry.activation:
        planes = (planes.argmax(0) == np.arange(len(planes))[:, None, None]).astype(np.float32)
    pha = planes[entry.channel]
    for activation in entry.activation:
        pha = _activated(pha, activation)
    low, high = float(pha.min()), float(pha.max())
    if low < -_SLACK or high > 1 + _SLACK:
        raise ModelError(
            f"{name}: expected alpha in [0, 1] in {port.name}, got {low:.3g} … {high:.3g}; "
            "give its activation or range in the description"
        )
    return np.clip(pha, 0, 1, dtype=np.float32)


def decode_colours(tensor: NDArray[Any], entry: Output, port: Port, name: str) -> NDArray[np.uint8]:
    """Foreground colours (h, w, 3) uint8 of an output."""
    planes = _planes(tensor, entry, port, name)
    if len(planes) != 3:
        raise ModelError(f"{name}: expected three channels of colour in {port.name}, got {len(planes)}")
    return np.rint(np.clip(planes, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)


def _between(count: int, side: int) -> NDArray[np.float32]:
    """(side, count): what of `count` values, the first and last at the ends, each of `side` pixels is made of."""
    at = np.linspace(0, count - 1, side)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(count))).astype(np.float32)


def _raw(entry: PictureInput, port: Port) -> bool:
    plain = entry.range == "0-255" and not any(entry.mean) and set(entry.std) == {1.0}
    return plain and port.dtype == np.uint8 and not port.scale


def _values(planes: NDArray[Any], entry: PictureInput) -> NDArray[np.float32]:
    """(C, h, w) levels → v of the description, float32: one multiplication and one addition a pixel."""
    unit, offset = (1 / max(float(planes.max()), 1e-6), 0.0) if entry.range == "max" else _UNITS[entry.range]
    std, mean = np.array(entry.std), np.array(entry.mean)
    values = planes.astype(np.float32)
    if entry.kind == "trimap" and entry.range != "0-255":
        values[planes == 128] = 127.5  # the middle of 0 and 255, so that unknown is exactly the middle of the range
    values *= (unit / std).astype(np.float32)[:, None, None]
    shift = ((offset - mean) / std).astype(np.float32)
    if shift.any():
        values += shift[:, None, None]
    return values


def _planes(tensor: NDArray[Any], entry: Output, port: Port, name: str) -> NDArray[np.float32]:
    """An output as (C, h, w) float32 values in the range 0-1 its description gives, if that is a range of levels."""
    values = tensor.astype(np.float32)
    if port.scale:
        values = (values - port.zero) * np.float32(port.scale)
    if values.ndim == 4 and len(values) == 1:
        values = values[0]
    if values.ndim == 2:
        values = values[None]
    elif values.ndim == 3 and entry.layout == "NHWC":
        values = values.transpose(2, 0, 1)
    if values.ndim != 3 or not values.size:
        raise ModelError(f"{name}: expected {port.name} as (1, C, h, w), (1, h, w, C) or (h, w), got {tensor.shape}")
    return {"0-1": values, "0-255": values / 255, "-1-1": (values + 1) / 2}[entry.range]


def _activated(pha: NDArray[np.float32], activation: str) -> NDArray[Any]:
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-np.clip(pha, -80, 80)))
    if activation == "clip":
        return np.clip(pha, 0, 1)
    if activation == "minmax":
        low, high = float(pha.min()), float(pha.max())
        # An even output says nothing; the published scripts divide by zero.
        return (pha - low) / (high - low) if high > low else np.clip(pha, 0, 1)
    return pha


def _padded(picture: NDArray[Any], canvas: tuple[int, int]) -> NDArray[Any]:
    down, right = canvas[0] - picture.shape[0], canvas[1] - picture.shape[1]
    if not down and not right:
        return picture
    top, left = down // 2, right // 2
    return np.asarray(cv2.copyMakeBorder(picture, top, down - top, left, right - left, cv2.BORDER_CONSTANT, value=0))
