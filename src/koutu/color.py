"""Y'CbCr ↔ RGB for the three matrices of broadcast video, since OpenCV's own I420 conversions know BT.601 only.

4:2:0 chroma sits in the middle of its 2×2 pixels and is repeated, not interpolated, on the way to full-size RGB: so
`rgb_to_yuv` gives the planes back that `yuv_to_rgb` was given.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import ColorSpace, Picture, Planes, Rgb, Yuv, Yuv420, Yuv444

_LUMA_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}  # of red and of blue
_STRIP = 64  # rows converted at a time (even): temporaries stay in the cache and cost no fresh memory pages


@lru_cache
def rgb_to_yuv_matrix(space: ColorSpace, depth: int) -> NDArray[np.float64]:
    """(3, 4): levels of Y', Cb, Cr at `depth` bits = matrix · (R, G, B, 1) with R, G, B in 0…255. BT.601/709/2020."""
    if space.matrix not in _LUMA_WEIGHTS or depth not in (8, 10):
        raise ValueError(
            f"expected one of the matrices {', '.join(_LUMA_WEIGHTS)} and depth 8 or 10, got {space.matrix!r} and "
            f"{depth!r}; convert the video first, for example with ffmpeg -pix_fmt yuv420p -colorspace bt709"
        )
    red, blue = _LUMA_WEIGHTS[space.matrix]
    luma = np.array([red, 1 - red - blue, blue])
    rows = np.stack([luma, ([0, 0, 1] - luma) / (2 - 2 * blue), ([1, 0, 0] - luma) / (2 - 2 * red)])
    unit = 2 ** (depth - 8)
    swing = np.full(3, 2.0**depth - 1) if space.full_range else np.array([219.0, 224, 224]) * unit
    offset = np.array([0 if space.full_range else 16, 128, 128]) * float(unit)
    return np.column_stack([rows * swing[:, None] / 255, offset])


@lru_cache
def yuv_to_rgb_matrix(space: ColorSpace, depth: int) -> NDArray[np.float64]:
    """(3, 4): R, G, B in 0…255, not clipped = matrix · (Y', Cb, Cr, 1). The inverse of `rgb_to_yuv_matrix`."""
    forward = rgb_to_yuv_matrix(space, depth)
    inverse = np.linalg.inv(forward[:, :3]).astype(np.float64)
    if depth == 8:  # cv2 rounds the coefficients so for bytes: the offsets must know, or greys get a tint
        inverse = np.rint(inverse * 1024) / 1024
    return np.column_stack([inverse, -inverse @ forward[:, 3]])


