"""A backend around another: the base of all that watch, time, share or steady one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend, State
from koutu.types import Rgb


class WrappedBackend(Backend):
    """Hands everything to `inner`; a subclass changes what it is there for."""

    def __init__(self, inner: Backend):
        self.inner = inner
        self.name, self.needs, self.states, self.stride = inner.name, inner.needs, inner.states, inner.stride
        self.propagates, self.warms_up, self.refines = inner.propagates, inner.warms_up, inner.refines
        self.gated, self.can_resize, self.makes_trimaps = inner.gated, inner.can_resize, inner.makes_trimaps
        self.can_recall = inner.can_recall

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self.inner.network_size(size)

    def initial_state(self, size: tuple[int, int]) -> State:
        return self.inner.initial_state(size)

    def __call__(
        self, rgb: Rgb, state: State, **hints: NDArray[Any]
    ) -> tuple[NDArray[Any] | None, NDArray[np.float32], State]:
        return self.inner(rgb, state, **hints)

    def resized(self, state: State, size: tuple[int, int]) -> State:
        return self.inner.resized(state, size) if self.can_resize else super().resized(state, size)

    def recalled(self, rgb: Rgb, pha: NDArray[np.float32]) -> State:
        return self.inner.recalled(rgb, pha)

    def low(self, state: State) -> bool:
        return self.inner.low(state)

    def trimap(self, rgb: Rgb) -> NDArray[Any]:
        return self.inner.trimap(rgb)


def unwrapped(backend: Backend) -> Backend:
    """The backend behind all wrappers."""
    while isinstance(backend, WrappedBackend):
        backend = backend.inner
    return backend
