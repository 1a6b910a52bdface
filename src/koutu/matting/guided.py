"""The step that a trimap, a mask or clicks add to a network which knows nothing of them: alpha obeys what they know.

What is unknown is the network's, brought to the colours of the picture. For stills it is solved in closed form
(`koutu.matting.closed_form`): all that is left open by a narrow trimap, or by a hint whose person the network mistakes;
else what the network is unsure of, as without a hint.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend
from koutu.matting.chosen import Chosen
from koutu.matting.guidance import Guidance, Trimap
from koutu.matting.hints import Hints
from koutu.matting.local_colour import follow_colours
from koutu.matting.matte import Matte
from koutu.matting.solved_band import solved_to_ends
from koutu.matting.touch import Touch, touch_of
from koutu.trimap import FOREGROUND, UNKNOWN
from koutu.types import Frame, Rgb

WRONG = 0.5  # of alpha, by which a network that is wrong differs from what is known
NARROW = 0.052  # of the longer side: so wide may be what is unknown for colours alone to tell it
WORTH = 0.002  # of what is seen, that must be wrong to be carried along

Floats = NDArray[np.float32]


class Guided:
    """What the hints of one stream know, frame by frame, and who of its people are wanted."""

    def __init__(self, hints: Hints, backend: Backend):
        self._guidance = Guidance(hints, backend)
        self._chosen: Chosen | None = None

    @property
    def moves(self) -> bool:
        """Whether the hint goes along with the frames."""
        return self._guidance.moves

    def leaves_open(self, pha: Floats, rgb: Rgb, known: Trimap) -> bool:
        """Whether all that is unknown is to be solved: a narrow trimap, or a hint whose person the network mistakes."""
        return (self._guidance.exact and is_narrow(known)) or mistakes(pha, rgb, known) is not None

    def notes(self) -> list[str]:
        """What a user must know of it, in sentences."""
        return self._guidance.notes()

    def __call__(self, frame: Frame, fresh: bool) -> Trimap | None:
        """The trimap (H, W) of what is known of a frame, None where nothing is; fresh: a shot begins with it."""
        known = self._guidance(frame, fresh)
        if fresh:
            self._chosen = None if known is None or self.moves else Chosen(first=True)
        return known

    def alone(self, matte: Matte) -> Matte:
        """The matte of those alone who are wanted since a picture told in the shot's first frame who they are."""
        return matte if self._chosen is None else self._chosen(matte)


def guided_of(hints: Hints, backend: Backend) -> Guided | None:
    """The step of a stream's trimap, mask or clicks, if there are any, for a network that needs no hints itself."""
    return Guided(hints, backend) if hints.guide and not backend.needs else None


def obeyed(pha: Floats, known: Trimap) -> Floats:
    """Alpha (h, w) in [0, 1] with what a trimap of any size is sure of."""
    known = shrunk(known, (pha.shape[0], pha.shape[1]))
    return np.where(known == UNKNOWN, pha, known / np.float32(255)).astype(np.float32)


def shrunk(known: Trimap, size: tuple[int, int]) -> Trimap:
    """A trimap at a size (h, w): unknown where anything of a pixel is."""
    if known.shape == size:
        return known
    sure = (np.asarray(cv2.resize((known == x).astype(np.uint8) * 255, size[::-1], interpolation=cv2.INTER_AREA)) == 255
            for x in (0, FOREGROUND))  # fmt: skip
    nobody, person = sure
    return np.where(person, FOREGROUND, np.where(nobody, 0, UNKNOWN)).astype(np.uint8)


def solved(pha: Floats, rgb: Rgb, known: Trimap) -> Floats:
    """Alpha (h, w) in [0, 1] of a picture (h, w, 3), what a trimap leaves open solved by colours and in closed form."""
    trimap = shrunk(known, (pha.shape[0], pha.shape[1]))
    guess = obeyed(follow_colours(obeyed(pha, trimap), rgb), trimap)
    return solved_to_ends(rgb, trimap == UNKNOWN, guess)


def is_narrow(known: Trimap) -> bool:
    """Whether what a trimap leaves open is a line rather than a region."""
    unknown = (known == UNKNOWN).astype(np.uint8)
    outline = np.count_nonzero(unknown - cv2.erode(unknown, np.ones((3, 3), np.uint8)))
    return 2 * np.count_nonzero(unknown) < NARROW * max(known.shape) * outline


def mistakes(pha: Floats, rgb: Rgb, known: Trimap) -> Touch | None:
    """What a network's alpha (h, w) of a frame (h, w, 3) has wrong of what is known, None where that is little."""
    known = shrunk(known, (pha.shape[0], pha.shape[1]))
    wrong = (known != UNKNOWN) & (np.abs(pha - known / np.float32(255)) > WRONG)
    if wrong.mean() < WORTH:
        return None
    return touch_of(np.where(wrong, known, UNKNOWN), pha, rgb, None)
