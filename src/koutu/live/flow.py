"""What flows through a live run: frames that know when they were captured, sound, and composites."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from koutu.types import Alpha, Frame, Yuv420

SAMPLE_RATE = 48_000  # of all sound inside
CHANNELS = 2


@dataclass(frozen=True, slots=True, eq=False)
class CapturedFrame:
    """A frame as it came. captured: when, in seconds of the run's clock; number: counted from 0 by the source.

    The frame's own time is that of the outputs: seconds since the run began, as the source's clock counts them.
    """

    frame: Frame
    captured: float
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """samples (CHANNELS, n) float32 in [-1, 1] at SAMPLE_RATE, heard `seconds` after the run began."""

    seconds: float
    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A composite and the shot that it was made of; alpha (H, W) is of that very shot."""

    picture: Yuv420
    alpha: Alpha
    shot: CapturedFrame
