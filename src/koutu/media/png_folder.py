"""Pictures into a folder of PNG or EXR files, with alpha if there is one: what every editing program can read."""

import importlib
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from koutu.color import unit_rgb, yuv_to_rgb
from koutu.extras import pip_line
from koutu.media.light import WHITE, linear_light
from koutu.types import Alpha, OutputError, Viewing, Yuv

_CHROMATICITIES = {
    "bt709": (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, 0.3127, 0.3290),
    "p3": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
    "bt2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
}
_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]
_NUMBERED = re.compile(r"%(?:0(\d))?d")


def is_sequence(path: Path) -> bool:
    """Whether the path names a folder of pictures: it is one, has no ending, or ends in .png or .exr."""
    return path.suffix.lower() in ("", ".png", ".exr") or path.is_dir()


def is_exr(path: Path) -> bool:
    """Whether it names EXR pictures."""
    return path.suffix.lower() == ".exr" and not path.is_dir()


def folder_and_pattern(path: Path) -> tuple[Path, str]:
    """Where the pictures go, and their names with %d; `name.png` without a number is the folder `name`."""
    if path.is_dir() or not path.suffix:
        return path, "%04d.png"
    if _NUMBERED.search(path.name):
        return path.parent, path.name
    return path.with_suffix(""), f"%04d{path.suffix}"


class PictureFolder:
    """A folder of pictures that is being filled. notes: what could not be kept, in sentences."""

    def __init__(self, part: Path, pattern: str):
        part.mkdir()
        self.notes: list[str] = []
        self._part, self._pattern, self._count = part, pattern, 0

    def next_path(self) -> Path:
        """Where the next picture goes."""
        name = _NUMBERED.sub(lambda m: str(self._count).zfill(int(m[1] or 0)), self._pattern)
        self._count += 1
        return self._part / name

    def put(self, picture: Yuv, pts: int, alpha: Alpha | None) -> None:
        """Write the next picture."""
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing is waiting."""

    def discard(self) -> None:
        """Nothing is open."""


class PngSink(PictureFolder):
    """Writes 0000.png, 0001.png, … into the folder `part`; deep: with 16 bits a sample instead of 8."""

    def __init__(self, part: Path, pattern: str, *, deep: bool = False):
        super().__init__(part, pattern)
        self._deep = deep

    def put(self, picture: Yuv, pts: int, alpha: Alpha | None) -> None:
        """Write one picture as RGB or RGBA."""
        rgb = np.rint(unit_rgb(picture) * 65_535).astype(np.uint16) if self._deep else yuv_to_rgb(picture)
        code = cv2.COLOR_RGB2BGR if alpha is None else cv2.COLOR_RGB2BGRA
        pixels = np.asarray(cv2.cvtColor(rgb, code))
        if alpha is not None:
            pixels[..., 3] = alpha.astype(np.uint16) * 257 if self._deep else alpha
        done, data = cv2.imencode(".png", pixels, _FAST)
        assert done
        self.next_path().write_bytes(data.tobytes())


class ExrSink(PictureFolder):
    """Writes 0000.exr, … into the folder `part`: half floats of linear light, 1 for SDR's white, multiplied by alpha.

    That is what the format means by its numbers; the header says which primaries, white and pixel aspect.
    """

    def __init__(self, part: Path, pattern: str, viewing: Viewing):
        self._exr = require_exr()
        super().__init__(part, pattern)
        self._viewing = viewing

    def put(self, picture: Yuv, pts: int, alpha: Alpha | None) -> None:
        """Write one picture as RGB or RGBA."""
        light = linear_light(picture, self._viewing)
        if alpha is not None:
            share = (alpha * np.float32(1 / 255))[..., None]
            light = np.concatenate([light * share, share], axis=2)
        header = {
            "compression": self._exr.ZIP_COMPRESSION,
            "type": self._exr.scanlineimage,
            "chromaticities": _CHROMATICITIES[self._viewing.primaries],
            "whiteLuminance": WHITE,
            "pixelAspectRatio": float(self._viewing.pixel_aspect),
        }
        channels = {"RGB" if alpha is None else "RGBA": light.astype(np.float16)}
        path = self.next_path()
        try:
            self._exr.File(header, channels).write(str(path))
        except RuntimeError as error:
            raise OSError(str(error)) from error


def require_exr() -> Any:
    """The package that writes EXR, or OutputError."""
    try:
        return importlib.import_module("OpenEXR")
    except ImportError as error:
        raise OutputError(
            f"EXR pictures need OpenEXR, which is not installed; {pip_line('exr')}, or write PNG pictures"
        ) from error
