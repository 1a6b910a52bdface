"""OpenVINO behind the contract of the engines."""

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend, NetworkShape, State, open_model, require_engine, run_engine
from koutu.extras import pip_line
from koutu.types import ModelError, Rgb


class OpenVinoBackend(NetworkShape, Backend):
    """A koutu ONNX file on OpenVINO in float32; device "cpu", "gpu" or "npu"."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 0):
        ov = require_engine("openvino", pip_line("openvino"))
        core = ov.Core()
        if device.upper() not in {name.split(".")[0] for name in core.available_devices}:
            raise ModelError(
                f"expected one of {', '.join(core.available_devices).lower()} for openvino, got {device!r}, "
                "which this machine does not have; use --device cpu"
            )
        # Without the hint OpenVINO computes in bfloat16 where it can, and the matte differs between machines.
        config: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads and device == "cpu":
            config["INFERENCE_NUM_THREADS"] = threads
        self._model = open_model(path, lambda: core.read_model(path))
        rt_info = self._model.get_rt_info()
        metadata = {"koutu": rt_info["framework"]["koutu"].astype(str)} if _has(rt_info, "framework", "koutu") else {}
        super().__init__(path, metadata)
        self._compile = lambda model: core.compile_model(model, device.upper(), config)
        self._compiled: dict[tuple[Any, ...], Any] = {}
        self._compiling = Lock()
        self._outputs = [out.any_name for out in self._model.outputs]
        self.name = f"{self.title} · openvino {ov.__version__.split('-')[0]} · {device}"

    def __call__(self, rgb: Rgb, state: State, **hints: NDArray[Any]) -> tuple[None, NDArray[np.float32], State]:
        out = self.run({"rgb": rgb[None], **state})
        return None, out["pha"][0, 0], {name: out[o] for name, o in self.states.items()}

    def run(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Every output of the file by name, of a full set of inputs by name."""
        values = run_engine(self.name, lambda: self._compiled_for(feeds)(feeds))
        return {name: values[name] for name in self._outputs}

    def _compiled_for(self, feeds: dict[str, NDArray[Any]]) -> Any:
        shapes = {name: tensor.shape for name, tensor in feeds.items()}
        key = tuple(shapes.items())
        if key not in self._compiled:  # a fixed size runs faster than a dynamic one
            with self._compiling:  # one model, which may be given two sizes by two threads
                self._model.reshape(shapes)
                self._compiled[key] = self._compile(self._model)
        return self._compiled[key]


def _has(tree: Any, *keys: str) -> bool:
    for key in keys:
        if key not in tree:
            return False
        tree = tree[key]
    return True
