"""A correction by hand, carried along with what moves for as long as the network repeats the mistake."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.stabilise import Flow, grey_of
from koutu.types import Rgb

SAME, OTHER = 0.25, 0.45  # how far the network's alpha may be from what it was there: the mistake again, or not


KEEP, ERASE = 192, 64  # of 255, beyond which a mask says something


@dataclass(frozen=True)
class Touch:
    """keep, erase, seen (h, w) float32 in [0, 1]: what is wanted, and what the network said; rgb: of that frame."""

    keep: NDArray[np.float32]
    erase: NDArray[np.float32]
    seen: NDArray[np.float32]
    rgb: Rgb
    flow: Flow = field(default_factory=Flow)

    def applied(self, pha: NDArray[np.float32], weight: NDArray[np.float32] | float = 1.0) -> NDArray[np.float32]:
        """Alpha (h, w) with what is wanted, where `weight` is 1."""
        wanted = pha + self.keep * weight * (1 - pha)
        return np.asarray(wanted * (1 - self.erase * weight), np.float32)

    def followed(self, pha: NDArray[np.float32], rgb: Rgb) -> tuple[NDArray[np.float32], "Touch"]:
        """The next frame's alpha with it, and what is left of it there.

        It counts where optical flow explains the frame and the network says again what it said before.
        """
        planes = np.dstack([self.keep, self.erase, self.seen])
        carried, trust = self.flow.carry(planes, grey_of(self.rgb), grey_of(rgb))
        keep, erase, seen = (np.ascontiguousarray(carried[..., i]) for i in range(3))
        far = np.clip((np.abs(pha - seen) - SAME) / (OTHER - SAME), 0, 1)
        weight = np.asarray(trust * (1 - far), np.float32)
        # What the network says now is what it is compared with next time, where it is still the same mistake.
        moved = Touch(keep, erase, np.asarray(seen + weight * (pha - seen), np.float32), rgb, self.flow)
        return moved.applied(pha, weight), moved


def touch_of(mask: NDArray[Any], seen: NDArray[np.float32], rgb: Rgb, before: Touch | None) -> Touch:
    """What a mask (H, W) uint8 wants of the network's frame and alpha (h, w), and of what was wanted before it."""
    size = seen.shape[1], seen.shape[0]
    keep, erase = (_share(wanted, size) for wanted in (mask > KEEP, mask < ERASE))
    if before is not None:  # the later one counts where both say something
        keep = np.maximum(keep, before.keep * (1 - erase))
        erase = np.maximum(erase, before.erase * (1 - keep))
    return Touch(keep, erase, seen, rgb)


def _share(wanted: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float32]:
    """How much of each pixel of (width, height) is wanted."""
    return np.asarray(cv2.resize(wanted.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
