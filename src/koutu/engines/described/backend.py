"""Other people's ONNX and TFLite networks under the contract of koutu's own, each by a description in YAML."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend
from koutu.engines.described.binding import bind, constant_values
from koutu.engines.described.description import Description
from koutu.engines.described.levels import decode_alpha, decode_colours, encode, laid_out
from koutu.engines.graph import open_graph
from koutu.types import ModelError, Rgb

Size = tuple[int, int]


class DescribedBackend(Backend):
    """A network of `description` in the file `path`, run as its makers do.

    Its alpha is scaled to the picture bilinearly and nothing more, and it sees the first frame of a stream once, unless
    its `Matter` is told otherwise. device: "cpu", for ONNX "cuda" too; threads: 0 for the engine's choice. constants:
    values for constant inputs, by name, instead of those of the description. Raises ModelError where file and
    description do not fit.
    """

    refines = False
    warms_up = False

    def __init__(
        self,
        description: Description,
        path: Path,
        *,
        device: str = "cpu",
        threads: int = 0,
        constants: Mapping[str, float] | None = None,
    ):
        self.description = description
        self._graph = open_graph(path, description.format, device=device, threads=threads)
        self._bound = bind(description, self._graph, path.name)
        self.name = f"{description.title} · {path.name} · {self._graph.engine}"
        self._constants = constant_values(self._bound, constants or {}, self.name)
        self.needs: tuple[str, ...] = description.hints

    def network_size(self, size: Size) -> Size:
        """What the network is shown of frames of (H, W), without the padding of a letterbox."""
        return self.description.size.content(size, self._bound.static)

    def initial_state(self, size: Size) -> dict[str, NDArray[Any]]:
        """Zeros for each state, by the name of its input; empty for a network without memory."""
        canvas = self._canvas(size)
        return {
            name: np.zeros([_side(side, canvas) for side in entry.shape or ()], port.dtype)
            for name, (entry, port, _) in self._bound.states.items()
        }

    def __call__(
        self, rgb: Rgb, state: dict[str, NDArray[Any]] | None, **hints: NDArray[Any]
    ) -> tuple[NDArray[Any] | None, NDArray[np.float32], dict[str, NDArray[Any]]]:
        size = rgb.shape[0], rgb.shape[1]
        canvas = self._canvas(size)
        pictures = {"src": rgb, **hints}
        feeds = dict(self.initial_state(size) if state is None else state)
        for entry, port in self._bound.pictures:
            if entry.kind not in pictures:
                raise ModelError(f"{self.name}: expected the hint {entry.kind}, got {', '.join(hints) or 'none'}")
            feeds[port.name] = encode(pictures[entry.kind], entry, port, canvas)
        feeds |= {name: self._constant(name, canvas) for name in self._constants}
        tensors = self._run(feeds)
        fgr = self._decoded("fgr", tensors, size, canvas) if "fgr" in self._bound.outputs else None
        pha = self._decoded("pha", tensors, size, canvas)
        return fgr, pha, {name: tensors[output] for name, (_, _, output) in self._bound.states.items()}

    def _run(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        wanted = {port.name for port in self._bound.outputs.values()}
        wanted |= {output for _, _, output in self._bound.states.values()}
        try:
            return dict(zip(wanted, self._graph.run(feeds, list(wanted)), strict=True))
        except Exception as e:  # engines raise types of their own: a size the network cannot take, a lost device
            shapes = ", ".join(f"{name} {tensor.shape}" for name, tensor in feeds.items())
            raise ModelError(f"{self.name}: expected alpha of a frame, got {e} with the inputs {shapes}") from e

    def _decoded(self, key: str, tensors: dict[str, NDArray[Any]], size: Size, canvas: Size) -> NDArray[Any]:
        """Alpha or colours of the content, at its size."""
        entry, port = self.description.outputs[key], self._bound.outputs[key]
        tensor = laid_out(tensors[port.name], entry, port, canvas, self.name)
        tensor = _cropped(tensor, entry.layout, size, canvas)
        decode = decode_alpha if key == "pha" else decode_colours
        picture: NDArray[Any] = decode(tensor, entry, port, self.name)
        if picture.shape[:2] != size:
            picture = np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_LINEAR))
        if picture.ndim == 3 and self._bound.source.channels == "bgr":
            picture = np.ascontiguousarray(picture[..., ::-1])
        return picture

    def _canvas(self, size: Size) -> Size:
        """(h, w) of the network's input for content of (h, w), checked against the file."""
        static = self._bound.static
        canvas = self.description.size.canvas(size, static)
        if canvas != (static or canvas) or size[0] > canvas[0] or size[1] > canvas[1]:
            raise ModelError(
                f"{self.name}: expected a frame of {static or canvas} (h, w), got {size}; scale it to network_size"
            )
        return canvas

    def _constant(self, name: str, canvas: Size) -> NDArray[Any]:
        entry, port = self._bound.constants[name]
        value = self._constants[name]
        value = min(1.0, entry.longest / max(canvas)) if value is None else value
        return np.full([side or 1 for side in port.shape], value, port.dtype)


def _side(side: int | str, canvas: Size) -> int:
    if isinstance(side, int):
        return side
    letter, _, divisor = side.partition("/")
    return math.ceil(canvas["hw".index(letter)] / int(divisor or 1))


def _cropped(tensor: NDArray[Any], layout: str, size: Size, canvas: Size) -> NDArray[Any]:
    """Without the padding of a letterbox; an output smaller than the canvas has as much less of it."""
    if size == canvas or tensor.ndim < 2:
        return tensor
    axis = tensor.ndim - (3 if layout == "NHWC" and tensor.ndim > 2 else 2)
    for at, (inner, outer) in enumerate(zip(size, canvas, strict=True), axis):
        scale, start = tensor.shape[at] / outer, (outer - inner) // 2
        first, last = round(start * scale), round((start + inner) * scale)
        tensor = np.take(tensor, range(first, max(first + 1, last)), at)
    return tensor
