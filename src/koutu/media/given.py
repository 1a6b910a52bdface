"""Any picture that a program may hold, a path, bytes, Pillow's, an array, a tensor, as a frame to be matted."""

import os
from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from koutu.media.image import BROKEN, framed, notes_of, pil_to_rgba, read_frame
from koutu.types import Alpha, Frame, InputError, Rgb

Given: TypeAlias = Any  # a path, bytes, an open file, a Frame, a Pillow image, or an array or tensor of pixels
Channels: TypeAlias = Literal["rgb", "bgr"]

_ARRAYS = (
    "an array or tensor (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or channels first, of uint8, uint16, or floats from "
    "0 to 1"
)
_PICTURES = f"a path, bytes, an open file, a Pillow image, or {_ARRAYS}"


def frame_of(given: Given, *, channels: Channels = "rgb") -> Frame:
    """The picture as a frame of RGB, its fourth channel, or the alpha of its file, as alpha; raises InputError.

    channels: the order of an array's colours, which nothing in it tells; OpenCV's is "bgr".
    """
    if channels not in get_args(Channels):
        raise InputError(f"expected channels {' or '.join(get_args(Channels))}, got {channels!r}; name one of them")
    if isinstance(given, Frame):
        return given
    if isinstance(given, Image.Image):
        return _of_pillow(given)
    if isinstance(given, str | bytes | os.PathLike) or hasattr(given, "read"):
        return read_frame(given)
    return framed(*_colours(_levels(_channels_last(_array(given))), channels))


def _of_pillow(given: Image.Image) -> Frame:
    if not all(given.size):
        raise InputError(f"expected a Pillow image with pixels, got {given.width}×{given.height}; give another")
    try:
        return replace(framed(*pil_to_rgba(given)), notes=notes_of(given))
    except BROKEN as error:
        raise InputError(f"expected a Pillow image that can be read, got {error}; open it again") from error


def _array(given: Any) -> NDArray[Any]:
    """The numbers of anything that has some."""
    if not isinstance(given, np.ndarray) and not hasattr(given, "__array__"):
        more = "; call it once for each" if isinstance(given, list | tuple) else "; convert it first"
        raise InputError(f"expected one picture, {_PICTURES}, got {type(given).__name__}{more}")
    try:
        return np.asarray(_here(given))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"expected {_ARRAYS}, got {type(given).__name__} ({error}); convert it to NumPy") from error


def _here(given: Any) -> Any:
    """A tensor in this machine's memory, of numbers that NumPy has; anything else as it is."""
    if hasattr(given, "detach") and hasattr(given, "cpu"):
        given = given.detach().cpu()
        if str(given.dtype) == "torch.bfloat16":
            given = given.float()
    return given


def _channels_last(array: NDArray[Any]) -> NDArray[Any]:
    """(H, W, C), C 1, 3 or 4."""
    shape = array.shape
    if array.ndim == 4 and len(array) == 1:  # a batch of one
        array = array[0]
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3 and array.shape[2] > 4 and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        more = "; call it once for each picture" if array.ndim == 4 else ""
        raise InputError(f"expected {_ARRAYS}, got {shape} of {array.dtype}{more or '; convert it first'}")
    return array


def _levels(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The same in 0 … 255."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return np.rint(array.astype(np.float32) / 257).astype(np.uint8)
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind != "f":
        raise InputError(f"expected {_ARRAYS}, got {array.dtype}; convert it, for example with .astype('uint8')")
    low, high = float(array.min()), float(array.max())
    if not (low >= -0.01 and high <= 1.01):  # resizing goes a little beyond; NaN is neither
        raise InputError(f"expected floats from 0 to 1, got {low:g} … {high:g}; divide by 255, or convert to uint8")
    return np.rint(np.clip(array.astype(np.float32), 0, 1) * 255).astype(np.uint8)


def _colours(pixels: NDArray[np.uint8], channels: Channels) -> tuple[Rgb, Alpha | None]:
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    rgb = pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]
    rgb = rgb[..., ::-1] if channels == "bgr" else rgb
    return np.ascontiguousarray(rgb), None if alpha is None or alpha.min() == 255 else alpha
