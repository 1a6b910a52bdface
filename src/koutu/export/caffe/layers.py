"""Caffe's layers one by one, and the few things they cannot do as they are, said by those they can."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from koutu.export.caffe.net import Array, Blob, Net, Shape
from koutu.types import ModelError

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """How a kernel moves. pads: above, left, below, right."""

    stride: Pair = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    group: int = 1


def convolution(net: Net, x: Blob, weight: Array, bias: Array | None = None, window: Window | None = None) -> Blob:
    """weight: (out, in / group, h, w). Where a side has less padding than its opposite, the kernel grows by zeros."""
    window = window or Window()
    weight, pads = _even(weight, window)
    spread = [d * (k - 1) + 1 for d, k in zip(window.dilation, weight.shape[2:], strict=True)]
    height, width = (
        (side + 2 * pad - k) // stride + 1
        for side, pad, k, stride in zip(x.shape[1:], pads, spread, window.stride, strict=True)
    )
    alone = window.group > 1 and window.group == x.shape[0] == len(weight)
    params = _window(weight, len(weight), pads, window)
    kind = net.dialect.depthwise if alone else "Convolution"
    return _weighted(net, kind, x, (len(weight), height, width), (weight, bias, params))


def deconvolution(net: Net, x: Blob, weight: Array, bias: Array | None = None, window: Window | None = None) -> Blob:
    """weight: (in, out, h, w). pads are cut off the result, and may be uneven as in `convolution`."""
    window = window or Window()
    weight, pads = _even(weight, window)
    height, width = (
        stride * (side - 1) + k - 2 * pad
        for side, pad, k, stride in zip(x.shape[1:], pads, weight.shape[2:], window.stride, strict=True)
    )
    out = weight.shape[1]
    params = _window(weight, out, pads, window)
    return _weighted(net, "Deconvolution", x, (out, height, width), (weight, bias, params))


def dense(net: Net, x: Blob, weight: Array, bias: Array | None = None) -> Blob:
    """weight: (out, in): a mixture of channels at each position."""
    return convolution(net, x, weight[:, :, None, None], bias)


def each_channel(net: Net, x: Blob, kernel: Array, window: Window) -> Blob:
    """The same kernel (h, w) on every channel by itself."""
    channels = x.shape[0]
    weight = np.broadcast_to(kernel, (channels, 1, *kernel.shape))
    return convolution(net, x, weight, None, Window(window.stride, window.pads, group=channels))


def affine(net: Net, x: Blob, scale: Array | float, shift: Array | float = 0.0) -> Blob:
    """scale · x + shift with a number for all channels or one for each. Not "Power": the kit's must not be linear."""
    scale, shift = (np.broadcast_to(np.ravel(np.asarray(v, np.float32)), x.shape[:1]) for v in (scale, shift))
    return net.add("Scale", [x], x.shape, weights=[scale, shift], scale_param={"axis": 1, "bias_term": True})


def simple(net: Net, kind: str, x: Blob) -> Blob:
    """A layer without parameters that keeps the shape: "ReLU", "Sigmoid", "TanH"."""
    result = net.add(kind, [x], x.shape)
    if kind == "Sigmoid":
        net.positive.add(result.name)
    return result


def power(net: Net, x: Blob, exponent: float, shift: float) -> Blob:
    """(x + shift) ^ exponent, of positive numbers."""
    return net.add("Power", [x], x.shape, power_param={"power": exponent, "scale": 1.0, "shift": shift})


def total(net: Net, a: Blob, b: Blob, sign: float = 1.0) -> Blob:
    """a + sign · b of equal shapes."""
    return net.add("Eltwise", [a, b], a.shape, eltwise_param={"operation": "SUM", "coeff": [1.0, sign]})


def product(net: Net, a: Blob, b: Blob) -> Blob:
    """a · b of equal shapes, or with a number for each channel as b (C, 1, 1)."""
    if a.shape == b.shape:
        return net.add("Eltwise", [a, b], a.shape, eltwise_param={"operation": "PROD"})
    if net.dialect.gate == "Scale":
        return net.add("Scale", [a, b], a.shape, scale_param={"axis": 1, "bias_term": False})
    return product(net, a, enlarged(net, b, a))


