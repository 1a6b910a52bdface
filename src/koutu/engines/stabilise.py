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

from koutu.engines.backend import Backend, State, is_alpha_alone
from koutu.engines.wrapped import WrappedBackend
from koutu.sparse import places, sampled
from koutu.types import Rgb

SHARE = 0.85  # of the carried alpha, at most
DISPUTED = 0.25  # of alpha: where the two differ by more, the new one counts alone
TOLERANCE = 24.0  # grey levels, by which a frame that the flow explains may differ
CELL = 2  # pixels to a side of what the flow is found on
MANY = 0.2  # share of unsure pixels, from which on it is quicker to steady all
SURE = 1 / 255  # of alpha: where both are within this of the same end, there is nothing to steady
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
            pha = self._flow.steady(pha, state.pha, state.grey, grey)
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
        return self._carried(planes, *self._found(last, grey)[:2])

    def _carried(
        self, planes: NDArray[np.float32], flow: NDArray[np.float32], trust: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        size, height, width = (planes.shape[1], planes.shape[0]), *trust.shape
        whole = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR)
        whole = np.asarray(whole * np.array([size[0] / width, size[1] / height], np.float32), np.float32)
        carried = cv2.remap(planes, *_moved(whole), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        trusted = cv2.resize(trust, size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(carried, np.float32), np.asarray(trusted, np.float32)

    def steady(
        self, pha: NDArray[np.float32], before: NDArray[np.float32], last: NDArray[Any], grey: NDArray[Any]
    ) -> NDArray[np.float32]:
        """`steadied` with the alpha `before` carried along, looked up only where one of the two is unsure."""
        flow, trust, moved = self._found(last, grey)
        small = grey.shape[1], grey.shape[0]
        came, now = (cv2.resize(x, small, interpolation=cv2.INTER_AREA) for x in (before, pha))
        came = cv2.remap(came, *moved, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        unsure = cv2.bitwise_or(*(cv2.inRange(x, SURE, 1 - SURE) for x in (came, now)))
        unsure = cv2.dilate(unsure, np.ones((3, 3), np.uint8))
        at = np.flatnonzero(cv2.resize(unsure, pha.shape[::-1], interpolation=cv2.INTER_NEAREST) != 0)
        if len(at) > MANY * pha.size:
            return steadied(pha, *self._carried(before, flow, trust))
        rows, columns = (i.astype(np.float32) for i in places(at, pha.shape))
        fx, fy = np.float32(pha.shape[1] / small[0]), np.float32(pha.shape[0] / small[1])
        grid = cv2.merge([*cv2.split(flow), trust, trust])  # four channels are looked up faster than three
        x, y, trusted, _ = sampled(grid, (columns + 0.5) / fx - 0.5, (rows + 0.5) / fy - 0.5)
        carried = sampled(before, columns + fx * x, rows + fy * y)[0]
        steady = pha.copy()
        steady.reshape(-1)[at] = steadied(pha.reshape(-1).take(at), carried, trusted)
        return steady

    def _found(
        self, last: NDArray[Any], grey: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """The flow (h, w, 2), trust (h, w), and where each pixel was, on cells."""
        flow = np.asarray(self._dis.calc(grey, last, None))  # type: ignore[call-overload]  # None: nothing to begin with
        x, y = _moved(flow)
        came = cv2.remap(last, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        off = cv2.blur(cv2.absdiff(came, grey).astype(np.float32), (_BLUR, _BLUR))
        trust = np.exp(off * off * np.float32(-1 / TOLERANCE**2))
        trust[(x < 0) | (y < 0) | (x > grey.shape[1] - 1) | (y > grey.shape[0] - 1)] = 0  # it was not in the frame
        return flow, trust, (x, y)


def steadied(pha: NDArray[np.float32], carried: NDArray[np.float32], trust: NDArray[np.float32]) -> NDArray[np.float32]:
    """Both alphas mixed, all of one shape: the carried one counts SHARE × trust, less the more they differ."""
    change = carried - pha
    agreed = np.maximum(0, 1 - np.abs(change) / DISPUTED)
    return np.asarray(pha + SHARE * trust * agreed * change, np.float32)


def held_steady(backend: Backend) -> Backend:
    """The backend, steadied if its only memory is its previous alpha, otherwise as it is."""
    return SteadyBackend(backend) if remembers_alpha(backend) else backend


def remembers_alpha(backend: Backend) -> bool:
    """Whether a backend can be steadied."""
    return is_alpha_alone(backend.states)


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
