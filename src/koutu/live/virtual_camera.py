"""A camera that other programs see, through pyvirtualcam, an optional package, and the system's driver."""

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.color import rgb_to_yuv, to_rgb
from koutu.composite import fit
from koutu.extras import pip_line
from koutu.live.flow import Shown, Sound
from koutu.live.output_thread import Sink
from koutu.types import ColorSpace, OutputError, Picture, Yuv420

SPACE = ColorSpace("bt601")  # what programs take a camera's I420 for


class VirtualCamera(Sink):
    """Sends I420 of the first frame's size. device: its name for the driver, None for the first; rate: a second."""

    def __init__(self, device: str | None, rate: float | None):
        self.name = "virtual camera"
        self._device, self._rate = device, rate or 30.0
        self._library: Any = _pyvirtualcam()
        self._camera: Any = None
        self._size = 0, 0

    def show(self, shown: Shown, sounds: list[Sound]) -> None:
        picture = shown.on_screen
        camera = self._camera or self._opened(picture.size)
        try:
            camera.send(i420(picture, self._size))
        except (RuntimeError, OSError) as error:
            raise OutputError(
                f"virtual camera: expected the driver to take a frame, got {error}; start again"
            ) from error

    def close(self, sounds: list[Sound]) -> list[str]:
        self.abort()
        return []

    def abort(self) -> None:
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def _opened(self, size: tuple[int, int]) -> Any:
        self._size = size[0] & -2, size[1] & -2
        more = {} if self._device is None else {"device": self._device}
        try:
            self._camera = self._library.Camera(
                width=self._size[1], height=self._size[0], fps=self._rate, fmt=self._library.PixelFormat.I420, **more
            )
        except (RuntimeError, OSError, ValueError) as error:
            raise OutputError(
                f"virtual camera: expected a driver that makes one, got: {str(error).rstrip('.')}; on Linux "
                "`sudo modprobe v4l2loopback exclusive_caps=1`, elsewhere install OBS, which brings one"
            ) from error
        self.name = f"virtual camera {self._camera.device}"
        return self._camera


def i420(picture: Picture, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The frame at an even `size` (H, W) as the bytes of I420, (H · W · 3/2,), BT.601."""
    fitted = fit(picture, size, "contain")
    if not isinstance(fitted, Yuv420) or fitted.space != SPACE:
        fitted = rgb_to_yuv(to_rgb(fitted), SPACE)
    return np.concatenate([plane.ravel() for plane in (fitted.y, fitted.u, fitted.v)])


def _pyvirtualcam() -> Any:
    try:
        return importlib.import_module("pyvirtualcam")
    except ImportError as error:
        raise OutputError(
            f"virtual camera: expected pyvirtualcam (GPL-2.0), which is not installed; `{pip_line('virtualcam')}`"
        ) from error
