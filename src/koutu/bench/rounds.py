"""Frames through models in turn, round after round, so that what slows the machine down slows all of them down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.bench.cases import Case, Size
from koutu.bench.cost import Cost
from koutu.bench.energy import Meter
from koutu.color import rgb_to_yuv, to_rgb
from koutu.engines.backend import Backend, State
from koutu.engines.wrapped import WrappedBackend
from koutu.matting.hints import AUTO, Hints
from koutu.matting.matter import Matter
from koutu.media.image import read_image
from koutu.media.reader import open_video
from koutu.types import Frame, ModelError, Picture, Rgb, picture_size
from koutu.zoo import SAMPLE, load

PICTURES = 24  # different ones; shown back and forth
WARM = 2  # frames of each turn that are not timed: memory starts afresh, and caches hold another model's weights
LEAST = 2  # timed frames of each turn, however slow


@dataclass(frozen=True)
class Turn:
    """A model's share of a round. position: its place in the round; milliseconds a frame; joules of all of them."""

    position: int
    ms: list[float]
    network_ms: list[float]
    joules: float | None


@dataclass
class Result:
    """A case and what came of it; where it failed, why, and no turns."""

    case: Case
    cost: Cost = field(default_factory=Cost)
    title: str = ""  # of the backend
    turns: list[Turn] = field(default_factory=list)
    memory: dict[str, float] | str = "not measured"
    error: str = ""


class SampleClip:
    """The packaged sample at a size, without end, as planes like a decoder's; and hints for networks that need some.

    Hints are made beforehand from the default model's alpha, as "auto" makes them, and an empty scene from another
    picture: they cost a network what any others would.
    """

    def __init__(self, size: Size, *, pictures: int = PICTURES):
        with open_video(SAMPLE / "talk.mp4") as reader:
            frames = [frame for frame, _ in zip(reader, range(pictures), strict=False)]
        self._pictures: list[Picture] = [_scaled(frame.picture, size) for frame in frames]
        self._hints: dict[tuple[str, int], NDArray[Any]] = {}
        self._hinted: Hints | None = None

    def __getitem__(self, index: int) -> Frame:
        return Frame(self._pictures[self._place(index)], 3000 * index)

    def hints(self, needs: Sequence[str], index: int) -> dict[str, NDArray[Any]]:
        """Those of frame `index`."""
        place = self._place(index)
        missing = [need for need in needs if (need, place) not in self._hints]
        if missing:
            hints = self._made()(self[index], missing)
            self._hints |= {(need, place): hint for need, hint in hints.items()}
        return {need: self._hints[need, place] for need in needs}

    def _made(self) -> Hints:
        if self._hinted is None:
            plate = read_image(SAMPLE / "lake.jpg")
            self._hinted = Hints(mask=AUTO, plate=plate, fixed=True, guess=Matter(load()))
        return self._hinted

    def _place(self, index: int) -> int:
        last = len(self._pictures) - 1
        return last - abs(last - index % (2 * last)) if last else 0


class Runner:
    """A case that is loaded and takes its turns."""

    def __init__(self, case: Case, clip: SampleClip, backend: Backend):
        self.clip, self.threads, self.engine = clip, case.threads, case.engine
        self._network = _Timed(backend)
        self._matter = Matter(self._network)

    def warm(self) -> None:
        """Compile and allocate what a first frame makes an engine compile and allocate."""
        self.turn(0, 0.0, None)

    def turn(self, position: int, seconds: float, meter: Meter | None) -> Turn:
        """Frames for so many seconds, the first ones not counted."""
        if self.engine == "torch" and self.threads:
            import torch

            torch.set_num_threads(self.threads)  # it is one number for the whole process
        self._matter.reset()
        for index in range(WARM):
            self._time(index)
        ms, network_ms, index = [], [], WARM
        before, started = meter.joules() if meter else None, perf_counter()
        while len(ms) < LEAST or perf_counter() - started < seconds:
            total, network = self._time(index)
            ms.append(total)
            network_ms.append(network)
            index += 1
        joules = meter.joules() - before if meter and before is not None else None
        return Turn(position, ms, network_ms, joules)

    def _time(self, index: int) -> tuple[float, float]:
        """Milliseconds of a frame, and of the network in them."""
        carries = self._network.propagates and index > 0
        frame = self.clip[index]
        hints: dict[str, Any] = {} if carries else self.clip.hints(self._network.needs, index)
        self._network.seconds, started = 0.0, perf_counter()
        self._matter(frame, **hints)
        return 1000 * (perf_counter() - started), 1000 * self._network.seconds


def measure(
    cases: Sequence[Case],
    clip: SampleClip,
    rounds: int,
    *,
    seconds: float,
    meter: Meter | None,
    tell: Callable[[str], None],
) -> list[Result]:
    """Results of cases of one size and threads; every second round goes backwards. One that fails leaves the rounds."""
    results = [Result(case) for case in cases]
    runners = {i: runner for i, result in enumerate(results) if (runner := _started(result, clip))}
    for number in range(rounds):
        tell(f"round {number + 1} of {rounds}")
        order = list(runners) if number % 2 == 0 else list(runners)[::-1]
        for position, i in enumerate(order):
            try:
                results[i].turns.append(runners[i].turn(position, seconds, meter))
            except Exception as e:  # whatever stops one model must not stop the others
                _fail(results[i], e)
                del runners[i]
    return results


def _started(result: Result, clip: SampleClip) -> Runner | None:
    try:
        backend = result.case.open()
        result.title, result.cost = backend.name, result.case.cost(backend)
        runner = Runner(result.case, clip, backend)
        runner.warm()
    except Exception as e:  # engines raise types of their own
        return _fail(result, e)
    return runner


def _fail(result: Result, error: Exception) -> None:
    kind = "" if isinstance(error, ModelError) else type(error).__name__
    result.error, result.turns = ": ".join(part for part in (kind, str(error)) if part), []


class _Timed(WrappedBackend):
    """A backend that counts the seconds spent in it."""

    def __init__(self, backend: Backend):
        super().__init__(backend)
        self.seconds = 0.0

    def __call__(self, rgb: Rgb, state: State, **hints: NDArray[Any]) -> Any:
        started = perf_counter()
        try:
            return self.inner(rgb, state, **hints)
        finally:
            self.seconds += perf_counter() - started


def _scaled(picture: Picture, size: Size) -> Picture:
    if picture_size(picture) == size:
        return picture
    scaled = cv2.resize(to_rgb(picture), size[::-1], interpolation=cv2.INTER_CUBIC)
    return rgb_to_yuv(np.asarray(scaled))
