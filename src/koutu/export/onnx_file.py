"""Every ONNX file that koutu writes is written here: it passes ONNX's own check, or it is not there."""

import os
from pathlib import Path
from typing import Any

from koutu.files import whole_file
from koutu.types import ModelError


def save(model: Any, path: Path) -> None:
    """Write an onnx.ModelProto; raises ModelError, leaving what was there, if readers could refuse it."""
    require_valid(model, path.name)
    with whole_file(path) as file:
        file.write(model.SerializeToString())


def require_valid(model: Any, name: str | os.PathLike[str]) -> None:
    """Raise ModelError unless nodes are in order, all they read is there, and types and shapes go together."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        reason = " ".join(str(e).split())[:300]
        raise ModelError(
            f"expected {name} to pass ONNX's own check, got: {reason}; nothing was written. This is a fault of the "
            "export, not of the network: try --precision fp32 or another version of onnx, and report it"
        ) from e
