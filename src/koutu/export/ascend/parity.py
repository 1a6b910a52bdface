"""What a package answers here beside the network it was made of, which sees the exact colours in float32."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.ascend.aipp import Aipp
from koutu.engines.ascend.backend import AscendBackend
from koutu.engines.graph import open_graph
from koutu.export.defaults import FRAMES
from koutu.export.parity import Bounds, ClipDifference, both_rolled_out, compared, pictures, require_parity
from koutu.types import Rgb
from koutu.zoo import SAMPLE

# Chroma at half size, rounded levels and half floats make a difference (docs/ascend.md has what was measured); these
# leave room for other networks and stop one that half floats ruin.
BOUNDS = Bounds(largest=1.0, mean=0.005, dtssd=2.0)


class Exact:
    """The ONNX file that a package was made of, shown what AIPP would show it, without any rounding."""

    def __init__(self, path: Path, aipp: Aipp, src: str, states: dict[str, str], pha: str):
        self._graph = open_graph(path, "onnx", threads=1)
        self._aipp, self._src, self._states, self._pha = aipp, src, states, pha

    def initial_state(self, size: tuple[int, int]) -> dict[str, NDArray[np.float32]]:
        """Zeros."""
        shapes = {name: [side or 1 for side in self._graph.inputs[name].shape] for name in self._states}
        return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}

    def __call__(self, rgb: Rgb, state: dict[str, Any]) -> tuple[None, NDArray[np.float32], dict[str, Any]]:
        wanted = list(dict.fromkeys([self._pha, *self._states.values()]))
        values = self._graph.run({self._src: self._seen(rgb), **state}, wanted)
        found = dict(zip(wanted, values, strict=True))
        return None, self._placed(found[self._pha][0, 0]), {name: found[fed] for name, fed in self._states.items()}

    def _seen(self, rgb: Rgb) -> NDArray[np.float32]:
        """(1, 3, H, W), cropped, normalised and padded in float."""
        top, left, height, width = self._aipp.window
        planes = rgb[top : top + height, left : left + width].transpose(2, 0, 1).astype(np.float64)
        mean = np.add(self._aipp.mean, self._aipp.low).reshape(3, 1, 1)
        planes = (planes - mean) * np.array(self._aipp.scale).reshape(3, 1, 1)
        above, below, before, after = self._aipp.padding
        padded = np.pad(planes, ((0, 0), (above, below), (before, after)), constant_values=self._aipp.fill)
        return padded[None].astype(np.float32)

    def _placed(self, pha: NDArray[np.float32]) -> NDArray[np.float32]:
        top, left, height, width = self._aipp.window
        above, _, before, _ = self._aipp.padding
        whole = np.zeros(self._aipp.source, np.float32)
        whole[top : top + height, left : left + width] = pha[above : above + height, before : before + width]
        return whole


def difference(card: Path, exact: Exact, clip: Path | None = None) -> ClipDifference:
    """Of 60 frames of a clip, the packaged sample if None; both sides with their own memory."""
    backend, clip = AscendBackend(card, threads=1), clip or SAMPLE / "talk.mp4"
    rgb = pictures(clip, backend, FRAMES)
    found, true = both_rolled_out(backend, exact, rgb)
    return compared(found, true, clip.name, (rgb.shape[1], rgb.shape[2]))


def require(found: ClipDifference, bounds: Bounds = BOUNDS) -> None:
    """Raise ParityError where a package is beyond its bounds."""
    require_parity([found], bounds, "the package", "its network", "Half floats may not do for it")
