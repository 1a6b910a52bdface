"""Other people's networks as koutu's descriptions run them, and the layout of a phone's camera."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend
from koutu.zoo import load

# RVM at the downsample ratio that its documentation recommends for the size, in files of fixed size
RVM = {
    (360, 640): "rvm_288x512_1.onnx",
    (720, 1280): "rvm_720x1280_0.375.onnx",
    (1080, 1920): "rvm_1080x1920_0.25.onnx",
}


def peers(folder: Path, size: tuple[int, int]) -> dict[str, Callable[[], Backend]]:
    """What opens RVM MobileNetV3, with memory, and MediaPipe's selfie segmentation, without, for frames of (H, W)."""
    return {
        "rvm": partial(load, "rvm-onnx-fixed", weights=folder / "rvm_mobilenetv3" / RVM[size]),
        "mediapipe": partial(
            load, "mediapipe-selfie", weights=folder / "mediapipe_selfie" / "selfie_segmentation.onnx"
        ),
    }


def nv21_to_planes(nv21: NDArray[np.uint8], height: int) -> tuple[NDArray, NDArray, NDArray]:
    """A camera's NV21 (H·3/2, W) as Y, U, V planes."""
    chroma = nv21[height:].reshape(height // 2, -1, 2)
    v, u = cv2.split(chroma)
    return nv21[:height], u, v


def planes_to_nv21(y: NDArray, u: NDArray, v: NDArray) -> NDArray:
    """Y, U, V planes as NV21 (H·3/2, W)."""
    return np.vstack([y, cv2.merge([v, u]).reshape(-1, y.shape[1])])
