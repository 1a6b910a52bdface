"""The matting stage: frames in, mattes out, one memory per stream."""

from dataclasses import replace
from enum import Enum
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.composite import with_alpha_of
from koutu.engines.backend import Backend, State
from koutu.engines.opinion import Opinion
from koutu.matting.guidance import Trimap
from koutu.matting.guided import guided_of, mistakes, obeyed, solved
from koutu.matting.hints import Hints
from koutu.matting.local_colour import follow_colours
from koutu.matting.matte import Matte
from koutu.matting.plated import Plated
from koutu.matting.refine import guided_upsample, quantise
from koutu.matting.second_opinion import after_opinion, opinion_of
from koutu.matting.shots import Shots, shows_the_same
from koutu.matting.solved_band import LARGE, quickly_solved_band, solved_band
from koutu.matting.touch import ERASE, KEEP, Touch, touch_of
from koutu.matting.zoom import Box, Zoom, cropped, pasted, seen_from, whole
from koutu.media.given import Channels, Given, frame_of
from koutu.trimap import UNKNOWN
from koutu.types import Alpha, Frame, InputError, Rgb


class Matter:
    """Frame → Matte for one stream. Backends hold no memory, so many Matters may share one.

    The memory starts afresh on the first frame, on a cut, after a gap of more than a second, when time runs backwards
    and when size, rotation or colours change; the frame it starts with is shown to the network twice. Where the backend
    wants another network size for the same frames, its memory is brought to that size if it can be. `refine`: let alpha
    follow the edges of the full-size frame. `warms_up` and `refines` of the backend say whether it takes part in
    either; `looks` at a first frame, 1 or more, go before `warms_up`, but for networks that carry hints on, which look
    once. `hints` make what the network needs beside the frames, or guide one that needs nothing
    (`koutu.matting.guided`); a network that carries its hints on gets them with the first frame, and its memory then
    outlives cuts and gaps. `zoom`: show the network only the part of the frame where somebody is, whose memory is the
    last alpha alone (`koutu.matting.zoom`); a shot begins with the whole frame. `solve`: the band around people who are
    large is solved in closed form (`koutu.matting.solved_band`): True: fully, for stills; None: as far as a video has
    time for; False: not at all. `opinion`: two more networks are asked about every frame (`koutu.zoo.load_opinion`) for
    stills, if the only memory of the backend is alpha. `again`: matte a planar frame anew that shows, byte for byte,
    what the last one did; else it gets that one's matte, and all memory stays as it is.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        refine: bool = True,
        hints: Hints | None = None,
        looks: int | None = None,
        zoom: bool = True,
        solve: bool | None = None,
        opinion: Opinion | None = None,
        again: bool = True,
    ):
        self.backend, self.refine, self.hints = backend, refine, hints or Hints()
        self.solve, self.again = solve, again
        self.opinion = opinion_of(opinion, backend)
        if backend.needs or self.hints.guessed:
            self.hints.require_used(backend.needs, backend.name)
        own = 2 if backend.warms_up else 1  # a network with a memory sees more when it looks twice
        self.looks = own if looks is None or backend.propagates else looks
        self.plated = plated_of(self.hints, backend)
        self.guided = guided_of(self.hints, backend)
        self.zooms = zoom and backend.can_recall and not backend.needs and self.plated is None
        self._zoom = Zoom()
        self.state: State = None
        self._size = 0, 0
        self._last: Frame | None = None
        self._shots = Shots(through_cuts=backend.propagates)
        self._answer: tuple[Matte, NDArray[np.float32], Rgb] | None = None  # the last, as the network gave it, of what
        self._touch: Touch | None = None

    def reset(self) -> None:
        """Forget the past: the next frame is matted on its own."""
        self.state = self._last = None
        self._shots.forget()
        self._answer = self._touch = None
        self._zoom = Zoom()
        self.guided = guided_of(self.hints, self.backend)

    def notes(self) -> list[str]:
        """What a user must know of the frames so far, in sentences."""
        return [note for step in (self.guided, self.plated) if step for note in step.notes()]

    def __call__(self, frame: Frame | Given, *, channels: Channels = "rgb", **hints: NDArray[Any]) -> Matte:
        """Alpha of a frame, or of a picture as `koutu.matte` takes it, which follows the last one by 1/30 s.

        channels: "rgb", or "bgr" for arrays as OpenCV has them. hints: this frame's own, (H, W) or for "bgr" (H, W, 3)
        uint8, instead of those that `self.hints` makes. Where the frame has alpha, the matte's is the product of both.
        """
        if not isinstance(frame, Frame):
            frame = self._following(frame_of(frame, channels=channels))
        fresh = self._starts_shot(frame)
        if not (self.again or fresh or hints) and (matte := self._repeated(frame)) is not None:
            return matte
        if fresh:
            self._zoom = Zoom()
        known = self.guided(frame, fresh) if self.guided else None
        part, rgb = self._seen(frame)
        size = rgb.shape[0], rgb.shape[1]
        given = self._given(frame, size, hints, fresh)
        self._resize(size)
        if fresh or self.state is None:
            part, rgb = self._begun(frame, part, rgb, given, known)
        elif self.zooms and self._zoom.is_due(self._shots.thumbnail, frame.size):
            part, rgb = self._widened(frame, part, rgb)
        fgr, pha, self.state = self.backend(rgb, self.state, **given)
        if self.plated:
            pha = self.plated(pha, rgb, frame, fresh)
        elif self.opinion:
            pha = after_opinion(pha, *self.opinion(rgb))
        self._last, plain = frame, pha
        pha = self._touched(pha, rgb, fresh)
        box = self._zoom.box
        own = self._finished(pha, rgb, part, known if known is None or box is None else known[box])
        alpha, found = alphas_of(frame, pasted(own, box, frame.size))
        matte = Matte(frame, alpha, fresh, _full_colours(fgr, rgb, frame), self.backend.low(self.state), found)
        self._answer = matte, plain, rgb
        if known is not None:
            plain = self._remembered(matte, plain, rgb, known)
        if self.zooms and self._touch is None and self._zoom.follow(plain, frame.size):
            self._recall(plain, frame, box)
        return self._alone(matte)

    def _finished(self, pha: NDArray[np.float32], rgb: Rgb, part: Frame, known: Trimap | None) -> Alpha:
        """Alpha at the size of the part, of which a trimap may be known."""
        open_wide = self.solve and known is not None and self.guided and self.guided.leaves_open(pha, rgb, known)
        pha = pha if known is None else obeyed(pha, known)
        # a hint tells the outline better than the colours beside it
        by = Outline.as_given if self.backend.needs else _SOLVED[self.solve]
        if not (self.refine and self.backend.refines):
            alpha = plain_size(pha, part)
        elif known is not None and open_wide:
            alpha = full_size(solved(pha, rgb, known), rgb, part, Outline.as_given)
        else:
            alpha = full_size(pha, rgb, part, by)
        return alpha if known is None else np.where(known == UNKNOWN, alpha, known).astype(np.uint8)

    def _remembered(self, matte: Matte, plain: NDArray[np.float32], rgb: Rgb, known: Trimap) -> NDArray[np.float32]:
        """The network's alpha with what is known: its memory in a first frame, whose mistakes are carried along."""
        assert self.guided is not None
        seen = known[self._zoom.box or whole(matte.frame.size)]
        if matte.fresh and not self.guided.moves and mistakes(plain, rgb, seen) is not None:
            plain, rgb = self._unzoomed(plain, rgb, matte.frame)
            seen, self._touch = known, mistakes(plain, rgb, known)
        plain = obeyed(plain, seen)
        if matte.fresh and self.backend.can_recall:
            self.state = self.backend.recalled(rgb, plain)
        self._answer = matte, plain, rgb
        return plain

    def _alone(self, matte: Matte) -> Matte:
        """The matte of those alone whom hints name, if they do."""
        return matte if self.guided is None else self.guided.alone(matte)

    def _repeated(self, frame: Frame) -> Matte | None:
        """The last matte as that of a frame that shows the same; None if it does not, or something else may differ."""
        if self._answer is None or self.backend.needs or self.plated is not None or self._shots.change:
            return None
        if self.guided is not None and self.guided.moves:
            return None
        matte, plain, rgb = self._answer
        if not shows_the_same(frame, matte.frame):
            return None
        matte = replace(matte, frame=frame, fresh=False, repeated=True)
        self._last, self._answer = frame, (matte, plain, rgb)
        return self._alone(matte)

    def _seen(self, frame: Frame) -> tuple[Frame, Rgb]:
        """The part of a frame that is looked at, and what the network is shown of it."""
        part = cropped(frame, self._zoom.box)
        return part, to_rgb(part.picture, self.backend.network_size(part.size))

    def _begun(
        self, frame: Frame, part: Frame, rgb: Rgb, given: dict[str, NDArray[Any]], known: Trimap | None
    ) -> tuple[Frame, Rgb]:
        """A first frame seen as often as it is to be before it counts; the part that it is then seen in."""
        if self._zoom.box is not None:  # a memory that could not be brought to another size
            self._zoom = Zoom()
            part, rgb = self._seen(frame)
        self._size = rgb.shape[0], rgb.shape[1]
        self.state, pha = self.backend.initial_state(self._size), None
        for _ in range(self.looks - 1 if self.state else 0):
            _, pha, self.state = self.backend(rgb, self.state, **given)
        if pha is not None and known is not None and self.backend.can_recall:
            pha = obeyed(pha, known)
            self.state = self.backend.recalled(rgb, pha)
        if pha is None or not self.zooms or not self._zoom.look(pha, frame.size):
            return part, rgb
        self._recall(pha, frame, None)
        return self._seen(frame)

    def _widened(self, frame: Frame, part: Frame, rgb: Rgb) -> tuple[Frame, Rgb]:
        """A look at the whole frame beside the part, for those who came in: the part from now on, with its memory."""
        assert self._answer is not None
        matte, size = self._answer[0], self.backend.network_size(frame.size)
        small = cv2.resize(matte.mixed, size[::-1], interpolation=cv2.INTER_AREA)
        last = np.asarray(small, np.float32) / np.float32(255)
        seen = to_rgb(frame.picture, size)
        _, found, _ = self.backend(seen, self.backend.recalled(seen, last))
        if not self._zoom.widen(found, frame.size, self._shots.thumbnail):
            return part, rgb
        self._recall(last, matte.frame, None)
        return self._seen(frame)

    def _recall(self, pha: NDArray[np.float32], frame: Frame, was: Box | None) -> None:
        """Remember a frame, whose alpha in its part `was` is `pha`, as if it had been seen in the part of now."""
        rows, columns = self._zoom.box or whole(frame.size)
        size = self.backend.network_size((rows.stop - rows.start, columns.stop - columns.start))
        moved, rgb = seen_from(pha, frame, was, self._zoom.box, size)
        self.state, self._size = self.backend.recalled(rgb, moved), size

    def correct(self, mask: NDArray[Any]) -> Matte:
        """The last matte, corrected by hand; the correction is carried along to the frames that follow.

        mask (H, W) uint8 of the frame's size: 255 to keep, 0 to erase, 128 to leave as it is. It follows what moves,
        and counts where the network repeats the mistake; a cut ends it. Corrections of later frames add to it. What the
        frame's own alpha hides is not brought back. Raises InputError before the first frame.
        """
        if self._answer is None:
            raise InputError(
                "expected a correction of a frame that was matted, got one before the first; matte it first"
            )
        matte, plain, rgb = self._answer
        plain, rgb = self._unzoomed(plain, rgb, matte.frame)
        if mask.shape != matte.alpha.shape or mask.dtype != np.uint8:
            raise InputError(
                f"expected a correction {matte.alpha.shape} uint8 of 0, 128 and 255, got {mask.shape} {mask.dtype}; "
                "give it the size of the frame"
            )
        self._touch = touch_of(mask, plain, rgb, self._touch)
        kept = mask > KEEP
        wanted = np.where(kept, 255, np.where(mask < ERASE, 0, matte.mixed)).astype(np.uint8)
        alpha, found = alphas_of(matte.frame, wanted)
        foreground = None if kept.any() else matte.foreground  # the network knows no colours of what it left out
        matte = replace(matte, alpha=alpha, found=found, foreground=foreground)
        self._answer = matte, plain, rgb
        return self._alone(matte)

    def _unzoomed(self, pha: NDArray[np.float32], rgb: Rgb, frame: Frame) -> tuple[NDArray[np.float32], Rgb]:
        """A frame and its alpha seen whole, as what follows will be: corrections may lie anywhere."""
        if self._zoom.box is None:
            return pha, rgb
        box, self._zoom = self._zoom.box, Zoom()
        pha, rgb = seen_from(pha, frame, box, None, self.backend.network_size(frame.size))
        self._recall(pha, frame, None)
        return pha, rgb

    def _touched(self, pha: NDArray[np.float32], rgb: Rgb, fresh: bool) -> NDArray[np.float32]:
        """Alpha with the correction, if there is one that reaches this frame."""
        if self._touch is None or fresh or self._touch.seen.shape != pha.shape:
            self._touch = None
            return pha
        pha, self._touch = self._touch.followed(pha, rgb)
        return pha

    def _resize(self, size: tuple[int, int]) -> None:
        """Bring the memory to the network's size (h, w) of now; without a way to, it starts afresh."""
        if self.state is not None and size != self._size:
            self.state = self.backend.resized(self.state, size) if self.backend.can_resize else None
        self._size = size

    def _given(
        self, frame: Frame, size: tuple[int, int], hints: dict[str, NDArray[Any]], fresh: bool
    ) -> dict[str, NDArray[Any]]:
        """The hints of this frame at the network's size."""
        needs = [need for need in self.backend.needs if need not in hints]
        if self.backend.propagates and not fresh:
            needs = []
        hints = hints | self.hints(frame, needs, self.backend.name)
        return {name: _resized(hint, size, exact=name == "trimap") for name, hint in hints.items()}

    def _following(self, frame: Frame) -> Frame:
        base = Fraction(1, 30)
        pts = self._last.pts + 1 if self._last and self._last.time_base == base else 0
        return replace(frame, pts=pts, time_base=base)

    def _starts_shot(self, frame: Frame) -> bool:
        return self._shots(frame)