def yuv_to_rgb(picture: Yuv, size: tuple[int, int] | None = None) -> Rgb:
    """(H, W, 3) uint8, within one level of the exact value; with `size` (h, w), scaled to it.

    The planes are scaled before the matrix is applied: a network's small input costs a fraction of a full conversion.
    """
    matrix = yuv_to_rgb_matrix(picture.space, picture.depth)
    if size is not None and size != picture.size:
        return _transformed([shrink(plane, size) for plane in (picture.y, picture.u, picture.v)], matrix, picture.depth)
    height, width = picture.size
    rgb = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP):
        rows, half = slice(top, min(top + _STRIP, height)), slice(top // 2, (top + _STRIP) // 2)
        luma = picture.y[rows]
        if isinstance(picture, Yuv444):
            chroma = [picture.u[rows], picture.v[rows]]
        else:
            chroma = [_repeated(plane[half])[: len(luma), :width] for plane in (picture.u, picture.v)]
        rgb[rows] = _transformed([luma, *chroma], matrix, picture.depth)
    return rgb


def rgb_to_yuv(rgb: Rgb, space: ColorSpace | None = None, depth: int = 8) -> Yuv420:
    """The picture in Y'CbCr 4:2:0, chroma the mean of 2×2 pixels; `space` is BT.709 limited range if not given."""
    space = space or ColorSpace()
    return Yuv420(*_coded(rgb, space, depth, halved=True), space, depth)


def rgb_to_planes(rgb: Rgb, planes: Planes) -> Yuv:
    """The picture as a planar one of that kind."""
    space, depth, kind = planes
    return kind(*_coded(rgb, space, depth, halved=kind is Yuv420), space, depth)


def halved_chroma(picture: Yuv) -> Yuv420:
    """The picture in 4:2:0, which it may be already."""
    if isinstance(picture, Yuv420):
        return picture
    return Yuv420(picture.y, halve(picture.u), halve(picture.v), picture.space, picture.depth)


def chroma_weight(picture: Yuv, weight: NDArray) -> NDArray:
    """A weight (H, W) for the samples of the picture's chroma: 4:2:0 has the mean of 2×2 pixels."""
    return weight if isinstance(picture, Yuv444) else halve(weight)


def _coded(rgb: Rgb, space: ColorSpace, depth: int, *, halved: bool) -> tuple[NDArray, NDArray, NDArray]:
    """The planes of `rgb`, chroma halved or whole."""
    require_rgb(rgb)
    matrix = rgb_to_yuv_matrix(space, depth)
    kind = np.uint8 if depth == 8 else np.uint16
    height, width = rgb.shape[:2]
    chroma = ((height + 1) // 2, (width + 1) // 2) if halved else (height, width)
    y, u, v = np.empty((height, width), kind), *np.empty((2, *chroma), kind)
    for top in range(0, height, _STRIP):
        rows = slice(top // 2, (top + _STRIP) // 2) if halved else slice(top, top + _STRIP)
        yuv = cv2.transform(rgb[top : top + _STRIP].astype(kind, copy=False), matrix)
        if depth > 8 and space.full_range:
            np.minimum(yuv, 2**depth - 1, out=yuv)  # pure blue and red round to half a level above the highest
        y[top : top + _STRIP], cb, cr = cv2.split(yuv)
        u[rows], v[rows] = (halve(cb), halve(cr)) if halved else (cb, cr)
    return y, u, v


def unit_rgb(picture: Picture) -> NDArray[np.float32]:
    """Either kind of picture as (H, W, 3) float32 in 0 … 1, with all its bits."""
    if not isinstance(picture, Yuv):
        return picture.astype(np.float32) / np.float32(255)
    height, width = picture.size
    chroma = [picture.u, picture.v]
    if not isinstance(picture, Yuv444):
        chroma = [_repeated(plane)[:height, :width] for plane in chroma]
    planes = cv2.merge([np.asarray(plane, np.float32) for plane in (picture.y, *chroma)])
    rgb = cv2.transform(planes, yuv_to_rgb_matrix(picture.space, picture.depth).astype(np.float32))
    return np.clip(rgb * np.float32(1 / 255), 0, 1)


def to_rgb(picture: Picture, size: tuple[int, int] | None = None) -> Rgb:
    """Either kind of picture as (H, W, 3) uint8 RGB; with `size` (h, w), scaled to it."""
    if isinstance(picture, Yuv):
        return yuv_to_rgb(picture, size)
    return shrink(picture, size) if size else picture


def shrink(plane: NDArray, size: tuple[int, int]) -> NDArray:
    """A plane (H, W) or (H, W, C) scaled to `size` (h, w): halved while at least twice as large, then bilinear.

    Close to an area mean at a fraction of its cost. An axis that is too small is enlarged.
    """
    height, width = size
    if height < 1 or width < 1:
        raise ValueError(f"expected a size (height, width) of at least (1, 1), got {size}; give both in pixels")
    while plane.shape[0] >= 2 * height and plane.shape[1] >= 2 * width:
        plane = halve(plane)
    if plane.shape[:2] == (height, width):
        return plane
    return cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)


def halve(plane: NDArray) -> NDArray:
    """(H, W[, C]) → (ceil(H/2), ceil(W/2)[, C]): the mean of 2×2; an odd last row or column counts double."""
    height, width = plane.shape[:2]
    if height % 2 or width % 2:
        plane = cv2.copyMakeBorder(plane, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return cv2.resize(plane, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


def require_rgb(rgb: Rgb) -> None:
    """Raise ValueError unless it is a (H, W, 3) uint8 array with at least one pixel."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise ValueError(
            f"expected an RGB picture (H, W, 3) of uint8, got {rgb.shape} of {rgb.dtype}; "
            "scale it to 0…255 and drop or add channels first"
        )


def _transformed(planes: list[NDArray], matrix: NDArray[np.float64], depth: int) -> Rgb:
    """RGB of three planes of one size."""
    rgb = cv2.transform(cv2.merge(planes), matrix)
    return np.asarray(rgb if depth == 8 else cv2.convertScaleAbs(rgb), np.uint8)


def _repeated(chroma: NDArray) -> NDArray:
    """Each sample as 2×2; interleaving a plane with itself doubles its width several times faster than a resize."""
    height, width = chroma.shape
    return cv2.merge([chroma, chroma]).reshape(height, 2 * width).repeat(2, axis=0)
