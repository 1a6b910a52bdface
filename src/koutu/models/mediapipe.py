"""Weights of MediaPipe's selfie segmentation (Google, Apache-2.0), so that a training can begin where it ended."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from koutu.nn.mobilenetv3_unet import Conv, InvertedResidual, MobileNetV3UNet
from koutu.types import ModelError


def from_onnx(path: Path) -> dict[str, Tensor]:
    """The state dict of the default network, from MediaPipe's selfie segmentation (general) converted to ONNX.

    Its convolutions stand in the file in the order in which they run. Raises ModelError if the file is another network.
    """
    graph = _graph(path)
    found, constants = _convolutions(graph), _constants(graph)
    target = MobileNetV3UNet()
    convs = dict(_in_order(target))
    shapes = [(conv.weight.shape, conv.weight.shape[:1]) for conv in convs.values()]
    last = next((node for node in graph.node if node.op_type == "ConvTranspose"), None)
    if [tuple(x.shape for x in pair) for pair in found] != shapes or last is None:
        raise ModelError(
            f"expected MediaPipe's selfie segmentation (general) in {path}, got a network of {len(found)} other "
            f"convolutions; give selfie_segmentation.onnx"
        )
    state = {f"{name}.{part}": x for (name, pair) in zip(convs, found, strict=True)
             for part, x in zip(("weight", "bias"), pair, strict=True)}  # fmt: skip
    after = next((node for node in graph.node if last.output[0] in node.input), last)
    bias = next(constants[i] for i in [*last.input[2:], *after.input] if i in constants)
    return state | {"head.weight": constants[last.input[1]], "head.bias": bias.reshape(1)}


def convolutions(path: Path) -> list[list[Tensor]]:
    """Weight and bias of every convolution of an ONNX file, in its order. Raises ModelError if it cannot be read."""
    return _convolutions(_graph(path))


def _graph(path: Path) -> Any:
    import onnx

    try:
        return onnx.load(path).graph
    except Exception as e:  # protobuf's own errors have no common base
        raise ModelError(f"expected an ONNX file at {path}, got one that cannot be read ({e}); get it again") from e


def _constants(graph: Any) -> dict[str, Tensor]:
    from onnx.numpy_helper import to_array

    return {i.name: torch.from_numpy(to_array(i).copy()) for i in graph.initializer}


def _convolutions(graph: Any) -> list[list[Tensor]]:
    constants = _constants(graph)
    return [[constants[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]


def _in_order(network: MobileNetV3UNet) -> Iterator[tuple[str, Conv]]:
    """Every convolution with its name, as they run; of the context the published file runs the gate first."""
    named = {module: name for name, module in network.named_modules() if isinstance(module, Conv)}
    order = [network.stem]
    for block in network.blocks:
        assert isinstance(block, InvertedResidual)
        gate = [block.gate.squeeze, block.gate.excite] if block.gate is not None else []
        order += [block.expand, block.depthwise, *gate, block.reduce]
    order += [network.context.whole, network.context.local]
    for up in (network.up8x, network.up4x, network.up2x):
        order += [up.reduce, up.gate.squeeze, up.gate.excite, up.mix, up.filter]
    yield from ((named[conv], conv) for conv in order)
