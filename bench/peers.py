"""Other people's networks behind koutu's Backend contract, so that everything around them is the same."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from koutu.types import Rgb


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class RvmBackend:
    """Robust Video Matting, MobileNetV3, at the downsample ratio that its documentation recommends for the size."""

    FILES = (
        ((360, 640), (288, 512), "rvm_288x512_1.onnx"),
        ((720, 1280), (720, 1280), "rvm_720x1280_0.375.onnx"),
        ((1080, 1920), (1080, 1920), "rvm_1080x1920_0.25.onnx"),
    )

    def __init__(self, folder: Path, size: tuple[int, int], threads: int = 0):
        self.size, file = next((net, file) for clip, net, file in self.FILES if clip == size)
        self._session = _session(folder / "rvm_mobilenetv3" / file, threads)
        self.name = f"RVM MobileNetV3 {file} · onnxruntime"
        self._shapes = {i.name: i.shape for i in self._session.get_inputs() if i.name.startswith("r")}

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self.size

    def initial_state(self, size: tuple[int, int]) -> list[NDArray[np.float32]]:
        return [np.zeros(self._shapes[f"r{i}i"], np.float32) for i in range(1, 5)]

    def __call__(self, rgb: Rgb, state: Any) -> tuple[NDArray, NDArray[np.float32], Any]:
        src = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        feeds = {"src": src, **{f"r{i}i": s for i, s in enumerate(state, 1)}}
        out = self._session.run(["fgr", "pha", "r1o", "r2o", "r3o", "r4o"], feeds)
        fgr, pha, *state = (np.asarray(x) for x in out)
        return fgr[0], pha[0, 0], state


class MediaPipeBackend:
    """MediaPipe selfie segmentation, 256×256, per frame."""

    def __init__(self, folder: Path, size: tuple[int, int], threads: int = 0):
        self._session = _session(folder / "mediapipe_selfie" / "selfie_segmentation.onnx", threads)
        self._input = self._session.get_inputs()[0].name
        self.name = "MediaPipe selfie · onnxruntime"

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return 256, 256

    def initial_state(self, size: tuple[int, int]) -> None:
        return None

    def __call__(self, rgb: Rgb, state: None) -> tuple[None, NDArray[np.float32], None]:
        out = np.asarray(self._session.run(None, {self._input: rgb[None].astype(np.float32) / 255})[0])
        return None, out.reshape(256, 256), None


def nv21_to_planes(nv21: NDArray[np.uint8], height: int) -> tuple[NDArray, NDArray, NDArray]:
    """A camera's NV21 (H·3/2, W) as Y, U, V planes."""
    chroma = nv21[height:].reshape(height // 2, -1, 2)
    v, u = cv2.split(chroma)
    return nv21[:height], u, v


def planes_to_nv21(y: NDArray, u: NDArray, v: NDArray) -> NDArray:
    """Y, U, V planes as NV21 (H·3/2, W)."""
    return np.vstack([y, cv2.merge([v, u]).reshape(-1, y.shape[1])])
