"""Engines for the files of `koutu export` that are no ONNX or TFLite: OpenVINO, ncnn, Core ML, Caffe."""

import platform
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from koutu.engines.exported.card import ExportCard
from koutu.extras import pip_line
from koutu.types import ModelError

# target → engines that run its files, the first unless another is asked for
ENGINES: dict[str, tuple[str, ...]] = {
    "onnx": ("onnxruntime", "openvino"), "openvino": ("openvino",), "tflite": ("litert",), "coreml": ("coreml",),
    "ncnn": ("ncnn",), "caffe": ("opencv4",),
}  # fmt: skip

Feeds = dict[str, NDArray[Any]]


class Runs(Protocol):
    """A file ready to run. engine: for reports."""

    engine: str

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[NDArray[Any]]:
        """The outputs `wanted`, of all inputs by name."""
        ...


def open_exported(card: ExportCard, engine: str | None, device: str, threads: int) -> Runs:
    """The card's file on an engine of its target; ModelError where it cannot run here."""
    if card.target not in ENGINES:
        raise ModelError(
            f"expected the card of a file that runs here ({', '.join(ENGINES)}), got {card.target} in {card.path}; "
            "use what its documentation says"
        )
    engine = engine or ENGINES[card.target][0]
    file = card.path.parent / card.main
    if engine in ("onnxruntime", "litert"):
        from koutu.engines.graph import open_graph

        return open_graph(file, {"onnxruntime": "onnx", "litert": "tflite"}[engine], device=device, threads=threads)
    if engine == "openvino":
        return OpenVinoGraph(file, device, threads)
    if device != "cpu":
        raise ModelError(f"expected device cpu for {card.target}, got {device!r}; use --device cpu")
    if engine == "ncnn":
        return NcnnGraph(file, threads, half=card.content.get("precision") == "fp16")
    if engine == "coreml":
        return CoreMlGraph(file, card.source.layout == "image")
    from koutu.engines.exported.caffe import CaffeGraph

    return CaffeGraph(file)


class OpenVinoGraph:
    """An .xml with its .bin, or an .onnx, on OpenVINO in float32; each size is compiled when it first comes."""

    def __init__(self, path: Path, device: str, threads: int):
        ov = engine_module("openvino", pip_line("openvino"))
        core = ov.Core()
        if device.upper() not in {name.split(".")[0] for name in core.available_devices}:
            found = ", ".join(core.available_devices).lower()
            raise ModelError(f"expected one of {found} for openvino, got {device!r}; use --device cpu")
        # Without the hint OpenVINO computes in bfloat16 where it can, and the matte differs between machines.
        config: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads and device == "cpu":
            config["INFERENCE_NUM_THREADS"] = threads
        self._model = opened(path, lambda: core.read_model(path))
        self._compile = lambda: core.compile_model(self._model, device.upper(), config)
        self._compiled: dict[tuple[Any, ...], Any] = {}
        self.engine = f"openvino {ov.__version__.split('-')[0]} · {device}"

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[NDArray[Any]]:
        shapes = {name: tensor.shape for name, tensor in feeds.items()}
        key = tuple(shapes.items())
        if key not in self._compiled:
            self._model.reshape(shapes)
            self._compiled[key] = self._compile()
        found = self._compiled[key](feeds)
        return [np.array(found[name]) for name in wanted]


class NcnnGraph:
    """NAME.ncnn.param with its .bin on ncnn; tensors (C, h, w). half: half floats, or else nothing but floats."""

    def __init__(self, path: Path, threads: int, *, half: bool):
        ncnn = engine_module("ncnn", "pip install ncnn")
        self._ncnn, self._net = ncnn, ncnn.Net()
        options = self._net.opt
        for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(options, name, half and "fp16" in name)
        options.openmp_blocktime = 0  # threads that wait in a loop would take the cores from decoding and encoding
        if threads:
            options.num_threads = threads
        weights = path.with_suffix(".bin")
        if self._net.load_param(str(path)) or self._net.load_model(str(weights)):
            raise ModelError(f"{path} and {weights.name} could not be loaded by ncnn; are both complete?")
        self.engine = f"ncnn {getattr(ncnn, '__version__', '')} · cpu"

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[NDArray[Any]]:
        extractor = self._net.create_extractor()
        mats = {name: self._ncnn.Mat(tensor) for name, tensor in feeds.items()}
        for name, mat in mats.items():
            extractor.input(name, mat)
        found = []
        for name in wanted:
            failed, mat = extractor.extract(name)
            if failed:
                raise ModelError(f"ncnn could not compute {name} (code {failed}); export the network anew")
            found.append(np.array(mat))
        return found


class CoreMlGraph:
    """An .mlpackage on Core ML, which macOS alone has."""

    def __init__(self, path: Path, picture: bool):
        if platform.system() != "Darwin":
            raise ModelError(
                f"expected macOS to run {path.name}, got {platform.system()}; run it there, or export --to onnx"
            )
        ct = engine_module("coremltools", pip_line("coreml"))
        self._model = opened(path, lambda: ct.models.MLModel(str(path)))
        self._picture, self._lock = picture, threading.Lock()
        self.engine = f"coreml · coremltools {ct.__version__}"

    def run(self, feeds: Feeds, wanted: Sequence[str]) -> list[NDArray[Any]]:
        from PIL import Image

        given: dict[str, Any] = dict(feeds)
        if self._picture:
            given |= {n: Image.fromarray(t[0]) for n, t in feeds.items() if t.dtype == np.uint8}
        with self._lock:
            found = self._model.predict(given)
        return [np.asarray(found[name]) for name in wanted]


def engine_module(name: str, remedy: str) -> Any:
    """The module, or a ModelError with the remedy."""
    try:
        return import_module(name)
    except ImportError as e:
        raise ModelError(f"the engine {name} is not installed; install it with `{remedy}`") from e


def opened(path: Path, read: Any) -> Any:
    """What `read` gives; a ModelError that names the file if it cannot."""
    try:
        return read()
    except Exception as e:  # engines raise types of their own
        raise ModelError(f"{path} could not be loaded ({str(e).strip()[-300:]}); is the file complete?") from e
