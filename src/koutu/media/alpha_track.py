"""Alpha out of files: of a cut-out, whose pictures have a fourth plane, or of a grey video whose brightness it is."""

import os
from collections import deque
from collections.abc import Generator, Iterator

import av
import cv2
import numpy as np
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from koutu.color import rgb_to_yuv_matrix
from koutu.media.demux import open_input, packets, video_stream
from koutu.media.planes import turned
from koutu.media.reader import VideoReader, open_video
from koutu.types import Alpha, Frame, InputError, Yuv420

_VPX = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these leave alpha out


def has_alpha(path: str | os.PathLike[str]) -> bool:
    """Whether the file's pictures carry alpha; raises InputError if it is no video."""
    with open_input(path) as container:
        stream = video_stream(container)
        assert stream is not None
        tagged = stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1"
        kind = stream.codec_context.format
        return tagged or (kind is not None and _alpha_plane(kind) is not None)


class CutOutReader(VideoReader):
    """A VideoReader of a file with alpha: after each frame, `alpha` is its alpha (H, W) uint8, upright.

    A picture without alpha, though the file has an alpha track, counts as opaque, as players show it.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._alphas: deque[Alpha] = deque()
        super().__init__(path)

    def __next__(self) -> Frame:
        frame = super().__next__()
        plane = _fitted(self._alphas.popleft(), self._stored)
        blank = np.zeros((1, 1), np.uint8)
        self.alpha: Alpha = turned(Yuv420(plane, blank, blank), self.turn).y
        return frame

    def _decoded(self) -> Generator[av.VideoFrame, None, None]:
        context = _decoder(self._stream)
        for packet in packets(self._container, [self._stream], lambda _: self._note_damage()):
            try:
                frames = context.decode(packet if packet.size else None)
            except EOFError:
                return
            except FFmpegError:
                self._note_damage(packet.pts, packet.dts)
                continue
            for frame in frames:
                assert isinstance(frame, av.VideoFrame)
                if packet.is_corrupt or frame.is_corrupt:
                    self._note_damage(frame.pts, frame.dts)
                self._alphas.append(alpha_of(frame))
                yield frame


class AlphaReader:
    """The alphas (H, W) uint8 of a file in order: its alpha track if it has one, else its brightness. Use with `with`.

    size: (H, W). lost: what could not be decoded so far.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._reader = CutOutReader(path) if has_alpha(path) else open_video(path)
        self.path, self.size = self._reader.path, self._reader.size

    @property
    def lost(self) -> str:
        """A sentence, empty if nothing is."""
        return str(self._reader.lost)

    def __iter__(self) -> Iterator[Alpha]:
        for frame in self._reader:
            assert isinstance(frame.picture, Yuv420)
            yield self._reader.alpha if isinstance(self._reader, CutOutReader) else grey(frame.picture)

    def __enter__(self) -> "AlphaReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()


def beside(frames: VideoReader, alphas: AlphaReader) -> Iterator[tuple[Frame, Alpha]]:
    """Frames with their alphas by number; raises InputError if sizes differ, or counts though nothing was damaged.

    An alpha widened to even sizes, as H.264 wants them, is cut to the frame's size.
    """
    height, width = frames.size
    even = height + height % 2, width + width % 2
    if alphas.size not in (frames.size, even):
        came, wanted = (f"{w}×{h}" for h, w in (alphas.size, frames.size))
        raise InputError(f"{alphas.path}: expected alpha of {wanted} like {frames.path.name}, got {came}; make it anew")
    left, right, count = iter(frames), iter(alphas), 0
    frame, alpha = next(left, None), next(right, None)
    while frame is not None and alpha is not None:
        yield frame, np.ascontiguousarray(alpha[:height, :width])
        count += 1
        frame, alpha = next(left, None), next(right, None)
    wanted = count + (frame is not None) + sum(1 for _ in left)
    came = count + (alpha is not None) + sum(1 for _ in right)
    if wanted != came and not (frames.lost or alphas.lost):
        raise InputError(
            f"{alphas.path}: expected as many frames as {frames.path.name} has, {wanted}, got {came}; "
            "give the alpha that was made of this video"
        )


def grey(picture: Yuv420) -> Alpha:
    """Brightness as alpha: the space's black is 0, its white 255."""
    matrix = rgb_to_yuv_matrix(picture.space, picture.depth)
    black, swing = matrix[0, 3], matrix[0, :3].sum() * 255
    levels = (np.arange(2**picture.depth) - black) / swing * 255
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)[picture.y]


def alpha_of(frame: av.VideoFrame) -> Alpha:
    """The alpha (H, W) uint8 of a decoded picture, opaque if it has none."""
    index = _alpha_plane(frame.format)
    if index is None:
        return np.full((frame.height, frame.width), 255, np.uint8)
    bits = frame.format.components[index].bits
    if len(frame.planes) != 4 or frame.format.name.endswith("be"):
        return np.ascontiguousarray(frame.to_ndarray(format="rgba")[..., 3])
    kind = np.dtype(np.uint8 if bits == 8 else "<u2")
    plane = frame.planes[3]
    lines = np.frombuffer(memoryview(plane), kind).reshape(-1, plane.line_size // kind.itemsize)
    alpha = lines[: frame.height, : frame.width]
    return alpha.copy() if bits == 8 else np.rint(alpha * (255 / (2**bits - 1))).astype(np.uint8)


def _alpha_plane(kind: av.VideoFormat) -> int | None:
    """The number of the component that is alpha."""
    return next((i for i, c in enumerate(kind.components) if c.is_alpha), None)


def _decoder(stream: av.VideoStream) -> VideoCodecContext:
    name = _VPX.get(stream.codec_context.name)
    if name is None or name not in av.codecs_available:
        return stream.codec_context
    context = CodecContext.create(name, "r")
    assert isinstance(context, VideoCodecContext)
    context.extradata = stream.codec_context.extradata
    return context


def _fitted(alpha: Alpha, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Alpha at the size that the stream began with, as its pictures are."""
    return alpha if alpha.shape == size else np.asarray(cv2.resize(alpha, size[::-1]), np.uint8)
