"""Video files in: every frame that can be decoded, upright, with its exact time and the colours it came with."""

import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import av
import numpy as np
from av.error import FFmpegError

from koutu.composite import fit
from koutu.media.clock import Clock
from koutu.media.colours import colours_of, told_of, viewing_of
from koutu.media.conform import conformed, planes_of
from koutu.media.containers import ColorTags
from koutu.media.demux import Joints, open_input, packets, start_of, video_stream
from koutu.media.fields import Deinterlace, Progressive, is_top_first
from koutu.media.hdr import HdrLight, hdr_light_of
from koutu.media.own_alpha import alpha_of, decoder_of, upright
from koutu.media.planes import Turn, depth_of, frame_to_planes, has_full_chroma, turn_of, turned, turned_plane
from koutu.types import ColorSpace, Frame, InputError, Lines, Planes, Viewing, Yuv420, Yuv444

_MADE = {
    "auto": "interlaced frames were made progressive; --deinterlace keep keeps both fields, off leaves their combs",
    "keep": "interlaced frames were made progressive, because the stream begins with one that is not, or is turned",
}
RATE = Fraction(25)  # of pictures that tell none


class Layout(NamedTuple):
    """How one frame is stored and meant; a change of the first four in mid-stream is told. stored: (H, W)."""

    stored: tuple[int, int]
    turn: Turn
    space: ColorSpace
    viewing: Viewing
    tags: ColorTags
    depth: int

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) upright."""
        height, width = self.stored
        return (width, height) if self.turn.transpose else (height, width)


@dataclass
class Lost:
    """What could not be decoded, as far as reading has come. str() is a sentence, empty if nothing is lost."""

    moments: set[float] = field(default_factory=set)  # seconds, about: packets not decoded, frames patched up
    missing_seconds: float = 0.0  # at the end
    missing_frames: int = 0  # about how many that is

    def __bool__(self) -> bool:
        return bool(self.moments or self.missing_seconds)

    def __str__(self) -> str:
        parts = []
        if self.moments:
            count, first, last = len(self.moments), min(self.moments), max(self.moments)
            where = f"at about {first:.1f} s" if last - first < 0.1 else f"between about {first:.1f} s and {last:.1f} s"
            parts.append(f"{count} damaged frame{'s' if count > 1 else ''} {where}")
        if self.missing_seconds:
            parts.append(f"the last {self.missing_seconds:.1f} s are missing, about {self.missing_frames} frames")
        return "; ".join(parts)


class VideoReader:
    """Frames of a video in the order they are shown, as upright planes. Iterated once; use with `with`.

    All are of the first one's size and colours: where the stream changes them, they are fitted in with bars, and told.
    size: (H, W) upright. time_base: seconds a tick of every frame's pts; pts grow strictly, and times are those of
    the file less `start`, the moment its earliest stream starts. rate: average frames a second, None if unknown.
    space, depth (8 or 10): of every picture. tags, hdr: the colour description to write again. pixel_aspect: width /
    height of a pixel. turn, rotation: what was done to make frames upright (degrees clockwise). lost: what could not be
    decoded so far. notes: what else of it a user must know. first_field: of a stream that is kept interlaced, whose
    fields come as frames of their own and in pairs. file: what holds its sound and the rest, None if nothing.
    """

    file: Path | None
    _segment: tuple[Fraction, Fraction | None] = Fraction(0), None

    def __init__(
        self, path: str | os.PathLike[str], *, keep_hidden: bool = False, spooled: Path | None = None,
        deinterlace: Deinterlace = "auto", sdr: bool = False, full_chroma: bool = False,
    ):  # fmt: skip
        self._deinterlace, self._sdr, self._full_chroma = deinterlace, sdr, full_chroma
        self.first_field: Lines | None = None
        self._middle: int | None = None  # when the second field of a frame is shown whose first was given
        self.path, self._closed, self._keep_hidden = Path(path), False, keep_hidden
        self.file, self._spooled = spooled or self.path, spooled
        self.notes: list[str] = []
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def cut(self, start: Fraction, until: Fraction | None, warm: Fraction = Fraction(0)) -> None:
        """Before the first frame: give those from `start` less `warm` on, and one past `until`, in frames' seconds.

        `end` is `until` at most, None for the video's own; damage before `start` is not this segment's. It has no sound
        nor anything else of the file.
        """
        self._decoder.close()
        tick, origin = self._clock.tick, self._clock.start
        begin = max(Fraction(0), start - warm)
        self._container.seek(floor((begin + origin) / tick), stream=self._stream, backward=True)
        self._clock.restart()
        self.file, self._first, self._segment, self.lost = None, None, (start, until), Lost()
        decoded = (frame for frame in self._decoded() if (frame.pts or 0) * tick - origin >= begin)
        self._decoder = self._without_combs(decoded)

    def _open(self) -> None:
        assert self.file is not None
        self._container = open_input(self.file, self.path)
        stream = video_stream(self._container)
        assert stream is not None
        self._stream = stream
        stream.thread_type = "AUTO"
        self._told = told_of(stream)
        self.has_audio = bool(self._container.streams.audio)
        rate = stream.average_rate or stream.guessed_rate
        self.rate: Fraction | None = Fraction(rate) if rate else None
        self._clock = Clock(Fraction(stream.time_base or Fraction(1, 90_000)), start_of(self._container), self.rate)
        self.lost = Lost()
        aspect = stream.sample_aspect_ratio
        self._aspect = Fraction(aspect) if aspect else Fraction(1)
        self._start_decoding()

    def _start_decoding(self) -> None:
        self._decoder = self._without_combs(self._decoded())
        first, lines = next(self._decoder, (None, "all"))
        if first is None:
            raise InputError(
                f"{self.path}: expected at least one frame that can be decoded, got none"
                f"{f' ({self.lost})' if self.lost else ''}; check that it plays, and fetch or export it again"
            )
        self._describe(first)
        self._clock.begin(first)
        self.start = self._clock.start
        self.time_base = self._clock.time_base / (2 if self.first_field else 1)
        self._first: tuple[av.VideoFrame, Lines] | None = first, lines

    def _describe(self, first: av.VideoFrame) -> None:
        """Learn from the first frame, which knows more than the container, what all are to be."""
        layout = self._now = self._layout_of(first)
        self._part = 0
        self.turn, self.space, self.viewing = layout.turn, layout.space, layout.viewing
        self.rotation, self.size = self.turn.degrees, layout.size
        self._kind = Yuv444 if self._full_chroma and has_full_chroma(first) else Yuv420
        self.depth, self.tags, self.hdr = layout.depth, layout.tags, hdr_light_of(first)
        if self._sdr and self.viewing.transfer != "sdr":
            self.space, self.depth, self.tags, self.hdr = ColorSpace(), 8, ColorTags(1, 1, 1, 1), HdrLight()
            self.viewing = Viewing(pixel_aspect=self.viewing.pixel_aspect)
            self.notes.append("HDR was made SDR: light above its white of 203 nits is pressed together")
        self.pixel_aspect = self.viewing.pixel_aspect  # width / height of a pixel

    def _layout_of(self, frame: av.VideoFrame) -> "Layout":
        turn, (tags, space) = turn_of(frame), colours_of(frame, self._told)
        viewing = viewing_of(tags, 1 / self._aspect if turn.transpose else self._aspect)
        return Layout((frame.height, frame.width), turn, space, viewing, tags, depth_of(frame))

    @property
    def end(self) -> Fraction:
        """When the last frame given so far stops being shown, seconds."""
        until = self._segment[1]
        return self._clock.end if until is None else min(self._clock.end, until)

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

    def __iter__(self) -> "VideoReader":
        return self

    def __next__(self) -> Frame:
        if self._closed:
            raise ValueError(f"{self.path}: expected an open reader, got a closed one; open the video again")
        found, self._first = self._first, None
        until = self._segment[1]
        if until is not None and self._clock.end > until:
            raise StopIteration
        frame, lines = found or next(self._decoder, (None, "all"))
        if frame is None:
            self._note_missing_end()
            raise StopIteration
        layout = self._layout_of(frame)
        if layout[:4] != self._now[:4]:
            self._note_change(layout)
        return self._fitted(self._upright(frame, layout, lines))

    def _upright(self, frame: av.VideoFrame, layout: "Layout", lines: Lines) -> Frame:
        """The frame as it came, but for its turn."""
        planes = Planes(layout.space, layout.depth, self._kind)
        picture, alpha = frame_to_planes(frame, planes, layout.stored), alpha_of(frame)
        if self._keep_hidden and alpha is not None:
            picture, alpha = turned(picture, layout.turn), np.ascontiguousarray(turned_plane(alpha, layout.turn))
        else:
            picture, alpha = upright(picture, alpha, layout.turn)
        return Frame(picture, self._pts(frame, lines), self.time_base, alpha, layout.viewing, self._part, lines)

    def _pts(self, frame: av.VideoFrame, lines: Lines) -> int:
        """When it is shown: two fields share the time of their frame."""
        if lines != "all" and self._middle is not None:
            pts, self._middle = self._middle, None
            return pts
        pts = round(self._clock.pts(frame) * self._clock.time_base / self.time_base)
        self._middle = (pts + round(self._clock.end / self.time_base)) // 2 if lines != "all" else None
        return pts

    def _fitted(self, frame: Frame) -> Frame:
        """A frame that is not like the first one in the first one's size, with bars, and in its colours."""
        planes = Planes(self.space, self.depth, self._kind)
        if frame.size == self.size and planes_of(frame.picture) == planes and frame.viewing == self.viewing:
            return frame
        aspect = frame.viewing.pixel_aspect / self.viewing.pixel_aspect
        alpha = None if frame.alpha is None else np.asarray(fit(frame.alpha, self.size, "contain", aspect))
        picture = conformed(frame, self.size, planes, self.viewing, "contain")
        return replace(frame, picture=picture, alpha=alpha, viewing=self.viewing)

    def _note_change(self, layout: "Layout") -> None:
        """Begin another part of the stream; the first change is told."""
        before, self._now = self._now, layout
        self._part += 1
        if self._part > 1:
            return
        when = f"at about {self._clock.seconds(None):.1f} s"
        (h, w), (new_h, new_w) = before.size, layout.size
        if (h, w) != (new_h, new_w):
            self.notes.append(
                f"the picture changes from {w}×{h} to {new_w}×{new_h} {when}; it keeps its shape, with bars beside it"
            )
        elif layout.turn != before.turn:
            self.notes.append(f"the picture turns {when}; it is kept upright")
        else:
            self.notes.append(f"the colours change {when}; they are brought to those of the beginning")

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; frames already given stay valid."""
        self._closed, self._first = True, None
        if hasattr(self, "_decoder"):
            self._decoder.close()
        if hasattr(self, "_container"):
            self._container.close()
        if self._spooled is not None:
            self._spooled.unlink(missing_ok=True)

    def _without_combs(self, frames: Iterable[av.VideoFrame]) -> Generator[tuple[av.VideoFrame, Lines], None, None]:
        if self._deinterlace == "off":
            for frame in frames:
                yield frame, "all"
            return
        progressive: Progressive | None = None
        for frame in frames:
            if progressive is None:  # the first says what all are to be
                if self._deinterlace == "keep" and frame.interlaced_frame and turn_of(frame) == Turn():
                    self.first_field = "top" if is_top_first(frame) else "bottom"
                progressive = Progressive(apart=self.first_field is not None)
            yield from progressive(frame)
        if progressive is not None:
            yield from progressive(None)
            if progressive.count and self.first_field is None:
                self.notes.append(_MADE[self._deinterlace])

    def _decoded(self) -> Generator[av.VideoFrame, None, None]:
        decoder = decoder_of(self._stream)
        joints = Joints()
        for packet in packets(self._container, [self._stream], lambda _: self._note_damage()):
            for broken in joints.broken(packet):
                self._note_damage(broken.pts, broken.dts)
            ending = not packet.size
            for _ in range(64 if ending else 1):  # at the end, each call may meet one more damaged frame
                try:
                    frames = decoder.decode(None if ending else packet)
                except EOFError:
                    break
                except FFmpegError:
                    self._note_damage(packet.pts, packet.dts)
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        self._note_damage(frame.pts, frame.dts)
                    yield frame
                break

    @property
    def _stream_seconds(self) -> float | None:
        """How long the video stream alone is, if the file tells; of Matroska, when it ends."""
        if not self._is_matroska:
            return float(self._stream.duration * self._clock.tick) if self._stream.duration else None
        try:  # its tag, "00:01:02.345000000"; what FFmpeg has instead is the whole file's
            hours, minutes, seconds = self._stream.metadata["DURATION"].split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        except (KeyError, ValueError):
            return None

    @property
    def _is_matroska(self) -> bool:
        return self._container.format.name.startswith("matroska")

    def _note_damage(self, *stamps: int | None) -> None:
        """Damage at the first timestamp that is one; where reading is, if none."""
        moment = self._clock.seconds(next((stamp for stamp in stamps if stamp is not None), None))
        start, until = self._segment
        if moment >= start and (until is None or moment < until):
            self.lost.moments.add(moment)

    def _note_missing_end(self) -> None:
        """Compare where the stream ended with where the file says that it does."""
        declared = self._stream_seconds
        if declared is None or self.rate is None or self.lost.missing_seconds:
            return
        start = 0 if self._is_matroska else self._stream.start_time or 0
        begin = float(start * self._clock.tick - self.start)
        missing = declared + begin - float(self.end)
        if missing > max(0.3, 2.5 / float(self.rate)):
            self.lost.missing_seconds, self.lost.missing_frames = missing, round(missing * self.rate)
