"""Interlaced frames, whose two fields were taken one after the other: made progressive, or apart and woven again."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, TypeAlias

import av
import numpy as np
from av.error import FFmpegError
from av.filter import Graph
from numpy.typing import NDArray

from koutu.types import AnyYuv, Lines

Deinterlace: TypeAlias = Literal["auto", "keep", "off"]
SMALLEST = 3  # rows and columns that the filter needs


class Progressive:
    """Call it with every frame of a stream in order, and with None at the end: gives as many, without combs.

    Frames that are not flagged as interlaced pass unchanged; from the first that is on, all come one frame later.
    apart: gives two for each that is flagged, one for each field in their order, and says which lines are the field's.
    """

    def __init__(self, *, apart: bool = False) -> None:
        self.count = 0  # of interlaced frames so far
        self._apart = apart
        self._graph: Graph | None = None
        self._layout: tuple | None = None
        self._waiting: deque[av.VideoFrame] = deque()

    def __call__(self, frame: av.VideoFrame | None) -> Iterator[tuple[av.VideoFrame, Lines]]:
        if frame is None:
            yield from self._rest()
            return
        self.count += frame.interlaced_frame
        layout = frame.width, frame.height, frame.format.name
        if layout != self._layout:
            yield from self._rest()
            self._layout = layout
        if self._graph is None and frame.interlaced_frame and min(layout[:2]) >= SMALLEST:
            self._graph = _graph(frame, "bwdif", f"mode=send_{'field' if self._apart else 'frame'}:deint=interlaced")
        if self._graph is None:
            yield frame, "all"
            return
        self._waiting.append(frame)
        self._graph.push(frame)
        yield from self._ready()

    def _rest(self) -> Iterator[tuple[av.VideoFrame, Lines]]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready()
            for frame in self._waiting:
                yield frame, "all"
            self._waiting.clear()
            self._graph = None

    def _ready(self) -> Iterator[tuple[av.VideoFrame, Lines]]:
        while self._waiting:
            made = self._pulled()
            if made is None:
                return
            original = self._waiting.popleft()
            if not (self._apart and original.interlaced_frame):
                yield _timed(made, original), "all"
                continue
            fields = ("top", "bottom") if is_top_first(original) else ("bottom", "top")
            yield _timed(made, original), fields[0]
            yield _timed(self._pulled() or made, original), fields[1]

    def _pulled(self) -> av.VideoFrame | None:
        assert self._graph is not None
        try:
            made = self._graph.pull()
        except (FFmpegError, EOFError):  # it waits for the next one
            return None
        assert isinstance(made, av.VideoFrame)
        return made


class Flagging:
    """Flags frames as interlaced, the field of those lines first."""

    def __init__(self, first: Lines):
        self._order = "tff" if first == "top" else "bff"
        self._graph: Graph | None = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self._graph = self._graph or _graph(frame, "setfield", self._order)
        self._graph.push(frame)
        flagged = self._graph.pull()
        assert isinstance(flagged, av.VideoFrame)
        return flagged


def is_top_first(frame: av.VideoFrame) -> bool:
    """Whether an interlaced frame's upper field was taken first."""
    graph = _graph(frame, "select", "eq(interlace_type,TOPFIRST)")
    graph.push(frame)
    graph.push(None)
    try:
        graph.pull()
    except (FFmpegError, EOFError):
        return False
    return True


def woven(top: AnyYuv, bottom: AnyYuv) -> AnyYuv:
    """One interlaced picture of two that are whole: the even lines of the first, the odd ones of the second."""
    y, u, v = (woven_plane(a, b) for a, b in ((top.y, bottom.y), (top.u, bottom.u), (top.v, bottom.v)))
    return top.with_planes(y, u, v)


def woven_plane(top: NDArray, bottom: NDArray) -> NDArray:
    """As `woven`, for one plane."""
    plane = np.array(top)
    plane[1::2] = bottom[1::2]
    return plane


def _timed(made: av.VideoFrame, original: av.VideoFrame) -> av.VideoFrame:
    """With the original's time: the filter's clock counts half ticks."""
    made.pts = original.pts if original.pts is not None else original.dts
    made.duration = original.duration
    if original.time_base is not None:
        made.time_base = original.time_base
    return made


def _graph(frame: av.VideoFrame, name: str, options: str) -> Graph:
    graph = Graph()
    tick = Fraction(frame.time_base or Fraction(1, 90_000))
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=tick)
    filtered = graph.add(name, options)
    sink = graph.add("buffersink")
    source.link_to(filtered)
    filtered.link_to(sink)
    graph.configure()
    return graph
