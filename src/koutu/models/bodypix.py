"""Weights of BodyPix ×0.5 (Google, Apache-2.0), so that a training can begin where it ended."""

from pathlib import Path

import torch
from torch import Tensor

from koutu.nn.mobilenetv1 import MobileNetV1, Separable
from koutu.types import ModelError


def from_onnx(path: Path) -> dict[str, Tensor]:
    """The state dict of `MobileNetV1` from BodyPix ×0.5 converted to ONNX; its last layer, of the mask, is left out.

    Its convolutions stand in the file in the order in which they run. Raises ModelError if the file is another network.
    """
    from koutu.models.mediapipe import convolutions

    found = convolutions(path)
    network = MobileNetV1()
    convs = [network.stem]
    for layer in network.layers:
        assert isinstance(layer, Separable)
        convs += [layer.depthwise, layer.pointwise]  # type: ignore[list-item]
    names = {module: name for name, module in network.named_modules() if isinstance(module, torch.nn.Conv2d)}
    shapes = [(conv.weight.shape, conv.weight.shape[:1]) for conv in convs]
    if [tuple(x.shape for x in pair) for pair in found[: len(convs)]] != shapes or len(found) != len(convs) + 1:
        raise ModelError(
            f"expected BodyPix ×0.5 in {path}, got a network of {len(found)} other convolutions; give bodypix_050.onnx"
        )
    return {f"{names[conv]}.{part}": x for conv, pair in zip(convs, found, strict=False)
            for part, x in zip(("weight", "bias"), pair, strict=True)}  # fmt: skip
