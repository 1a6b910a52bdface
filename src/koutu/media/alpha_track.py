"""Alpha out of files: of a cut-out, whose pictures have a fourth plane, or of a grey video whose brightness it is."""

import os
from collections.abc import Iterator

import numpy as np

from koutu.color import rgb_to_yuv_matrix
from koutu.media.demux import open_input, video_stream
from koutu.media.numbered import is_numbered
from koutu.media.own_alpha import alpha_plane, is_tagged
from koutu.media.pictures_reader import is_pillow_s
from koutu.media.reader import VideoReader, open_video
from koutu.types import Alpha, Frame, InputError, Yuv420


def has_alpha(path: str | os.PathLike[str]) -> bool:
    """Whether the file's pictures carry alpha; raises InputError if it is no video."""
    if is_numbered(path) or is_pillow_s(path):
        with open_video(path) as reader:
            return next(reader).alpha is not None
    with open_input(path) as container:
        stream = video_stream(container)
        assert stream is not None
        kind = stream.codec_context.format
        return is_tagged(stream) or (kind is not None and alpha_plane(kind) is not None)


def opaque(frame: Frame) -> Alpha:
    """The frame's own alpha (H, W), 255 everywhere if it has none, as players show it."""
    return np.full(frame.size, 255, np.uint8) if frame.alpha is None else frame.alpha


class AlphaReader:
    """The alphas (H, W) uint8 of a file in order: its alpha track if it has one, else its brightness. Use with `with`.

    size: (H, W). lost: what could not be decoded so far.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._tracked, self._reader = has_alpha(path), open_video(path)
        self.path, self.size = self._reader.path, self._reader.size

    @property
    def lost(self) -> str:
        """A sentence, empty if nothing is."""
        return str(self._reader.lost)

    def __iter__(self) -> Iterator[Alpha]:
        for frame in self._reader:
            assert isinstance(frame.picture, Yuv420)
            yield opaque(frame) if self._tracked else grey(frame.picture)

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
