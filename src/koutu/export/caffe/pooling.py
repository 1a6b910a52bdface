"""Means and maxima as Caffe pools them: of windows, of whole channels, and of channels beside each other."""

from typing import Literal, TypeAlias

from koutu.export.caffe.kit import GLOBAL_POSITIONS
from koutu.export.caffe.layers import Pair
from koutu.export.caffe.net import Blob, Net

Pool: TypeAlias = Literal["AVE", "MAX"]


def greater(net: Net, a: Blob, b: Blob) -> Blob:
    """The greater of both at every place."""
    return net.add("Eltwise", [a, b], a.shape, eltwise_param={"operation": "MAX"})


def pool(net: Net, x: Blob, kind: Pool, kernel: Pair, stride: Pair, pad: Pair = (0, 0)) -> Blob:
    """Means ("AVE", without padding) or maxima ("MAX") of windows; one that is not full counts what it has of x."""
    sides = zip(x.shape[1:], kernel, stride, pad, strict=True)
    height, width = (_pooled(*side) for side in sides)
    params = {"kernel_h": kernel[0], "kernel_w": kernel[1], "stride_h": stride[0], "stride_w": stride[1]}
    if any(pad):
        params |= {"pad_h": pad[0], "pad_w": pad[1]}
    return net.add("Pooling", [x], (x.shape[0], height, width), pooling_param={"pool": kind, **params})


def whole(net: Net, x: Blob, kind: Pool) -> Blob:
    """The mean or maximum of each channel (C, 1, 1); what is too large for the kit is pooled in equal parts first."""
    while x.shape[1] * x.shape[2] > GLOBAL_POSITIONS:
        kernel = _parts(x.shape[1], x.shape[2])
        x = pool(net, x, kind, kernel, kernel)
    return net.add("Pooling", [x], (x.shape[0], 1, 1), pooling_param={"pool": kind, "global_pooling": True})


def _pooled(side: int, kernel: int, stride: int, pad: int) -> int:
    """How many windows Caffe sees: it rounds up, but none begins in the padding behind."""
    count = -(-(side + 2 * pad - kernel) // stride) + 1
    return count - 1 if pad and (count - 1) * stride >= side + pad else count


def _parts(height: int, width: int) -> Pair:
    """The smallest window that divides both sides and leaves few enough positions."""
    windows = [(h, w) for h in _divisors(height) for w in _divisors(width) if h * w > 1]
    enough = [(h, w) for h, w in windows if height * width <= GLOBAL_POSITIONS * h * w]
    return min(enough, key=lambda window: (window[0] * window[1], abs(window[0] - window[1])))


def _divisors(side: int) -> list[int]:
    return [d for d in range(1, side + 1) if side % d == 0]
