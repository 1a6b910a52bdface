"""A network as a plain ONNX file of one size: the form that converters for small devices begin from."""

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from koutu.files import whole_file
from koutu.models.base import Network
from koutu.models.modnet import Trimapless
from koutu.types import InputError, ModelError

OPSET = 17
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """What goes in and out, in the file's order. states: inputs that an output fills for the next frame, else 0."""

    inputs: Shapes
    outputs: Shapes
    states: dict[str, str]


class Plain(nn.Module):
    """src (1, 3, H, W) and the memory → alpha (1, 1, H, W), and the new memory unless that is alpha."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.alpha_is_memory = isinstance(network, Trimapless)

    def forward(self, src: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        _, pha, *memory = self.network(src, *state)
        return (pha,) if self.alpha_is_memory else (pha, *memory)


def fixed_onnx(
    network: Network, path: Path, size: tuple[int, int], *, src: str = "src", prev: str = "prev", pha: str = "pha"
) -> Layout:
    """Write `network` for pictures of `size` (H, W) to `path`: float32, NCHW, opset 17, constants folded.

    src: (1, 3, H, W) RGB in [0, 1]; prev, of a network whose memory is its alpha: (1, 1, H, W); pha: (1, 1, H, W).
    These names may be changed. Another memory goes in as r1i, r2i … and comes out as r1o, r2o …. Raises InputError for
    a size that is no multiple of the network's stride, ModelError for a network that needs more than a picture, and
    without onnx or onnxslim. The file appears whole or not at all.
    """
    height, width = size
    if needs := network.needs:
        raise ModelError(f"expected a network that needs a picture alone, got one that needs {', '.join(needs)}")
    stride = network.stride
    if height < 1 or width < 1 or height % stride or width % stride:
        raise InputError(f"expected sides that are multiples of {stride}, got {height}×{width}; round them")
    module = Plain(network).eval()
    picture = torch.zeros(1, 3, height, width)
    memory: list[Tensor] = network.initial_state(picture)
    alone = module.alpha_is_memory
    states = {prev: pha} if alone and memory else {f"r{i}i": f"r{i}o" for i in range(1, len(memory) + 1)}
    inputs = {src: picture} | dict(zip(states, memory, strict=True))
    outputs = (pha,) if alone else (pha, *states.values())
    with whole_file(path) as file:
        file.write(_slim(module, list(inputs.values()), list(inputs), list(outputs)))
    shapes = {name: tuple(tensor.shape) for name, tensor in inputs.items()}
    made = {pha: (1, 1, height, width)} | {after: shapes[before] for before, after in states.items() if after != pha}
    return Layout(shapes, made, states)


def _slim(module: nn.Module, blank: list[Tensor], names: list[str], outputs: list[str]) -> bytes:
    """The traced module without what depends on no input, as the bytes of a file."""
    try:
        import onnx
        import onnxslim
    except ModuleNotFoundError as e:
        raise ModelError(f"a fixed-size export needs {e.name}, found none; pip install 'koutu[export]'") from e
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of every shape check
        traced = str(Path(folder) / "traced.onnx")
        torch.onnx.export(
            module, tuple(blank), traced, input_names=names, output_names=outputs, opset_version=OPSET, dynamo=False
        )
        slim: Any = onnxslim.slim(traced)
    onnx.checker.check_model(slim, full_check=True)
    return slim.SerializeToString()
