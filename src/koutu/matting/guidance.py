"""What a stream's trimap, mask or clicks know of its frames, and whether that is of any use: told where it is not."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.engines.backend import Backend
from koutu.matting.clicks import Click
from koutu.matting.hints import Hints
from koutu.trimap import BACKGROUND, FOREGROUND, UNKNOWN, trimap_from_mask
from koutu.types import Frame

COARSE = 0.045  # of the longer side: how far from a mask's edge it is not believed
SQUEEZED = 0.03  # share by which a hint's aspect may differ from the frame's
SOMEBODY = 0.003  # share of the frame from which on the network is believed that somebody is there
TOUCHED = 0.3  # share of the smaller of both that a hint and somebody must have in common
_HALF = 128

Trimap = NDArray[Any]  # (H, W) uint8 of 0, 128 and 255


class Guidance:
    """Frames of one stream → what is known of each as a trimap of its size, None where nothing is.

    A picture is of the first frame; a video goes along with the frames. backend: one look of it tells whether anybody
    is where the hint is. `notes`: why a hint was not used.
    """

    def __init__(self, hints: Hints, backend: Backend):
        self._hints, self._backend = hints, backend
        self._spent = self._refused = False
        self._notes: list[str] = []

    @property
    def moves(self) -> bool:
        """Whether the hint goes along with the frames."""
        return self._hints.guide_moves

    @property
    def exact(self) -> bool:
        """Whether what it knows is exact, as of a trimap; a mask is not believed near its edge."""
        return self._hints.guide == "trimap"

    def notes(self) -> list[str]:
        """What a user must know of it, in sentences."""
        return list(self._notes)

    def __call__(self, frame: Frame, fresh: bool) -> Trimap | None:
        """What is known of this frame; fresh: a shot begins with it."""
        if not self.moves and (self._spent or not fresh):
            if fresh and not self._refused:
                self._refused = True
                self._tell(
                    f"the {self._hints.guide} was not used from {float(frame.seconds):.2f} s on: expected the shot "
                    "that it is of, got another; give a video in step with the frames"
                )
            return None
        if not fresh and self._refused:
            return None
        hint = self._hints.guidance(frame)
        if self._hints.guide == "clicks":
            hint = clicked(hint, self._found(frame), self._hints.clicks)
        self._spent = True
        reason = self._why_not(frame, hint) if fresh else None
        if reason is not None:
            self._tell(f"the {self._hints.guide} was not used: {reason}")
        if fresh:
            self._refused = reason is not None
        return None if reason is not None or (hint == FOREGROUND).all() else self._trimap(hint)

    def _trimap(self, hint: NDArray[Any]) -> Trimap:
        """A trimap as it is, a mask with what is not believed of it unknown."""
        if self.exact:
            return hint
        radius = self._hints.radius
        return trimap_from_mask(hint, round(COARSE * max(hint.shape)) if radius is None else radius)

    def _tell(self, note: str) -> None:
        if note not in self._notes:
            self._notes.append(note)

    def _why_not(self, frame: Frame, hint: NDArray[Any]) -> str | None:
        height, width = frame.size
        size = self._hints.guide_size
        if size is not None and abs(size[1] * height / (size[0] * width) - 1) > SQUEEZED:
            return (
                f"expected one of the frame's shape, {width}×{height}, got {size[1]}×{size[0]}; make it of this picture"
            )
        if (reason := useless(hint, self._hints.guide)) is not None:
            return reason
        if not self._meets(frame, hint):
            return "expected it where somebody is, got one where nobody was found; make it of this picture"
        return None

    def _found(self, frame: Frame) -> NDArray[np.bool_]:
        """Where the network sees somebody, at its own size."""
        size = self._backend.network_size(frame.size)
        return np.asarray(self._backend(to_rgb(frame.picture, size), self._backend.initial_state(size))[1] >= 0.5)

    def _meets(self, frame: Frame, hint: NDArray[Any]) -> bool:
        """Whether those whom the network finds, if anybody, are where the hint is."""
        found = self._found(frame)
        if found.mean() < SOMEBODY:
            return True
        there = cv2.resize(hint, found.shape[::-1], interpolation=cv2.INTER_NEAREST) >= UNKNOWN
        return bool((found & there).sum() >= TOUCHED * min(found.sum(), there.sum()))


def clicked(mask: NDArray[Any], found: NDArray[np.bool_], clicks: Sequence[Click]) -> NDArray[Any]:
    """The mask (H, W) of clicks, but of those who were found (h, w) where all clicks on somebody hit them.

    Where a click beside lies on the same people, the mask parts them.
    """
    height, width = mask.shape
    people = cv2.resize(found.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    _, labels = cv2.connectedComponents(people)
    hit = {click: int(labels[int(click.y), int(click.x)]) for click in clicks}
    wanted = {label for click, label in hit.items() if click.person}
    if 0 in wanted:
        return mask
    parted = np.isin(labels, [label for click, label in hit.items() if not click.person and label])
    return np.where(np.isin(labels, list(wanted)) & (~parted | (mask >= _HALF)), 255, 0).astype(np.uint8)


def useless(hint: NDArray[Any], name: str) -> str | None:
    """Why a trimap or a mask (H, W) says nothing of a picture, None where it does."""
    if name == "trimap" and (hint == UNKNOWN).all():
        return "expected a trimap with black, white and grey, got one that is unknown everywhere; mark what is sure"
    if (hint < _HALF if name != "trimap" else hint == BACKGROUND).all():
        return "expected one with the person white, got one with nobody in it; paint the person"
    if (hint >= _HALF if name != "trimap" else hint == FOREGROUND).all():
        return "expected one with the background black, got one that is white everywhere; paint the background"
    return None
