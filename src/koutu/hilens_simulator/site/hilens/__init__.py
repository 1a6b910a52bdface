"""The HiLens framework's Python interface on a host, so that a Kit's skill runs unchanged.

Names, arguments, shapes, limits and ways to fail are those of the published wrapper and of the documentation; where
these differ, the wrapper counts. Cameras are videos, the model is an ONNX file, displays write videos, OBS is a folder.
EIServices, which are networks of the cloud, are not here.
"""

import os
from fractions import Fraction
from typing import Any

import numpy as np

from koutu.hilens_simulator import displays, pixels
from koutu.hilens_simulator.kit import LEVELS, kit
from koutu.types import KoutuError

from .errors import CreateError, require_ready
from .services import *  # noqa: F403

TRACE, DEBUG, INFO, WARNING, ERROR, FATAL = range(len(LEVELS))
HDMI, RTMP, H264_FILE = displays.HDMI, displays.RTMP, displays.H264_FILE
RGB2YUV_NV12, RGB2YUV_NV21, BGR2YUV_NV12, BGR2YUV_NV21 = range(4)


def init(check_value: str) -> int:
    """0, or an error code if the check value is not the console's."""
    kit().begun = True
    wanted = kit().session.check_value
    kit().ready = not wanted or check_value == wanted
    if not kit().ready:
        error(f"init: expected the check value {wanted!r}, got {check_value!r}")
    return 0 if kit().ready else 1


def terminate() -> int:
    """Release everything."""
    kit().close()
    kit().ready = False
    info("terminated")
    return 0


def set_log_level(level: int) -> None:
    """Lines below `level` are left out."""
    kit().level = level


def trace(text: object) -> None:
    """A line in the log."""
    kit().log(TRACE, text)


def debug(text: object) -> None:
    """A line in the log."""
    kit().log(DEBUG, text)


def info(text: object) -> None:
    """A line in the log."""
    kit().log(INFO, text)


def warning(text: object) -> None:
    """A line in the log."""
    kit().log(WARNING, text)


def error(text: object) -> None:
    """A line in the log."""
    kit().log(ERROR, text)


def fatal(text: object) -> None:
    """A line in the log."""
    kit().log(FATAL, text)


def get_skill_config() -> dict[str, Any] | None:
    """What the console says; None if it says nothing, or before `init`."""
    return kit().session.config if kit().ready else None


def get_model_dir() -> str:
    """Ends with a slash."""
    return os.path.join(kit().session.model_dir, "")


def get_workspace_path() -> str:
    """Ends with a slash."""
    return os.path.join(kit().session.workspace, "")


class VideoCapture:
    """VideoCapture() built in, (0) USB, ("name" | "rtsp://…" | "/x.mp4"[, width, height])."""

    def __init__(self, *args: Any):
        if len(args) not in (0, 1, 3):
            raise ValueError("incorrect parameter")
        require_ready("VideoCapture")
        self.is_uvc = bool(args) and isinstance(args[0], int)
        size = args[1:]
        if size and (self.is_uvc or size[0] % 16 or size[1] % 2 or min(size) < 128):
            raise CreateError("failed to create VideoCapture: width in 16s, height in 2s, from 128, not for USB")
        try:
            self._source = kit().cameras.open(args)
        except KoutuError as e:
            raise CreateError(f"failed to create VideoCapture: {e}") from e
        self._size = size
        self.width, self.height = size or (self._source.width, self._source.height)
        kit().displays.rate = Fraction(self._source.rate).limit_denominator(1001)

    def read(self) -> Any:
        """NV21 (H*3//2, W), of a USB camera BGR (H, W, 3), uint8; raises RuntimeError."""
        try:
            frame = self._source.read()
        except SystemExit:  # which a skill may catch, to go on for ever
            info("stopped by SIGTERM, for which main.py has no handler")
            kit().displays.close()
            raise
        if frame is None:
            return None
        if self._size:
            frame = pixels.scaled(frame, *self._size)
        return pixels.to_bgr(frame) if self.is_uvc else frame

    def __del__(self):
        if hasattr(self, "_source"):
            self._source.close()


class Preprocessor:
    """NV21 in; t 0 gives NV21, 1 NV12. Sides are even, 64 … 1920 by 64 … 1080."""

    def __init__(self):
        require_ready("Preprocessor")

    def resize(self, src: Any, w: int, h: int, t: int) -> Any:
        """The whole frame at w × h; raises ValueError outside the limits."""
        width, height = src.shape[1], src.shape[0] * 2 // 3
        if not (_within(width, height) and _within(w, h) and t in (0, 1)):
            raise ValueError("failed to resize")
        result = pixels.scaled(src, w, h)
        return pixels.swap_chroma(result) if t else result

    def crop(self, src: Any, x: int, y: int, w: int, h: int, t: int) -> Any:
        """The part w × h at x, y; raises ValueError outside the limits."""
        width, height = src.shape[1], src.shape[0] * 2 // 3
        inside = min(x, y) >= 0 and x % 2 == y % 2 == 0 and x + w <= width and y + h <= height
        if not (_within(width, height) and _within(w, h) and inside and t in (0, 1)):
            raise ValueError("failed to crop")
        result = pixels.cropped(src, x, y, w, h)
        return pixels.swap_chroma(result) if t else result


class Model:
    """An .om file by its path."""

    def __init__(self, filename: str):
        require_ready("Model")
        try:
            self._network = kit().accelerator.load(filename)
        except KoutuError as e:
            raise CreateError(f"failed to create Model: {e}") from e

    def infer(self, inputs: Any) -> Any:
        """Flat uint8 or float32 arrays → flat float32 arrays, or an error code; ValueError for other types."""
        return self._network.infer(inputs)


class Display:
    """HDMI, RTMP with a URL, H264_FILE with a path."""

    def __init__(self, t: int, path: str | None = None):
        require_ready("Display")
        if t not in (HDMI, RTMP, H264_FILE):
            raise CreateError("failed to create Display: expected HDMI, RTMP or H264_FILE")
        try:
            self._panel = kit().displays.open(t, path)
        except KoutuError as e:
            raise CreateError(f"failed to create Display: {e}") from e

    def show(self, frame: Any) -> int:
        """0, or an error code. The first frame sets the size; sides of 128 at least."""
        return self._panel.show(frame)

    def __del__(self):
        if hasattr(self, "_panel"):
            self._panel.close()


def cvt_color(src: Any, code: int) -> Any:
    """RGB or BGR (H, W, 3) uint8, even sides → NV21 or NV12 (H*3//2, W)."""
    bgr = src if code in (BGR2YUV_NV12, BGR2YUV_NV21) else np.ascontiguousarray(src[..., ::-1])
    return pixels.from_bgr(bgr, swapped=code in (RGB2YUV_NV12, BGR2YUV_NV12))


def _within(width: int, height: int) -> bool:
    return 64 <= width <= 1920 and 64 <= height <= 1080 and width % 2 == 0 and height % 2 == 0
