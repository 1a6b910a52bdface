"""What flows through a live run: frames that know when they were captured, sound, and composites."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.composite import fit
from koutu.media.containers import HdrLight
from koutu.media.light import relit
from koutu.types import Alpha, ColorSpace, Frame, Planes, Viewing, Yuv, Yuv420, picture_size

SAMPLE_RATE = 48_000  # of all sound inside
CHANNELS = 2


@dataclass(frozen=True, slots=True, eq=False)
class CapturedFrame:
    """A frame as it came. captured: when, in seconds of the run's clock; number: counted from 0 by the source.

    hdr: what the source says of its light.
    The frame's own time is that of the outputs: seconds since the run began, as the source's clock counts them.
    """

    frame: Frame
    captured: float
    number: int
    hdr: HdrLight = HdrLight()  # noqa: RUF009 — a tuple


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

    @property
    def on_screen(self) -> Yuv:
        """The picture as screens take it: SDR, of square pixels."""
        viewing = self.shot.frame.viewing
        return squared(sdr(self.picture, viewing), viewing.pixel_aspect)


def sdr(picture: Yuv, viewing: Viewing) -> Yuv:
    """The picture with SDR's light in 8 bits of BT.709, if it is HDR."""
    if viewing.transfer == "sdr":
        return picture
    made = relit(picture, viewing, Viewing(), Planes(ColorSpace(), 8))
    assert isinstance(made, Yuv)
    return made


def squared(picture: Any, aspect: Fraction) -> Any:
    """A picture or an alpha with square pixels, as windows, pages and cameras show them; `aspect` is width / height."""
    if aspect == 1:
        return picture
    height, width = picture_size(picture)
    size = (height, round(width * aspect / 2) * 2) if aspect > 1 else (round(height / aspect / 2) * 2, width)
    return fit(picture, size, "stretch")
