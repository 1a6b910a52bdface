"""ONNX and TFLite files as the same thing: named tensors in, named tensors out."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from koutu.extras import pip_line
from koutu.types import ModelError

_ONNX_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_ONNX_TYPES |= {
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


@dataclass(frozen=True)
class Port:
    """A tensor of a network: None where a side is dynamic. A quantised one holds level = value / scale + zero."""

    name: str
    shape: tuple[int | None, ...]
    dtype: Any
    scale: float = 0.0
    zero: int = 0


class RunnableGraph(Protocol):
    """A network's file, ready to run."""

    engine: str  # for reports
    inputs: dict[str, Port]
    outputs: dict[str, Port]

    def run(self, feeds: dict[str, NDArray[Any]], wanted: Sequence[str]) -> list[NDArray[Any]]:
        """The outputs `wanted` for a full set of inputs of the ports' types."""
        ...


def open_graph(path: Path, kind: str, *, device: str = "cpu", threads: int = 0) -> RunnableGraph:
    """The file on its engine: kind "onnx" on ONNX Runtime ("cpu" or "cuda"), "tflite" on LiteRT ("cpu")."""
    if not path.is_file():
        raise ModelError(f"expected a model file at {path}, found none; check the path")
    try:
        return {"onnx": OnnxGraph, "tflite": TfliteGraph}[kind](path, device, threads)
    except ModelError:
        raise
    except Exception as e:  # engines raise types of their own
        what = {"onnx": "an ONNX", "tflite": "a TFLite"}[kind]
        raise ModelError(
            f"{path} could not be loaded as {what} model ({e}); is it complete, with the weights that lie beside it?"
        ) from e


class OnnxGraph:
    """An ONNX file on ONNX Runtime; weights in files beside it are found."""

    def __init__(self, path: Path, device: str, threads: int):
        import onnxruntime as ort

        provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}.get(device, device)
        if provider not in ort.get_available_providers():
            raise ModelError(
                f"expected a device that this onnxruntime offers ({', '.join(ort.get_available_providers())}), got "
                f"{device!r}; install onnxruntime-gpu for cuda or use --device cpu"
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        # Threads that wait in a loop would take the cores from decoding and encoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(str(path), options, providers=[provider])
        if provider not in self._session.get_providers():
            raise ModelError(f"onnxruntime could not start {provider} on this machine; use --device cpu")
        self.engine = f"onnxruntime {ort.__version__} · {device}"
        self.inputs = {i.name: _onnx_port(i) for i in self._session.get_inputs()}
        self.outputs = {o.name: _onnx_port(o) for o in self._session.get_outputs()}

    def run(self, feeds: dict[str, NDArray[Any]], wanted: Sequence[str]) -> list[NDArray[Any]]:
        return [np.asarray(out) for out in self._session.run(list(wanted), feeds)]


class TfliteGraph:
    """A TFLite file on LiteRT, by the package ai-edge-litert or its forerunner tflite-runtime."""

    def __init__(self, path: Path, device: str, threads: int):
        if device != "cpu":
            raise ModelError(f"expected device cpu for TFLite files, got {device!r}; use --device cpu")
        package, interpreter = _interpreter()
        self._interpreter = interpreter(model_path=str(path), num_threads=threads or None)
        self._interpreter.allocate_tensors()
        self.engine = f"{package} · cpu"
        self._input_details = {d["name"]: d for d in self._interpreter.get_input_details()}
        self._output_details = {d["name"]: d for d in self._interpreter.get_output_details()}
        self.inputs = {name: _tflite_port(d) for name, d in self._input_details.items()}
        self.outputs = {name: _tflite_port(d) for name, d in self._output_details.items()}
        self._lock = threading.Lock()  # an interpreter holds its tensors, and a backend may serve several streams

    def run(self, feeds: dict[str, NDArray[Any]], wanted: Sequence[str]) -> list[NDArray[Any]]:
        with self._lock:
            self._resize(feeds)
            for name, tensor in feeds.items():
                self._interpreter.set_tensor(self._input_details[name]["index"], tensor)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(self._output_details[name]["index"]) for name in wanted]

    def _resize(self, feeds: dict[str, NDArray[Any]]) -> None:
        changed = [n for n, tensor in feeds.items() if tuple(self._input_details[n]["shape"]) != tensor.shape]
        for name in changed:
            self._interpreter.resize_tensor_input(self._input_details[name]["index"], feeds[name].shape)
        if changed:
            self._interpreter.allocate_tensors()
            self._input_details = {d["name"]: d for d in self._interpreter.get_input_details()}


def _interpreter() -> tuple[str, Any]:
    for package in ("ai_edge_litert", "tflite_runtime"):
        try:
            return package.replace("_", "-"), import_module(f"{package}.interpreter").Interpreter
        except ImportError:
            continue
    raise ModelError(f"TFLite files need the package ai-edge-litert; install it with `{pip_line('tflite')}`")


def _onnx_port(node: Any) -> Port:
    if node.type not in _ONNX_TYPES:
        raise ModelError(f"expected tensors of {', '.join(_ONNX_TYPES)}, got {node.name} of {node.type}")
    shape = tuple(side if isinstance(side, int) and side > 0 else None for side in node.shape)
    return Port(node.name, shape, np.dtype(_ONNX_TYPES[node.type]))


def _tflite_port(details: dict[str, Any]) -> Port:
    shape = tuple(int(side) if side > 0 else None for side in details.get("shape_signature", details["shape"]))
    scale, zero = details["quantization"]
    return Port(details["name"], shape, np.dtype(details["dtype"]), float(scale), int(zero))
