"""Clips out of video files: cut-outs with an alpha track, videos beside a grey video of alpha, or videos alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from koutu.color import yuv_to_rgb
from koutu.data.sets.example import Broken, Example, Frames
from koutu.media.alpha_track import AlphaReader, beside, has_alpha, opaque
from koutu.media.demux import open_input, packets, video_stream
from koutu.media.reader import open_video
from koutu.types import Alpha, Frame, InputError, KoutuError, Yuv

Kind = Literal["src", "fgr"]


@dataclass(frozen=True)
class VideoFrames(Frames):
    """A video's frames. alpha: the grey video of its alpha, or the video itself if it has an alpha track, or None.

    kind: what its colours are. Colours come at half chroma resolution, as nearly all video has them.
    """

    name: str
    path: Path
    alpha: Path | None
    kind: Kind

    def __len__(self) -> int:
        """Frames that the file holds, decodable or not; 1 if it is no video."""
        return frames_in(self.path)

    def read(self, start: int, stop: int) -> Iterator[Example | Broken]:
        """Frames from `start` to before `stop`; one Broken at the end if some were lost."""
        at = 0
        try:
            for frame, alpha in self._decoded():
                if at >= stop:
                    return
                if at >= start:
                    yield self._example(frame, alpha, at)
                at += 1
        except KoutuError as e:
            yield Broken(self.name, str(e))
            return
        if at < min(stop, len(self)):
            yield Broken(self.name, f"{self.path}: expected {len(self)} frames, got {at}; fetch or export it again")

    def _decoded(self) -> Iterator[tuple[Frame, Alpha | None]]:
        with open_video(self.path, keep_hidden=True) as reader:
            if self.alpha in (None, self.path):
                for frame in reader:
                    yield frame, opaque(frame) if self.alpha else None
            else:
                assert self.alpha is not None
                with AlphaReader(self.alpha) as alphas:
                    yield from beside(reader, alphas)
            if reader.lost:
                raise InputError(f"{self.path}: expected a whole video, got one where {reader.lost}; fetch it again")

    def _example(self, frame: Frame, alpha: Alpha | None, at: int) -> Example:
        rgb = yuv_to_rgb(frame.picture) if isinstance(frame.picture, Yuv) else frame.picture
        pha = None if alpha is None else _unit(alpha)
        src, fgr = (rgb, None) if self.kind == "src" else (None, rgb)
        return Example(f"{self.name}/{at:05d}", src, pha, False, fgr=fgr)


def frames_in(path: Path) -> int:
    """How many frames a video file holds, as the file says or counted; 1 if it cannot be opened."""
    try:
        stat = path.stat()
    except OSError:
        return 1
    return _counted(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(4096)
def _counted(path: Path, _changed: int, _size: int) -> int:
    try:
        with open_input(path) as container:
            stream = video_stream(container)
            assert stream is not None
            return stream.frames or sum(1 for p in packets(container, [stream], lambda _: None) if p.size) or 1
    except InputError:
        return 1


def carries_alpha(path: Path) -> bool | None:
    """Whether the video has an alpha track; None if it cannot be opened."""
    try:
        return has_alpha(path)
    except InputError:
        return None


def _unit(alpha: Alpha) -> NDArray[np.float32]:
    return alpha.astype(np.float32) / np.float32(255)
