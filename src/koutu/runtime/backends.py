"""Inference engines behind one contract: a picture and the memory in, alpha and the new memory out."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from koutu.types import ModelError, Rgb

State: TypeAlias = Any  # opaque: whatever the backend wants back with the next frame


class Backend(Protocol):
    """A network ready to run. It holds no memory of a stream, so one serves many streams."""

    name: str  # what runs, for reports: model, engine, device
    needs: tuple[str, ...]  # hints it cannot do without: "trimap", "mask", "seg", "bgr"
    propagates: bool  # its hints belong to a stream's first frame, and it carries them on

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) that the network wants for pictures of (H, W)."""
        ...

    def initial_state(self, size: tuple[int, int]) -> State:
        """Empty memory for network pictures of (h, w); None or empty for a network without one."""
        ...

    def __call__(
        self, rgb: Rgb, state: State, **hints: NDArray[Any]
    ) -> tuple[NDArray[Any] | None, NDArray[np.float32], State]:
        """rgb (h, w, 3) uint8 → foreground colours, uint8, or None; alpha (h, w) in [0, 1]; the new state.

        hints: uint8 (h, w), "bgr" (h, w, 3).
        """
        ...


class NetworkShape:
    """What every koutu ONNX file says of itself in its metadata: the size it wants and the names of its memory."""

    needs: tuple[str, ...] = ()
    propagates = False

    def __init__(self, path: Path, metadata: dict[str, str]):
        if "koutu" not in metadata:
            raise ModelError(
                f"expected an ONNX file exported by koutu, but {path.name} lacks its metadata; "
                "export the network with `python -m koutu.export.onnx`"
            )
        self.card: dict[str, Any] = json.loads(metadata["koutu"])
        card = self.card
        self.title: str = card["name"]
        self.pixels: int = card["pixels"]
        self.stride: int = card["stride"]
        self.states: dict[str, str] = card["states"]  # input name → output name

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """About `pixels` pixels at the aspect of (H, W), in whole strides, neither side beyond 4 : 1."""
        aspect = min(4.0, max(0.25, size[1] / size[0]))
        height = (self.pixels / aspect) ** 0.5
        return self._whole(height), self._whole(height * aspect)

    def initial_state(self, size: tuple[int, int]) -> dict[str, NDArray[np.float32]]:
        """Nobody was there: zeros (1, 1, h, w)."""
        return {name: np.zeros((1, 1, *size), np.float32) for name in self.states}

    def resized(self, state: dict[str, NDArray[np.float32]], size: tuple[int, int]) -> State:
        """The memory for network pictures of another size (h, w)."""
        return {name: scaled_plane(memory[0, 0], size)[None, None] for name, memory in state.items()}

    def _whole(self, side: float) -> int:
        return max(1, round(side / self.stride)) * self.stride


def scaled_plane(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """A plane (H, W) of a memory at another size (h, w)."""
    import cv2

    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR))


class OnnxBackend(NetworkShape):
    """A koutu ONNX file on ONNX Runtime; device "cpu" or "cuda"."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 0):
        ort = _engine("onnxruntime", "pip install onnxruntime")
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
        session = _open(path, lambda: ort.InferenceSession(str(path), options, providers=[provider]))
        if provider not in session.get_providers():
            raise ModelError(f"onnxruntime could not start {provider} on this machine; use --device cpu")
        super().__init__(path, session.get_modelmeta().custom_metadata_map)
        self._session = session
        self._outputs = [out.name for out in session.get_outputs()]
        self.name = f"{self.title} · onnxruntime {ort.__version__} · {device}"

    def __call__(self, rgb: Rgb, state: State, **hints: NDArray[Any]) -> tuple[None, NDArray[np.float32], State]:
        out = self.run({"rgb": rgb[None], **state})
        return None, out["pha"][0, 0], {name: out[o] for name, o in self.states.items()}

    def run(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Every output of the file by name, of a full set of inputs by name."""
        values = _run(self.name, lambda: self._session.run(self._outputs, feeds))
        return dict(zip(self._outputs, values, strict=True))


class OpenVinoBackend(NetworkShape):
    """A koutu ONNX file on OpenVINO in float32; device "cpu", "gpu" or "npu"."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 0):
        ov = _engine("openvino", "pip install 'koutu[openvino]'")
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
        self._model = _open(path, lambda: core.read_model(path))
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
        values = _run(self.name, lambda: self._compiled_for(feeds)(feeds))
        return {name: values[name] for name in self._outputs}

    def _compiled_for(self, feeds: dict[str, NDArray[Any]]) -> Any:
        shapes = {name: tensor.shape for name, tensor in feeds.items()}
        key = tuple(shapes.items())
        if key not in self._compiled:  # a fixed size runs faster than a dynamic one
            with self._compiling:  # one model, which may be given two sizes by two threads
                self._model.reshape(shapes)
                self._compiled[key] = self._compile(self._model)
        return self._compiled[key]


ENGINES: dict[str, Callable[..., Backend]] = {"onnxruntime": OnnxBackend, "openvino": OpenVinoBackend}


def _engine(module: str, remedy: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as e:
        raise ModelError(f"the engine {module} is not installed; install it with `{remedy}`") from e


def _open(path: Path, read: Callable[[], Any]) -> Any:
    if not path.is_file():
        raise ModelError(f"expected a model file at {path}, found none; `koutu models` lists the packaged ones")
    try:
        return read()
    except Exception as e:
        raise ModelError(f"{path} could not be loaded as an ONNX model ({e}); is the file complete?") from e


def _run(name: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as e:  # engines raise types of their own: out of memory, a lost device, a broken kernel
        raise ModelError(f"{name}: expected alpha of a frame, got {e}; try another --engine or --device") from e


def _has(tree: Any, *keys: str) -> bool:
    for key in keys:
        if key not in tree:
            return False
        tree = tree[key]
    return True
