"""Activations, arithmetic and norms out of layers that every Caffe has; exact but for the last bit of a float."""

import numpy as np

from koutu.export.caffe.layers import affine, dense, enlarged, power, product, simple, total
from koutu.export.caffe.net import Array, Blob, Net, Shape
from koutu.export.caffe.node import Node
from koutu.export.caffe.pooling import whole

_NAMES = {"Relu": "ReLU", "Sigmoid": "Sigmoid", "Tanh": "TanH"}


def activation(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """Relu, Sigmoid, Tanh."""
    return simple(net, _NAMES[node.kind], xs[0])


def clip(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """Clip, ReLU6 among them."""
    low = node.constant(1, "lower bound", node.attributes.get("min"))
    high = node.constant(2, "upper bound", node.attributes.get("max"))
    return clipped(net, xs[0], *(None if v is None else float(np.ravel(v)[0]) for v in (low, high)))


def clipped(net: Net, x: Blob, low: float | None, high: float | None) -> Blob:
    """x within bounds: ReLU from below, ReLU of the mirrored from above."""
    if low is not None:
        x = x if low == 0 else affine(net, x, 1, -low)
        x = simple(net, "ReLU", x)
    if high is None:
        return x if not low else _known(net, affine(net, x, 1, low), low)
    room = simple(net, "ReLU", affine(net, x, -1, high - (low or 0)))
    return _known(net, affine(net, room, -1, high), low)


def _known(net: Net, x: Blob, low: float | None) -> Blob:
    if low and low > 0:
        net.positive.add(x.name)
    return x


def hard_sigmoid(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """HardSigmoid, with its slope and height."""
    slope, height = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    return clipped(net, affine(net, xs[0], slope, height), 0, 1)


def hard_swish(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """HardSwish: x times what a hard sigmoid of slope 1/6 says."""
    return product(net, xs[0], clipped(net, affine(net, xs[0], 1 / 6, 0.5), 0, 1))


def arithmetic(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """Add, Sub, Mul, Div: of two blobs, or of a blob and a number for all channels or one for each."""
    if len(xs) == 2:
        return _of_two(net, node, *xs)
    constant = _per_channel(node, shape)
    if 0 in node.constants and node.kind in ("Sub", "Div"):
        if node.kind == "Div":
            node.refuse("a constant is divided by what flows")
        return affine(net, xs[0], -1, constant)
    if node.kind in ("Add", "Sub"):
        return affine(net, xs[0], 1, constant if node.kind == "Add" else -constant)
    return affine(net, xs[0], constant if node.kind == "Mul" else 1 / constant)


def _of_two(net: Net, node: Node, a: Blob, b: Blob) -> Blob:
    if node.kind == "Div":
        b = _inverse(net, node, b)
    channels, positions = max(a.shape[0], b.shape[0]), max(a.shape[1:], b.shape[1:])
    a, b = (x if x.shape[0] != 1 or channels == 1 else dense(net, x, np.ones((channels, 1))) for x in (a, b))
    if any(x.shape not in ((channels, *positions), (channels, 1, 1)) for x in (a, b)):
        node.refuse(f"{_text(a)} meets {_text(b)}, which are neither alike nor a number for each channel")
    if node.kind in ("Mul", "Div"):
        large, small = (a, b) if a.shape[1:] == positions else (b, a)
        return product(net, large, small)
    like = a if a.shape[1:] == positions else b
    a, b = (x if x.shape == like.shape else enlarged(net, x, like) for x in (a, b))
    return total(net, a, b, -1 if node.kind == "Sub" else 1)


def _inverse(net: Net, node: Node, x: Blob) -> Blob:
    if x.name not in net.positive:
        node.refuse("it divides by what may be 0 or less", "keep it above 0 by a clip just before")
    return power(net, x, -1, 0)


def instance_norm(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """InstanceNormalization: not "MVN", which adds epsilon to the deviation, and which the kit has not."""
    x = xs[0]
    x = total(net, x, enlarged(net, whole(net, x, "AVE"), x), -1)
    deviation = power(net, whole(net, product(net, x, x), "AVE"), -0.5, node.attributes.get("epsilon", 1e-5))
    return affine(net, product(net, x, deviation), node.constant(1, "scale"), node.constant(2, "shift"))


def batch_norm(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """BatchNormalization that no convolution took in."""
    if node.attributes.get("training_mode", 0):
        node.refuse("it is in training mode", "export the network in evaluation mode")
    names = ("scale", "shift", "mean", "variance")
    scale, shift, center, variance = (node.constant(i, name).astype(np.float64) for i, name in enumerate(names, 1))
    scale = scale / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    return affine(net, xs[0], scale, shift - center * scale)


def _per_channel(node: Node, shape: Shape) -> Array:
    """The node's constant as a number, or as one for each channel of a result (1, C, H, W) or (1, C)."""
    (constant,) = node.constants.values()
    sides = list(constant.shape)
    if constant.size == 1:
        return constant.reshape(()).astype(np.float64)
    per_channel = sides[-3:] == [shape[0], 1, 1] if len(sides) > 2 else (*sides[-1:], 1, 1) == shape
    if not per_channel or constant.size != shape[0]:
        node.refuse(f"a constant {sides} is neither a number nor one for each channel of {shape}")
    return constant.reshape(-1).astype(np.float64)


def _text(blob: Blob) -> str:
    return "×".join(map(str, blob.shape))
