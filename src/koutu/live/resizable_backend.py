"""A network shown fewer pixels than it asks for, so that a slow machine keeps up."""

import numpy as np

from koutu.engines.backend import Backend
from koutu.engines.wrapped import WrappedBackend

SHARES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18)  # of the pixels a network asks for, from the largest to the smallest


class SizedBackend(WrappedBackend):
    """`inner` at `share` of its pixels, where it can be shown any size; `sizes`: whether it can.

    The share may be changed between two frames; the memory goes along (`koutu.matting.matter`).
    """

    def __init__(self, inner: Backend, share: float = 1.0):
        super().__init__(inner)
        self.share, self.sizes = share, inner.stride > 0

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) that the network is shown of frames of (H, W)."""
        return self.size_at(self.share, size)

    def size_at(self, share: float, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) at a share of the pixels, for frames of (H, W)."""
        height, width = self.inner.network_size(size)
        if not self.sizes or share == 1:
            return height, width
        scale = share**0.5 / self.stride
        return max(1, round(height * scale)) * self.stride, max(1, round(width * scale)) * self.stride

    def warm(self, share: float, size: tuple[int, int]) -> None:
        """Run the network once as for frames of (H, W) at that share: engines compile or plan each size anew."""
        small = self.size_at(share, size)
        self.inner(np.zeros((*small, 3), np.uint8), self.inner.initial_state(small))
