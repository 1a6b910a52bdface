"""What a picture's numbers mean, where container and decoder tell it, and do not always agree."""

from fractions import Fraction
from typing import NamedTuple

import av

from koutu.media.containers import MATRIX_TAGS, ColorTags, space_of
from koutu.media.light import primaries_of, transfer_of
from koutu.types import ColorSpace, Viewing

# Codecs of which the container knows better. VP8's header has one bit for the matrix, which every encoder leaves at
# BT.601, and none for the range (RFC 6386, 9.2); VP9's names neither primaries nor transfer, and libvpx writes what it
# is told or nothing. Browsers, which record most of them, take the container's word for both. Elsewhere the decoder's
# counts, as it does for players built on FFmpeg: H.264, HEVC and AV1 carry all four numbers, and copies between
# containers keep those of the stream while they lose the container's.
_CONTAINER_KNOWS = frozenset({"vp8", "vp9"})
_UNKNOWN = ColorTags()


class Told(NamedTuple):
    """What a container says of a stream, before its decoder has said anything."""

    codec: str = ""
    tags: ColorTags = _UNKNOWN


_NOBODY = Told()


def told_of(stream: av.VideoStream) -> Told:
    """Call it before the first frame is decoded: the decoder overwrites it."""
    context = stream.codec_context
    tags = ColorTags(context.color_primaries, context.color_trc, context.colorspace, context.color_range)
    return Told(context.codec.canonical_name, tags)


def colours_of(frame: av.VideoFrame, told: Told = _NOBODY) -> tuple[ColorTags, ColorSpace]:
    """The colour description to write again for pictures like `frame`, and what their numbers mean; InputError."""
    rgb = is_rgb(frame)
    known = ColorTags(frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range)
    if not rgb:
        known = _agreed(known, told)
    full = not rgb and (frame.format.name.startswith("yuvj") or known.range == 2)
    if len(frame.format.components) < 3 and known.range == 0 and not rgb:
        full = True  # grey of unknown range: pictures rather than broadcast
    tags = known._replace(range=2 if full else known.range)
    space = space_of(tags._replace(matrix=2) if rgb else tags, frame.height, full)
    return (tags._replace(matrix=MATRIX_TAGS[space.matrix], range=1) if rgb else tags), space


def viewing_of(tags: ColorTags, pixel_aspect: Fraction) -> Viewing:
    """How pictures of that description are shown."""
    codes = tags.primaries, tags.transfer
    return Viewing(transfer_of(tags.transfer), primaries_of(tags.primaries), pixel_aspect, codes)


def is_rgb(frame: av.VideoFrame) -> bool:
    """Whether the frame has no Y'CbCr matrix of its own."""
    return frame.format.is_rgb or frame.format.has_palette or frame.format.name.startswith("mono")


def _agreed(decoded: ColorTags, told: Told) -> ColorTags:
    """Number by number the word of the one who knows, and the other's where there is none."""
    first, second = (told.tags, decoded) if told.codec in _CONTAINER_KNOWS else (decoded, told.tags)
    return ColorTags(*(a if a != unknown else b for a, b, unknown in zip(first, second, _UNKNOWN, strict=True)))
