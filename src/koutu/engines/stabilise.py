"""Alpha that follows what moves: the previous one, carried along by optical flow, counts beside the network's new one.

A network looks at every frame anew, and where it is unsure its answers differ a little from frame to frame, which is
seen as flicker. Where the flow explains the frame, the last answer is as good as the new one, and the mean of many is
better than any. Where it does not (somebody enters, a lamp goes on, the flow is wrong), and where the two alphas
contradict each other, the new one counts alone, so that no mistake is kept. What the network remembers is its own
answer, not the steadied one: else what it doubts would be held down, seen as its past, and doubted again.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend, State
from koutu.engines.wrapped import WrappedBackend
from koutu.types import Rgb

SHARE = 0.85  # of the carried alpha, at most
DISPUTED = 0.25  # of alpha: where the two differ by more, the new one counts alone
TOLERANCE = 24.0  # grey levels, by which a frame that the flow explains may differ
CELL = 2  # pixels to a side of what the flow is found on
_BLUR = 5  # cells over which that difference is averaged


@dataclass(frozen=True)
class SteadyState:
    """memory: the network's; pha (h, w), grey (h / CELL, w / CELL) uint8: of the last frame, None before the first."""

    memory: State
    pha: NDArray[np.float32] | None = None
    grey: NDArray[Any] | None = None


class SteadyBackend(WrappedBackend):
    """A network with its alphas held steady; it remembers its own."""

    def __init__(self, backend: Backend):
        super().__init__(backend)
        self.name = f"{backend.name} · steady"
        self.states, self.can_resize = {}, False  # a frame is remembered too
        self._flow = Flow()

    def initial_state(self, size: tuple[int, int]) -> SteadyState:
        """An empty alpha, and no frame."""
        return SteadyState(self.inner.initial_state(size))

    def __call__(
        self, rgb: Rgb, state: SteadyState, **hints: NDArray[Any]
    ) -> tuple[NDArray[Any] | None, NDArray[np.float32], SteadyState]:
        grey = grey_of(rgb)
        fgr, pha, memory = self.inner(rgb, state.memory, **hints)
        # The very same frame is a second look at it, which is better than the first.
        if state.pha is not None and state.grey is not None and not np.array_equal(grey, state.grey):
            pha = steadied(pha, *self._flow.carry(state.pha, state.grey, grey))
        return fgr, pha, SteadyState(memory, pha, grey)

    def recalled(self, rgb: Rgb, pha: NDArray[np.float32]) -> SteadyState:
        """The memory after a frame whose alpha was `pha` (h, w)."""
        return SteadyState(self.inner.recalled(rgb, pha), pha, grey_of(rgb))

    def low(self, state: SteadyState) -> bool:
        """As of the network."""
        return self.inner.low(state.memory)


class Flow:
    """Optical flow from frame to frame: DIS of Kroeger et al., ECCV 2016."""

    def __init__(self) -> None:
        # It has buffers of its own size, but no memory of frames.
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def carry(
        self, planes: NDArray[np.float32], last: NDArray[Any], grey: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The last frame's planes (h, w, …) where its things are now, and how far that is to be trusted, 0…1 (h, w).

        last, grey: `grey_of` that frame and of this one.
        """
        flow = self._dis.calc(grey, last, None)  # type: ignore[call-overload]  # None: nothing to begin with
        size = planes.shape[1], planes.shape[0]
        x, y = _moved(flow)
        came = cv2.remap(last, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        off = cv2.blur(cv2.absdiff(came, grey).astype(np.float32), (_BLUR, _BLUR))
        trust = np.exp(-((off / TOLERANCE) ** 2))
        trust[(x < 0) | (y < 0) | (x > grey.shape[1] - 1) | (y > grey.shape[0] - 1)] = 0  # it was not in the frame
        flow = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR)
        flow *= (size[0] / grey.shape[1], size[1] / grey.shape[0])
        carried = cv2.remap(planes, *_moved(flow), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        trust = cv2.resize(trust, size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(carried, np.float32), np.asarray(trust, np.float32)


def steadied(pha: NDArray[np.float32], carried: NDArray[np.float32], trust: NDArray[np.float32]) -> NDArray[np.float32]:
    """Both alphas mixed, all (h, w): the carried one counts SHARE × trust, less the more they differ."""
    change = carried - pha
    agreed = np.maximum(0, 1 - np.abs(change) / DISPUTED)
    return np.asarray(pha + SHARE * trust * agreed * change, np.float32)


def held_steady(backend: Backend) -> Backend:
    """The backend, steadied if its only memory is its previous alpha, otherwise as it is."""
    return SteadyBackend(backend) if remembers_alpha(backend) else backend


def remembers_alpha(backend: Backend) -> bool:
    """Whether a backend can be steadied."""
    return set(backend.states.values()) == {"pha"}


def grey_of(rgb: Rgb) -> NDArray[Any]:
    """What the flow is found on."""
    size = _cells((rgb.shape[0], rgb.shape[1]))[::-1]
    return np.asarray(cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA))


def _cells(size: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of what the flow is found on, for network frames of (h, w)."""
    return max(1, size[0] // CELL), max(1, size[1] // CELL)


def _moved(flow: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each pixel of (h, w, 2) was: columns and rows, both (h, w)."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    return x, flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
