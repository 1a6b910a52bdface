"""What a report shows of an item: a small picture, and the worst moments that a review of its mattes finds."""

import base64
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np

from koutu.batch.task import MOMENTS
from koutu.color import shrink, to_rgb
from koutu.matting.matte import Matte
from koutu.review import Reviewer
from koutu.review.page import on_green
from koutu.review.record import Still, encoded
from koutu.types import Alpha, Rgb

SIDE = 160  # pixels of the longer side of a small picture


class Watch:
    """Called with every matte of a video: reviews them, and keeps one frame of the second half."""

    def __init__(self, source: str, *, review: bool):
        self._reviewer = Reviewer(PurePosixPath(source).name) if review else None
        self._count, self._still = 0, ""

    def __call__(self, matte: Matte) -> None:
        self._count += 1
        if self._count & (self._count - 1) == 0:  # of powers of two, the last lies between half and all
            small = _small(matte.frame.size)
            self._still = still_of(to_rgb(matte.frame.picture, small), matte.alpha)
        if self._reviewer is not None:
            self._reviewer(matte)

    def found(self, lost: str) -> tuple[list[dict[str, Any]], str]:
        """The worst moments, gravest first, and base64 of a JPEG, of the worst if there is one."""
        if self._reviewer is None:
            return [], self._still
        worst = sorted(self._reviewer.finish(lost=lost).findings, key=lambda found: -found.severity)[:MOMENTS]
        told = [{"when": f.when, "cause": f.cause, "sees": f.sees, "severity": round(f.severity, 3)} for f in worst]
        still = worst[0].still if worst else None
        return told, self._still if still is None else _of(still)


def still_of(rgb: Rgb, alpha: Alpha) -> str:
    """The person of a picture (H, W, 3) on green, small, as base64 of a JPEG; alpha (H, W) of any size."""
    size = _small((rgb.shape[0], rgb.shape[1]))
    return _of(Still(0, 0.0, encoded(cv2.cvtColor(_to(rgb, size), cv2.COLOR_RGB2BGR)), encoded(_to(alpha, size))))


def _of(still: Still) -> str:
    data = cv2.imdecode(np.frombuffer(on_green(still), np.uint8), cv2.IMREAD_COLOR)
    assert data is not None
    return base64.b64encode(encoded(_to(data, _small((data.shape[0], data.shape[1]))))).decode("ascii")


def _small(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _to(picture: Any, size: tuple[int, int]) -> Any:
    return np.asarray(shrink(picture, size))
