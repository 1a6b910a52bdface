"""Mattes made of what comes before and after: the clip seen forward and backward, joined, and made steady both ways.

A network with a memory does best some frames after it began, and where somebody was seen well before. Seen backward,
the clip begins at its other end, and what a frame's past does not tell its future may. Both alphas are joined by their
log-odds, so that the surer one counts more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.engines.backend import Backend
from koutu.engines.opinion import Opinion
from koutu.matting.before_plate import alpha_before
from koutu.matting.matter import full_size, plain_size
from koutu.matting.plated import Plated
from koutu.matting.refine import guided_upsample, quantise
from koutu.matting.second_opinion import after_opinion, opinion_of
from koutu.matting.shots import Shots
from koutu.matting.solved_band import solved_band
from koutu.matting.steady import Neighbour, steadied
from koutu.matting.uncovered import Uncovered
from koutu.matting.zoom import Box, bounds, cropped, part_of, pasted, spanned, whole
from koutu.sizes import near_area
from koutu.types import Alpha, Frame, Rgb

REACH = 0.009  # of the longer side, beyond what is unsure, that is solved too
SOLVED = 480_000  # pixels of the pictures whose band is solved, at most
STEPS = 4  # that are told of each frame: for the part of it, forward, backward, and what is made of all
ROUNDS = 3  # of steadying: how many frames to either side have a say
CERTAIN = 0.01  # that an alpha is from 0 and 1 when its odds are taken
_UNSURE = 5  # of 255: alpha this near to either end is sure


@dataclass(frozen=True)
class Found:
    """What was found of a frame: alpha (H, W) uint8 at its own size, and whether a shot begins with it."""

    alpha: Alpha
    fresh: bool


@dataclass(frozen=True)
class _Seen:
    """A frame as the network is shown it, rgb (h, w, 3), and whether a shot begins with it."""

    frame: Frame
    rgb: Rgb
    fresh: bool


class TwoPasses:
    """A stretch of a clip → what is found of every frame, by all of the others.

    refine: let alpha follow the full-size frame. plated: the step of the clip's plate, for frames in order, or None.
    zoom: show the network only the part of a shot's frames where somebody is in any of them; not before a plate.
    both, uncover, solve, rounds: look both ways, use what other frames show of the background, solve the band, steady
    so many times; to measure what each is good for. opinion: as of `koutu.Matter`.
    """

    def __init__(
        self, backend: Backend, *, refine: bool = True, plated: Plated | None = None, both: bool = True,
        uncover: bool = True, solve: bool = True, rounds: int = ROUNDS, opinion: Opinion | None = None,
        zoom: bool = True,
    ):  # fmt: skip
        self.backend, self.refine, self.plated = backend, refine and backend.refines, plated
        self.both, self.uncover, self.solve, self.rounds = both, uncover, solve, rounds
        self.opinion = opinion_of(opinion, backend)
        self.zooms = zoom and plated is None and backend.can_recall

    def __call__(self, frames: Sequence[Frame], tick: Callable[[], None] = lambda: None) -> list[Found]:
        """tick: called STEPS times a frame, to tell how far it is."""
        shots, seen = Shots(), list[_Seen]()
        for frame in frames:
            seen.append(self._seen(frame, shots(frame)))
        begins = [i for i, one in enumerate(seen) if one.fresh]
        found: list[Found] = []
        for begin, end in pairwise([*begins, len(seen)]):
            found += self._shot(seen[begin:end], tick)
        return found

    def _shot(self, seen: Sequence[_Seen], tick: Callable[[], None]) -> list[Found]:
        found = self._pass(seen, tick)
        box = self._part(found, seen[0].frame.size) if self.zooms else None
        if box is None:
            for _ in seen:
                tick()
            return self._mattes(seen, found, tick)
        parts = [self._seen(cropped(one.frame, box), one.fresh) for one in seen]
        mattes = self._mattes(parts, self._pass(parts, tick), tick)
        return [replace(x, alpha=pasted(x.alpha, box, one.frame.size)) for x, one in zip(mattes, seen, strict=True)]

    def _seen(self, frame: Frame, fresh: bool) -> _Seen:
        return _Seen(frame, to_rgb(frame.picture, self.backend.network_size(frame.size)), fresh)

    def _part(self, found: Sequence[NDArray[np.float32]], size: tuple[int, int]) -> Box | None:
        """The part of a shot's frames (H, W) that holds everybody in all of them; None: they are seen whole."""
        return part_of(spanned([bounds(pha, whole(size)) for pha in found]), size)

    def _mattes(
        self, seen: Sequence[_Seen], forward: Sequence[NDArray[np.float32]], tick: Callable[[], None]
    ) -> list[Found]:
        """What is found of a shot, its network's alphas in order given."""
        backward = self._pass(seen[::-1], tick)[::-1] if self.both else forward
        phas = [self._asked(joined(*pair), one.rgb) for *pair, one in zip(forward, backward, seen, strict=True)]
        plates = Uncovered([one.rgb for one in seen], phas) if self.uncover and len(seen) > 1 else None
        alphas = []
        for at, (one, pha) in enumerate(zip(seen, phas, strict=True)):
            known = False  # by a plate, which tells a rim better than solving does
            if self.plated is not None:
                used = self.plated.used
                pha = self.plated(pha, one.rgb, one.frame, one.fresh)
                known = self.plated.used > used
            if plates is not None and not known:
                pha = _uncovered(plates, at, pha, one.rgb)
            alphas.append(self._whole(pha, one, solve=self.solve and not known))
            tick()
        for _ in range(self.rounds):
            alphas = _steadied([one.frame for one in seen], alphas)
        return [Found(alpha, one.fresh) for alpha, one in zip(alphas, seen, strict=True)]

    def _asked(self, pha: NDArray[np.float32], rgb: Rgb) -> NDArray[np.float32]:
        """Alpha after a second opinion, if one is asked."""
        return after_opinion(pha, *self.opinion(rgb)) if self.opinion else pha

    def _pass(self, seen: Sequence[_Seen], tick: Callable[[], None]) -> list[NDArray[np.float32]]:
        """The network's alphas in this order, its memory empty at first."""
        state = self.backend.initial_state((seen[0].rgb.shape[0], seen[0].rgb.shape[1]))
        if state and self.backend.warms_up:
            _, _, state = self.backend(seen[0].rgb, state)
        alphas = []
        for one in seen:
            _, pha, state = self.backend(one.rgb, state)
            alphas.append(pha)
            tick()
        return alphas

    def _whole(self, pha: NDArray[np.float32], seen: _Seen, *, solve: bool) -> Alpha:
        """Alpha (h, w) at the frame's size."""
        if not self.refine:
            return plain_size(pha, seen.frame)
        return _fine(pha, seen) if solve else full_size(pha, seen.rgb, seen.frame)


