"""A deployed network as an ONNX file: what most converters begin from."""

import io
import tempfile
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch

from koutu.export.deployed import Deployed
from koutu.export.job import Job
from koutu.types import ModelError

OPSET = 17


def trace(job: Job) -> Any:
    """The network as an ONNX model without constants' arithmetic; ModelError for what ONNX has no operator for."""
    import onnx
    import onnxslim

    module, names = job.module, job.module.names
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the tracer warns of every shape check, and prints what it cannot write
        path = str(Path(folder) / "traced.onnx")
        try:
            torch.onnx.export(
                module, tuple(module.example(job.size)), path, input_names=list(names.inputs),
                output_names=list(names.outputs), dynamic_axes=_axes(module), opset_version=OPSET, dynamo=False,
            )  # fmt: skip
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as e:
            reason = str(e).strip().splitlines()[0]
            raise ModelError(
                f"{job.name} cannot be written as ONNX: {reason}; run it by `koutu video --model {job.name}` instead"
            ) from e
        slim: Any = onnxslim.slim(path)
    onnx.checker.check_model(slim, full_check=True)
    return slim


def _axes(module: Deployed) -> dict[str, dict[int, str]]:
    """The sides that may be of any size."""
    if module.geometry.size is not None:
        return {}
    names = module.names
    large, small = {2: "H", 3: "W"}, ({2: "h", 3: "w"} if module.geometry.reduces else {2: "H", 3: "W"})
    axes = {names.source: {1: "H", 2: "W"} if module.inside else large, "pha": large}
    for memory in (*names.states, *names.states.values()):
        axes.setdefault(memory, small)
    return axes
