"""A torch module traced into ONNX, slimmed, and given the card that koutu's own reader asks for."""

import io
import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from koutu.export.onnx_file import require_valid, save
from koutu.extras import pip_line
from koutu.types import ModelError

OPSET = 17

Axes = Mapping[str, dict[int, str]]  # of tensors, which sides may be of any size, and what they are called


def traced(
    module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str] = (), axes: Axes | None = None
) -> bytes:
    """The module in evaluation mode as the bytes of an ONNX file, for these inputs.

    Raises what PyTorch raises where ONNX has no operator: OnnxExporterError or RuntimeError.
    """
    file: Any = io.BytesIO()  # open files are taken too, whatever the types say
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the tracer warns of every shape check, and prints what it cannot write
        torch.onnx.export(
            module.eval(), tuple(inputs.values()), file, input_names=list(inputs), output_names=list(outputs),
            dynamic_axes=axes, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    return file.getvalue()


def slimmed(model: bytes) -> Any:
    """A traced model without what depends on no input, checked; raises ModelError without onnx or onnxslim."""
    try:
        import onnx
        import onnxslim
    except ModuleNotFoundError as e:
        raise ModelError(f"exporting needs {e.name}, found none; {pip_line('export')}") from e
    slim: Any = onnxslim.slim(onnx.load_from_string(model))
    require_valid(slim, "the network in ONNX")
    return slim


def compact(model: bytes) -> bytes:
    """A traced model slimmed, which takes paddings into convolutions, with equal constants once; as `slimmed`."""
    slim = slimmed(model)
    import onnx

    first: dict[tuple[Any, ...], str] = {}
    shared: dict[str, str] = {}
    for tensor in list(slim.graph.initializer):
        content = tensor.data_type, tuple(tensor.dims), onnx.numpy_helper.to_array(tensor).tobytes()
        if (name := first.setdefault(content, tensor.name)) != tensor.name:
            shared[tensor.name] = name
            slim.graph.initializer.remove(tensor)
    for node in slim.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = shared.get(name, name)
    return slim.SerializeToString()


def describe(model: Any, card: Mapping[str, Any]) -> None:
    """Write the card into the metadata of an ONNX model, where `koutu.engines.backend` reads it."""
    import onnx

    onnx.helper.set_model_props(model, {"koutu": json.dumps(card)})


def write_described(path: Path, model: bytes, card: Mapping[str, Any]) -> None:
    """Write a traced model to `path` with the card in its metadata."""
    import onnx

    found = onnx.load_from_string(model)
    describe(found, card)
    save(found, path)


def described(path: Path) -> tuple[Any, dict[str, Any]]:
    """An ONNX file of koutu's, and the card in its metadata."""
    import onnx

    model = onnx.load(path)
    return model, json.loads({entry.key: entry.value for entry in model.metadata_props}["koutu"])
