"""Where a shot begins, and with it the memory of the past ends."""

from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Frame, Rgb

MAX_GAP = Fraction(1)  # seconds; after a longer gap, memory of the past misleads more than it helps
CUT_DIFFERENCE = 28.0  # mean change of a thumbnail, of 255, that no motion in a shot was seen to reach
CUT_SIZE = (18, 32)


class Shots:
    """Frame and its picture (h, w, 3) → whether a shot begins with it.

    It does at first, at a cut, after a gap, where time runs backwards, and where size, rotation or colours change;
    through_cuts: at first and at such changes alone.
    """

    def __init__(self, *, through_cuts: bool = False):
        self._through_cuts = through_cuts
        self.forget()

    def forget(self) -> None:
        """The next frame is the first."""
        self._last: Frame | None = None
        self._thumbnail: NDArray[np.float32] | None = None

    def __call__(self, frame: Frame, rgb: Rgb) -> bool:
        grey = cv2.resize(rgb, CUT_SIZE[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        last, thumbnail = self._last, self._thumbnail
        self._last, self._thumbnail = frame, grey
        if last is None or thumbnail is None or (last.size, last.part) != (frame.size, frame.part):
            return True
        if self._through_cuts:
            return False
        if not 0 < frame.seconds - last.seconds <= MAX_GAP:
            return True
        return float(np.abs(grey - thumbnail).mean()) > CUT_DIFFERENCE
