"""One video stream encoded into one file, with the source's sound and subtitles beside it, in exact time."""

import contextlib
import re
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.error import FFmpegError

from koutu.media.audio_tracks import Tracks
from koutu.media.containers import NOT_COPIED, Container, EncodeOptions
from koutu.media.picture_stream import PictureStream, encoder_like
from koutu.media.reader import VideoReader
from koutu.types import Alpha, Yuv


class VideoSink:
    """Encodes pictures of `size` (H, W) into `part`, a file of type `container`; `like` is the source of the rest."""

    def __init__(
        self, part: Path, container: Container, like: VideoReader, size: tuple[int, int], *, alpha: bool,
        options: EncodeOptions,
    ):  # fmt: skip
        self._like = like
        self._pictures = PictureStream(encoder_like(container, like, options, alpha), like, size, alpha=alpha)
        self._container = open_output(part, container)
        self._tracks: Tracks | None = None
        try:
            self._start(container, options)
        except BaseException:
            self.discard()
            raise
        self._held: av.VideoFrame | None = None  # until it is known how long it is shown
        self._count = 0

    @property
    def notes(self) -> list[str]:
        """What could not be kept, in sentences."""
        return self._pictures.notes + (self._tracks.notes if self._tracks is not None else [])

    def put(self, picture: Yuv, pts: int, alpha: Alpha | None) -> None:
        """Encode one picture, shown from `pts` in the source's time base on."""
        frame = self._pictures.framed(picture, alpha)
        frame.pts, frame.time_base = pts, self._like.time_base
        if self._held is not None:
            self._encode(self._held, pts)
        self._held = frame

    def finish(self) -> None:
        """Write all that is waiting and complete the file."""
        assert self._held is not None and self._held.pts is not None
        end = self._like.end / self._like.time_base
        if end <= self._held.pts:
            end = self._held.pts + max(1, round(1 / (self._like.rate or 25) / self._like.time_base))
        self._encode(self._held, round(end))
        last = self._stream.encode(None)
        if self._count <= 2:  # x265 makes up decoding times for so few; nothing can be out of order yet
            for packet in last:
                packet.dts = packet.pts
        self._mux(last)
        if self._tracks is not None:
            self._tracks.advance(None)
            self._tracks.close()
        self._container.close()

    def discard(self) -> None:
        """Let go of the file, whatever state it is in."""
        if self._tracks is not None:
            self._tracks.close()
        with contextlib.suppress(FFmpegError, OSError, ValueError):  # it is thrown away
            self._container.close()

    def _start(self, container: Container, options: EncodeOptions) -> None:
        self._stream = self._pictures.add_to(self._container, options.threads)
        self._tracks = add_rest(self._container, self._stream, self._like, container, options)
        self._container.start_encoding()

    def _encode(self, frame: av.VideoFrame, until: int) -> None:
        assert frame.pts is not None
        self._count += 1
        frame.duration = until - frame.pts
        self._mux(self._stream.encode(frame))
        if self._tracks is not None:
            self._tracks.advance(frame.pts * self._like.time_base)

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            self._container.mux(packet)


def open_output(path: Path, container: Container) -> OutputContainer:
    """A new file of that type."""
    movie = {"movflags": "+faststart"} if container.format in ("mp4", "mov") else {"avoid_negative_ts": "disabled"}
    return av.open(f"file:{path}", "w", container.format, container_options=movie)


def add_rest(
    out: OutputContainer, stream: av.VideoStream, source: VideoReader, container: Container, options: EncodeOptions
) -> Tracks | None:
    """Sound, subtitles, titles, chapters and timecode of the source beside the picture; None if it holds none."""
    if source.file is None:
        return None
    tracks = Tracks(source.file, out, container, audio=options.audio, start=source.start)
    try:
        out.metadata.update({k: v for k, v in tracks.metadata.items() if k not in NOT_COPIED})
        if tracks.timecode:
            stream.metadata["timecode"] = _possible(tracks.timecode, source.rate)
        if tracks.chapters:
            out.set_chapters(tracks.chapters)
    except BaseException:
        tracks.close()
        raise
    return tracks


def _possible(timecode: str, rate: Fraction | None) -> str:
    """The timecode, with numbers dropped only at the rates of NTSC, where that is known."""
    drops = rate is not None and rate.denominator == 1001 and rate.numerator % 30_000 == 0
    return timecode if drops else re.sub("[;.]", ":", timecode)
