"""ONNX files: float32, half floats, or bytes where that costs little."""

import json
import warnings
from pathlib import Path
from typing import Any

from koutu.export.job import Converted, Job
from koutu.export.traced import trace


def convert(job: Job) -> Converted:
    """NAME.onnx of the job's precision; int8 by `koutu.export.eight`, which is given the float32 file."""
    model = trace(job)
    if job.precision == "fp16":
        model = halved(model)
    return Converted(write(job, model), (job.path(".onnx"),), tools=("torch", "onnx", "onnxslim", "onnxruntime"))


def write(job: Job, model: Any) -> Path:
    """The model as NAME.onnx; with koutu's own metadata where its own reader can do without a card."""
    import onnx

    del model.metadata_props[:]
    if own := properties(job):
        onnx.helper.set_model_props(model, {"koutu": json.dumps(own)})
    onnx.save(model, job.path(".onnx"))
    return job.path(".onnx")


def properties(job: Job) -> dict[str, Any]:
    """What a file says of itself that takes uint8 pictures of any size, as `koutu.engines.backend` reads it."""
    module = job.module
    if not module.inside or module.geometry.size is not None or module.geometry.reduces:
        return {}
    return {
        "name": job.name, "pixels": job.pixels, "stride": module.network.stride, "states": dict(module.names.states),
        "precision": {"fp32": "float32", "fp16": "float16"}.get(job.precision, job.precision),
    }  # fmt: skip


def halved(model: Any) -> Any:
    """Weights and arithmetic in half floats; inputs and outputs stay float32, and so does resizing."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of every weight that is too small for a half float
        return convert_float_to_float16(model, keep_io_types=True)
