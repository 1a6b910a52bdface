"""Video files in: every frame that can be decoded, upright, with its exact time and the colours it came with."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from pathlib import Path
from types import TracebackType

import av

from koutu.runtime.containers import MATRIX_TAGS, ColorTags, space_of
from koutu.runtime.demux import open_input, packets, start_of, video_stream
from koutu.runtime.planes import Turn, depth_of, frame_to_yuv, is_rgb, turn_of, turned
from koutu.types import Frame, InputError

_FINEST = 10_000_000  # ticks a second; a time base finer than this is not worth an exact shift


@dataclass
class Lost:
    """What could not be decoded, as far as reading has come. str() is a sentence, empty if nothing is lost."""

    damaged: int = 0  # packets that could not be decoded, or frames that were patched up
    first: float = 0.0  # seconds: about where
    last: float = 0.0
    missing_seconds: float = 0.0  # at the end
    missing_frames: int = 0  # about how many that is

    def __bool__(self) -> bool:
        return bool(self.damaged or self.missing_seconds)

    def __str__(self) -> str:
        parts = []
        if self.damaged:
            where = f"at about {self.first:.1f} s" if self.last - self.first < 0.1 else (
                f"between about {self.first:.1f} s and {self.last:.1f} s"
            )  # fmt: skip
            parts.append(f"{self.damaged} damaged frame{'s' if self.damaged > 1 else ''} {where}")
        if self.missing_seconds:
            parts.append(f"the last {self.missing_seconds:.1f} s are missing, about {self.missing_frames} frames")
        return "; ".join(parts)

    def note(self, seconds: float) -> None:
        """Count damage at `seconds`."""
        self.first = min(self.first, seconds) if self.damaged else seconds
        self.last = max(self.last, seconds)
        self.damaged += 1


def open_video(path: str | os.PathLike[str]) -> "VideoReader":
    """The video at `path`, ready to be iterated once; raises InputError. An image counts as a video of one frame."""
    return VideoReader(path)


class VideoReader:
    """Frames of a video in the order they are shown, as upright Y'CbCr 4:2:0 planes. Iterated once; use with `with`.

    size: (H, W) upright. time_base: seconds a tick of every frame's pts; pts grow strictly, and times are those of
    the file less `start`, the moment its earliest stream starts. rate: average frames a second, None if unknown.
    end: when the last frame given so far stops being shown, seconds. space, depth (8 or 10): of every picture. tags:
    the colour description to write again. turn, rotation: what was done to make frames upright (degrees clockwise).
    lost: what could not be decoded so far.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self._container = open_input(path)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        stream = video_stream(self._container)
        assert stream is not None
        self._stream = stream
        stream.thread_type = "AUTO"
        self.has_audio = bool(self._container.streams.audio)
        rate = stream.average_rate or stream.guessed_rate
        self.rate: Fraction | None = Fraction(rate) if rate else None
        self.lost, self.end = Lost(), Fraction(0)
        self.start, self.time_base = start_of(self._container), Fraction(1, 90_000)
        self._tick = Fraction(stream.time_base or self.time_base)
        self._last: int | None = None  # pts of the latest frame, in the stream's ticks
        self._next = 0  # where the one after it is expected
        self._jump = 0  # ticks added since the stream's clock was set back
        self._decoder = self._decoded()
        first = next(self._decoder, None)
        if first is None:
            raise InputError(
                f"{self.path}: expected at least one frame that can be decoded, got none"
                f"{f' ({self.lost})' if self.lost else ''}; check that it plays, and fetch or export it again"
            )
        self._describe(first)
        self._set_clock(first)
        self._first: av.VideoFrame | None = first

    def _describe(self, first: av.VideoFrame) -> None:
        """Learn from the first frame, which knows more than the container, what all are going to be."""
        self._stored = first.height, first.width
        self.turn: Turn = turn_of(first)
        self.rotation = self.turn.degrees
        self.size = self._stored[::-1] if self.turn.transpose else self._stored
        self.depth = depth_of(first)
        rgb = is_rgb(first)
        full = not rgb and (first.format.name.startswith("yuvj") or first.color_range == 2)
        if len(first.format.components) < 3 and first.color_range == 0 and not rgb:
            full = True  # grey untold: pictures rather than broadcast
        tags = ColorTags(first.color_primaries, first.color_trc, first.colorspace, 2 if full else first.color_range)
        self.space = space_of(tags._replace(matrix=2) if rgb else tags, self._stored[0], full)
        if rgb:
            tags = tags._replace(matrix=MATRIX_TAGS[self.space.matrix], range=1)
        self.tags = tags
        aspect = self._stream.sample_aspect_ratio
        aspect = Fraction(aspect) if aspect else Fraction(1)
        self.pixel_aspect = 1 / aspect if self.turn.transpose else aspect  # width / height of a pixel

    def _set_clock(self, first: av.VideoFrame) -> None:
        """Choose a time base in which the stream's ticks and the shift to zero are whole numbers."""
        self.start = min(self.start, self._raw_pts(first) * self._tick)
        tick, start = self._tick, self.start
        shared = Fraction(
            gcd(tick.numerator * start.denominator, start.numerator * tick.denominator),
            tick.denominator * start.denominator,
        )
        self.time_base = shared if shared.denominator <= _FINEST else tick
        self._scale, self._offset = int(tick / self.time_base), round(start / self.time_base)

    @property
    def duration_seconds(self) -> float | None:
        """As the file tells, which may be wrong."""
        seconds = self._stream_seconds
        if seconds is None and self._container.duration:
            seconds = self._container.duration / av.time_base
        return seconds

    @property
    def frame_count(self) -> int | None:
        """An estimate from what the file tells."""
        seconds = self.duration_seconds
        if self._stream.frames:
            return self._stream.frames
        return max(1, round(seconds * self.rate)) if seconds and self.rate else None

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        frame, self._first = self._first, None
        frame = frame or next(self._decoder, None)
        if frame is None:
            self._note_missing_end()
            raise StopIteration
        raw = self._raw_pts(frame)
        length = frame.duration or self._length
        self._last, self._next = raw, raw + length
        pts = raw * self._scale - self._offset
        self.end = (pts + length * self._scale) * self.time_base
        picture = turned(frame_to_yuv(frame, self.space, self.depth, self._stored), self.turn)
        return Frame(picture, pts, self.time_base)

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; frames already given stay valid."""
        if hasattr(self, "_decoder"):
            self._decoder.close()
        self._first = None
        self._container.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        for packet in packets(self._container, [self._stream], lambda _: self._note_damage(None)):
            if packet.is_corrupt and packet.size:
                self._note_damage(packet)
            ending = not packet.size
            for _ in range(64 if ending else 1):  # at the end, each call may meet one more damaged frame
                try:
                    frames = self._stream.codec_context.decode(None if ending else packet)
                except EOFError:
                    break
                except av.FFmpegError:
                    self._note_damage(packet)
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        self._note_damage(packet)
                    yield frame
                break

    def _raw_pts(self, frame: av.VideoFrame) -> int:
        """The frame's pts in the stream's ticks, made up if it has none, and later than the one before."""
        told = frame.pts if frame.pts is not None or self._last is not None else frame.dts
        if self._last is None:
            return told or 0
        if told is None:
            return self._next
        if told + self._jump <= self._last:
            second = 1 / self._tick
            if told + self._jump <= self._last - second:  # the clock was set back: two recordings in one file
                self._jump = self._next - told
            return max(told + self._jump, self._last + 1)
        return told + self._jump

    @property
    def _length(self) -> int:
        """Ticks a frame is shown, if the file does not tell."""
        return max(1, round(1 / (self.rate or 25) / self._tick))

    @property
    def _stream_seconds(self) -> float | None:
        """How long the video stream alone is, if the file tells."""
        if self._stream.duration:
            return float(self._stream.duration * self._tick)
        try:  # Matroska: a tag, "00:01:02.345000000"
            hours, minutes, seconds = self._stream.metadata["DURATION"].split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        except (KeyError, ValueError):
            return None

    def _note_damage(self, packet: av.Packet | None) -> None:
        pts = None if packet is None else packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            pts = self._next
        self.lost.note(max(0.0, float(pts * self._tick - self.start)))

    def _note_missing_end(self) -> None:
        """Compare where the stream ended with where the file says that it does."""
        told = self._stream_seconds
        if told is None or self.rate is None or self.lost.missing_seconds:
            return
        begin = float((self._stream.start_time or 0) * self._tick - self.start)
        missing = told + begin - float(self.end)
        if missing > max(0.3, 2.5 / float(self.rate)):
            self.lost.missing_seconds, self.lost.missing_frames = missing, round(missing * self.rate)
