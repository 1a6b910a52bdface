"""The plate as a frame's camera sees it: where hands have moved it, and as bright as it is now.

Movement is found by features at first and followed from frame to frame by the correlation of Evangelidis and Psarakis,
"Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization", PAMI 2008, to parts of a pixel.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.matting.known_plate import Plate, free_of, toned
from koutu.matting.plate import homography, plausible
from koutu.types import Rgb

Floats = NDArray[Any]  # float32, which OpenCV's stubs forget

SHRUNK = 2  # times smaller that movement is found on
ROUNDS, ENOUGH = 15, 1e-4  # of the correlation: at most so many steps, and a gain that is none
_BLUR = 5
_LEAST = 100  # free pixels by which a plate can be fitted
_BETTER = 0.95  # of the difference, that features must leave to be believed


class PlateView:
    """Called with a frame (h, w, 3) uint8 and its alpha (h, w), gives the plate's colours (h, w, 3) in [0, 1] there.

    Frames of one stream, in order. Also gives where the plate is known, and where nobody is, both (h, w) bool.
    still: the camera does not move.
    """

    def __init__(self, plate: Plate, *, still: bool = False):
        self.still = still
        self._moved: Floats | None = (
            None  # (3, 3), from places in the frame to those in the plate; None: not looked yet
        )
        self.show(plate)

    def show(self, plate: Plate) -> None:
        """Another plate, from the same place."""
        self.plate, self._levels = plate, plate.rgb
        self._grey = grey(self._levels)

    def forget(self) -> None:
        """A new shot: look for the plate anew."""
        self._moved = None

    def __call__(self, rgb: Rgb, pha: Floats) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
        free = free_of(pha)
        colours, seen = self.plate.colours, self.plate.seen
        if not self.still:
            moved = self._found(rgb, free)
            colours, seen = _warped(colours, moved), _warped(seen.astype(np.uint8), moved) > 0
            seen &= _warped(np.ones(free.shape, np.uint8), moved, edge=cv2.BORDER_CONSTANT) > 0
        sure = free & seen
        if np.count_nonzero(sure) >= _LEAST:
            colours = toned(colours, colours[sure], rgb[sure] / np.float32(255))
        return colours, seen, free

    def _found(self, rgb: Rgb, free: NDArray[np.bool_]) -> Floats:
        if self._moved is None:
            self._moved = self._by_features(rgb, free)
        moved = correlated(grey(rgb), self._grey, free, self._moved)
        self._moved = self._moved if moved is None else moved
        return self._moved

    def _by_features(self, rgb: Rgb, free: NDArray[np.bool_]) -> Floats:
        """Where a photograph that was taken from beside is, if features tell; where the frame is, if not."""
        still = np.eye(3)
        found = homography(self._levels, rgb, np.where(free, 255, 0).astype(np.uint8))
        if found is None:
            return still
        moved = np.linalg.inv(found)
        off = [cv2.absdiff(_warped(self._levels, m), rgb)[free].mean() if free.any() else 0.0 for m in (still, moved)]
        return moved if off[1] < _BETTER * off[0] else still


def correlated(now: Floats, then: Floats, free: NDArray[np.bool_], begun: Floats) -> Floats | None:
    """(3, 3) from places in one frame to those in another, both `grey`, found from where `begun` is.

    free: (h, w), what of the other is asked. None where nothing is to be correlated, or no camera moves so.
    """
    where = cv2.resize(free.astype(np.uint8), then.shape[::-1], interpolation=cv2.INTER_NEAREST)
    scale = np.diag([1 / SHRUNK, 1 / SHRUNK, 1.0])
    guess = np.asarray(scale @ begun @ np.linalg.inv(scale), np.float32)
    criteria = cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ROUNDS, ENOUGH
    try:
        _, found = cv2.findTransformECC(now, then, guess, cv2.MOTION_HOMOGRAPHY, criteria, where, _BLUR)
    except cv2.error:
        return None
    moved = np.linalg.inv(scale) @ found @ scale
    return moved if plausible(moved, free.shape) else None


def _warped(picture: NDArray[Any], moved: Floats, edge: int = cv2.BORDER_REPLICATE) -> NDArray[Any]:
    """(h, w[, 3]) as seen after the movement."""
    how = cv2.INTER_NEAREST if picture.dtype == np.uint8 and picture.ndim == 2 else cv2.INTER_LINEAR
    size = picture.shape[1], picture.shape[0]
    return np.asarray(cv2.warpPerspective(picture, moved, size, flags=how | cv2.WARP_INVERSE_MAP, borderMode=edge))


def grey(rgb: Rgb) -> NDArray[Any]:
    """What movement is found on."""
    size = max(1, rgb.shape[1] // SHRUNK), max(1, rgb.shape[0] // SHRUNK)
    return np.asarray(cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA))
