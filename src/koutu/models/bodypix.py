"""Weights of BodyPix ×0.5 (Google, Apache-2.0), so that a training can begin where it ended."""

from pathlib import Path

from torch import Tensor, nn

from koutu.models.mediapipe import convolutions
from koutu.nn.mobilenetv1 import MobileNetV1
from koutu.types import ModelError


def is_bodypix(path: Path) -> bool:
    """Whether the convolutions of an ONNX file are those of BodyPix ×0.5. Raises ModelError if it cannot be read."""
    return _fits(convolutions(path), _in_order(MobileNetV1()))


def from_onnx(path: Path) -> dict[str, Tensor]:
    """The state dict of `MobileNetV1` from BodyPix ×0.5 converted to ONNX; its last layer, of the mask, is left out.

    Its convolutions stand in the file in the order in which they run. Raises ModelError if the file is another network.
    """
    found, convs = convolutions(path), _in_order(MobileNetV1())
    if not _fits(found, convs):
        raise ModelError(
            f"expected BodyPix ×0.5 in {path}, got a network of {len(found)} other convolutions; give that one's file"
        )
    return {f"{name}.{part}": x for name, pair in zip(convs, found, strict=False)
            for part, x in zip(("weight", "bias"), pair, strict=True)}  # fmt: skip


def head_from_onnx(path: Path) -> dict[str, Tensor]:
    """Weight (1, 256, 1, 1) and bias of its last layer, which makes logits of people out of the deepest features."""
    return dict(zip(("weight", "bias"), convolutions(path)[-1], strict=True))


def _in_order(network: MobileNetV1) -> dict[str, nn.Conv2d]:
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}


def _fits(found: list[list[Tensor]], convs: dict[str, nn.Conv2d]) -> bool:
    shapes = [[conv.weight.shape, conv.weight.shape[:1]] for conv in convs.values()]
    return len(found) == len(shapes) + 1 and [[x.shape for x in pair] for pair in found[:-1]] == shapes
