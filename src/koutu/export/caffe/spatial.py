"""ONNX's convolutions, poolings and everything that moves pixels, as Caffe's layers."""

import numpy as np

from koutu.export.caffe import linear
from koutu.export.caffe.layers import (
    Window,
    affine,
    convolution,
    cut,
    deconvolution,
    dense,
    each_channel,
    permute,
    reshape,
)
from koutu.export.caffe.net import Array, Blob, Net, Shape
from koutu.export.caffe.node import Node
from koutu.export.caffe.pooling import Pool, greater, pool, whole


def conv(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """Conv in two dimensions, with any padding."""
    weight = node.constant(1, "kernel")
    window = _window(node, weight)
    return convolution(net, xs[0], weight, node.constant(2, "bias"), window)


def conv_transpose(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """ConvTranspose in two dimensions; groups, which the kit has not, become zeros of one dense kernel."""
    weight = node.constant(1, "kernel")
    window = _window(node, weight)
    if window.dilation != (1, 1) or "output_shape" in node.attributes:
        node.refuse("it is dilated, or given its result's size")
    top, left, bottom, right = window.pads
    below, beside = node.attributes.get("output_padding", (0, 0))
    window = Window(window.stride, (top, left, bottom - below, right - beside))
    return deconvolution(
        net, xs[0], _ungrouped(weight, node.attributes.get("group", 1)), node.constant(2, "bias"), window
    )


def average_pool(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """AveragePool; windows that leave a rest out, or see padding, are a convolution: Caffe's own round up."""
    kernel, window = _pooling(node)
    if any(window.pads) and (node.attributes.get("ceil_mode", 0) or not node.attributes.get("count_include_pad", 0)):
        node.refuse("it leaves padding out of its means, or rounds up with padding")
    rest = any((side - k) % s for side, k, s in zip(xs[0].shape[1:], kernel, window.stride, strict=True))
    if any(window.pads) or (rest and not node.attributes.get("ceil_mode", 0)):
        return each_channel(net, xs[0], np.full(kernel, 1 / np.prod(kernel)), window)
    return pool(net, xs[0], "AVE", kernel, window.stride)


def max_pool(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """MaxPool; Caffe's own rounds up: what that adds is cut off."""
    kernel, window = _pooling(node)
    (top, left), (bottom, right) = window.pads[:2], window.pads[2:]
    if (top, left) != (bottom, right) or len(node.outputs) > 1:
        node.refuse("it pads unevenly, or tells where its maxima are")
    x = pool(net, xs[0], "MAX", kernel, window.stride, (top, left))
    more = [have - want for have, want in zip(x.shape[1:], shape[1:], strict=True)]
    return linear.crop(net, x, (0, 0), more) if any(more) else x


def reduced(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """GlobalAveragePool, GlobalMaxPool, and ReduceMean and ReduceMax over channels, over rows and columns, or both."""
    kind: Pool = "AVE" if node.kind in ("GlobalAveragePool", "ReduceMean") else "MAX"
    axes = node.attributes.get("axes", node.constant(1, "axes", (2, 3)))
    over = sorted(int(axis) % 4 for axis in axes)
    if over not in ([1], [2, 3], [1, 2, 3]):
        node.refuse(f"it is not over channels, or rows and columns, but over {axes}")
    x = xs[0]
    if 1 in over and kind == "AVE":
        x = dense(net, x, np.full((1, x.shape[0]), 1 / x.shape[0]))
    elif 1 in over and x.shape[0] > 1:
        x, *others = cut(net, x, 1, [1] * x.shape[0])
        for other in others:
            x = greater(net, x, other)
    return whole(net, x, kind) if 2 in over else x


def resize(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """Resize, bilinear, by any factor."""
    about = node.attributes
    if about.get("mode", "nearest") != "linear" or about.get("antialias", 0) or about.get("axes"):
        node.refuse(
            f"it is {about.get('mode', 'nearest')} or antialiased", "use bilinear resizing without antialiasing"
        )
    mode = about.get("coordinate_transformation_mode", linear.HALF_PIXEL)
    scales = node.constant(2, "scales")
    if scales is None or not scales.size:
        scales = [out / side for out, side in zip(shape[1:], xs[0].shape[1:], strict=True)]
    if xs[0].shape[0] != shape[0]:
        node.refuse("it resizes channels")
    try:
        return linear.resize(net, xs[0], shape[1:], (float(scales[-2]), float(scales[-1])), mode)
    except KeyError:
        node.refuse(f"coordinates {mode}", "use align_corners=False")


def pad(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """Pad rows and columns: with a constant, by repeating edges or by mirroring."""
    amounts = [int(v) for v in node.constant(1, "amounts", node.attributes.get("pads"))]
    (_, channels, top, left), (_, more, bottom, right) = amounts[:4], amounts[4:]
    mode = node.attributes.get("mode", "constant")
    if channels or more or mode not in ("constant", "edge", "reflect") or node.constant(3, "axes") is not None:
        node.refuse(f"it pads channels, or in mode {mode}")
    if mode == "constant":
        value = node.constant(2, "value")
        value = 0.0 if value is None else float(np.ravel(value)[0])
        x = affine(net, xs[0], 1, -value) if value else xs[0]
        x = linear.padded(net, x, (top, left, bottom, right))
        return affine(net, x, 1, value) if value else x
    sides = ((xs[0].shape[1], top, bottom), (xs[0].shape[2], left, right))
    rows, columns = (_taken(side, np.pad(np.arange(side), (a, b), mode)) if a or b else None for side, a, b in sides)
    return linear.remapped(net, xs[0], rows, columns)


def shuffle(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """DepthToSpace and SpaceToDepth."""
    to_space = node.kind == "DepthToSpace"
    columns_first = node.attributes.get("mode", "DCR") == "CRD"
    move = linear.to_space if to_space else linear.to_depth
    return move(net, xs[0], node.attributes["blocksize"], columns_first)


def taken(net: Net, x: Blob, axis: int, indices: range) -> Blob:
    """What lies at `indices` of an axis (1 channels, 2 rows, 3 columns); in reverse order for a mirror image."""
    side = x.shape[axis - 1]
    if indices == range(side):
        return x
    matrix = _taken(side, np.array(indices))
    if axis == 1:
        return dense(net, x, matrix)
    if indices.step == 1:
        before, after = [0, 0], [0, 0]
        before[axis - 2], after[axis - 2] = indices.start, side - indices.stop
        return linear.crop(net, x, before, after)
    return linear.remapped(net, x, *((matrix, None) if axis == 2 else (None, matrix)))


def matrix(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """MatMul and Gemm of (1, C) with a constant."""
    weight, bias = node.constant(1, "matrix"), node.constant(2, "bias")
    about = node.attributes
    if weight.ndim != 2 or 0 in node.constants or about.get("transA", 0) or xs[0].shape[1:] != (1, 1):
        node.refuse("it is not (1, C) times a constant (C, C')")
    weight = about.get("alpha", 1.0) * (weight if about.get("transB", 0) else weight.T)
    if bias is not None:
        bias = np.broadcast_to(about.get("beta", 1.0) * bias.reshape(-1), len(weight))
    return dense(net, xs[0], weight, bias)


def reshaped(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """Reshape, Flatten, Squeeze and Unsqueeze of one picture."""
    return reshape(net, xs[0], shape)


def transpose(net: Net, node: Node, xs: list[Blob], shape: Shape) -> Blob:
    """Transpose of a picture's axes."""
    order = tuple(node.attributes.get("perm", ()))
    if len(order) != 4 or order[0] != 0:
        node.refuse(f"order {order} is not of one picture (1, C, H, W)")
    return permute(net, xs[0], order[1:])


def _pooling(node: Node) -> tuple[tuple[int, int], Window]:
    kernel = tuple(node.attributes["kernel_shape"])
    window = _window(node, np.zeros((1, 1, *kernel)))
    if window.dilation != (1, 1):
        node.refuse("it is dilated")
    return kernel, window


def _window(node: Node, weight: Array) -> Window:
    about = node.attributes
    if weight.ndim != 4 or about.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        node.refuse("it has not two dimensions, or pads by itself", "export with explicit padding")
    stride, dilation = tuple(about.get("strides", (1, 1))), tuple(about.get("dilations", (1, 1)))
    return Window(stride, tuple(about.get("pads", (0, 0, 0, 0))), dilation, about.get("group", 1))


def _ungrouped(weight: Array, group: int) -> Array:
    inp, out = weight.shape[0] // group, weight.shape[1]
    whole = np.zeros((weight.shape[0], out * group, *weight.shape[2:]), weight.dtype)
    for i in range(group):
        rows, columns = slice(i * inp, (i + 1) * inp), slice(i * out, (i + 1) * out)
        whole[rows, columns] = weight[rows]
    return whole


def _taken(side: int, indices: Array) -> Array:
    return np.eye(side)[indices]