def _uncovered(plates: Uncovered, at: int, pha: NDArray[np.float32], rgb: Rgb) -> NDArray[np.float32]:
    """Alpha (h, w) before what the shot's other frames show of its background, where they agree with this one."""
    plate, free = plates(at), plates.free[at]
    better, _ = alpha_before(rgb, pha, plate.colours, plate.seen, free)
    return pha if better is None else better


def joined(*alphas: NDArray[np.float32]) -> NDArray[np.float32]:
    """Alphas (h, w) of one frame by the mean of their log-odds."""
    given = np.clip(np.stack(alphas), CERTAIN, 1 - CERTAIN)
    both = 1 / (1 + np.exp(-np.log(given / (1 - given)).mean(axis=0)))
    return np.clip((both - CERTAIN) / (1 - 2 * CERTAIN), 0, 1).astype(np.float32)


def _fine(pha: NDArray[np.float32], seen: _Seen) -> Alpha:
    """Alpha (h, w) at the frame's size, its band solved in between."""
    frame = seen.frame
    height, width = frame.size
    size = near_area(frame.size, SOLVED) if height * width > SOLVED else frame.size
    rgb = to_rgb(frame.picture, size)
    solved = solved_band(np.float32(1 / 255) * full_size(pha, seen.rgb, Frame(rgb)), rgb, REACH)
    return quantise(solved) if size == frame.size else guided_upsample(solved, frame.picture)


def _steadied(frames: Sequence[Frame], alphas: Sequence[Alpha]) -> list[Alpha]:
    """Every alpha of a shot made steady by the one before and the one after."""
    steady: list[Alpha] = []
    pictures: dict[int, Rgb] = {}
    for i, alpha in enumerate(alphas):
        near = [j for j in (i - 1, i, i + 1) if 0 <= j < len(frames)]
        pictures = {j: pictures[j] if j in pictures else to_rgb(frames[j].picture, frames[j].size) for j in near}
        beside = [Neighbour(pictures[j], alphas[j]) for j in near if j != i]
        unsure = cv2.inRange(alpha, _UNSURE, 255 - _UNSURE)
        trimap = np.where(unsure > 0, 128, np.where(alpha > 127, 255, 0)).astype(np.uint8)
        steady.append(steadied(pictures[i], alpha, trimap, beside, mean=True).alpha)
    return steady
