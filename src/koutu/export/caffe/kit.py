"""What Huawei's list says that the HiLens Kit's converter takes of Caffe, and which layers of a network are beyond it.

After the table of Caffe operators in the HiLens user guide (hilens_02_0059). No network has run on the hardware here.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

GLOBAL_POSITIONS = 10_000  # of a channel, for global pooling
DECONVOLUTION_BYTES = 1024 * 1024
INPUTS = {"Eltwise": 4, "Concat": 1000}
LISTED = frozenset(
    {
        "Input", "Concat", "Convolution", "Deconvolution", "DepthwiseConvolution", "Eltwise", "Interp", "Permute",
        "Pooling", "Power", "ReLU", "Reshape", "Scale", "Sigmoid", "Slice", "TanH",
    }
)  # fmt: skip
_KERNEL, _PAD, _STRIDE = 255, 255, 63


def deconvolution_fits(channels: tuple[int, int], kernel: tuple[int, int], stride: int, width: int) -> bool:
    """Whether the kit has room for a deconvolution from `channels[0]` of `width` columns to `channels[1]`."""
    inp, out = (-(-count // 16) * 16 for count in channels)
    weights = inp * out * kernel[0] * kernel[1] * 2
    if inp % 32 == 0 and out % 32 == 0:  # the list does not say which of both it means
        weights //= 2
    row = ((width - 1) * stride + 1) * kernel[0] * max(inp, out) * 4
    return weights + row <= DECONVOLUTION_BYTES


def interp_fits(sides: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether the kit resizes by so much: the result has more than a thirtieth of the positions."""
    return size[0] * size[1] * 30 > sides[0] * sides[1]


def beyond_kit(layers: Iterable[Any], shapes: Mapping[str, tuple[int, int, int]]) -> list[str]:
    """Sentences about layers (LayerParameter) that the list does not allow; shapes: (C, H, W) of blobs by name."""
    found = []
    for layer in layers:
        inputs, outputs = ([shapes[name] for name in names] for names in (layer.bottom, layer.top))
        found += [f"{layer.name} ({layer.type}): {problem}" for problem in _problems(layer, inputs, outputs)]
    return found


def _problems(layer: Any, inputs: list[tuple[int, int, int]], outputs: list[tuple[int, int, int]]) -> Iterator[str]:
    if layer.type not in LISTED:
        yield "is not in the list"
    if len(inputs) > INPUTS.get(layer.type, 2):
        yield f"{len(inputs)} inputs"
    if layer.type in ("Convolution", "Deconvolution", "DepthwiseConvolution"):
        window = layer.convolution_param
        if max(window.kernel_h, window.kernel_w) > _KERNEL or max(window.pad_h, window.pad_w) > _PAD:
            yield f"a kernel or padding over {_KERNEL}"
        if max(window.stride_h, window.stride_w) > _STRIDE:
            yield f"a stride over {_STRIDE}"
        if layer.type == "Deconvolution":
            yield from _deconvolution_problems(window, inputs[0], outputs[0])
    if layer.type == "Pooling" and layer.pooling_param.global_pooling:
        positions = inputs[0][1] * inputs[0][2]
        if positions > GLOBAL_POSITIONS:
            yield f"{positions} positions in one mean"
    if layer.type == "Power" and layer.power_param.power == 1:
        yield "a linear power"
    if layer.type == "Scale" and layer.scale_param.axis not in (1, -3):
        yield f"axis {layer.scale_param.axis}"
    if layer.type == "Interp" and not interp_fits(inputs[0][1:], outputs[0][1:]):
        yield "a result of a thirtieth or less"


def _deconvolution_problems(window: Any, x: tuple[int, int, int], y: tuple[int, int, int]) -> Iterator[str]:
    if window.group > 1:
        yield "groups"
    if window.kernel_h <= window.pad_h or window.kernel_w <= window.pad_w:
        yield "padding as large as the kernel"
    if not deconvolution_fits((x[0], y[0]), (window.kernel_h, window.kernel_w), window.stride_w, x[2]):
        yield f"from {x} to {y} it needs more than {DECONVOLUTION_BYTES} bytes"
