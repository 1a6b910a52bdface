"""Parts of live runs for the tests: clips whose pictures say which they are, backends that read it, sinks that keep."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import Any

import av
import numpy as np

from koutu.engines.backend import Backend
from koutu.live.controls import Desk, LiveSettings
from koutu.live.flow import CapturedFrame, Shown, Sound
from koutu.live.options import LiveOptions, Quality
from koutu.live.output_thread import Sink
from koutu.live.run import Live
from koutu.live.source_address import SourceAddress, parse_source
from koutu.types import ColorSpace, Frame, Yuv420

SIZE = (48, 64)
RATE = 25


def level(number: int) -> int:
    """The grey of picture `number`."""
    return 16 + 4 * (number % 50)


def number_in(luma: float) -> int:
    """The number, modulo 50, of a picture whose mean luma is that."""
    return round((luma - 16) / 4) % 50


def shot(number: int, captured: float = 0.0, size: tuple[int, int] = SIZE) -> CapturedFrame:
    """Picture `number`, grey by its number."""
    half = size[0] // 2, size[1] // 2
    y, u, v = np.full(size, level(number), np.uint8), np.full(half, 128, np.uint8), np.full(half, 128, np.uint8)
    return CapturedFrame(Frame(Yuv420(y, u, v, ColorSpace("bt601")), number * 90_000 // RATE), captured, number)


def numbered_clip(path: Path, frames: int = RATE, *, beep: tuple[float, float] | None = None) -> Path:
    """Grey pictures that carry their number; with `beep`, sound that is loud between those seconds, and white then."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=RATE, options={"qp": "0", "preset": "ultrafast", "g": "5"})
        assert isinstance(video, av.VideoStream)
        video.height, video.width, video.pix_fmt = *SIZE, "yuv420p"
        sound: Any = out.add_stream("aac", rate=48_000, layout="stereo") if beep else None
        for i in range(frames):
            grey = level(i) if beep is None else 235 if beep[0] <= i / RATE < beep[1] else 16
            planes = np.full((SIZE[0] * 3 // 2, SIZE[1]), 128, np.uint8)
            planes[: SIZE[0]] = grey
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, RATE)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if beep:
            times = np.arange(frames * 48_000 // RATE) / 48_000
            tone = np.where((times >= beep[0]) & (times < beep[1]), 0.7 * np.sin(2 * np.pi * 1000 * times), 0)
            for at in range(0, len(tone), 960):
                part = np.repeat(tone[None, at : at + 960], 2, axis=0).astype(np.float32)
                heard = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
                heard.sample_rate, heard.pts, heard.time_base = 48_000, at, Fraction(1, 48_000)
                out.mux(sound.encode(heard))
            out.mux(sound.encode(None))
    return path


class Reader(Backend):
    """A backend whose alpha everywhere is the grey of the picture that it saw; `before`: called with each count."""

    name = "reader"
    warms_up = refines = False

    def __init__(self, before: Callable[[int], None] = lambda count: None):
        self.before, self.count = before, 0

    def network_size(self, size):
        return size

    def initial_state(self, size) -> Any:
        return None

    def __call__(self, rgb, state, **hints) -> Any:
        self.before(self.count)
        self.count += 1
        return None, np.full(rgb.shape[:2], float(rgb.mean()) / 255, np.float32), 0


class Elastic(Reader):
    """A backend that remembers alpha and takes any multiple of 8, as koutu's own do; `sizes`: that it was shown."""

    name, stride, can_resize = "elastic", 8, True

    def __init__(self, pixels: int = 64 * 96):
        super().__init__()
        self.pixels, self.shown = pixels, []

    def network_size(self, size):
        height = (self.pixels * size[0] / size[1]) ** 0.5
        return round(height / 8) * 8, round(height * size[1] / size[0] / 8) * 8

    def initial_state(self, size):
        return {"pha": np.zeros(size, np.float32)}

    def resized(self, state, size):
        return {"pha": np.full(size, state["pha"].mean(), np.float32)}

    def __call__(self, rgb, state, **hints):
        assert state["pha"].shape == rgb.shape[:2], "a memory of another size"
        self.shown.append(rgb.shape[:2])
        return None, np.ones(rgb.shape[:2], np.float32), {"pha": np.ones(rgb.shape[:2], np.float32)}


class Keep(Sink):
    """Keeps what it is shown; `enough` is set once there are so many."""

    name = "keep"

    def __init__(self, count: int = 10**9):
        self.shown: list[Shown] = []
        self.heard: list[Sound] = []
        self.enough, self._count, self.closed = Event(), count, False

    def show(self, shown, sounds):
        self.shown.append(shown)
        self.heard += sounds
        if len(self.shown) >= self._count:
            self.enough.set()

    def close(self, sounds):
        self.heard += sounds
        self.closed = True
        return ["kept"]


def desk_of(backend: Any = None, background: str = "#000000", told: list[str] | None = None) -> Desk:
    """A desk whose every model is `backend`."""
    one = backend or Reader()
    return Desk(LiveSettings(background, "one"), lambda name, gate: one, tell=(told if told is not None else []).append)


def live_of(source: str | Path | SourceAddress, outputs: list[Any], backend: Any = None, **options: Any) -> Live:
    """A run with a backend of the tests; `told` is where its lines go."""
    told = options.pop("told", [])
    desk = options.pop("desk", None) or desk_of(backend, told=told)
    place = source if isinstance(source, SourceAddress) else parse_source(str(source))
    quality = Quality(refine=False, decontaminate=False)
    return Live(place, outputs, desk, options=LiveOptions(quality=quality, **options), tell=told.append)
