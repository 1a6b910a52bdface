"""ONNX files: float32, half floats, or bytes where that costs little."""

import warnings
from pathlib import Path
from typing import Any

import torch

from koutu.export.job import Converted, Job
from koutu.export.onnx_file import save
from koutu.export.trace import describe, slimmed, traced
from koutu.types import ModelError


def convert(job: Job) -> Converted:
    """NAME.onnx of the job's precision; int8 by `koutu.export.int8.convert`, which is given the float32 file."""
    model = model_of(job)
    if job.precision == "fp16":
        model = halved(model)
    return Converted(write(job, model), (job.path(".onnx"),), tools=("torch", "onnx", "onnxslim", "onnxruntime"))


def model_of(job: Job) -> Any:
    """The network as an ONNX model, what most converters begin from; ModelError for what ONNX has no operator for."""
    module = job.module
    try:
        model = traced(module, module.example(job.size), module.names.outputs, module.axes)
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as e:
        reason = str(e).strip().splitlines()[0]
        raise ModelError(
            f"{job.name} cannot be written as ONNX: {reason}; run it by `koutu video --model {job.name}` instead"
        ) from e
    return slimmed(model)


def write(job: Job, model: Any) -> Path:
    """The model as NAME.onnx; with koutu's own metadata where its own reader can do without a card."""
    del model.metadata_props[:]
    if own := properties(job):
        describe(model, own)
    save(model, job.path(".onnx"))
    return job.path(".onnx")


def properties(job: Job) -> dict[str, Any]:
    """What a file says of itself that takes uint8 pictures of any size, as `koutu.engines.backend` reads it."""
    module = job.module
    if not module.inside or module.geometry.size is not None or module.geometry.reduces:
        return {}
    precision = {"fp32": "float32", "fp16": "float16"}.get(job.precision, job.precision)
    return module.card(job.name, job.pixels) | {"precision": precision}


def halved(model: Any) -> Any:
    """Weights and arithmetic in half floats; inputs and outputs stay float32, and so does resizing."""
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of every weight that is too small for a half float
        half = convert_float_to_float16(model, keep_io_types=True)
    OnnxModel.graph_topological_sort(half.graph)  # casts were added behind the nodes that read them
    return half
