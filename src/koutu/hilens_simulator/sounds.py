"""Simulated microphones: the sound of a video, as 16-bit numbers, a frame of samples at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from koutu.types import InputError

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 96000)
SAMPLES = (80, 2048)  # of a frame, least and most


class Sound:
    """Frames of `samples` samples, channels in turns, until the video ends; raises InputError for one without sound."""

    def __init__(self, path: Path, *, rate: int = 44100, samples: int = 1024, channels: int = 1):
        if rate not in RATES or not SAMPLES[0] <= samples <= SAMPLES[1] or channels not in (1, 2):
            raise InputError(f"expected a known rate, {SAMPLES[0]} to {SAMPLES[1]} samples, 1 or 2 channels")
        try:
            self._container = av.open(str(path))
        except (FFmpegError, OSError) as e:
            raise InputError(f"{path}: expected sound, got {e}; check the path") from e
        if not self._container.streams.audio:
            self._container.close()
            raise InputError(f"{path}: expected sound, found none; give another video")
        layout = "mono" if channels == 1 else "stereo"
        self._size = samples * channels
        self._pieces = self._decoded(av.AudioResampler("s16", layout, rate))
        self._rest = np.zeros(0, np.int16)

    def read(self, frames: int) -> NDArray[Any] | None:
        """(frames, samples · channels) int16; None where the sound is over."""
        wanted = frames * self._size
        while len(self._rest) < wanted:
            piece = next(self._pieces, None)
            if piece is None:
                return None
            self._rest = np.concatenate([self._rest, piece])
        found, self._rest = self._rest[:wanted], self._rest[wanted:]
        return found.reshape(frames, self._size)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _decoded(self, resampler: "av.AudioResampler") -> Iterator[NDArray[Any]]:
        for frame in self._container.decode(audio=0):
            for piece in resampler.resample(frame):
                yield piece.to_ndarray().reshape(-1)
