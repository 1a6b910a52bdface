"""FFmpeg's pictures ↔ our planes: copied once, upright, at the depth asked for; odd formats pass through swscale."""

from functools import lru_cache
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from koutu.media.colours import is_rgb
from koutu.types import Alpha, AnyYuv, ColorSpace, Planes, Yuv, Yuv420, Yuv444

_DIRECT = {"yuv420p": 8, "yuvj420p": 8, "yuva420p": 8, "yuv420p10le": 10, "yuva420p10le": 10}
_FULL = {"yuv444p": 8, "yuvj444p": 8, "yuva444p": 8, "yuv444p10le": 10, "yuva444p10le": 10}
_SWS_MATRIX = {"bt709": 1, "bt601": 5, "bt2020": 9}


class Turn(NamedTuple):
    """How stored pictures become upright: transposed first, then mirrored left-right, then top-bottom."""

    transpose: bool = False
    mirror: bool = False
    flip: bool = False

    @property
    def degrees(self) -> int:
        """The clockwise rotation in it: 0, 90, 180 or 270; a mirror image counts as the rotation before mirroring."""
        if self.transpose:
            return 90 if self.mirror else 270
        return 180 if self.flip else 0


_TURNS = Turn(), Turn(True, False, True), Turn(False, True, True), Turn(True, True, False)  # anticlockwise


def turn_of(frame: av.VideoFrame) -> Turn:
    """What the frame's display matrix asks for, to the nearest quarter turn."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV does not know the kind of something that lies beside it, such as EXIF
        return _TURNS[round(frame.rotation / 90) % 4]
    if data is None:
        return Turn()
    # x' = a·x + c·y, y' = b·x + d·y, rows (a, b, u), (c, d, v), (tx, ty, w); y points down.
    a, b, _, c, d = np.frombuffer(bytes(data), "<i4")[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Turn(True, c < 0, b < 0)
    return Turn(False, a < 0, d < 0)


def turned(picture: AnyYuv, turn: Turn) -> AnyYuv:
    """The picture turned upright."""
    if turn == Turn():
        return picture
    y, u, v = (turned_plane(plane, turn) for plane in (picture.y, picture.u, picture.v))
    return picture.with_planes(y, u, v)


def depth_of(frame: av.VideoFrame) -> int:
    """8, or 10 for any source with more bits."""
    return 8 if max(component.bits for component in frame.format.components) <= 8 else 10


def has_full_chroma(frame: av.VideoFrame) -> bool:
    """Whether the frame has more chroma than 4:2:0 holds."""
    kind = frame.format
    return is_rgb(frame) or (len(kind.components) >= 3 and (kind.chroma_width(4), kind.chroma_height(4)) != (2, 2))


def frame_to_yuv(frame: av.VideoFrame, space: ColorSpace, depth: int, size: tuple[int, int]) -> Yuv420:
    """A decoded frame as planes of its own at stored `size` (H, W), scaled if it differs; not turned yet."""
    half = (size[0] + 1) // 2, (size[1] + 1) // 2
    return Yuv420(*_planes(frame, Planes(space, depth), size, half), space, depth)


def frame_to_planes(frame: av.VideoFrame, planes: Planes, size: tuple[int, int]) -> Yuv:
    """As `frame_to_yuv`, of that kind."""
    if planes.kind is Yuv420:
        return frame_to_yuv(frame, planes.space, planes.depth, size)
    return Yuv444(*_planes(frame, planes, size, size), planes.space, planes.depth)


def _planes(
    frame: av.VideoFrame, planes: Planes, size: tuple[int, int], chroma: tuple[int, int]
) -> tuple[NDArray, NDArray, NDArray]:
    """Copies of luma at `size` (H, W) and of both chroma planes at their own."""
    space, depth, made_of = planes
    height, width = size
    direct, name = (_DIRECT, "yuv420p") if made_of is Yuv420 else (_FULL, "yuv444p")
    if direct.get(frame.format.name) != depth or (frame.height, frame.width) != size:
        levels = 2 if space.full_range else 1
        source = {"src_color_range": levels}
        if is_rgb(frame):
            source = {"src_color_range": 2, "dst_colorspace": _SWS_MATRIX[space.matrix]}
        kind = name if depth == 8 else f"{name}10le"
        frame = frame.reformat(width, height, kind, dst_color_range=levels, threads=1, **source)
    y, u, v = (_lines(frame, index, depth)[:h, :w].copy() for index, (h, w) in enumerate([size, chroma, chroma]))
    return y, u, v


def yuv_to_frame(picture: Yuv, size: tuple[int, int]) -> av.VideoFrame:
    """The picture as a frame of FFmpeg's of `size` (H, W); where 4:2:0 is larger, its last pixels are repeated."""
    height, width = size
    kind = "yuv444p" if isinstance(picture, Yuv444) else "yuv420p"
    frame = av.VideoFrame(width, height, kind if picture.depth == 8 else f"{kind}10le")
    for index, plane in enumerate((picture.y, picture.u, picture.v)):
        h, w = plane.shape
        lines = _lines(frame, index, picture.depth)
        lines[:h, :w] = plane
        if index == 0 and (h, w) != size:
            lines[h:height, :w] = plane[-1:]
            lines[:height, w:width] = lines[:height, w - 1 : w]
    return frame


def set_alpha(frame: av.VideoFrame, alpha: Alpha) -> None:
    """Write alpha into the fourth plane of a yuva420p or yuva444p10le frame."""
    ten = frame.format.name.endswith("10le")
    lines = _lines(frame, 3, 10 if ten else 8)
    wide = alpha.astype(np.uint16) if ten else alpha
    lines[: alpha.shape[0], : alpha.shape[1]] = wide << 2 | wide >> 6 if ten else wide


def to_depth(picture: AnyYuv, depth: int) -> AnyYuv:
    """The picture at 8 or 10 bits a sample, rounded to the nearest level."""
    if picture.depth == depth:
        return picture
    full = picture.space.full_range
    luma, chroma = _levels(picture.depth, depth, full, False), _levels(picture.depth, depth, full, True)
    return type(picture)(luma[picture.y], chroma[picture.u], chroma[picture.v], picture.space, depth)


@lru_cache
def _levels(before: int, after: int, full_range: bool, chroma: bool) -> NDArray:
    """The level at depth `after` of each level at depth `before`."""
    levels = np.arange(2**before, dtype=np.float64)
    top, unit = 2**after - 1, 2.0 ** (after - before)
    if full_range:
        grey = 2 ** (before - 1) if chroma else 0
        levels = (levels - grey) * top / (2**before - 1) + grey * unit
    else:
        levels *= unit
    return np.clip(np.floor(levels + 0.5), 0, top).astype(np.uint8 if after == 8 else np.uint16)


def _lines(frame: av.VideoFrame, index: int, depth: int) -> NDArray:
    """A plane of the frame as it lies in memory, lines padded to the right."""
    plane = frame.planes[index]
    kind = np.dtype(np.uint8 if depth == 8 else "<u2")
    return np.frombuffer(memoryview(plane), kind).reshape(-1, plane.line_size // kind.itemsize)


def turned_plane(plane: NDArray, turn: Turn) -> NDArray:
    """One plane turned upright."""
    plane = plane.T if turn.transpose else plane
    plane = plane[:, ::-1] if turn.mirror else plane
    return np.ascontiguousarray(plane[::-1] if turn.flip else plane)
