"""Any video in: a file, a pipe, an animated image, or numbered pictures."""

import os
from fractions import Fraction

from koutu.media.fields import Deinterlace
from koutu.media.numbered import is_numbered
from koutu.media.pictures_reader import AnimationReader, NumberedReader, is_pillow_s
from koutu.media.pipe import is_pipe, spooled
from koutu.media.video_reader import VideoReader
from koutu.types import InputError

__all__ = ["VideoReader", "open_video"]


def open_video(
    path: str | os.PathLike[str], *, rate: Fraction | float | None = None, keep_hidden: bool = False,
    deinterlace: Deinterlace = "auto", sdr: bool = False, full_chroma: bool = False,
) -> VideoReader:  # fmt: skip
    """The video at `path`, ready to be iterated once; raises InputError. An image counts as a video of one frame.

    "-" is standard input. A folder, a pattern as shot_%04d.png or a glob names pictures, which are shown `rate` a
    second, 25 if it is not given. Animated images are videos. keep_hidden: leave in pictures what their own alpha
    hides. deinterlace: "auto" makes frames that are flagged as interlaced progressive, "keep" gives each of their
    fields as a frame, for writers to weave again, "off" leaves them. sdr: bring PQ and HLG to SDR of BT.709 and 8 bits.
    full_chroma: give `Yuv444` where the video has more chroma than 4:2:0; without it, all pictures are `Yuv420`.
    """
    if rate is not None and not is_numbered(path):
        raise InputError(f"{path}: expected numbered pictures for a rate, got something that has its own; leave it out")
    if is_numbered(path):
        return NumberedReader(path, rate=_rate_of(rate), keep_hidden=keep_hidden, full_chroma=full_chroma)
    whole = spooled(path) if is_pipe(path) else None
    if is_pillow_s(whole or path):
        return AnimationReader(path, keep_hidden=keep_hidden, spooled=whole, full_chroma=full_chroma)
    return VideoReader(
        path, keep_hidden=keep_hidden, spooled=whole, deinterlace=deinterlace, sdr=sdr, full_chroma=full_chroma
    )


def _rate_of(rate: Fraction | float | None) -> Fraction | None:
    """30, 29.97 or 23.976 as what they stand for."""
    if rate is None:
        return None
    if not 0.01 <= rate <= 1000:
        raise InputError(f"expected a rate from 0.01 to 1000 pictures a second, got {rate}; for example 25")
    exact = Fraction(rate).limit_denominator(100_000)
    broadcast = Fraction(round(rate * 1.001) * 1000, 1001)
    return broadcast if abs(exact - broadcast) < Fraction(1, 100) and exact.denominator != 1 else exact
