"""Where a shot begins, and with it the memory of the past ends."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.types import Frame, Picture, Yuv, picture_size

MAX_GAP = Fraction(1)  # seconds; after a longer gap, memory of the past misleads more than it helps
CUT_DIFFERENCE = 28.0  # mean change of a thumbnail, of 255, that no motion in a shot was seen to reach
CUT_SIZE = (18, 32)
FEW = 144  # rows or columns of a frame that its thumbnail is made of


class Shots:
    """Frame → whether a shot begins with it.

    It does at first, at a cut, after a gap, where time runs backwards, and where size, rotation or colours change;
    through_cuts: at first and at such changes alone. thumbnail: of the last frame, CUT_SIZE in RGB, 0 … 255; change:
    its mean difference from the one before.
    """

    def __init__(self, *, through_cuts: bool = False):
        self._through_cuts = through_cuts
        self.forget()

    def forget(self) -> None:
        """The next frame is the first."""
        self._last: Frame | None = None
        self.thumbnail = np.zeros((*CUT_SIZE, 3), np.float32)
        self.change = 0.0

    def __call__(self, frame: Frame) -> bool:
        last, before = self._last, self.thumbnail
        self._last, self.thumbnail = frame, thumbnail_of(frame.picture)
        self.change = float(np.abs(self.thumbnail - before).mean())
        if last is None or (last.size, last.part) != (frame.size, frame.part):
            return True
        if self._through_cuts:
            return False
        if not 0 < frame.seconds - last.seconds <= MAX_GAP:
            return True
        return self.change > CUT_DIFFERENCE


def shows_the_same(frame: Frame, other: Frame) -> bool:
    """Whether both are planar, whose pixels nobody changes once they are made, and the same byte for byte."""
    a, b = frame.picture, other.picture
    if not (isinstance(a, Yuv) and isinstance(b, Yuv)) or (a.space, a.depth, type(a)) != (b.space, b.depth, type(b)):
        return False
    if (frame.alpha is None) != (other.alpha is None):
        return False
    planes = [(a.y, b.y), (a.u, b.u), (a.v, b.v)]
    if frame.alpha is not None and other.alpha is not None:
        planes.append((frame.alpha, other.alpha))
    return all(np.array_equal(one, two) for one, two in planes)


def thumbnail_of(picture: Picture) -> NDArray[np.float32]:
    """(h, w, 3) in 0 … 255 of a picture's pixels, of which a few tell enough."""
    step = max(1, min(picture_size(picture)) // FEW)
    if isinstance(picture, Yuv):
        few: Picture = picture.with_planes(*(_every(plane, step) for plane in (picture.y, picture.u, picture.v)))
    else:
        few = _every(picture, step)
    return to_rgb(few, CUT_SIZE).astype(np.float32)


def _every(plane: NDArray[Any], step: int) -> NDArray[Any]:
    return plane if step == 1 else np.ascontiguousarray(plane[::step, ::step])
