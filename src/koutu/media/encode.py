"""One video stream encoded into one file, with the source's sound and subtitles beside it, in exact time."""

import contextlib
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError

from koutu.media.audio_tracks import Tracks
from koutu.media.containers import NOT_COPIED, ColorTags, Container, EncodeOptions, Encoder, encoder_of
from koutu.media.planes import set_alpha, to_depth, yuv_to_frame
from koutu.media.reader import VideoReader
from koutu.types import Alpha, OutputError, Yuv420


class VideoSink:
    """Encodes pictures of `size` (H, W) into `part`, a file of type `container`; `like` is the source of the rest."""

    def __init__(
        self, part: Path, container: Container, like: VideoReader, size: tuple[int, int], *, alpha: bool,
        options: EncodeOptions,
    ):  # fmt: skip
        self._notes: list[str] = []
        self._like, self._alpha = like, alpha
        ten = options.depth == 10
        if options.depth == 0 and like.viewing.transfer != "sdr":
            ten = _is_able(encoder_of(container, replace(options, depth=10), alpha))
        self._encoder = encoder_of(container, replace(options, depth=10 if ten else 8), alpha, like.hdr)
        self._depth = 10 if self._encoder.pix_fmt.endswith("p10le") else 8
        self._note_light()
        self._size = size[0] + size[0] % 2, size[1] + size[1] % 2
        if not self._encoder.even:
            self._size = size
        elif self._size != size:
            self._notes.append(
                f"{size[1]}×{size[0]} is written as {self._size[1]}×{self._size[0]}, its last pixels repeated, because "
                "H.264 and HEVC need even sizes; .webm keeps odd ones"
            )
        self._tags = like.tags
        if self._encoder.name == "prores_ks" and like.space.full_range:
            self._tags = like.tags._replace(range=1)  # ProRes knows no other
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
        return self._notes + (self._tracks.notes if self._tracks is not None else [])

    def _note_light(self) -> None:
        """What of HDR cannot be kept, for which nobody else looks."""
        like = self._like
        if self._depth == 8 and like.viewing.transfer != "sdr":
            kind = like.viewing.transfer.upper()
            self._notes.append(
                f"{kind} was written with 8 bits a sample, which shows as bands; .mp4, .mov and .mkv hold 10"
            )
        elif self._depth < like.depth:
            self._notes.append("samples of 10 bits or more were written with 8; --depth 10, .mov with alpha keep 10")
        lost = list(like.hdr.others)
        if self._encoder.name != "libx265" and (like.hdr.display or like.hdr.level):
            lost.append("what it says of the mastering display and its light")
        if lost:
            self._notes.append(f"of HDR, {' and '.join(lost)} was left out; .mp4, .mov and .mkv hold the static part")

    def put(self, picture: Yuv420, pts: int, alpha: Alpha | None) -> None:
        """Encode one picture, shown from `pts` in the source's time base on."""
        frame = self._framed(picture, alpha)
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
        self._stream = _video_stream(
            self._container, self._encoder, self._size, self._like, self._tags, options.threads
        )
        self._tracks = add_rest(self._container, self._stream, self._like, container, options)
        self._container.start_encoding()

    def _framed(self, picture: Yuv420, alpha: Alpha | None) -> av.VideoFrame:
        # Eight bits become ten in the change of layout, where there is one.
        depth = min(self._depth, picture.depth) if self._alpha else self._depth
        frame = yuv_to_frame(to_depth(picture, depth), self._size)
        if self._alpha:
            levels = 2 if picture.space.full_range else 1
            after = 1 if self._encoder.name == "prores_ks" else levels
            kind = self._encoder.pix_fmt
            frame = frame.reformat(format=kind, src_color_range=levels, dst_color_range=after, threads=1)
            assert alpha is not None
            set_alpha(frame, alpha)
        frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = self._tags
        return frame

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


def _is_able(encoder: Encoder) -> bool:
    """Whether the encoder, as it is installed, knows pictures of that kind."""
    return encoder.pix_fmt in [known.name for known in av.Codec(encoder.name, "w").video_formats or []]


def _video_stream(
    container: OutputContainer,
    encoder: Encoder,
    size: tuple[int, int],
    like: VideoReader,
    tags: ColorTags,
    threads: int,
) -> av.VideoStream:
    """The stream with its encoder opened; raises OutputError."""
    if not _is_able(encoder):
        raise OutputError(
            f"expected something that {encoder.name} as it is installed can encode, got {encoder.pix_fmt}; "
            "ask for depth 8, or write .mp4 or .mkv"
        )
    rate = like.rate if like.rate and 1 <= like.rate <= 1000 else Fraction(25)
    stream = container.add_stream(encoder.name, rate=rate, options=encoder.options)
    assert isinstance(stream, av.VideoStream)
    context = stream.codec_context
    context.height, context.width = size
    context.pix_fmt = encoder.pix_fmt
    context.time_base = stream.time_base = like.time_base
    context.sample_aspect_ratio = like.pixel_aspect
    context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
    context.thread_count = threads
    context.flags |= Flags.frame_duration
    if encoder.tag:
        context.codec_tag = encoder.tag
    try:
        context.open(strict=False)
    except (FFmpegError, OSError, ValueError) as error:
        raise OutputError(
            f"{size[1]}×{size[0]}: expected a size that {encoder.name} can encode, got its refusal ({error.args[-1]}); "
            "make the video smaller or larger first, or write .webm or a folder of PNGs"
        ) from error
    return stream
