"""ONNX Runtime behind the contract of the engines."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend, NetworkShape, State, open_model, require_engine, run_engine
from koutu.types import ModelError, Rgb

_REMEDY = "pip install onnxruntime"


def open_session(path: Path, device: str = "cpu", threads: int = 0) -> Any:
    """The session of an ONNX file; raises ModelError, also for a device that is not there."""
    ort = require_engine("onnxruntime", _REMEDY)
    providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    provider = providers.get(device)
    if provider not in ort.get_available_providers():
        raise ModelError(
            f"expected device {' or '.join(providers)} for onnxruntime, got {device!r}, which this build of "
            f"onnxruntime does not offer ({', '.join(ort.get_available_providers())}); "
            "install onnxruntime-gpu for CUDA or use --device cpu"
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that wait in a loop would take the cores from decoding and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = open_model(path, lambda: ort.InferenceSession(str(path), options, providers=[provider]))
    if provider not in session.get_providers():
        raise ModelError(f"onnxruntime could not start {provider} on this machine; use --device cpu")
    return session


class OnnxBackend(NetworkShape, Backend):
    """A koutu ONNX file on ONNX Runtime; device "cpu" or "cuda"."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 0):
        session = open_session(path, device, threads)
        super().__init__(path, session.get_modelmeta().custom_metadata_map)
        self._session = session
        self._outputs = [out.name for out in session.get_outputs()]
        version = require_engine("onnxruntime", _REMEDY).__version__
        self.name = f"{self.title} · onnxruntime {version} · {device}"

    def __call__(self, rgb: Rgb, state: State, **hints: NDArray[Any]) -> tuple[None, NDArray[np.float32], State]:
        out = self.run(self.feeds(rgb, state))
        return None, out["pha"][0, 0], {name: out[o] for name, o in self.states.items()}

    def feeds(self, rgb: Rgb, state: State) -> dict[str, NDArray[Any]]:
        """All inputs of the file by name, for a frame (h, w, 3) uint8."""
        return {"rgb": rgb[None], **state}

    def run(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Every output of the file by name, of a full set of inputs by name."""
        values = run_engine(self.name, lambda: self._session.run(self._outputs, feeds))
        return dict(zip(self._outputs, values, strict=True))
