"""A network as a plain ONNX file of one size: the form that converters for small devices begin from."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from koutu.files import whole_file
from koutu.models.modnet import Trimapless
from koutu.types import InputError, ModelError

OPSET = 17


class Plain(nn.Module):
    """src (1, 3, H, W) and the previous alpha → alpha alone (1, 1, H, W)."""

    def __init__(self, network: Trimapless):
        super().__init__()
        self.network = network

    def forward(self, src: Tensor, *state: Tensor) -> Tensor:
        return self.network(src, *state)[1]


def fixed_onnx(
    network: Trimapless,
    path: Path,
    size: tuple[int, int],
    *,
    src: str = "src",
    prev: str = "prev",
    pha: str = "pha",
) -> None:
    """Write `network` for pictures of `size` (H, W) to `path`: float32, NCHW, opset 17, constants folded.

    src: (1, 3, H, W) RGB in [0, 1]; prev, where the network has memory: (1, 1, H, W); pha: (1, 1, H, W). These names
    may be changed. Raises InputError for a size that is no multiple of the network's stride, ModelError without onnx
    or onnxslim. The file appears whole or not at all.
    """
    height, width = size
    if height < 1 or width < 1 or height % network.stride or width % network.stride:
        raise InputError(f"expected sides that are multiples of {network.stride}, got {height}×{width}; round them")
    blank = [torch.zeros(1, 3, height, width)]
    names = [src]
    if network.cfg.temporal:
        blank.append(torch.zeros(1, 1, height, width))
        names.append(prev)
    with whole_file(path) as file:
        file.write(_slim(Plain(network).eval(), blank, names, pha))


def _slim(module: nn.Module, blank: list[Tensor], names: list[str], output: str) -> bytes:
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
            module, tuple(blank), traced, input_names=names, output_names=[output], opset_version=OPSET, dynamo=False
        )
        slim: Any = onnxslim.slim(traced)
    onnx.checker.check_model(slim, full_check=True)
    return slim.SerializeToString()
