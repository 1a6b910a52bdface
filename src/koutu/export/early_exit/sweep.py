"""Thresholds of the gate tried on clips: what each saves, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.engines.early_exit import FLOOR, Gate, GatedBackend, GateState, Part, difference
from koutu.export.clips import CalibrationClip, Watch


class Remembering:
    """An engine that does not run the same frame with the same memory twice; the last clip's frames are kept.

    Gates differ from each other in few frames of a clip, so that trying many costs little more than trying one.
    """

    def __init__(self, engine: Part):
        self._engine = engine
        self.name, self.card, self.states, self.stride = engine.name, engine.card, engine.states, engine.stride
        self._known: dict[tuple[int, ...], dict[str, NDArray[Any]]] = {}

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """As of the engine."""
        return self._engine.network_size(size)

    def initial_state(self, size: tuple[int, int]) -> Any:
        """As of the engine."""
        return self._engine.initial_state(size)

    def resized(self, state: Any, size: tuple[int, int]) -> Any:
        """As of the engine."""
        return self._engine.resized(state, size)

    def forget(self) -> None:
        """Free what is kept."""
        self._known.clear()

    def run(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """As of the engine; logits and features follow from the other inputs."""
        key = tuple(hash(x.tobytes()) for name, x in feeds.items() if name not in ("logits", "features"))
        if key not in self._known:
            self._known[key] = self._engine.run(feeds)
        return self._known[key]


@dataclass
class Tally:
    """Sums over the frames that a gate saw; gaps, changes and errors in thousandths of alpha."""

    frames: int = 0
    low: int = 0
    switches: int = 0
    jump: float = 0.0  # the largest that a step from one branch towards the other made in a frame
    paid: list[float] = field(default_factory=list)  # mean |gated − whole network alone| of each frame
    errors: list[float] = field(default_factory=list)  # mean |gated − truth| of each clip of which it is known

    def note(self, before: GateState, after: GateState) -> None:
        """One frame, by the memory before and after it."""
        self.frames += 1
        self.low += after.low
        self.switches += before.simple != after.simple
        self.jump = max(self.jump, abs(after.share - before.share) * after.gap)


@dataclass(frozen=True)
class Tried:
    """A threshold (thousandths of alpha) on all clips.

    low: share of frames that the low-resolution branch made alone; ms: of one frame, saved: of that by the gate; paid:
    mean |gated − whole|; error: mean |gated − truth|, and worse: by what share a clip's is worse than the whole's
    alone, the mean of logarithms; both NaN without truth; switches: of the whole run; jump: the largest change that a
    switch made from one frame to the next, change: the ordinary one (median). All but shares and times in thousandths
    of alpha.
    """

    threshold: float
    low: float
    ms: float
    saved: float
    paid: float
    error: float
    worse: float
    switches: int
    jump: float
    change: float


def sweep(low: Part, rest: Part, gates: Sequence[Gate], clips: Sequence[CalibrationClip], watch: Watch) -> list[Tried]:
    """Each gate on all clips, as `koutu video` would run it, beside the whole network alone, which comes first.

    low, rest: engines that run the two parts.
    """
    known = Remembering(low), Remembering(rest)
    backends = [GatedBackend(*known, gate=gate) for gate in (replace(gates[0], threshold=0.0), *gates)]
    tallies = [Tally() for _ in backends]
    changes: list[float] = []
    for i, clip in enumerate(clips):
        watch(i, len(clips), "trying thresholds")
        reference = run(backends[0], clip, tallies[0], None)
        changes += [difference(a, b) for a, b in pairwise(reference)]
        for backend, tally in zip(backends[1:], tallies[1:], strict=True):
            run(backend, clip, tally, reference)
        for engine in known:
            engine.forget()
    times = timed(GatedBackend(low, rest, gate=gates[0]), clips[0])
    change = float(np.median(changes)) if changes else 0.0
    return [
        summed(backend.gate.threshold, tally, tallies[0], times, change)
        for backend, tally in zip(backends, tallies, strict=True)
    ]


def run(
    backend: GatedBackend, clip: CalibrationClip, tally: Tally, reference: list[NDArray[np.float32]] | None
) -> list[NDArray[np.float32]]:
    """The alphas of a clip, its first frame seen twice as in use; what happened goes to the tally."""
    state = backend.initial_state(clip.src.shape[1:3])
    _, _, state = backend(clip.src[0], state)
    phas, errors = [], []
    for t, rgb in enumerate(clip.src):
        before = state
        _, pha, state = backend(rgb, before)
        tally.note(before, state)
        tally.paid.append(difference(pha, reference[t]) if reference else 0.0)
        if clip.pha is not None:
            errors.append(difference(pha, clip.pha[t].astype(np.float32) / 255))
        phas.append(pha)
    tally.errors += [float(np.mean(errors))] if errors else []
    return phas


def timed(backend: GatedBackend, clip: CalibrationClip, rounds: int = 12) -> tuple[float, float]:
    """Milliseconds of the low-resolution branch with its signs, and of the rest: the quickest of a few rounds."""
    memory = backend.initial_state(clip.src.shape[1:3]).memory
    begin, rest = [], []
    for i in range(rounds):
        started = perf_counter()
        low, signs, finish = backend.begin(clip.src[i % len(clip.src)], memory)
        backend.gate.predicted(signs)
        between = perf_counter()
        difference(low, finish())
        begin.append(between - started)
        rest.append(perf_counter() - between)
    return 1000 * min(begin), 1000 * min(rest)


def summed(threshold: float, tally: Tally, alone: Tally, times: tuple[float, float], change: float) -> Tried:
    """The tally's means; alone: that of the whole network; times: ms of the low-resolution branch and of the rest."""
    low, error, worse = tally.low / tally.frames, float("nan"), float("nan")
    if tally.errors:
        error = float(np.mean(tally.errors))
        worse = float(np.expm1(np.mean(np.log(np.add(tally.errors, FLOOR)) - np.log(np.add(alone.errors, FLOOR)))))
    return Tried(
        threshold, low, times[0] + (1 - low) * times[1], low * times[1], float(np.mean(tally.paid)), error, worse,
        tally.switches, tally.jump, change,
    )  # fmt: skip


def choose(all_tried: Sequence[Tried], allowed: float) -> float:
    """The largest threshold that makes clips worse by a share of `allowed` at most, or the smallest if none does."""
    others = all_tried[1:]  # the first is the whole network
    good = [one.threshold for one in others if one.worse <= allowed]
    return max(good, default=min(one.threshold for one in others))
