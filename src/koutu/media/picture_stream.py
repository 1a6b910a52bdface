"""Pictures encoded into a stream of an open file: one way for `koutu video` and `koutu live`."""

from dataclasses import replace
from fractions import Fraction
from typing import Protocol

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError

from koutu.color import halved_chroma
from koutu.media.containers import ColorTags, Container, EncodeOptions, Encoder, HdrLight, encoder_of
from koutu.media.fields import Flagging
from koutu.media.planes import set_alpha, to_depth, yuv_to_frame
from koutu.types import Alpha, ColorSpace, Lines, OutputError, Viewing, Yuv

_TOP_FIRST, _BOTTOM_FIRST = 2, 3  # FFmpeg's AVFieldOrder


class Like(Protocol):
    """What pictures are like that are to be written; a VideoReader knows it all."""

    @property
    def space(self) -> ColorSpace: ...
    @property
    def depth(self) -> int: ...
    @property
    def viewing(self) -> Viewing: ...
    @property
    def tags(self) -> ColorTags: ...
    @property
    def hdr(self) -> HdrLight: ...
    @property
    def rate(self) -> Fraction | None: ...
    @property
    def time_base(self) -> Fraction: ...
    @property
    def first_field(self) -> Lines | None: ...


def encoder_like(container: Container, like: Like, options: EncodeOptions, alpha: bool) -> Encoder:
    """The encoder for a type of file and what is to be in it: of ten bits for HDR, where it can and is not told."""
    fields, ten = like.first_field is not None, options.depth == 10
    if options.depth == 0 and like.viewing.transfer != "sdr":
        ten = is_able(encoder_of(container, replace(options, depth=10), alpha, fields=fields))
    return encoder_of(container, replace(options, depth=10 if ten else 8), alpha, like.hdr, fields=fields)


def is_able(encoder: Encoder) -> bool:
    """Whether the encoder, as it is installed, knows pictures of that kind."""
    return encoder.pix_fmt in [known.name for known in av.Codec(encoder.name, "w").video_formats or []]


class PictureStream:
    """Pictures of `size` (H, W) for one encoder. notes: what cannot be kept, in sentences; known from the beginning."""

    def __init__(self, encoder: Encoder, like: Like, size: tuple[int, int], *, alpha: bool = False):
        self.encoder, self._like, self._alpha = encoder, like, alpha
        self.depth = 10 if encoder.pix_fmt.endswith("p10le") else 8
        self._flagging = Flagging(like.first_field) if like.first_field else None
        self.notes = [*self._lost_light(), *self._grown(size)]
        self._tags = like.tags
        if encoder.name == "prores_ks" and like.space.full_range:
            self._tags = like.tags._replace(range=1)  # ProRes knows no other

    def add_to(self, container: OutputContainer, threads: int = 0, *, strict: bool = False) -> av.VideoStream:
        """The stream with its encoder opened, on so many threads, 0 for as many as it likes; raises OutputError."""
        encoder, like, (height, width) = self.encoder, self._like, self.size
        if not is_able(encoder):
            raise OutputError(
                f"expected something that {encoder.name} as it is installed can encode, got {encoder.pix_fmt}; "
                "ask for depth 8, or write .mp4 or .mkv"
            )
        rate = like.rate if like.rate and 1 <= like.rate <= 1000 else Fraction(25)
        stream = container.add_stream(encoder.name, rate=rate, options=encoder.options)
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.height, context.width = height, width
        context.pix_fmt = encoder.pix_fmt
        context.time_base = stream.time_base = like.time_base
        context.sample_aspect_ratio = like.viewing.pixel_aspect
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = self._tags
        context.thread_count = threads
        context.flags |= Flags.frame_duration
        if encoder.tag:
            context.codec_tag = encoder.tag
        if like.first_field:
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
            context.field_order = _TOP_FIRST if like.first_field == "top" else _BOTTOM_FIRST
        try:
            context.open(strict=strict)
        except (FFmpegError, OSError, ValueError) as error:
            raise OutputError(
                f"{width}×{height}: expected a size that {encoder.name} can encode, got its refusal "
                f"({error.args[-1]}); make the video smaller or larger first, or write .webm or a folder of PNGs"
            ) from error
        return stream

    def framed(self, picture: Yuv, alpha: Alpha | None = None) -> av.VideoFrame:
        """The picture as the encoder wants it, without a time."""
        # Eight bits become ten in the change of layout, where there is one.
        depth = min(self.depth, picture.depth) if self._alpha else self.depth
        if "444" not in self.encoder.pix_fmt:
            picture = halved_chroma(picture)
        frame = yuv_to_frame(to_depth(picture, depth), self.size)
        if self._alpha:
            levels = 2 if picture.space.full_range else 1
            after = 1 if self.encoder.name == "prores_ks" else levels
            kind = self.encoder.pix_fmt
            frame = frame.reformat(format=kind, src_color_range=levels, dst_color_range=after, threads=1)
            assert alpha is not None
            set_alpha(frame, alpha)
        frame = frame if self._flagging is None else self._flagging(frame)
        frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = self._tags
        return frame

    def _grown(self, size: tuple[int, int]) -> list[str]:
        """Choose the size (H, W) that is written."""
        fields = self._like.first_field is not None
        self.size = size[0] + -size[0] % (4 if fields else 2), size[1] + size[1] % 2
        if not self.encoder.even or self.size == size:
            self.size = self.size if self.encoder.even else size
            return []
        need = "needs heights of fours for fields" if fields else "and HEVC need even sizes; .webm keeps odd ones"
        return [
            f"{size[1]}×{size[0]} is written as {self.size[1]}×{self.size[0]}, its last pixels repeated, because "
            f"H.264 {need}"
        ]

    def _lost_light(self) -> list[str]:
        """What of HDR cannot be kept, for which nobody else looks."""
        like, notes = self._like, []
        if self.depth == 8 and like.viewing.transfer != "sdr":
            kind = like.viewing.transfer.upper()
            notes.append(f"{kind} was written with 8 bits a sample, which shows as bands; .mp4, .mov and .mkv hold 10")
        elif self.depth < like.depth:
            notes.append("samples of 10 bits or more were written with 8; --depth 10, .mov with alpha keep 10")
        lost = list(like.hdr.others)
        if self.encoder.name != "libx265" and (like.hdr.display or like.hdr.level):
            lost.append("what it says of the mastering display and its light")
        if lost:
            notes.append(f"of HDR, {' and '.join(lost)} was left out; .mp4, .mov and .mkv hold the static part")
        return notes
