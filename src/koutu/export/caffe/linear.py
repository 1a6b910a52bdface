"""Resizing, mirroring, padding and shuffling without layers for them: each is a fixed sum, so that layers can do it.

Along an axis, half-pixel bilinear resizing takes the means of middle pixels where it shrinks by a whole number (a
strided convolution); grows by a whole number with edges repeated first, so that the deconvolution finds at borders what
it should (pads of the deconvolution cut off what the repeated pixels add); and is else a matrix, as are mirror images:
the axis takes the channels' place, where a 1×1 convolution is a product with a matrix.
"""

from collections.abc import Sequence

import numpy as np

from koutu.export.caffe.kit import deconvolution_fits, interp_fits
from koutu.export.caffe.layers import (
    Window,
    concat,
    convolution,
    cut,
    deconvolution,
    dense,
    each_channel,
    interp,
    permute,
)
from koutu.export.caffe.net import Array, Blob, Net

HALF_PIXEL = "half_pixel"


def resize(net: Net, x: Blob, size: tuple[int, int], scales: tuple[float, float], mode: str = HALF_PIXEL) -> Blob:
    """Bilinear, to `size` (H, W). scales and mode are ONNX's: how far apart samples are, and where they begin."""
    sides = x.shape[1:]
    if mode == "align_corners" and interp_fits(sides, size):
        return interp(net, x, size)
    whole = [mode == HALF_PIXEL and out == side * scale for side, out, scale in zip(sides, size, scales, strict=True)]
    shrunk = [side // out if ok and side % out == 0 else 1 for side, out, ok in zip(sides, size, whole, strict=True)]
    grown = [out // side if ok and out % side == 0 else 1 for side, out, ok in zip(sides, size, whole, strict=True)]
    if grown != [1, 1] and not _deconvolution_fits(x, size, grown):
        grown = [1, 1]
    done = [side == out or s > 1 or g > 1 for side, out, s, g in zip(sides, size, shrunk, grown, strict=True)]
    if shrunk != [1, 1]:
        middles = [_middle(factor) for factor in shrunk]
        x = each_channel(net, x, np.outer(*middles), Window((shrunk[0], shrunk[1])))
    rows, columns = (
        None if ok else bilinear(side, out, scale, mode)
        for ok, side, out, scale in zip(done, sides, size, scales, strict=True)
    )
    x = remapped(net, x, rows, columns)
    return x if grown == [1, 1] else _grown(net, x, (grown[0], grown[1]))


def bilinear(side: int, out: int, scale: float, mode: str = HALF_PIXEL) -> Array:
    """The matrix (out, side) that resizes a row, after ONNX's Resize; raises KeyError for a mode it has not."""
    y = np.arange(out, dtype=np.float64)
    at = {
        "half_pixel": (y + 0.5) / scale - 0.5,
        "pytorch_half_pixel": (y + 0.5) / scale - 0.5 if out > 1 else 0 * y,
        "asymmetric": y / scale,
        "align_corners": y * (side - 1) / max(out - 1, 1),
    }[mode]
    at = np.clip(at, 0, side - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(side)))


def remapped(net: Net, x: Blob, rows: Array | None, columns: Array | None) -> Blob:
    """Each column times `rows` (H', H), then each row times `columns` (W', W); None leaves them as they are."""
    if rows is None and columns is None:
        return x
    if columns is None:
        assert rows is not None
        return permute(net, dense(net, permute(net, x, (2, 1, 3)), rows), (2, 1, 3))
    if rows is None:
        x = permute(net, x, (3, 1, 2))  # (W, C, H)
    else:
        x = permute(net, dense(net, permute(net, x, (2, 1, 3)), rows), (3, 2, 1))
    return permute(net, dense(net, x, columns), (2, 3, 1))


def crop(net: Net, x: Blob, before: Sequence[int], after: Sequence[int]) -> Blob:
    """Without `before` (rows, columns) and `after`: a kernel with one 1 that fits in fewer places."""
    kernel = np.zeros([a + b + 1 for a, b in zip(before, after, strict=True)])
    kernel[before[0], before[1]] = 1
    return each_channel(net, x, kernel, Window())


def padded(net: Net, x: Blob, pads: tuple[int, int, int, int]) -> Blob:
    """Zeros above, left, below and right."""
    return each_channel(net, x, np.ones((1, 1)), Window(pads=pads))


def repeated(net: Net, x: Blob, axis: int) -> Blob:
    """One more of the first and of the last row (axis 2) or column (axis 3)."""
    side = x.shape[axis - 1]
    if side == 1:
        return concat(net, [x, x, x], axis)
    first, *middle, last = cut(net, x, axis, [1, side - 2, 1] if side > 2 else [1, 1])
    return concat(net, [first, first, *middle, last, last], axis)


def to_space(net: Net, x: Blob, block: int, columns_first: bool) -> Blob:
    """(C·b², H, W) → (C, b·H, b·W); channels lie as ONNX's DepthToSpace has them, CRD or, else, DCR."""
    channels = x.shape[0] // block**2
    weight = np.zeros((x.shape[0], channels, block, block))
    for c, i, j in np.ndindex(channels, block, block):
        weight[(c * block + i) * block + j if columns_first else (i * block + j) * channels + c, c, i, j] = 1
    return deconvolution(net, x, weight, None, Window((block, block)))


def to_depth(net: Net, x: Blob, block: int, columns_first: bool) -> Blob:
    """(C, b·H, b·W) → (C·b², H, W), the inverse of `to_space`."""
    channels = x.shape[0]
    weight = np.zeros((channels * block**2, channels, block, block))
    for c, i, j in np.ndindex(channels, block, block):
        weight[(c * block + i) * block + j if columns_first else (i * block + j) * channels + c, c, i, j] = 1
    return convolution(net, x, weight, None, Window((block, block)))


def _middle(factor: int) -> Array:
    """Which of `factor` pixels a half-pixel sample of all of them is made of."""
    return bilinear(factor, 1, 1 / factor)[0]


def _grown(net: Net, x: Blob, factors: tuple[int, int]) -> Blob:
    for axis, factor in enumerate(factors, start=2):
        x = repeated(net, x, axis) if factor > 1 else x
    taps = [_triangle(factor) for factor in factors]
    rows, columns = (factor + factor // 2 if factor > 1 else 0 for factor in factors)
    weight = np.einsum("io,h,w->iohw", np.eye(x.shape[0]), *taps)
    return deconvolution(net, x, weight, None, Window(factors, (rows, columns, rows, columns)))


def _triangle(factor: int) -> Array:
    """What an input adds to the outputs around it when a row grows to `factor` times its length."""
    size = 2 * factor - factor % 2
    return 1 - np.abs(np.arange(size) - (size - 1) / 2) / factor


def _deconvolution_fits(x: Blob, size: tuple[int, int], factors: Sequence[int]) -> bool:
    kernel = len(_triangle(factors[0])), len(_triangle(factors[1]))
    return deconvolution_fits((x.shape[0], x.shape[0]), kernel, factors[1], size[1] // factors[1] + 2)
