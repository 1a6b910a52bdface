"""The alpha that pictures of a file bring along: decoders that keep it, its plane, and what it hides."""

import av
import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext

from koutu.composite import hide_planes
from koutu.media.planes import Turn, turned, turned_plane
from koutu.types import Alpha, AnyYuv

_VPX = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these leave alpha out


def is_tagged(stream: av.VideoStream) -> bool:
    """Whether the container says that a second picture with each first one is its alpha, as Matroska and WebM do."""
    return stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1"


def decoder_of(stream: av.VideoStream) -> VideoCodecContext:
    """The decoder of the stream that keeps alpha, where there are several."""
    name = _VPX.get(stream.codec_context.name) if is_tagged(stream) else None
    if name is None or name not in av.codecs_available:
        return stream.codec_context
    context = CodecContext.create(name, "r")
    assert isinstance(context, VideoCodecContext)
    context.extradata = stream.codec_context.extradata
    return context


def alpha_plane(kind: av.VideoFormat) -> int | None:
    """The number of the component that is alpha."""
    return next((i for i, c in enumerate(kind.components) if c.is_alpha), None)


def alpha_of(frame: av.VideoFrame) -> Alpha | None:
    """The alpha (H, W) uint8 of a decoded picture; None if it is opaque."""
    index = alpha_plane(frame.format)
    if index is None and not frame.format.has_palette:
        return None
    alpha = _packed(frame) if index is None or not _is_planar(frame) else _planar(frame, index)
    return None if alpha.min() == 255 else alpha


def upright(picture: AnyYuv, alpha: Alpha | None, turn: Turn) -> tuple[AnyYuv, Alpha | None]:
    """A stored picture and its alpha turned, without what alpha hides."""
    if alpha is None:
        return turned(picture, turn), None
    alpha = np.ascontiguousarray(turned_plane(alpha, turn))
    return hide_planes(turned(picture, turn), alpha), alpha


def _is_planar(frame: av.VideoFrame) -> bool:
    """Whether alpha is a plane of its own, of whole numbers as this machine has them."""
    bits = frame.format.components[3].bits if len(frame.planes) == 4 else 0
    return 8 <= bits <= 16 and not frame.format.name.endswith("be")


def _planar(frame: av.VideoFrame, index: int) -> Alpha:
    bits = frame.format.components[index].bits
    kind = np.dtype(np.uint8 if bits == 8 else "<u2")
    plane = frame.planes[3]
    lines = np.frombuffer(memoryview(plane), kind).reshape(-1, plane.line_size // kind.itemsize)
    alpha = lines[: frame.height, : frame.width]
    return alpha.copy() if bits == 8 else np.rint(alpha * (255 / (2**bits - 1))).astype(np.uint8)


def _packed(frame: av.VideoFrame) -> Alpha:
    return np.ascontiguousarray(frame.to_ndarray(format="rgba")[..., 3])
