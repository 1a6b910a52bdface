"""The packaged second opinion, whose two networks are asked about a picture, on ONNX Runtime."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import run_engine
from koutu.engines.onnxruntime import open_session
from koutu.types import Rgb

Floats = NDArray[np.float32]


class Opinion:
    """A picture (h, w, 3) uint8 → logits of things that stand out and of people, both as the square that they see."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 0):
        self._session = open_session(path, device, threads)
        self._square: tuple[int, int] = tuple(self._session.get_inputs()[0].shape[1:3])

    def __call__(self, rgb: Rgb) -> tuple[Floats, Floats]:
        shrinks = rgb.shape[0] * rgb.shape[1] > self._square[0] * self._square[1]
        square = cv2.resize(rgb, self._square, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        out = run_engine("the second opinion", lambda: self._session.run(["things", "people"], {"rgb": square[None]}))
        things, people = out
        return things[0, 0], people[0, 0]
