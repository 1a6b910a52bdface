"""Interlaced frames, whose two fields were taken one after the other, made progressive."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import av
from av.error import FFmpegError
from av.filter import Graph


class Progressive:
    """Call it with every frame of a stream in order, and with None at the end: gives as many, without combs.

    Frames that are not flagged as interlaced pass unchanged; from the first that is on, all come one frame later.
    """

    def __init__(self) -> None:
        self.count = 0  # of interlaced frames so far
        self._graph: Graph | None = None
        self._layout: tuple | None = None
        self._waiting: deque[av.VideoFrame] = deque()

    def __call__(self, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        if frame is None:
            yield from self._rest()
            return
        self.count += frame.interlaced_frame
        layout = frame.width, frame.height, frame.format.name
        if layout != self._layout:
            yield from self._rest()
            self._layout = layout
        if self._graph is None and frame.interlaced_frame:
            self._graph = _graph(frame)
        if self._graph is None:
            yield frame
            return
        self._waiting.append(frame)
        self._graph.push(frame)
        yield from self._ready()

    def _rest(self) -> Iterator[av.VideoFrame]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready()
            yield from self._waiting
            self._waiting.clear()
            self._graph = None

    def _ready(self) -> Iterator[av.VideoFrame]:
        assert self._graph is not None
        while self._waiting:
            try:
                made = self._graph.pull()
            except (FFmpegError, EOFError):  # it waits for the next one
                return
            assert isinstance(made, av.VideoFrame)
            original = self._waiting.popleft()  # the filter's clock counts half ticks
            made.pts = original.pts if original.pts is not None else original.dts
            made.duration = original.duration
            if original.time_base is not None:
                made.time_base = original.time_base
            yield made


def _graph(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    tick = Fraction(frame.time_base or Fraction(1, 90_000))
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=tick)
    filtered = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(filtered)
    filtered.link_to(sink)
    graph.configure()
    return graph
