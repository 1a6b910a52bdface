"""bench/teachers.py: every choice of networks against masks, of all pictures and of those they agree on."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from support.teachers import SIZE, teacher
from test_ablation import script

pytest.importorskip("yaml")


def test_every_choice_is_measured_and_what_is_disputed_is_left_out(tmp_path: Path, monkeypatch):
    for folder in ("im", "mask"):
        (tmp_path / folder).mkdir()
    for name in ("alone", "passed", "skipped"):
        rgb, mask = np.zeros((SIZE, SIZE, 3), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
        cv2.circle(rgb, (32, 40), 24, (255, 0, 0), -1)
        cv2.circle(mask, (32, 40), 24, 255, -1)
        if name == "passed":
            cv2.rectangle(rgb, (70, 30), (88, 80), (0, 255, 0), -1)
        Image.fromarray(rgb).save(tmp_path / "im" / f"{name}.png")
        Image.fromarray(mask).save(tmp_path / "mask" / f"{name}.png")
    (tmp_path / "skip.txt").write_text("im/skipped.png\n")
    specs = [teacher(tmp_path, "red", (1, 0, 0)), teacher(tmp_path, "both", (1, 1, 0))]
    command = ["teachers", str(tmp_path / "im"), str(tmp_path / "mask"), "--skip", str(tmp_path / "skip.txt")]
    command += [word for spec in specs for word in ("--network", spec)]
    monkeypatch.setattr(sys, "argv", [*command, "--json", str(tmp_path / "out.json")])
    script("bench", "teachers", monkeypatch).main()
    found = json.loads((tmp_path / "out.json").read_text())["summary"]
    assert list(found) == ["red", "both", "red + both"]
    assert found["red"]["all"] == found["red"]["kept"] == {"pictures": 2, "far": 0, "iou": 1}
    assert found["both"]["all"]["far"] > 10 and found["both"]["all"]["iou"] < 0.95
    assert found["red + both"]["kept"] == {"pictures": 1, "far": 0, "iou": 1}
