"""A network shown fewer pixels than it asks for, so that a slow machine keeps up."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend, State
from koutu.types import Rgb

SHARES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18)  # of the pixels a network asks for, from the largest to the smallest


class SizedBackend:
    """`inner` at `share` of its pixels, where it can be shown any size; `sizes`: whether it can.

    The share may be changed between two frames; the memory goes along (`koutu.matting.matter`).
    """

    def __init__(self, inner: Backend, share: float = 1.0):
        self.inner, self.share = inner, share
        self.name, self.needs, self.propagates = inner.name, inner.needs, inner.propagates
        self._stride = stride_of(inner)
        self.sizes = self._stride is not None

    def __getattr__(self, name: str) -> Any:
        """What only some backends have: `warms_up`, `refines`, `resized`, …"""
        return getattr(self.inner, name)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) that the network is shown of pictures of (H, W)."""
        return self.size_at(self.share, size)

    def size_at(self, share: float, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) at a share of the pixels, for pictures of (H, W)."""
        height, width = self.inner.network_size(size)
        if self._stride is None or share == 1:
            return height, width
        scale = share**0.5 / self._stride
        return max(1, round(height * scale)) * self._stride, max(1, round(width * scale)) * self._stride

    def initial_state(self, size: tuple[int, int]) -> State:
        """As of the network."""
        return self.inner.initial_state(size)

    def __call__(
        self, rgb: Rgb, state: State, **hints: NDArray[Any]
    ) -> tuple[NDArray[Any] | None, NDArray[np.float32], State]:
        return self.inner(rgb, state, **hints)

    def warm(self, share: float, size: tuple[int, int]) -> None:
        """Run the network once as for pictures of (H, W) at that share: engines compile or plan each size anew."""
        small = self.size_at(share, size)
        self.inner(np.zeros((*small, 3), np.uint8), self.inner.initial_state(small))


def stride_of(backend: Any) -> int | None:
    """What the sides of a koutu network's input are multiples of; None of networks whose size is not ours to choose."""
    while hasattr(backend, "inner"):
        backend = backend.inner
    return getattr(backend, "stride", None)
