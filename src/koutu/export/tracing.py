"""A torch module as an ONNX file with a card, for pictures of any size."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def example(network: Any) -> dict[str, Tensor]:
    """A blank picture and blank memory, to trace a network with."""
    size = (2 * network.stride, 3 * network.stride)
    inputs: dict[str, Tensor] = {"rgb": torch.zeros(1, *size, 3, dtype=torch.uint8)}
    return inputs | ({"prev": torch.zeros(1, 1, *size)} if network.cfg.temporal else {})


def write(module: nn.Module, inputs: dict[str, Tensor], outputs: tuple[str, ...], path: Path, card: dict) -> None:
    """Trace `module` into an ONNX file for pictures of any size, with a card; `path` is written as it goes."""
    import onnx

    sides = {"rgb": {1: "H", 2: "W"}, "pha": {2: "H", 3: "W"}, "prev": {2: "H", 3: "W"}}
    axes = {name: sides[name] for name in (*inputs, *outputs) if name in sides}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of every shape check
        torch.onnx.export(
            module.eval(), tuple(inputs.values()), str(path), input_names=list(inputs), output_names=list(outputs),
            dynamic_axes=axes, opset_version=17, dynamo=False,
        )  # fmt: skip
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"koutu": json.dumps(card)})
    onnx.save(model, path)


def as_source(rgb: Tensor) -> Tensor:
    """Pictures as engines get them, (1, H, W, 3) uint8, as networks want them: (1, 3, H, W) in [0, 1]."""
    return rgb.permute(0, 3, 1, 2).float() / 255
