"""The step that a plate adds to a network which knows nothing of plates: alpha of one stream, frame by frame."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.matting.before_plate import alpha_before
from koutu.matting.known_plate import Plate
from koutu.matting.plate_view import PlateView
from koutu.types import Frame, Rgb

AGAIN = 30  # frames after which a plate that was of no use is looked at again

PlateOf = Callable[[Frame, tuple[int, int]], Plate]


class Plated:
    """Alpha (h, w) in [0, 1] and its frame (h, w, 3) uint8 → alpha before the plate; as it was where that is no use.

    plate_of: the plate for a frame, at a size (h, w). moves: it is another for each frame. still: the camera does not
    move. Frames of one stream, in order.
    """

    def __init__(self, plate_of: PlateOf, *, moves: bool = False, still: bool = False):
        self._plate_of, self._moves, self._still = plate_of, moves, still
        self._view: PlateView | None = None
        self._size = 0, 0
        self._wait = 0
        self.used = self.useless = 0  # frames
        self._best = 0.0

    def __call__(self, pha: NDArray[np.float32], rgb: Rgb, frame: Frame, fresh: bool) -> NDArray[Any]:
        if self._wait and not fresh:
            self._wait -= 1
            self.useless += 1
            return pha
        colours, known, free = self._looked(frame, pha.shape, fresh)(rgb, pha)
        better, agreed = alpha_before(rgb, pha, colours, known, free)
        if better is None:
            self._best = max(self._best, agreed)
            self._wait, self.useless = AGAIN, self.useless + 1
            self._view = None
            return pha
        self.used += 1
        return better

    def notes(self) -> list[str]:
        """What a user must know of it, in sentences."""
        if not self.useless:
            return []
        if not self.used:
            return [
                f"the plate was not used: expected the background of these frames without anybody, got a picture that "
                f"{self._best:.0%} of what is seen beside people agrees with; take it with the same camera, from the "
                "same place"
            ]
        return [
            f"in {self.useless} of {self.used + self.useless} frames the background was not the plate's; it was "
            "left out there"
        ]

    def _looked(self, frame: Frame, size: tuple[int, ...], fresh: bool) -> PlateView:
        """The plate for this frame, followed from the one before."""
        if self._view is None or self._size != size:
            self._size = size[0], size[1]
            self._view = PlateView(self._plate_of(frame, self._size), still=self._still)
        elif self._moves:
            self._view.show(self._plate_of(frame, self._size))
        if fresh:
            self._view.forget()
        return self._view
