"""BlazePose's mask of one whole body: MediaPipe's pose detector, then its landmark network on the region it names.

Bazarevsky et al., "BlazePose", 2020; files of the npm package @mediapipe/pose, which koutu does not distribute.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend
from koutu.engines.graph import RunnableGraph, open_graph
from koutu.types import ModelError, Rgb

DETECTORS = ("pose_detection.tflite", "pose_solution_packed_assets.data")  # the second is the first by another name
LANDMARKS = ("pose_landmark_heavy.tflite", "pose_landmark_full.tflite", "pose_landmark_lite.tflite")
_DETECTOR_SIDE, _SIDE = 224, 256
_GRIDS = ((28, 2), (14, 2), (7, 6))  # cells a side of the detector's grids, and anchors a cell
_PRESENT = 0.5  # probability from which somebody is there
_ROOM = 1.25  # the region's half side, of the body's radius
_BODY = 33, 34  # landmarks that stand for the hips' middle and the radius
_PASSES = 2  # the second on the region that the first found

Points = NDArray[np.float64]  # (2, 2): the hips' middle and a point on the circle around the body, above it; x, y


class BlazePoseBackend(Backend):
    """path: a folder with the detector and a landmark network, of which the largest is taken. No memory, no hints.

    Who is nearest to the detector's idea of a person is found, and nobody else; alpha is 0 where nobody is. Raises
    ModelError naming a file that is missing.
    """

    refines = False
    warms_up = False

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 0):
        self._detector = open_graph(_file(path, DETECTORS), "tflite", device=device, threads=threads)
        landmarks = _file(path, LANDMARKS)
        self._landmarks = open_graph(landmarks, "tflite", device=device, threads=threads)
        _require(self._detector, path, {(1, 2254, 12), (1, 2254, 1)})
        _require(self._landmarks, landmarks, {(1, 195), (1, 1), (1, _SIDE, _SIDE, 1)})
        self.name = f"BlazePose · {landmarks.name} · {self._landmarks.engine}"
        self._anchors = _anchors()

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The frame itself: its region is cut out of it."""
        return size

    def initial_state(self, size: tuple[int, int]) -> None:
        """Nothing is remembered."""

    def __call__(self, rgb: Rgb, state: Any, **hints: NDArray[Any]) -> tuple[None, NDArray[np.float32], None]:
        points = self._found(rgb)
        logits = np.zeros((_SIDE, _SIDE), np.float32)
        turn = np.eye(2, 3)
        for _ in range(_PASSES):
            if points is not None:
                turn = _region(points)
                points, logits = self._looked(rgb, turn)
        if points is None:
            return None, np.zeros(rgb.shape[:2], np.float32), None
        mask = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        back = np.asarray(cv2.invertAffineTransform(turn))
        whole = cv2.warpAffine(mask, back, rgb.shape[1::-1], flags=cv2.INTER_LINEAR, borderValue=(0,))
        return None, np.asarray(whole, np.float32), None

    def _found(self, rgb: Rgb) -> Points | None:
        """The surest body of the frame, in its pixels."""
        height, width = rgb.shape[:2]
        scale = _DETECTOR_SIDE / max(height, width)
        turn = np.array([[scale, 0, (_DETECTOR_SIDE - scale * width) / 2],
                         [0, scale, (_DETECTOR_SIDE - scale * height) / 2]])  # fmt: skip
        square = cv2.warpAffine(rgb, turn, (_DETECTOR_SIDE, _DETECTOR_SIDE), flags=cv2.INTER_AREA)
        boxes, scores = _run(self._detector, square.astype(np.float32) / 127.5 - 1, ((1, 2254, 12), (1, 2254, 1)))
        best = int(scores.argmax())
        if scores.ravel()[best] < np.log(_PRESENT / (1 - _PRESENT)):
            return None
        points = boxes[0, best, 4:8].reshape(2, 2) + self._anchors[best] * _DETECTOR_SIDE
        return (points - turn[:, 2]) / scale

    def _looked(self, rgb: Rgb, turn: NDArray[np.float64]) -> tuple[Points | None, NDArray[np.float32]]:
        """Where the body is, in the frame's pixels, and its logits in the region; None if it is not there after all."""
        region = cv2.warpAffine(rgb, turn, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)
        wanted = ((1, 195), (1, 1), (1, _SIDE, _SIDE, 1))
        landmarks, present, logits = _run(self._landmarks, region.astype(np.float32) / 255, wanted)
        if present.ravel()[0] < _PRESENT:
            return None, logits[0, ..., 0]
        points = landmarks.reshape(-1, 5)[list(_BODY), :2]
        back = np.asarray(cv2.invertAffineTransform(turn), np.float64)
        return points @ back[:, :2].T + back[:, 2], logits[0, ..., 0]


def _region(points: Points) -> NDArray[np.float64]:
    """(2, 3): frame → the square around the body, upright."""
    middle, (dx, dy) = points[0], points[1] - points[0]
    radius = max(4.0, float(np.hypot(dx, dy)))
    scale = _SIDE / (2 * _ROOM * radius)
    up = -np.array([dx, dy]) / radius  # what points down in the square
    turn = scale * np.array([[up[1], -up[0]], [up[0], up[1]]])
    return np.hstack([turn, (_SIDE / 2 - turn @ middle)[:, None]])


def _anchors() -> NDArray[np.float64]:
    """(2254, 2) middles of the detector's cells, x, y in [0, 1]."""
    found = []
    for side, each in _GRIDS:
        y, x = (np.mgrid[:side, :side] + 0.5) / side
        found.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), each, axis=0))
    return np.concatenate(found)


def _run(graph: RunnableGraph, picture: NDArray[Any], shapes: tuple[tuple[int, ...], ...]) -> list[NDArray[Any]]:
    """The outputs of these shapes, in this order; names differ between versions of the files."""
    names = [next(name for name, port in graph.outputs.items() if port.shape == shape) for shape in shapes]
    return graph.run({next(iter(graph.inputs)): picture[None].astype(np.float32)}, names)


def _file(path: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (path / name).is_file():
            return path / name
    raise ModelError(
        f"{path}: expected a folder with {' or '.join(names)}, found none; unpack the npm package @mediapipe/pose"
    )


def _require(graph: RunnableGraph, path: Path, shapes: set[tuple[int, ...]]) -> None:
    got = {port.shape for port in graph.outputs.values()}
    if not shapes <= got:
        raise ModelError(f"{path}: expected outputs {sorted(shapes)}, got {sorted(got, key=str)}; is it BlazePose's?")
