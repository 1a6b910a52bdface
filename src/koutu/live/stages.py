"""The two stages between a source and its outputs: a shot's matte, and the composite of both."""

import dataclasses
from collections import deque
from collections.abc import Callable
from threading import Thread
from time import perf_counter

import numpy as np

from koutu.composite import replace
from koutu.engines.backend import Backend
from koutu.live.adaptive_size import Change, Sizer
from koutu.live.controls import AUTO, Desk
from koutu.live.flow import CapturedFrame, Shown
from koutu.matting.hints import Hints
from koutu.matting.matte import Matte
from koutu.matting.matter import Matter
from koutu.media.background import Background
from koutu.pipeline.convert import own_colours
from koutu.types import Frame, KoutuError, Yuv420

RATE_SHOTS = 30  # over which a source's rate is measured


class Matting:
    """Shot → the shot, mirrored if asked for, and its matte; None instead of it while the run is paused.

    sizer: chooses the network's size where the desk leaves it to; rate: frames a second of the source, as measured.
    """

    def __init__(
        self, desk: Desk, *, refine: bool = True, hints: Hints | None = None, sizer: Sizer | None = None,
        zoom: bool = True, tell: Callable[[str], None] = print, timer: Callable[[], float] = perf_counter,
    ):  # fmt: skip
        self.desk, self.sizer = desk, sizer or Sizer()
        self.rate: float | None = None
        self.busy_seconds, self.network = 0.0, (0, 0)
        self._tell, self._timer = tell, timer
        self._hints, self._refine, self._zoom = hints or Hints(), refine, zoom
        self._backend, self._resets = desk.backend, desk.resets
        self._matter = self._matter_of(self._backend)
        self._seen: deque[tuple[int, float]] = deque(maxlen=RATE_SHOTS)
        self._switching: Thread | None = None

    def __call__(self, shot: CapturedFrame) -> tuple[CapturedFrame, Matte | None]:
        self._measure_rate(shot)
        if self.desk.settings.paused:
            return shot, None
        if self.desk.settings.mirror:
            shot = dataclasses.replace(shot, frame=mirrored(shot.frame))
        self._follow_desk()
        size = shot.frame.size
        self._choose_size(size)
        began = self._timer()
        matte = self._matter(shot.frame)
        self.busy_seconds, self.network = self._timer() - began, self._backend.network_size(size)
        if self._backend.sizes and self.desk.settings.size == AUTO and not self._is_switching():
            change = self.sizer.note(self._timer(), self.busy_seconds, self.rate)
            if change:
                self._announce(change, size)
                self._switch(change.after, size)
        return shot, matte

    def _matter_of(self, backend: Backend) -> Matter:
        self._hints.require_used(backend.needs, f"{backend.name} in a live run")  # a picture is of one frame
        return Matter(backend, refine=self._refine, hints=self._hints, zoom=self._zoom)

    def join(self) -> None:
        """Wait for a change of size that is under way."""
        if self._switching is not None:
            self._switching.join()

    def _follow_desk(self) -> None:
        if self.desk.backend is not self._backend:
            self._backend = self.desk.backend
            self._matter = self._matter_of(self._backend)
        if self.desk.resets != self._resets:
            self._resets = self.desk.resets
            self._matter.reset()

    def _choose_size(self, size: tuple[int, int]) -> None:
        """A size set by hand comes at once, one that was measured when the engine is ready for it."""
        asked = self.desk.settings.size
        if self._backend.sizes and asked != AUTO and not self._is_switching() and asked != self._backend.share:
            self.sizer.share = float(asked)
            self._switch(float(asked), size)

    def _switch(self, share: float, size: tuple[int, int]) -> None:
        """Let another thread make the engine ready for the new size, so that the frame does not stand still."""
        backend = self._backend

        def work() -> None:
            try:
                backend.warm(share, size)
                backend.share = share
            except KoutuError as error:
                self._tell(f"the network keeps its size: {error}")
                self.sizer.share = backend.share

        self._switching = Thread(target=work, name="koutu-resize", daemon=True)
        self._switching.start()

    def _is_switching(self) -> bool:
        return self._switching is not None and self._switching.is_alive()

    def _announce(self, change: Change, size: tuple[int, int]) -> None:
        (h, w), (new_h, new_w) = (self._backend.size_at(share, size) for share in (change.before, change.after))
        if change.after < change.before:
            why = f"too slow for {w}×{h} ({change.made:.0f} of {change.wanted:.0f} frames a second)"
            self._tell(f"{why}; the network now sees {new_w}×{new_h}")
        else:
            self._tell(f"there is room: the network now sees {new_w}×{new_h}")

    def _measure_rate(self, shot: CapturedFrame) -> None:
        self._seen.append((shot.number, shot.captured))
        (first, began), (last, ended) = self._seen[0], self._seen[-1]
        self.rate = (last - first) / (ended - began) if ended > began and last - first >= 5 else self.rate


class Compositing:
    """What `Matting` gives → the composite; while paused the last one, at the new shot's time; None before one.

    A picture that stands still goes on growing older: it keeps the moment that it was captured at.
    """

    def __init__(self, desk: Desk, *, decontaminate: bool = True):
        self.desk, self._decontaminate = desk, decontaminate
        self._behind: Background = desk.behind
        self._last: Shown | None = None

    def __call__(self, matted: tuple[CapturedFrame, Matte | None]) -> Shown | None:
        shot, matte = matted
        if matte is None:
            last = self._last
            return last and Shown(last.picture, last.alpha, dataclasses.replace(shot, captured=last.shot.captured))
        behind = self.desk.behind
        if behind is not self._behind:
            self._behind.close()
            self._behind = behind
        front = own_colours(matte) if self._decontaminate else matte.frame.picture
        picture = behind(matte.frame, matte.alpha)
        assert picture is not None
        composite = replace(front, matte.alpha, picture)
        assert isinstance(composite, Yuv420)
        self._last = Shown(composite, matte.alpha, shot)
        return self._last

    def close(self) -> None:
        """Close the background."""
        self._behind.close()


def mirrored(frame: Frame) -> Frame:
    """The frame with left and right exchanged."""
    picture = frame.picture
    assert isinstance(picture, Yuv420)
    y, u, v = (np.ascontiguousarray(plane[:, ::-1]) for plane in (picture.y, picture.u, picture.v))
    alpha = None if frame.alpha is None else np.ascontiguousarray(frame.alpha[:, ::-1])
    return dataclasses.replace(frame, picture=Yuv420(y, u, v, picture.space, picture.depth), alpha=alpha)