def enlarged(net: Net, x: Blob, like: Blob) -> Blob:
    """A number for each channel (C, 1, 1) at every position of `like` (C, H, W)."""
    if net.dialect.gate == "Scale":
        return product(net, affine(net, like, 0.0, 1.0), x)
    return interp(net, x, like.shape[1:])


def interp(net: Net, x: Blob, size: Pair) -> Blob:
    """Bilinear, corners on corners, to `size` (H, W)."""
    return net.add("Interp", [x], (x.shape[0], *size), interp_param={"height": size[0], "width": size[1]})


def concat(net: Net, parts: Sequence[Blob], axis: int) -> Blob:
    """axis: 1 channels, 2 rows, 3 columns."""
    shape = list(parts[0].shape)
    shape[axis - 1] = sum(part.shape[axis - 1] for part in parts)
    return net.add("Concat", parts, _shape(shape), concat_param={"axis": axis})


def cut(net: Net, x: Blob, axis: int, lengths: Sequence[int]) -> list[Blob]:
    """All of x in pieces along an axis; every one must be used, because Caffe takes what nobody reads for an output."""
    shapes = [_shape([*x.shape[: axis - 1], length, *x.shape[axis:]]) for length in lengths]
    points = [int(point) for point in np.cumsum(lengths)[:-1]]
    return net.split("Slice", [x], shapes, slice_param={"axis": axis, "slice_point": points})


def permute(net: Net, x: Blob, order: tuple[int, int, int]) -> Blob:
    """order: which of x's axes 1, 2, 3 come first, second and third."""
    shape = _shape([x.shape[axis - 1] for axis in order])
    return net.add("Permute", [x], shape, permute_param={"order": [0, *order]})


def reshape(net: Net, x: Blob, shape: Shape) -> Blob:
    """The same numbers in the same order."""
    if x.shape == shape:
        return x
    return net.add("Reshape", [x], shape, reshape_param={"shape": {"dim": [1, *shape]}})


def _even(weight: Array, window: Window) -> tuple[Array, Pair]:
    """Kernel and padding that are the same above and below, left and right, and give the same results."""
    top, left, bottom, right = window.pads
    pads = max(top, bottom, 0), max(left, right, 0)
    more = [[pads[0] - top, pads[0] - bottom], [pads[1] - left, pads[1] - right]]
    for (before, after), dilation in zip(more, window.dilation, strict=True):
        if before % dilation or after % dilation:
            raise ModelError(f"expected padding that is even or in steps of the dilation {dilation}, got {window.pads}")
    steps = [[before // d, after // d] for (before, after), d in zip(more, window.dilation, strict=True)]
    return np.pad(weight, [(0, 0), (0, 0), *steps]), pads


def _window(weight: Array, out: int, pads: Pair, window: Window) -> dict[str, object]:
    (height, width), (rows, columns) = weight.shape[2:], window.stride
    params: dict[str, object] = {
        "num_output": out, "group": window.group, "kernel_h": height, "kernel_w": width, "stride_h": rows,
        "stride_w": columns, "pad_h": pads[0], "pad_w": pads[1],
    }  # fmt: skip
    if window.dilation != (1, 1):
        same = window.dilation[0] == window.dilation[1]
        params["dilation"] = [window.dilation[0]] if same else list(window.dilation)
    return params


def _weighted(
    net: Net, kind: str, x: Blob, shape: Shape, content: tuple[Array, Array | None, dict[str, object]]
) -> Blob:
    weight, bias, params = content
    weights = [weight] if bias is None else [weight, bias]
    return net.add(kind, [x], shape, weights=weights, convolution_param={**params, "bias_term": bias is not None})


def _shape(sides: Sequence[int]) -> Shape:
    channels, height, width = sides
    return channels, height, width
