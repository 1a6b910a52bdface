"""A network as a device sees it: pre-processing, reduction and refinement around it, memory as plain tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.export.geometry import Geometry, Size
from koutu.export.refined import refined, shrunk
from koutu.export.trace import Axes
from koutu.models.base import Network
from koutu.models.tmodnet import TMODNet


@dataclass(frozen=True)
class Names:
    """Of the tensors: source: rgb (1, H, W, 3) uint8 or src (1, 3, H, W) in [0, 1]; states: input → its output."""

    source: str
    states: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("pha",)  # in order: pha, fgr, memory

    @property
    def inputs(self) -> tuple[str, ...]:
        """In order."""
        return (self.source, *self.states)


class Deployed(nn.Module):
    """The picture and the memory → pha (1, 1, H, W), fgr (1, 3, H, W) where the network gives it, and the new memory.

    inside: pictures are (1, H, W, 3) uint8, or else (1, 3, H, W) in [0, 1]. refine: where the network sees less than
    the picture, alpha follows the picture's edges, or else it is enlarged bilinearly. colours: fgr is wanted.
    """

    def __init__(
        self, network: Network, geometry: Geometry, *, inside: bool, refine: bool = False, colours: bool = True
    ):
        super().__init__()
        self.network, self.geometry, self.inside, self.refine = network, geometry, inside, refine
        self.colours = colours and not geometry.reduces
        self.eval()  # the whole: exporters put every part back into the mode that they found the whole in
        self.remembers_alpha = network.remembers_alpha
        self.one_by_one = False  # for converters that know no batches: a picture and its mirror image in turn
        self.names = self._names()

    def forward(self, picture: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        src = as_source(picture) if self.inside else picture
        if not self.geometry.reduces:
            fgr, pha, *memory = self._matted(src, state)
            return pha, *([fgr] if self.colours and fgr is not src else []), *([] if self.remembers_alpha else memory)
        halvings = self.geometry.halvings()
        small = shrunk(src, self._seen(src), halvings)
        _, pha, *memory = self._matted(small, state)
        if self.refine:
            large = refined(pha, src, halvings)
        else:
            large = F.interpolate(pha, size=src.shape[-2:], mode="bilinear", align_corners=False)
        return large, *memory

    def picture(self, rgb: Any) -> Tensor:
        """A picture (H, W, 3) uint8 as `forward` wants it."""
        tensor = torch.from_numpy(rgb)[None]
        return tensor if self.inside else as_source(tensor)

    def initial_state(self, size: Size) -> list[Tensor]:
        """Empty memory for pictures of (H, W)."""
        return list(self.network.initial_state(torch.zeros(1, 3, *self.geometry.network(size))))

    def step(self, rgb: Any, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Alpha (H, W) of a picture (H, W, 3) uint8, and the new memory."""
        with torch.no_grad():
            found = dict(zip(self.names.outputs, self(self.picture(rgb), *state), strict=True))
        return found["pha"][0, 0], [found[output] for output in self.names.states.values()]

    def example(self, size: Size | None = None) -> dict[str, Tensor]:
        """Inputs by name for a blank picture of (H, W), small where that is left out, to trace with."""
        size = size or (2 * self.network.stride, 3 * self.network.stride)
        blank = self.picture(np.zeros((*size, 3), np.uint8))
        return dict(zip(self.names.inputs, [blank, *self.initial_state(size)], strict=True))

    @property
    def axes(self) -> Axes:
        """The sides of its tensors that may be of any size."""
        if self.geometry.size is not None:
            return {}
        large, small = {2: "H", 3: "W"}, ({2: "h", 3: "w"} if self.geometry.reduces else {2: "H", 3: "W"})
        axes = {self.names.source: {1: "H", 2: "W"} if self.inside else large, "pha": large}
        for memory in (*self.names.states, *self.names.states.values()):
            axes.setdefault(memory, small)
        return axes

    def card(self, name: str, pixels: int) -> dict[str, Any]:
        """What an ONNX file of it says of itself, as `koutu.engines.backend` reads it."""
        return {"name": name, "pixels": pixels, "stride": self.network.stride, "states": dict(self.names.states)}

    def _matted(self, src: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if not (self.one_by_one and isinstance(self.network, TMODNet)):
            return self.network(src, *state)
        logits, features = self.network.begin(src, *state)
        pha = self.network.finish(src, *state, logits=logits, features=features)
        return src, pha, pha

    def _seen(self, src: Tensor) -> tuple[Any, Any]:
        """(h, w) of the small picture; numbers of the graph where the size is any."""
        geometry = self.geometry
        if geometry.seen is not None:
            return geometry.seen
        assert geometry.ratio is not None
        p, q = geometry.ratio.numerator, geometry.ratio.denominator * geometry.stride
        return tuple((2 * side * p + q) // (2 * q) * geometry.stride for side in src.shape[-2:])  # type: ignore[return-value]

    def _names(self) -> Names:
        size = self.geometry.size or (4 * self.network.stride,) * 2
        probe = torch.zeros(1, 3, *(self.geometry.seen or size))
        with torch.no_grad():
            state = list(self.network.initial_state(probe))
            gives = self.colours and self.network(probe, *state)[0] is not probe
        source = "rgb" if self.inside else "src"
        if self.remembers_alpha:
            states = {"prev": "small" if self.geometry.reduces else "pha"} if state else {}
        else:
            states = {f"r{i}i": f"r{i}o" for i in range(1, len(state) + 1)}
        memory = [name for name in states.values() if name != "pha"]
        return Names(source, states, ("pha", *(["fgr"] if gives else []), *memory))


def of_any_size(network: Network) -> Deployed:
    """The network as koutu's own ONNX files hold it: rgb (1, H, W, 3) uint8 of any size, and the whole of it seen."""
    return Deployed(network, Geometry(network.stride, None, None), inside=True)


def as_source(rgb: Tensor) -> Tensor:
    """Pictures as engines get them, (1, H, W, 3) uint8, as networks want them: (1, 3, H, W) in [0, 1]."""
    return rgb.permute(0, 3, 1, 2).float() / 255
