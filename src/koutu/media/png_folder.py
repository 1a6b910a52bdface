"""Pictures into a folder of PNG files, with alpha if there is one: what every editing program can read."""

import re
from pathlib import Path

import cv2
import numpy as np

from koutu.color import unit_rgb, yuv_to_rgb
from koutu.types import Alpha, Yuv420

_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]
_NUMBERED = re.compile(r"%(?:0(\d))?d")


def is_sequence(path: Path) -> bool:
    """Whether the path names a folder of pictures: it is one, has no ending, or ends in .png."""
    return path.suffix.lower() in ("", ".png") or path.is_dir()


def folder_and_pattern(path: Path) -> tuple[Path, str]:
    """Where the pictures go, and their names with %d; `name.png` without a number is the folder `name`."""
    if path.is_dir() or not path.suffix:
        return path, "%04d.png"
    if _NUMBERED.search(path.name):
        return path.parent, path.name
    return path.with_suffix(""), "%04d.png"


class PngSink:
    """Writes 0000.png, 0001.png, … into the folder `part`; deep: with 16 bits a sample instead of 8."""

    def __init__(self, part: Path, pattern: str, *, deep: bool = False):
        part.mkdir()
        self._deep = deep
        self.notes: list[str] = []
        self._part, self._pattern, self._count = part, pattern, 0

    def put(self, picture: Yuv420, pts: int, alpha: Alpha | None) -> None:
        """Write one picture as RGB or RGBA."""
        rgb = np.rint(unit_rgb(picture) * 65_535).astype(np.uint16) if self._deep else yuv_to_rgb(picture)
        code = cv2.COLOR_RGB2BGR if alpha is None else cv2.COLOR_RGB2BGRA
        pixels = np.asarray(cv2.cvtColor(rgb, code))
        if alpha is not None:
            pixels[..., 3] = alpha.astype(np.uint16) * 257 if self._deep else alpha
        done, data = cv2.imencode(".png", pixels, _FAST)
        assert done
        name = _NUMBERED.sub(lambda m: str(self._count).zfill(int(m[1] or 0)), self._pattern)
        (self._part / name).write_bytes(data.tobytes())
        self._count += 1

    def finish(self) -> None:
        """Nothing is waiting."""

    def discard(self) -> None:
        """Nothing is open."""