def plated_of(hints: Hints | None, backend: Backend) -> Plated | None:
    """The step of a stream's plate, if there is one, for a network that does not need it or other hints itself."""
    if hints is not None and hints.seeks_plate:
        raise InputError(
            'expected a photograph of the background for frames that come one by one, got "auto", which is found in a '
            "video as a whole; name a picture"
        )
    if hints is None or not hints.has_plate or backend.needs:
        return None
    return Plated(hints.plate, moves=hints.plate_moves, still=hints.fixed)


class Outline(Enum):
    """What an outline is brought to before it gets the frame's size."""

    as_given = 0
    by_colours = 1  # where the colours on both sides of it say
    quickly_solved = 2  # the same, and its band then solved in closed form at half the size
    solved = 3  # the same, fully


_SOLVED = {False: Outline.by_colours, None: Outline.quickly_solved, True: Outline.solved}


def full_size(pha: NDArray[np.float32], rgb: Rgb, frame: Frame, outline: Outline = Outline.by_colours) -> Alpha:
    """Alpha (h, w) of what the network saw, rgb (h, w, 3), at the frame's size, along the frame's edges."""
    if pha.shape == frame.size:
        return quantise(pha)
    if outline is not Outline.as_given:
        pha = follow_colours(pha, rgb)
    if outline is Outline.solved and pha.mean() > LARGE:
        pha = solved_band(pha, rgb)
    if outline is Outline.quickly_solved:
        pha = quickly_solved_band(pha, rgb)
    if pha.shape[0] < frame.size[0]:
        return guided_upsample(pha, frame.picture)
    return plain_size(pha, frame)


def plain_size(pha: NDArray[np.float32], frame: Frame) -> Alpha:
    """Alpha (h, w) at the frame's size, as it is."""
    return quantise(cv2.resize(pha, frame.size[::-1], interpolation=cv2.INTER_LINEAR))


def alphas_of(frame: Frame, found: Alpha) -> tuple[Alpha, Alpha | None]:
    """A matte's alpha, and what was found where the frame's own alpha makes it less."""
    return with_alpha_of(frame, found), None if frame.alpha is None else found


def _resized(picture: NDArray[Any], size: tuple[int, int], *, exact: bool = False) -> NDArray[Any]:
    if picture.shape[:2] == size:
        return picture
    smaller = size[0] < picture.shape[0]
    how = cv2.INTER_NEAREST if exact else cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=how))


def _full_colours(fgr: NDArray[Any] | None, rgb: Rgb, frame: Frame) -> Rgb | None:
    """The network's colours at the frame's size: where it changed the small picture, the full one is changed alike."""
    if fgr is None or fgr.shape[:2] == frame.size:
        return fgr
    change = cv2.resize(fgr.astype(np.int16) - rgb, frame.size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(to_rgb(frame.picture, frame.size) + change, 0, 255).astype(np.uint8)
