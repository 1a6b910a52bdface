"""Whether memory helps or clings: how soon the error is normal after a wrong memory, and when somebody comes in.

A clip runs as it is for `BEFORE` frames; then the memory is replaced, or the place was empty until then and somebody is
there. What follows is compared with what the same network makes of the same frames otherwise. Cuts are not looked for:
starting afresh, as `Matter` does on them, would hide what is asked here. Nor do they
zoom, so that memories can be compared.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import cv2
import numpy as np

from koutu import composite, metrics
from koutu.data.scenes.previous_alpha import warp
from koutu.data.sets.open import Broken, Example
from koutu.engines.backend import Backend, State
from koutu.evaluation.remembered import Watched, forced
from koutu.matting.matter import Matter
from koutu.types import Frame, InputError

BEFORE = 8  # frames
AFTER = 16  # frames that are watched
LENGTH = BEFORE + AFTER  # of a clip that can be tried
WALK = 12  # frames from outside of the image to the place
TOLERANCE = 0.1  # of the normal error, that counts as normal
FLOOR = 0.2  # MAD × 1000 that counts as normal beside, a twentieth of a level of 255
HOLD = 2  # frames on end that must be normal: a single one may be so by chance
FORCED = ("ones", "zeros", "shifted")
KINDS = {
    "ones": "the previous alpha was all 1",
    "zeros": "the previous alpha was all 0; of networks that remember something else, all of it",
    "shifted": "the previous alpha lay a quarter of the width to the right",
    "other": "the memory was another clip's",
    "appears": f"{BEFORE} empty frames, then somebody is there at once",
    "walks in": f"{BEFORE} empty frames, then somebody comes in from a side within {WALK} frames",
}
HintsOf = Callable[[Example], dict[str, Any]]


@dataclass(frozen=True)
class Trial:
    """What came of one of `KINDS` on a clip.

    frames: how many were shown before the error was normal for `HOLD` frames; all, if it never was (`back` is False).
    errors, normal: MAD × 1000 of every frame watched, and of the same frames without the mishap, for "appears" and
    "walks in" of a start on the frame itself; empty for a network without memory.
    """

    kind: str
    frames: int
    back: bool
    errors: list[float]
    normal: list[float]


class Steady(Matter):
    """A Matter that takes no change for a cut."""

    def _starts_shot(self, frame: Frame) -> bool:
        return self._last is None


def trials(
    backend: Backend,
    frames: Sequence[Example | Broken],
    other: Sequence[Example | Broken] = (),
    *,
    hints: HintsOf = lambda example: {},
    looks: int | None = None,
) -> list[Trial]:
    """Every kind that has a meaning for the network and the frames, of which `LENGTH` are used.

    "other" needs `BEFORE` frames of another clip; "appears" and "walks in" need bgr and fgr. hints: of a frame, for the
    network; looks: as of `Matter`. A network without memory recovers in no time and is not run. Raises InputError for
    frames that are too few, broken, or without image and soft truth.
    """
    shown, another = _usable(frames, LENGTH), _usable(other, BEFORE) if other else []
    empty = [_without(example) for example in shown[:BEFORE]] if _layered(shown) else []
    first = shown[0].src
    assert first is not None
    if not backend.initial_state(backend.network_size((first.shape[0], first.shape[1]))):
        kinds = [*FORCED, *(["other"] if another else []), *(["appears", "walks in"] if empty else [])]
        return [Trial(kind, 0, True, [], []) for kind in kinds]
    if backend.propagates:
        raise InputError("expected a network that remembers alphas, got one that carries a first frame's hints on")
    tried = _Tried(backend, hints, looks)
    found = list(tried.wrong_memory(shown, another))
    if empty:
        found += [tried.entering("appears", empty, shown[BEFORE:])]
        found += [tried.entering("walks in", empty, _walking(shown[BEFORE:]))]
    return found


class _Tried:
    def __init__(self, backend: Backend, hints: HintsOf, looks: int | None):
        self.backend, self.hints, self.looks = Watched(backend), hints, looks

    def wrong_memory(self, frames: Sequence[Example], other: Sequence[Example]) -> Iterator[Trial]:
        matter = self._after(frames[:BEFORE])
        pha = self.backend.pha
        alphas = self.backend.alphas
        states: dict[str, State] = {kind: forced(kind, matter.state, pha, alphas) for kind in FORCED}
        if other:
            states["other"] = self._after([_like(example, frames[0]) for example in other]).state
        normal = self._errors(copy.copy(matter), frames[BEFORE:])
        for kind, state in states.items():
            if state is not None:
                mistaken = copy.copy(matter)
                mistaken.state = state
                yield _trial(kind, self._errors(mistaken, frames[BEFORE:]), normal)

    def entering(self, kind: str, empty: Sequence[Example], frames: Sequence[Example]) -> Trial:
        errors = self._errors(self._after(empty), frames)
        return _trial(kind, errors, [self._errors(self._new(), [frame])[0] for frame in frames])

    def _new(self) -> Steady:
        return Steady(cast(Backend, self.backend), looks=self.looks, zoom=False)

    def _after(self, frames: Sequence[Example]) -> Steady:
        matter = self._new()
        self._errors(matter, frames)
        return matter

    def _errors(self, matter: Matter, frames: Sequence[Example]) -> list[float]:
        errors = []
        for frame in frames:
            assert frame.src is not None and frame.pha is not None
            alpha = matter(frame.src, **self.hints(frame)).alpha
            errors.append(metrics.mad(alpha, np.rint(frame.pha * 255).astype(np.uint8)) * 1e3)
        return errors


def _trial(kind: str, errors: list[float], normal: list[float]) -> Trial:
    good = [e <= (1 + TOLERANCE) * n + FLOOR for e, n in zip(errors, normal, strict=True)]
    frames = next((at for at in range(len(good)) if all(good[at : at + HOLD])), len(good))
    rounded = ([round(x, 3) for x in values] for values in (errors, normal))
    return Trial(kind, frames, frames < len(good), *rounded)


def _usable(frames: Sequence[Example | Broken], count: int) -> list[Example]:
    found = []
    for item in frames[:count]:
        if isinstance(item, Broken):
            raise InputError(f"{item.name}: {item.reason}")
        if item.src is None or item.pha is None or item.binary:
            raise InputError(f"{item.name}: expected an image with a soft truth, got one without")
        found.append(item)
    if len(found) < count:
        raise InputError(f"expected {count} frames of a clip, got {len(found)}; give longer clips")
    return found


def _layered(frames: Sequence[Example]) -> bool:
    """Whether the place can be shown empty, and there is somebody to come in."""
    return all(f.fgr is not None and f.bgr is not None for f in frames) and all(
        f.pha is not None and f.pha.max() > 0.5 for f in frames[BEFORE:]
    )


def _without(example: Example) -> Example:
    assert example.pha is not None
    return replace(example, src=example.bgr, pha=np.zeros_like(example.pha), trimap=None)


def _walking(frames: Sequence[Example]) -> list[Example]:
    """From beyond the side that is nearer, `WALK` frames long; in the first something is seen already."""
    pha = frames[0].pha
    assert pha is not None
    columns = np.flatnonzero(pha.max(axis=0) > 0.5)
    left, right = int(columns[0]), pha.shape[1] - int(columns[-1])
    way = pha.shape[1] - left if right < left else right - pha.shape[1]
    return [_aside(frame, way * max(0.0, 1 - (at + 1) / WALK)) for at, frame in enumerate(frames)]


def _aside(example: Example, columns: float) -> Example:
    """The person moved to the right on the place."""
    fgr, pha, bgr = example.fgr, example.pha, example.bgr
    assert fgr is not None and pha is not None and bgr is not None
    matrix = np.array([[1, 0, columns], [0, 1, 0]])
    fgr, pha = warp(fgr, matrix), warp(pha, matrix, border=cv2.BORDER_CONSTANT)
    src = composite.replace(fgr, np.rint(pha * 255).astype(np.uint8), bgr)
    assert isinstance(src, np.ndarray)
    return replace(example, src=src, pha=pha, fgr=fgr, trimap=None)


def _like(example: Example, model: Example) -> Example:
    """The image scaled to another's size: memories are of one size."""
    src, size = example.src, model.src
    assert src is not None and size is not None and example.pha is not None
    to = size.shape[1], size.shape[0]
    src, pha = (cv2.resize(x, to, interpolation=cv2.INTER_AREA) for x in (src, example.pha))
    return replace(example, src=src, pha=pha, fgr=None, bgr=None, trimap=None)
