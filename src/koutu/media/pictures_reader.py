"""Pictures as a video: numbered files at a steady rate, and animated images as Pillow reads them."""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image, ImageSequence

from koutu.media import heif
from koutu.media.clock import Clock
from koutu.media.colours import Told
from koutu.media.demux import open_input
from koutu.media.image import BROKEN, identified, opened, pil_to_rgba
from koutu.media.numbered import Numbered, numbered
from koutu.media.video_reader import RATE, Lost, VideoReader
from koutu.types import InputError

_MILLISECOND = Fraction(1, 1000)
_SHORTEST, _USUAL = 11, 100  # milliseconds of an animation's frame; viewers take less for a mistake


def is_pillow_s(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a WebP, AVIF or HEIF, still or animated, which Pillow reads whole and FFmpeg does not."""
    try:
        with open(path, "rb") as file:
            head = file.read(heif.HEAD)
    except (OSError, ValueError):
        return False
    return (head[:4] == b"RIFF" and head[8:] == b"WEBP") or head[4:] in (b"ftypavif", b"ftypavis") or heif.is_heif(head)


class PicturesReader(VideoReader):
    """A VideoReader of pictures, without sound; `keep_hidden` as there."""

    def close(self) -> None:
        self._closed, self._first = True, None
        if hasattr(self, "_decoder"):
            self._decoder.close()
        if self._spooled is not None:
            self._spooled.unlink(missing_ok=True)

    @property
    def duration_seconds(self) -> float | None:
        return None if self.frame_count is None else float(self.frame_count / (self.rate or RATE))

    def _begin(self, tick: Fraction, rate: Fraction) -> None:
        self.has_audio, self.rate, self.file = False, rate, None
        self._told, self._aspect = Told(), Fraction(1)
        self._clock, self.lost = Clock(tick, Fraction(0), rate), Lost()
        self._start_decoding()

    def _note_missing_end(self) -> None:
        """A picture file says nothing of an end."""


class NumberedReader(PicturesReader):
    """Picture files, shown `rate` a second; notes: what of their numbers a user must know."""

    def __init__(
        self, path: str | os.PathLike[str], *, rate: Fraction | None = None, keep_hidden: bool = False,
        full_chroma: bool = False,
    ):  # fmt: skip
        self._files: Numbered = numbered(path)
        self._rate = rate or RATE
        super().__init__(path, keep_hidden=keep_hidden, full_chroma=full_chroma)

    @property
    def frame_count(self) -> int | None:
        return len(self._files.paths)

    def _open(self) -> None:
        self.notes = list(self._files.notes)
        self._begin(1 / self._rate, self._rate)

    def _decoded(self) -> Generator[av.VideoFrame, None, None]:
        last: InputError | None = None
        for number, path in enumerate(self._files.paths):
            try:
                frame = picture_frame(path)
            except InputError as error:
                last = error
                self._note_damage(number)
                continue
            last = None
            frame.pts, frame.duration = number, 1
            yield frame
        if last is not None and len(self._files.paths) == 1:
            raise last


class AnimationReader(PicturesReader):
    """One image file with a frame or more, each shown as long as it says."""

    def __init__(
        self, path: str | os.PathLike[str], *, keep_hidden: bool = False, spooled: Path | None = None,
        full_chroma: bool = False,
    ):  # fmt: skip
        self._count: int | None = None
        self._image = spooled or Path(path)
        super().__init__(path, keep_hidden=keep_hidden, spooled=spooled, full_chroma=full_chroma)

    @property
    def frame_count(self) -> int | None:
        return self._count

    def _open(self) -> None:
        with opened(self._image) as (file, name), _told_of(name):
            image = identified(file, name)
            self._count = int(getattr(image, "n_frames", 1))
            if self._count > 1:
                image.load()  # until then, it does not tell how long it is shown
            length = _length(image)
        self._begin(_MILLISECOND, RATE if self._count == 1 else 1 / (length * _MILLISECOND))

    def _decoded(self) -> Generator[av.VideoFrame, None, None]:
        at = 0
        with opened(self._image) as (file, name):
            with _told_of(name):
                image = identified(file, name)
            try:
                for picture in ImageSequence.Iterator(image):
                    frame = _frame(picture)
                    length = _length(picture) if self._count and self._count > 1 else round(1000 / RATE)
                    frame.pts, frame.duration = at, length
                    at += length
                    yield frame
            except BROKEN:
                self._note_damage(at)


def picture_frame(path: Path) -> av.VideoFrame:
    """One picture file as FFmpeg has it: by Pillow where that keeps all of it, else by FFmpeg; raises InputError."""
    with opened(path) as (file, name):
        try:
            image = identified(file, name)
            if not _is_deep(image):
                return _frame(image)
        except Image.UnidentifiedImageError:
            pass
        except BROKEN as error:
            raise InputError(f"{path}: expected a whole picture, got a damaged one ({error}); make it again") from error
    try:
        with open_input(path) as container:
            return next(container.decode(video=0))
    except (FFmpegError, StopIteration) as error:
        raise InputError(f"{path}: expected a picture, got one that cannot be decoded; make it again") from error


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    """What Pillow says of an image it cannot read, as an InputError."""
    try:
        yield
    except Image.UnidentifiedImageError:
        raise InputError(f"{name}: expected an image that Pillow reads, got another; convert it to PNG") from None
    except BROKEN as error:
        raise InputError(f"{name}: expected a whole image, got a damaged one ({error}); fetch it again") from error


def _is_deep(image: Image.Image) -> bool:
    """Whether its file has more than 8 bits of each of several colours, of which Pillow would keep 8."""
    return image.mode in ("RGB", "RGBA", "LA") and any("16" in str(tile[3]) for tile in getattr(image, "tile", []))


def _frame(image: Image.Image) -> av.VideoFrame:
    rgb, alpha = pil_to_rgba(image)
    if alpha is None:
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
    return av.VideoFrame.from_ndarray(np.dstack([rgb, alpha]), "rgba")


def _length(image: Image.Image) -> int:
    """Milliseconds that an animation's frame is shown."""
    length = round(float(image.info.get("duration") or 0))
    return length if length >= _SHORTEST else _USUAL
