"""What a review remembers of a video while it runs: a few numbers a frame, and a bounded number of small pictures."""

import math
from array import array
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.review.measure import MEASURES
from koutu.types import Alpha, Rgb

EMPTY = 0.003  # share of the frame below which nobody is there
_BUCKETS = 48  # of time; more frames make them longer, not more
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 85]


class Series:
    """One column of numbers for each measure, and the moment of each frame in seconds."""

    def __init__(self) -> None:
        self._columns = {name: array("f") for name in MEASURES}
        self._seconds = array("d")

    def __len__(self) -> int:
        return len(self._seconds)

    def append(self, row: dict[str, float], seconds: float) -> None:
        """The measures of the next frame; "single" is written to the frame before, which it is of."""
        for name, column in self._columns.items():
            column.append(math.nan if name == "single" else row[name])
        if len(self) and not math.isnan(row["single"]):
            self._columns["single"][-2] = row["single"]
        self._seconds.append(seconds)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return np.array(self._columns[name], np.float32)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """When each frame is shown."""
        return np.array(self._seconds, np.float64)


@dataclass(frozen=True, slots=True)
class Still:
    """A frame kept to be looked at: `rgb` and `alpha` are JPEG files, small."""

    frame: int
    score: float
    rgb: bytes
    alpha: bytes


class Gallery:
    """Keeps for each kind of trouble the worst frame of every stretch of time; bounded however long the video."""

    def __init__(self) -> None:
        self._length = 1  # frames a bucket
        self._kept: dict[tuple[str, int], Still] = {}

    def offer(self, frame: int, row: dict[str, float], rgb: Rgb, alpha: Alpha) -> None:
        """Keep the frame where it is the worst so far. rgb (h, w, 3), alpha (h, w)."""
        bucket = self._bucket(frame)
        better = {
            sign: score
            for sign, score in _scores(row).items()
            if (kept := self._kept.get((sign, bucket))) is None or score > kept.score
        }
        if not better:
            return
        pictures = encoded(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)), encoded(alpha)
        for sign, score in better.items():
            self._kept[sign, bucket] = Still(frame, score, *pictures)

    def find(self, sign: str, first: int, last: int, worst: int) -> Still | None:
        """The picture of that trouble in frames first … last, the worst if it was kept; None if none was."""
        inside = [(k, s) for (k, _), s in self._kept.items() if first <= s.frame <= last]
        fitting = [s for k, s in inside if k == sign and abs(s.frame - worst) <= self._length]
        fitting = fitting or [s for _, s in inside]
        return min(fitting, key=lambda s: (abs(s.frame - worst), -s.score), default=None)

    def _bucket(self, frame: int) -> int:
        while frame // self._length >= _BUCKETS:
            self._length *= 2
            merged: dict[tuple[str, int], Still] = {}
            for (sign, _), still in self._kept.items():
                key = sign, still.frame // self._length
                if key not in merged or still.score > merged[key].score:
                    merged[key] = still
            self._kept = merged
        return frame // self._length


def encoded(picture: NDArray[Any]) -> bytes:
    """A JPEG file of a frame in OpenCV's order of channels, or of one channel."""
    done, data = cv2.imencode(".jpg", picture, _QUALITY)
    assert done
    return data.tobytes()


def decoded(data: bytes, *, colour: bool) -> NDArray[Any]:
    """The frame of a file that `encoded` made: RGB (h, w, 3) or (h, w)."""
    flags = cv2.IMREAD_COLOR_RGB if colour else cv2.IMREAD_GRAYSCALE
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flags))


def _scores(row: dict[str, float]) -> dict[str, float]:
    scores = {
        "empty": float(row["area"] < EMPTY),
        "leak": max(_or_zero(row["islands"]), _or_zero(row["appeared"])),
        "hole": max(_or_zero(row["holes"]), _or_zero(row["vanished"])),
        "edge": _or_zero(row["edge"]),
        "flicker": _or_zero(row["flicker"]),
        "unsure": _or_zero(row["unsure"]),
    }
    return {sign: score for sign, score in scores.items() if score > 0} | {"any": 0.0}


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
