"""A package for an Ascend chip, run on the host: what the chip would answer, its way into the network to the bit.

The frame becomes the camera's bytes, those go through AIPP (`koutu.engines.ascend.aipp`), and the network runs on
ONNX Runtime with what goes in and comes out rounded to half floats. Between, the host computes in float32 where the
chip rounds after every operator.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.color import rgb_to_yuv
from koutu.engines.ascend.aipp import Aipp, read_aipp
from koutu.engines.backend import Backend
from koutu.engines.exported.card import ExportCard, read_card
from koutu.engines.graph import open_graph
from koutu.types import ColorSpace, ModelError, Rgb

SOURCES = ("nv21", "nv12", "rgb888", "bgr888")
State = dict[str, NDArray[np.float32]]


class AscendBackend(Backend):
    """What the card.json of `koutu.export.ascend.write_package` is about; device: "cpu"; threads: 0 for the engine's.

    Frames are as large as AIPP takes them. Raises ModelError where card, AIPP and network do not go together.
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 0):
        self.card: ExportCard = read_card(path)
        about = self.card.content.get("ascend")
        if not isinstance(about, dict) or about.get("source_format") not in SOURCES or "aipp" not in about:
            raise ModelError(f"{path}: expected the card of a package for Ascend, got one for {self.card.target}")
        self.source_format: str = about["source_format"]
        self.space = ColorSpace(about.get("matrix", "bt601"), bool(about.get("full_range", False)))
        self.aipp = _aipp_of(self.card, about["aipp"])
        self._graph = open_graph(path.parent / self.card.main, "onnx", device=device, threads=threads)
        seen = self._graph.inputs[self.card.source.name].shape
        if tuple(seen) != (1, 3, *self.aipp.output):
            raise ModelError(f"{path}: expected AIPP to give what the network takes, {seen}, got {self.aipp.output}")
        self.states = self.card.states
        self.name = f"{self.card.name} · {about.get('soc', 'Ascend')} simulated · {self._graph.engine}"
        self._wanted = list(dict.fromkeys([self.card.outputs["pha"].name, *self.states.values()]))

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of the camera's picture, whatever the frame's."""
        return self.aipp.source

    def initial_state(self, size: tuple[int, int]) -> State:
        """Zeros for each memory."""
        return {memory.name: np.zeros(_sides(memory.shape), np.float32) for memory in self.card.memories}

    def __call__(self, rgb: Rgb, state: State, **hints: NDArray[Any]) -> tuple[None, NDArray[np.float32], State]:
        if rgb.shape != (*self.aipp.source, 3):
            raise ModelError(f"{self.name}: expected a frame {(*self.aipp.source, 3)}, got {rgb.shape}; scale it")
        pha, state = self.infer(camera_bytes(rgb, self.source_format, self.space), state)
        return None, self._placed(pha), state

    def infer(self, data: NDArray[np.uint8], state: State) -> tuple[NDArray[np.float32], State]:
        """A camera's bytes and the memory → alpha (H, W) of the network's size, and the new memory; as the .om does."""
        feeds = {self.card.source.name: self.aipp(data), **{name: _half(tensor) for name, tensor in state.items()}}
        try:
            values = self._graph.run(feeds, self._wanted)
        except Exception as e:  # engines raise types of their own
            raise ModelError(f"{self.name}: expected alpha of a frame, got {e}; is the memory this network's?") from e
        found = {name: _half(value) for name, value in zip(self._wanted, values, strict=True)}
        return found[self.card.outputs["pha"].name][0, 0], {name: found[fed] for name, fed in self.states.items()}

    def _placed(self, pha: NDArray[np.float32]) -> NDArray[np.float32]:
        """Alpha where the network looked, nobody elsewhere; of the camera's size."""
        top, left, height, width = self.aipp.window
        above, _, before, _ = self.aipp.padding
        part = pha[above : above + height, before : before + width]
        if (height, width) == self.aipp.source:
            return part
        whole = np.zeros(self.aipp.source, np.float32)
        whole[top : top + height, left : left + width] = part
        return whole


def camera_bytes(rgb: Rgb, source_format: str, space: ColorSpace) -> NDArray[np.uint8]:
    """A frame (H, W, 3) as a camera hands it over, flat: nv21, nv12 (both sides even), rgb888 or bgr888."""
    if source_format not in SOURCES:
        raise ModelError(f"expected a format of {', '.join(SOURCES)}, got {source_format!r}; choose one")
    if source_format in ("rgb888", "bgr888"):
        return np.ascontiguousarray(rgb if source_format == "rgb888" else rgb[..., ::-1], np.uint8).reshape(-1)
    if rgb.shape[0] % 2 or rgb.shape[1] % 2:
        raise ModelError(f"expected even sides for {source_format}, got {rgb.shape[1]}×{rgb.shape[0]}; scale it first")
    yuv = rgb_to_yuv(rgb, space)
    pair = (yuv.v, yuv.u) if source_format == "nv21" else (yuv.u, yuv.v)
    return np.concatenate([yuv.y.reshape(-1), np.stack(pair, axis=-1).reshape(-1)]).astype(np.uint8, copy=False)


def _aipp_of(card: ExportCard, name: str) -> Aipp:
    found = read_aipp(card.path.parent / name)
    if len(found) != 1 or found[0].rank != 0:
        raise ModelError(f"{card.path}: expected one aipp_op for the first input in {name}, got {len(found)}")
    return found[0]


def _sides(shape: tuple[int | str, ...]) -> list[int]:
    if any(isinstance(side, str) for side in shape):
        raise ModelError(f"expected fixed sizes of the memory, got {shape}; export the package anew")
    return [int(side) for side in shape]


def _half(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float16).astype(np.float32)
