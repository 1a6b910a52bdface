"""Caffe's layers after its own definitions, in torch: what written files mean, for tests without OpenCV 4."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from google.protobuf import text_format
from torch import Tensor
from torch.nn import functional as F

from koutu.export.caffe.schema import messages


def layers_of(prototxt: Path) -> list[Any]:
    """The layers of a network in text."""
    return list(text_format.Parse(prototxt.read_text(), messages().NetParameter()).layer)


def run(prefix: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All blobs that no layer reads, by name: for Caffe, those are the outputs."""
    binary = messages().NetParameter.FromString(Path(f"{prefix}.caffemodel").read_bytes())
    weights = {layer.name: [_tensor(blob) for blob in layer.blobs] for layer in binary.layer}
    blobs: dict[str, Tensor] = {}
    read = set()
    for layer in layers_of(Path(f"{prefix}.prototxt")):
        read |= set(layer.bottom)
        if layer.type == "Input":
            blobs[layer.top[0]] = torch.from_numpy(feeds[layer.top[0]])
            assert list(layer.input_param.shape[0].dim) == list(blobs[layer.top[0]].shape)
            continue
        assert not set(layer.top) & set(blobs), f"{layer.name} writes what is there already"
        with torch.no_grad():
            found = _layer(layer, [blobs[name] for name in layer.bottom], weights[layer.name])
        blobs |= dict(zip(layer.top, found, strict=True))
    return {name: blob.numpy() for name, blob in blobs.items() if name not in read}


def _tensor(blob: Any) -> Tensor:
    return torch.from_numpy(np.array(blob.data, np.float32)).reshape(list(blob.shape.dim))


def _layer(layer: Any, xs: list[Tensor], weights: list[Tensor]) -> list[Tensor]:
    x = xs[0]
    if layer.type in ("Convolution", "DepthwiseConvolution", "Deconvolution"):
        return [_window(layer, x, weights)]
    if layer.type == "Scale":
        scale, *shift = weights or [xs[1].reshape(-1)]
        assert layer.scale_param.axis == 1 and len(shift) == layer.scale_param.bias_term
        return [x * scale[:, None, None] + (shift[0][:, None, None] if shift else 0)]
    if layer.type == "Eltwise":
        assert all(other.shape == x.shape for other in xs)
        if layer.eltwise_param.operation != 1:
            return [torch.stack(xs).prod(0) if layer.eltwise_param.operation == 0 else torch.stack(xs).amax(0)]
        return [sum((c * x for c, x in zip(layer.eltwise_param.coeff, xs, strict=True)), torch.zeros_like(x))]
    if layer.type == "Pooling":
        return [_pool(layer.pooling_param, x)]
    if layer.type == "Slice":
        axis, points = layer.slice_param.axis, list(layer.slice_param.slice_point)
        return list(torch.tensor_split(x, points, dim=axis))
    return [_plain(layer, xs)]


def _plain(layer: Any, xs: list[Tensor]) -> Tensor:
    x = xs[0]
    if layer.type == "Interp":  # corners aligned
        size = (layer.interp_param.height, layer.interp_param.width)
        return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
    if layer.type == "Power":
        about = layer.power_param
        return (about.scale * x + about.shift) ** about.power
    if layer.type == "Concat":
        return torch.cat(xs, dim=layer.concat_param.axis)
    if layer.type == "Permute":
        return x.permute(*layer.permute_param.order)
    if layer.type == "Reshape":
        return x.reshape(*layer.reshape_param.shape.dim)
    return {"ReLU": torch.relu, "Sigmoid": torch.sigmoid, "TanH": torch.tanh}[layer.type](x)


def _window(layer: Any, x: Tensor, weights: list[Tensor]) -> Tensor:
    about = layer.convolution_param
    assert len(weights) == 1 + about.bias_term and list(weights[0].shape[2:]) == [about.kernel_h, about.kernel_w]
    bias = weights[1] if about.bias_term else None
    stride, padding = (about.stride_h, about.stride_w), (about.pad_h, about.pad_w)
    if layer.type == "Deconvolution":
        return F.conv_transpose2d(x, weights[0], bias, stride, padding, groups=about.group)
    dilation = tuple(about.dilation) or (1,)
    return F.conv2d(x, weights[0], bias, stride, padding, dilation * (2 // len(dilation)), about.group)


def _pool(about: Any, x: Tensor) -> Tensor:
    if about.global_pooling:
        return x.mean(dim=(2, 3), keepdim=True) if about.pool else x.amax(dim=(2, 3), keepdim=True)
    kernel, stride, pad = (
        (about.kernel_h, about.kernel_w),
        (about.stride_h, about.stride_w),
        (about.pad_h, about.pad_w),
    )
    if about.pool:
        assert pad == (0, 0)
        return F.avg_pool2d(x, kernel, stride, ceil_mode=True)  # of what a window has, as Caffe's
    return F.max_pool2d(x, kernel, stride, pad, ceil_mode=True)
