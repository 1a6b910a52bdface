"""A correction by hand, carried along with what moves for as long as the network repeats the mistake."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from koutu.engines.stabilise import Flow, grey_of
from koutu.types import Rgb

SAME, OTHER = 0.25, 0.45  # how far the network's alpha may be from what it was there: the mistake again, or not


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
