"""One live viewer: a memory of its own, what it wants to see, and how fast it gets it."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from time import perf_counter
from typing import Any, Generic, TypeVar

import cv2
import numpy as np

from koutu import composite
from koutu.color import halved_chroma, shrink
from koutu.pipeline.convert import own_colours
from koutu.server.service import Service
from koutu.types import Frame, InputError, Picture, Yuv, Yuv420, picture_size

T = TypeVar("T")
RECENT = 3.0  # seconds that figures look back
MIN_WIDTH = 64


@dataclass(frozen=True)
class View:
    """What a viewer wants. background: as `Backdrops.background`, or "alpha", the grey matte. width: of the result."""

    background: str = "blur"
    mirror: bool = False
    width: int | None = None
    model: str = ""


def parse_view(given: Any, before: View, networks: list[str]) -> View:
    """The view with what a client's JSON object changes of it; raises InputError."""
    if not isinstance(given, dict):
        raise InputError(f"expected options as a JSON object, got {type(given).__name__}; see /docs")
    known = {field.name for field in fields(View)}
    if unknown := set(given) - known - {"token", "type"}:
        raise InputError(f"expected options out of {', '.join(sorted(known))}, got {sorted(unknown)[0][:40]!r}")
    view = replace(before, **{name: given[name] for name in known & set(given)})
    if not isinstance(view.background, str) or not isinstance(view.mirror, bool):
        raise InputError("expected background as text and mirror as true or false, got something else")
    if view.width is not None and (type(view.width) is not int or not MIN_WIDTH <= view.width <= 4096):
        raise InputError(
            f"expected a width from {MIN_WIDTH} to 4096, got {str(view.width)[:20]}; or null for the input's"
        )
    if not isinstance(view.model, str) or (view.model and view.model not in networks):
        raise InputError(f"expected a model out of {', '.join(networks)}, got {str(view.model)[:40]!r}; name one")
    return view


def parse_json(text: str) -> Any:
    """What a client's text says; raises InputError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("expected options as a JSON object, got text that is not JSON; see /docs") from None


class Viewer:
    """`composite` is called with one frame after the other, each in any thread; everything else from the event loop."""

    def __init__(self, service: Service, way: str):
        self.service, self.way, self.view = service, way, View()
        self.backdrop = None
        self.figures = StreamStatistics()
        self._running = View(model="\0")  # nothing yet
        self._pts = -1

    def want(self, given: Any) -> None:
        """Take options as they come from the client, from the next frame on; raises InputError and changes nothing."""
        view = parse_view(given, self.view, list(self.service.networks.served))
        if view.background != "alpha":
            self.backdrop = self.service.backdrops.background(view.background)
        self.view = view

    def composite(self, picture: Picture) -> Picture:
        """The person of the image before the background, or the matte in grey; in the image's kind."""
        view, backdrop = self.view, self.backdrop
        if view.model != self._running.model:
            self._matter = self.service.networks.matter(view.model)
        elif view.mirror != self._running.mirror:
            self._matter.reset()
        self._running = view
        picture = _shaped(picture, view)
        began = perf_counter()
        self._pts = max(self._pts + 1, int(1000 * began))
        frame = Frame(picture, self._pts, Fraction(1, 1000))
        matte = self._matter(frame)
        self.figures.matte_ms = 1000 * (perf_counter() - began)
        self.figures.size = frame.size
        if view.background == "alpha" or backdrop is None:
            return _grey(matte.alpha, picture)
        behind = backdrop(frame, matte.alpha)
        assert behind is not None
        return composite.replace(own_colours(matte), matte.alpha, behind)

    def done(self, seconds: float) -> None:
        """Note that a result is ready, so long after its frame came."""
        self.figures.add(seconds)
        self.service.counters.add("koutu_frames_total", way=self.way)
        self.service.counters.observe("koutu_frame_seconds", seconds, way=self.way)

    def drop(self) -> None:
        """Note that a frame is left out because a newer one is there."""
        self.figures.dropped += 1
        self.service.counters.add("koutu_frames_dropped_total", way=self.way)

    def stats(self) -> dict[str, Any]:
        """The message that tells the client."""
        height, width = self.figures.size
        return {
            "type": "stats", **self.figures.summary(), "width": width, "height": height,
            "model": self.view.model or self.service.networks.default, "engine": self.way,
            "viewers": self.service.viewers.taken,
        }  # fmt: skip


class StreamStatistics:
    """Frames a second and latency of the last seconds."""

    def __init__(self) -> None:
        self.frames = self.dropped = 0
        self.matte_ms = 0.0
        self.size: tuple[int, int] = (0, 0)
        self._recent: deque[tuple[float, float]] = deque(maxlen=600)

    def add(self, seconds: float) -> None:
        """One more frame, ready so long after it came."""
        self.frames += 1
        self._recent.append((perf_counter(), seconds))

    def summary(self) -> dict[str, float]:
        """fps; latency in the server, median and 95th percentile, and the matte's share of it in ms; counts."""
        now = perf_counter()
        recent = [(at, seconds) for at, seconds in self._recent if now - at < RECENT]
        latencies = sorted(1000 * seconds for _, seconds in recent) or [0.0]
        span = min(RECENT, now - self._recent[0][0]) if self._recent else 0.0
        return {
            "fps": round(len(recent) / span, 1) if span > 0.2 else 0.0,
            "latency_ms": round(latencies[len(latencies) // 2], 1),
            "latency_p95_ms": round(latencies[int(0.95 * (len(latencies) - 1))], 1),
            "matte_ms": round(self.matte_ms, 1),
            "frames": self.frames,
            "dropped": self.dropped,
        }


class Newest(Generic[T]):
    """Room for one thing: the newest wins. For one event loop."""

    def __init__(self) -> None:
        self._item: T | None = None
        self._there = asyncio.Event()

    def put(self, item: T) -> bool:
        """Put it there; whether another had to go."""
        dropped, self._item = self._item is not None, item
        self._there.set()
        return dropped

    async def get(self) -> T:
        """Take it, when there is one."""
        await self._there.wait()
        item, self._item = self._item, None
        self._there.clear()
        assert item is not None
        return item


def _shaped(picture: Picture, view: View) -> Picture:
    """Scaled down to the wanted width and mirrored."""
    if isinstance(picture, Yuv):
        picture = halved_chroma(picture)
    height, width = picture_size(picture)
    if view.width is not None and view.width < width:
        w = view.width & ~1
        h = max(2, round(height * w / width) & ~1)
        if isinstance(picture, Yuv420):
            half = h // 2, w // 2
            y, u, v = shrink(picture.y, (h, w)), shrink(picture.u, half), shrink(picture.v, half)
            picture = Yuv420(y, u, v, picture.space, picture.depth)
        else:
            picture = shrink(picture, (h, w))
    if not view.mirror:
        return picture
    if isinstance(picture, Yuv420):
        y, u, v = (np.ascontiguousarray(plane[:, ::-1]) for plane in (picture.y, picture.u, picture.v))
        return Yuv420(y, u, v, picture.space, picture.depth)
    return np.ascontiguousarray(picture[:, ::-1])


def _grey(alpha: Any, like: Picture) -> Picture:
    if isinstance(like, Yuv420):
        return composite.matte_picture(alpha, like.space, like.depth)
    return np.asarray(cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB))
