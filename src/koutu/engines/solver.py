"""Classical matting behind the contract of the engines: a trimap in, the solution of a sparse system out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.classical import Method, solve_alpha
from koutu.engines.backend import Backend
from koutu.types import Rgb

LONGEST = 800  # side of the frame that is solved; its alpha then follows the full-size edges


class SolverBackend(Backend):
    """Closed-form or KNN matting; no memory, needs a trimap."""

    needs: tuple[str, ...] = ("trimap",)

    def __init__(self, method: Method):
        self.method: Method = method
        self.name = f"{method} · pymatting · cpu"

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """At most 800 pixels a side."""
        scale = min(1.0, LONGEST / max(size))
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    def initial_state(self, size: tuple[int, int]) -> list[Any]:
        """Nothing is remembered."""
        return []

    def __call__(
        self, rgb: Rgb, state: list[Any], **hints: NDArray[Any]
    ) -> tuple[None, NDArray[np.float32], list[Any]]:
        return None, solve_alpha(rgb, hints["trimap"], self.method), state
