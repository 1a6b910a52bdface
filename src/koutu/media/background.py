"""What goes behind the person: a still, a video, the blurred room, or nothing, made to fit each frame."""

import os
from collections.abc import Generator
from dataclasses import replace
from fractions import Fraction

from koutu.composite import Fit, blur, solid_like
from koutu.composite import replace as put_over
from koutu.media.conform import conformed, planes_of
from koutu.types import Alpha, Frame, InputError, Picture, Rgb, Yuv


class Background:
    """Called with a frame and its alpha (H, W), gives a picture of the frame's kind, size, space and depth, or None.

    None: nothing goes behind. Frames come in the order of their time. The picture is not to be written into. timeless:
    for the same picture and alpha it is the same at any time.
    """

    timeless = False

    def __call__(self, frame: Frame, alpha: Alpha) -> Picture | None:
        raise NotImplementedError

    def close(self) -> None:
        """Release what is open; the background is not called again."""

    def __enter__(self):
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Transparent(Background):
    """Nothing behind: for writers that keep alpha."""

    timeless = True

    def __call__(self, frame: Frame, alpha: Alpha) -> None:
        return None


class Blurred(Background):
    """The room itself, out of focus by `strength` % of the shorter side, as `koutu.composite.blur`."""

    timeless = True

    def __init__(self, strength: float = 10):
        self.strength = strength

    def __call__(self, frame: Frame, alpha: Alpha) -> Picture:
        return blur(frame.picture, alpha, self.strength)


class Still(Background):
    """One image or colour, fitted and converted when the frames' size or kind changes.

    raw: its numbers stay what they are, as those of masks must, whatever light the frames' mean.
    """

    timeless = True

    def __init__(self, rgb: Rgb, how: Fit = "cover", *, raw: bool = False):
        self.rgb, self._raw = rgb, raw
        self._how: Fit = how
        self._ready: tuple[tuple, Picture] | None = None

    def __call__(self, frame: Frame, alpha: Alpha) -> Picture:
        key = _kind(frame)
        if self._ready is None or self._ready[0] != key:
            self._ready = key, _met(Frame(self.rgb), frame, self._how, self._raw)
        return self._ready[1]


class Moving(Background):
    """A video, in step with the frames' time: it starts at the first frame, and again when the time jumps back.

    Decoded as far as asked, two frames held; at its end it starts over by opening it again, or holds its last frame.
    raw: as of `Still`.
    """

    def __init__(self, path: str | os.PathLike[str], how: Fit = "cover", *, loop: bool = True, raw: bool = False):
        self._path, self._loop, self._raw = path, loop, raw
        self._how: Fit = how
        self._length: Fraction | None = None  # known after the first pass
        self._origin: Fraction | None = None
        self._latest = Fraction(0)
        self._ready: tuple[Frame, tuple, Picture] | None = None
        self._end = None
        self._rewind()

    def __call__(self, frame: Frame, alpha: Alpha) -> Picture:
        seconds = frame.seconds
        if self._origin is None or seconds < self._latest:
            if self._origin is not None:
                self._rewind()
            self._origin = seconds
        self._latest = seconds
        self._move_to(seconds - self._origin)
        key = _kind(frame)
        if self._ready is None or self._ready[0] is not self._now or self._ready[1] != key:
            self._ready = self._now, key, _met(self._now, frame, self._how, self._raw)
        return self._ready[2]

    def close(self) -> None:
        self._frames.close()

    def _rewind(self, turn: int = 0) -> None:
        if hasattr(self, "_frames"):
            self._frames.close()
        self._frames = _frames(self._path)
        first = self._following()
        if first is None:
            raise InputError(
                f"{self._path}: expected a video with at least one frame as background, got none; "
                "check that it plays, or use an image"
            )
        self._first, self._now, self._next = first, first, self._following()
        self._turn = turn

    def _following(self) -> Frame | None:
        """The next frame; None after the last one, when it is known until when that is shown."""
        try:
            return next(self._frames)
        except StopIteration as over:
            self._end: Fraction | None = over.value or self._end
            return None

    def _move_to(self, elapsed: Fraction) -> None:
        """Make `_now` the frame shown `elapsed` seconds after the first."""
        position = elapsed
        if self._loop and self._length:
            turn, position = divmod(elapsed, self._length)
            if turn != self._turn:
                self._rewind(turn)
        while self._next is not None and self._next.seconds - self._first.seconds <= position:
            self._now, self._next = self._next, self._following()
        if self._next is None and self._length is None:
            assert self._end is not None
            self._length = max(self._end - self._first.seconds, Fraction(1, 1000))
            self._loop = self._loop and self._now is not self._first  # one frame is not worth opening again
            if self._loop and elapsed >= self._length:
                self._move_to(elapsed)


def _frames(path: str | os.PathLike[str]) -> Generator[Frame, None, Fraction]:
    """A video's frames, and then when the last one is over, seconds."""
    from koutu.media.reader import open_video  # FFmpeg is loaded only for a video

    with open_video(path) as reader:
        for frame in reader:
            yield frame if frame.alpha is None else replace(frame, picture=_on_white(frame), alpha=None)
        return reader.end


def _on_white(frame: Frame) -> Picture:
    """The frame as `koutu.media.image.read_image` shows what lets through."""
    picture = frame.picture
    assert isinstance(picture, Yuv) and frame.alpha is not None
    return put_over(picture, frame.alpha, solid_like(picture, (255, 255, 255)))


def _kind(frame: Frame) -> tuple:
    return frame.size, planes_of(frame.picture), frame.viewing


def _met(behind: Frame, frame: Frame, how: Fit, raw: bool) -> Picture:
    """The picture behind as one of the frame's."""
    return conformed(behind, frame.size, planes_of(frame.picture), frame.viewing, how, raw=raw)
