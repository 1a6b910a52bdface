"""Pictures and sound encoded as they come, each at its own moment, into a file or a pipe."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from koutu.color import rgb_to_yuv, to_rgb
from koutu.composite import fit
from koutu.live.flow import CHANNELS, SAMPLE_RATE, Sound
from koutu.media.containers import MATRIX_TAGS, ColorTags, Encoder, HdrLight
from koutu.media.picture_stream import PictureStream
from koutu.types import ColorSpace, Frame, Lines, Viewing, Yuv420

TICKS = 90_000  # a second
_NO_HDR = HdrLight()
KEY_SECONDS = 2.0  # between two frames that stand alone: where a viewer may begin
SLACK = round(0.05 * SAMPLE_RATE)  # samples by which sound may be off before it is put right
ABSENT = 1.0  # seconds without sound after which silence takes its place


@dataclass(frozen=True)
class Form:
    """What is written. format: FFmpeg's; video: the encoder; sound: encoder, "" for none."""

    format: str
    video: Encoder = Encoder("libx264", "yuv420p", {}, even=True)  # noqa: RUF009 — a tuple
    sound: str = "aac"
    container_options: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)  # titles


@dataclass(frozen=True)
class Pictures:
    """What pictures of a run are like: those of its first frame. hdr: what the source says of its light."""

    space: ColorSpace
    depth: int
    viewing: Viewing
    rate: Fraction | None
    hdr: HdrLight = HdrLight()  # noqa: RUF009 — a tuple
    time_base: Fraction = Fraction(1, TICKS)
    first_field: Lines | None = None

    @property
    def tags(self) -> ColorTags:
        """The colour description to write."""
        full = 2 if self.space.full_range else 1
        return ColorTags(*self.viewing.codes, MATRIX_TAGS[self.space.matrix], full)


def pictures_like(first: Frame, rate: float | None, hdr: HdrLight = _NO_HDR) -> Pictures:
    """What the pictures are like of a run that begins with that frame, about `rate` a second."""
    assert isinstance(first.picture, Yuv420)
    told = Fraction(rate or 30).limit_denominator(1001)
    return Pictures(first.picture.space, first.picture.depth, first.viewing, told, hdr)


class Recorder:
    """Writes frames of `size` (H, W) and of colours as `like` says into `target`, a path or something with `write`.

    Time 0 is the first frame's. Later frames of another size are fitted in with black beside them. notes: what cannot
    be kept. Raises FFmpeg's errors and those of `target`.
    """

    def __init__(self, target: Any, form: Form, size: tuple[int, int], like: Pictures, *, audio: bool):
        self._shape, self._like = size, like
        self._pictures = PictureStream(form.video, like, size)
        self._container = av.open(
            target, "w", format=form.format, container_options=dict(form.container_options), buffer_size=4096
        )
        try:
            self._video = self._pictures.add_to(self._container)
            self._track = SoundTrack(self._container, form.sound) if audio and form.sound else None
            self._container.metadata.update(form.metadata)
            self._container.start_encoding()
        except BaseException:
            self.discard()
            raise
        self.notes = self._pictures.notes
        self._zero: float | None = None
        self._last, self._keyed = -1, float("-inf")

    def put(self, picture: Yuv420, seconds: float, sounds: list[Sound]) -> None:
        """A frame shown `seconds` after the run began, and sound since the last one."""
        if self._zero is None:
            self._zero = seconds
        at = seconds - self._zero
        frame = self._pictures.framed(self._conformed(picture))
        frame.pts = self._last = max(round(at * TICKS), self._last + 1)
        frame.time_base = Fraction(1, TICKS)
        if at - self._keyed >= KEY_SECONDS:
            frame.pict_type, self._keyed = PictureType.I, at
        self._container.mux(self._video.encode(frame))
        self._hear(sounds)
        if self._track is not None:
            self._track.keep_up(at)

    def finish(self, sounds: list[Sound]) -> None:
        """Write what is waiting, and complete the file."""
        self._hear(sounds)
        self._container.mux(self._video.encode(None))
        if self._track is not None:
            self._track.finish()
        self._container.close()

    def discard(self) -> None:
        """Let go of it, whatever state it is in."""
        with suppress(Exception):  # it is thrown away, and its other end may be gone
            self._container.close()

    def _hear(self, sounds: list[Sound]) -> None:
        if self._track is None or self._zero is None:
            return
        for sound in sounds:
            self._track.put(sound.samples, sound.seconds - self._zero)

    def _conformed(self, picture: Yuv420) -> Yuv420:
        fitted = fit(picture, self._shape, "contain")
        assert isinstance(fitted, Yuv420)
        space = self._like.space
        return fitted if fitted.space == space else rgb_to_yuv(to_rgb(fitted), space, self._like.depth)


class SoundTrack:
    """Sound without gaps: silence where none came, nothing twice where it came too often."""

    def __init__(self, container: Any, encoder: str):
        self._container = container
        self._stream = container.add_stream(encoder, rate=SAMPLE_RATE)
        self._stream.codec_context.layout = "stereo"
        self._stream.codec_context.bit_rate = 160_000
        self._count = 0  # samples so far

    def put(self, samples: NDArray[np.float32], seconds: float) -> None:
        """samples (CHANNELS, n), heard `seconds` after the first frame."""
        gap = round(seconds * SAMPLE_RATE) - self._count
        if gap > SLACK:
            self._silence(gap)
        elif gap < -SLACK or self._count == 0:
            samples = samples[:, max(0, -gap) :]
        self._append(samples)

    def keep_up(self, seconds: float) -> None:
        """The frame has come to `seconds`: sound that is far behind will not come."""
        behind = round(seconds * SAMPLE_RATE) - self._count
        if behind > ABSENT * SAMPLE_RATE:
            self._silence(behind - SAMPLE_RATE // 2)

    def finish(self) -> None:
        """Encode what is left."""
        self._container.mux(self._stream.encode(None))

    def _silence(self, count: int) -> None:
        while count > 0:
            part = min(count, SAMPLE_RATE)
            self._append(np.zeros((CHANNELS, part), np.float32))
            count -= part

    def _append(self, samples: NDArray[np.float32]) -> None:
        if not samples.shape[1]:
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._count, Fraction(1, SAMPLE_RATE)
        self._count += samples.shape[1]
        self._container.mux(self._stream.encode(frame))
