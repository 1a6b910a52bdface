"""Inference engines behind one contract: a frame and the memory in, alpha and the new memory out."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from koutu.sizes import near_area
from koutu.types import ModelError, Rgb

State: TypeAlias = Any  # opaque: whatever the backend wants back with the next frame


class Backend(ABC):
    """A network ready to run. It holds no memory of a stream, so one serves many streams."""

    name: str  # what runs, for reports: model, engine, device
    needs: tuple[str, ...] = ()  # hints it cannot do without: "trimap", "mask", "seg", "bgr"
    propagates: bool = False  # its hints belong to a stream's first frame, and it carries them on
    warms_up: bool = True  # a memory that begins is the better for a second look at the first frame
    refines: bool = True  # its alpha may follow the edges of the full-size frame
    states: Mapping[str, str] = {}  # memory that is the outputs of the frame before: input name → output name
    stride: int = 0  # what the sides it is shown are multiples of; 0: they are not the caller's to choose
    gated: bool = False  # it may leave a frame to the network's low-resolution branch, which `low` tells
    can_resize: bool = False  # it has `resized`; a memory that cannot be resized starts afresh
    can_recall: bool = False  # it has `recalled`: all that it remembers are the last frame and its alpha
    makes_trimaps: bool = False  # it has `trimap`

    @abstractmethod
    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) that the network wants for frames of (H, W)."""

    @abstractmethod
    def initial_state(self, size: tuple[int, int]) -> State:
        """Empty memory for network frames of (h, w); None or empty for a network without one."""

    @abstractmethod
    def __call__(
        self, rgb: Rgb, state: State, **hints: NDArray[Any]
    ) -> tuple[NDArray[Any] | None, NDArray[np.float32], State]:
        """rgb (h, w, 3) uint8 → foreground colours, uint8, or None; alpha (h, w) in [0, 1]; the new state.

        hints: uint8 (h, w), "bgr" (h, w, 3).
        """

    def resized(self, state: State, size: tuple[int, int]) -> State:
        """The memory for network frames of another size (h, w). Raises ModelError without `can_resize`."""
        raise ModelError(f"expected a memory that can be resized, got that of {self.name}; begin with initial_state")

    def recalled(self, rgb: Rgb, pha: NDArray[np.float32]) -> State:
        """The memory after a frame (h, w, 3) whose alpha was `pha` (h, w). Raises ModelError without `can_recall`."""
        raise ModelError(f"expected a memory of frames and alphas alone, got that of {self.name}; show it the frame")

    def low(self, state: State) -> bool:
        """Whether the network's low-resolution branch alone made the frame that `state` came with."""
        return False

    def trimap(self, rgb: Rgb) -> NDArray[Any]:
        """What it takes the pixels of (H, W, 3) for: 0, 128 and 255. Raises ModelError without `makes_trimaps`."""
        raise ModelError(f"expected a network that makes trimaps (shm), got {self.name}; use it, or a mask")


class NetworkShape:
    """What every koutu ONNX file says of itself in its metadata: the size it wants and the names of its memory."""

    can_resize = True

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
        self.states: Mapping[str, str] = card["states"]  # input name → output name
        self.can_recall = is_alpha_alone(self.states)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """About `pixels` pixels at the aspect of (H, W), in whole strides, neither side beyond 4 : 1."""
        return near_area(size, self.pixels, self.stride)

    def initial_state(self, size: tuple[int, int]) -> dict[str, NDArray[np.float32]]:
        """An empty alpha: zeros (1, 1, h, w)."""
        return {name: np.zeros((1, 1, *size), np.float32) for name in self.states}

    def resized(self, state: dict[str, NDArray[np.float32]], size: tuple[int, int]) -> State:
        """The memory for network frames of another size (h, w)."""
        return {name: scaled_plane(memory[0, 0], size)[None, None] for name, memory in state.items()}

    def recalled(self, rgb: Rgb, pha: NDArray[np.float32]) -> State:
        """The memory after a frame whose alpha was `pha` (h, w)."""
        return {name: pha[None, None] for name in self.states}


def is_alpha_alone(states: Mapping[str, str]) -> bool:
    """Whether such a memory, input name → output name, is the previous alpha and nothing else."""
    return set(states.values()) == {"pha"}


def scaled_plane(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """A plane (H, W) of a memory at another size (h, w)."""
    import cv2

    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR))


def require_engine(module: str, remedy: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as e:
        raise ModelError(f"the engine {module} is not installed; install it with `{remedy}`") from e


def open_model(path: Path, read: Callable[[], Any]) -> Any:
    if not path.is_file():
        raise ModelError(f"expected a model file at {path}, found none; `koutu models` lists the packaged ones")
    try:
        return read()
    except Exception as e:
        raise ModelError(f"{path} could not be loaded as an ONNX model ({e}); is the file complete?") from e


def run_engine(name: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as e:  # engines raise types of their own: out of memory, a lost device, a broken kernel
        raise ModelError(f"{name}: expected alpha of a frame, got {e}; try another --engine or --device") from e
