"""An exported file run by the card beside it, whatever engine it is for."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend
from koutu.engines.exported.card import ExportCard, Size, Tensor, is_card, read_card
from koutu.engines.exported.graphs import ENGINES, open_exported
from koutu.sizes import near_area
from koutu.types import ModelError, Rgb

SUFFIXES = (".xml", ".tflite", ".param", ".caffemodel", ".prototxt", ".mlpackage")  # of files that need their card


def card_of(model: str | Path) -> Path | None:
    """The card that `model` is, or that lies beside the file it names; None if it is no exported file.

    Raises ModelError for an exported file of a kind that only runs by a card, when it has none.
    """
    path = Path(model)
    if path.is_dir() and path.suffix != ".mlpackage":  # a package for a device, or a skill with one in build/
        return next((card for card in (path / "card.json", path / "build" / "card.json") if is_card(card)), None)
    if path.suffix == ".json":
        return path
    beside = path.with_name(path.name.split(".")[0] + ".json") if path.suffix == ".param" else path.with_suffix(".json")
    if path.suffix == ".onnx":
        return beside if is_card(beside) and _names(beside, path.name) else None
    if path.suffix not in SUFFIXES:
        return None
    if not is_card(beside):
        raise ModelError(
            f"expected the card {beside.name} beside {path}, found none; keep both where `koutu export` put"
        )
    return beside


def _names(card: Path, file: str) -> bool:
    """Whether the card is about this very file; another network's may lie beside an ONNX file of the same name."""
    return file in read_card(card, check_files=False).files


class ExportedBackend(Backend):
    """The export that the card at `path` is about; device: what its engine offers, threads: 0 for its choice.

    engine: one of those that run the card's target, the first if None. Raises ModelError where the card and its files
    do not go together, or the engine is not here.
    """

    def __init__(self, path: Path, *, engine: str | None = None, device: str = "cpu", threads: int = 0):
        self.card: ExportCard = read_card(path)
        known = ENGINES.get(self.card.target, ())
        if engine is not None and engine not in known:
            raise ModelError(
                f"expected an engine for {self.card.target} ({', '.join(known) or 'none here'}), got {engine!r}"
            )
        self._graph = open_exported(self.card, engine, device, threads)
        self.engine = self._graph.engine
        alpha = self.card.outputs["pha"].name  # what converters call it: for `koutu.engines.stabilise` it is pha
        self.states = {name: "pha" if fed == alpha else fed for name, fed in self.card.states.items()}
        self.name = f"{self.card.name} · {self.card.main} · {self._graph.engine}"
        self._wanted = list(dict.fromkeys([*(t.name for t in self.card.outputs.values()), *self.card.states.values()]))

    def network_size(self, size: Size) -> Size:
        """(h, w) that the file takes of frames of (H, W): its own, theirs, or about `pixels` in whole strides."""
        card = self.card
        if card.size is not None or card.ratio is not None:
            return card.size or size
        return near_area(size, card.pixels, card.stride)

    def initial_state(self, size: Size) -> dict[str, NDArray[np.float32]]:
        """Zeros for each memory, for frames of (h, w) as `network_size` gives them; empty without memory."""
        seen = self.card.seen(size)
        sides = {"h": seen[0], "w": seen[1], "H": size[0], "W": size[1]}
        return {
            memory.name: np.zeros([sides[s] if isinstance(s, str) else s for s in memory.shape], np.float32)
            for memory in self.card.memories
        }

    def __call__(
        self, rgb: Rgb, state: dict[str, NDArray[np.float32]], **hints: NDArray[Any]
    ) -> tuple[NDArray[Any] | None, NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        feeds = self.feeds(rgb, state)
        found = self.run(feeds)
        outputs = self.card.outputs
        pha = _planes(found[outputs["pha"].name], outputs["pha"])[0]
        colours = None
        if "fgr" in outputs:
            planes = _planes(found[outputs["fgr"].name], outputs["fgr"])
            colours = np.rint(np.clip(planes, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
        return colours, pha, {name: found[output] for name, output in self.card.states.items()}

    def feeds(self, rgb: Rgb, state: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """All inputs of the file by name, for a frame (h, w, 3) uint8 of the file's size."""
        if self.card.size is not None and rgb.shape[:2] != self.card.size:
            raise ModelError(
                f"{self.name}: expected a frame of {self.card.size} (h, w), got {rgb.shape[:2]}; scale it first"
            )
        return {self.card.source.name: picture_as(rgb, self.card.source), **state}

    def run(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """What is needed of the outputs, by name."""
        try:
            return dict(zip(self._wanted, self._graph.run(feeds, self._wanted), strict=True))
        except ModelError:
            raise
        except Exception as e:  # engines raise types of their own
            shapes = ", ".join(f"{name} {tensor.shape}" for name, tensor in feeds.items())
            raise ModelError(f"{self.name}: expected alpha of a frame, got {e} with the inputs {shapes}") from e


def picture_as(rgb: Rgb, source: Tensor) -> NDArray[Any]:
    """A frame (h, w, 3) uint8 as an input wants it."""
    values = rgb if source.levels == "0-255" else rgb.astype(np.float32) / np.float32(255)
    values = values.astype(source.dtype, copy=False)
    if source.layout in ("NCHW", "CHW"):
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values if source.layout == "CHW" else values[None])


def _planes(tensor: NDArray[Any], entry: Tensor) -> NDArray[np.float32]:
    """An output as (C, h, w) float32."""
    values = tensor[0] if entry.layout in ("NCHW", "NHWC") else tensor
    return np.asarray(values.transpose(2, 0, 1) if entry.layout == "NHWC" else values, np.float32)
