"""BlazePose's two networks put together: where bodies are found, turned upright, and brought back onto the frame."""

from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from koutu.engines import blazepose
from koutu.engines.graph import Port
from koutu.types import ModelError
from koutu.zoo import load_named

SIZE, MIDDLE, AXIS = (300, 500), np.array([330.0, 160.0]), np.array([60.0, -80.0])  # x, y; a body that leans


def frame() -> np.ndarray:
    """A bright ellipse along AXIS on black (H, W, 3)."""
    picture = np.zeros((*SIZE, 3), np.uint8)
    angle = float(np.degrees(np.arctan2(AXIS[1], AXIS[0])))
    middle = int(MIDDLE[0]), int(MIDDLE[1])
    cv2.ellipse(picture, middle, (80, 25), angle, 0, 360, (255, 255, 255), -1)
    return picture


class Detector:
    """Says that the body's middle and top are where they are, by the cell that the middle lies in."""

    engine = "nothing"
    inputs: ClassVar[dict[str, Any]] = {"x": Port("x", (1, 224, 224, 3), np.float32)}
    outputs: ClassVar[dict[str, Any]] = {
        "a": Port("a", (1, 2254, 12), np.float32),
        "b": Port("b", (1, 2254, 1), np.float32),
    }
    score = 3.0

    def run(self, feeds, wanted):
        (picture,) = feeds.values()
        assert picture.min() == -1 and picture.max() <= 1
        scale = 224 / SIZE[1]
        middle = MIDDLE * scale + [0, (224 - SIZE[0] * scale) / 2]
        column, row = (middle / 32).astype(int)
        best = 28 * 28 * 2 + 14 * 14 * 2 + (7 * row + column) * 6 + 4
        boxes, scores = np.zeros((1, 2254, 12), np.float32), np.full((1, 2254, 1), -9, np.float32)
        own = (np.array([column, row]) + 0.5) * 32
        boxes[0, best, 4:8] = np.concatenate([middle - own, middle + 1.1 * AXIS * scale - own])
        scores[0, best] = self.score
        return [{"a": boxes, "b": scores}[name] for name in wanted]


class Landmarks:
    """Takes what is bright for the body, which must stand upright before it."""

    engine = "nothing"
    inputs: ClassVar[dict[str, Any]] = {"x": Port("x", (1, 256, 256, 3), np.float32)}
    outputs: ClassVar[dict[str, Any]] = {
        "l": Port("l", (1, 195), np.float32), "p": Port("p", (1, 1), np.float32),
        "m": Port("m", (1, 256, 256, 1), np.float32),
    }  # fmt: skip
    present = 0.9

    def run(self, feeds, wanted):
        (picture,) = feeds.values()
        bright = picture[0, ..., 0]
        rows, columns = np.nonzero(bright > 0.5)
        assert abs(rows.mean() - 128) < 3 and abs(columns.mean() - 128) < 3 and rows.std() > 2.5 * columns.std()
        landmarks = np.zeros((39, 5), np.float32)
        landmarks[33, :2], landmarks[34, :2] = (128, 128), (128, 128 - 256 / 2.5)
        found = {
            "l": landmarks.reshape(1, 195), "p": np.array([[self.present]], np.float32),
            "m": (40 * bright - 20)[None, ..., None],
        }  # fmt: skip
        return [found[name] for name in wanted]


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    for name in ("pose_detection.tflite", "pose_landmark_full.tflite"):
        (tmp_path / name).write_bytes(b"")
    made = {"pose_detection.tflite": Detector, "pose_landmark_full.tflite": Landmarks}
    monkeypatch.setattr(blazepose, "open_graph", lambda path, kind, **_: made[path.name]())
    return tmp_path


def test_the_body_stands_upright_before_the_network_and_comes_back(files):
    backend = load_named(f"blazepose={files}")
    picture = frame()
    size = backend.network_size(SIZE)
    fgr, alpha, _ = backend(picture, backend.initial_state(size))
    assert fgr is None and size == SIZE and alpha.shape == SIZE
    true, found = picture[..., 0] > 127, alpha > 0.5
    assert (true & found).sum() / (true | found).sum() > 0.97


class OnceSeen(Landmarks):
    """Sees somebody at the first look and nobody at the second."""

    looks = 0

    @property
    def present(self):
        self.looks += 1
        return (0.9, 0.1)[self.looks - 1]


@pytest.mark.parametrize("absent", [(Detector, "score", -3.0), (Landmarks, "present", 0.1)])
def test_nobody_is_an_empty_alpha(files, monkeypatch, absent):
    monkeypatch.setattr(*absent)
    assert not load_named(f"blazepose={files}")(frame(), None)[1].any()


def test_who_is_gone_at_the_second_look_is_nobody(files, monkeypatch):
    made = {"pose_detection.tflite": Detector, "pose_landmark_full.tflite": OnceSeen}
    monkeypatch.setattr(blazepose, "open_graph", lambda path, kind, **_: made[path.name]())
    assert not load_named(f"blazepose={files}")(frame(), None)[1].any()


def test_wrong_files_are_named(files, tmp_path):
    with pytest.raises(ModelError, match="@mediapipe/pose"):
        load_named("blazepose")
    with pytest.raises(ModelError, match="pose_detection"):
        load_named(f"blazepose={tmp_path / 'nothing'}")
    with pytest.raises(ModelError, match="litert"):
        load_named(f"blazepose={files}", engine="torch")


def test_other_networks_are_refused(files, monkeypatch):
    monkeypatch.setattr(blazepose, "open_graph", lambda path, kind, **_: Detector())
    with pytest.raises(ModelError, match="expected outputs"):
        load_named(f"blazepose={files}")
