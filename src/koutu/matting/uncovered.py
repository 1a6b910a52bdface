"""The plate of every frame of a shot as its other frames show it, where people or the camera have moved.

Each frame's background is brought to its neighbour's by a homography (ECC, beside the people), and by the chain of
those to any other's. What several frames show of a place when nobody stands there is its plate, and known only there.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.matting.known_plate import Floats, Plate, free_of, middle, toned
from koutu.matting.plate_view import correlated, grey
from koutu.types import Rgb

LOOKED = 16  # frames of a shot, spread over it, that a plate is made of
_PERHAPS, _MARGIN = 0.1, 0.008  # of alpha and of the longer side, beyond which a frame may show its background
_LEAST = 400  # pixels by which two frames can be exposed alike


class Uncovered:
    """Number of a frame → its plate (h, w), of the frames (h, w, 3) of a shot and their alphas (h, w)."""

    def __init__(self, frames: Sequence[Rgb], alphas: Sequence[Floats]):
        self.frames = frames
        self.free = [free_of(pha, _PERHAPS, _MARGIN) for pha in alphas]
        self.looked = np.unique(np.linspace(0, len(frames) - 1, LOOKED).round().astype(int)).tolist()
        self._steps: list[Floats | None] = []  # from places in each frame to those in the next; None: not known
        greys, moved = [grey(rgb) for rgb in frames], np.eye(3)
        for at in range(len(frames) - 1):
            found = correlated(greys[at], greys[at + 1], self.free[at + 1], moved)
            self._steps.append(found)
            moved = np.eye(3) if found is None else found

    def __call__(self, number: int) -> Plate:
        shown, open_ = [], []
        for other in self.looked:
            way = self._way(number, other)
            if way is not None:
                rgb, free = self._brought(number, other, way)
                shown.append(rgb)
                open_.append(free)
        colours, noise, seen = middle(np.stack(shown), np.stack(open_))
        return Plate(colours, noise, seen)

    def _way(self, number: int, other: int) -> Floats | None:
        """(3, 3) from places in one frame to those in another, along all between."""
        way = np.eye(3)
        for step in self._steps[min(number, other) : max(number, other)]:
            if step is None:
                return None
            way = step @ way
        return np.linalg.inv(way) if other < number else way

    def _brought(self, number: int, other: int, way: Floats) -> tuple[Rgb, NDArray[np.bool_]]:
        """Another frame as seen from this one, and where it shows its background."""
        rgb, free = self.frames[other], self.free[other]
        if other == number:
            return rgb, free
        size, back = rgb.shape[1::-1], cv2.WARP_INVERSE_MAP
        rgb = np.asarray(cv2.warpPerspective(rgb, way, size, flags=cv2.INTER_LINEAR | back))
        free = np.asarray(cv2.warpPerspective(free.astype(np.uint8), way, size, flags=cv2.INTER_NEAREST | back)) > 0
        both = free & self.free[number]
        if np.count_nonzero(both) >= _LEAST:
            here = self.frames[number][both] / np.float32(255)
            rgb = np.rint(255 * toned(rgb / np.float32(255), rgb[both] / np.float32(255), here)).astype(np.uint8)
        return rgb, free
