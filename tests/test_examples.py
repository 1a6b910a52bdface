"""The programs in examples/ run what `koutu export` writes, with nothing of koutu."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxslim")
from support.exporting import checkpoint, run
from support.media import frame_times, make_clip

from koutu.media.image import write_image
from koutu.types import ModelError

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    ("program", "preprocess", "more"),
    [("onnxruntime_video.py", "inside", []), ("opencv_dnn_video.py", "outside", ["64", "48"])],
)
def test_a_video_goes_in_and_a_composite_comes_out(tmp_path, program, preprocess, more):
    done = run(tmp_path, "onnx", "net.onnx", checkpoint(tmp_path), preprocess=preprocess)
    video, picture, out = (
        make_clip(tmp_path / "in.mp4", frames=5, size=(96, 128)),
        tmp_path / "p.png",
        tmp_path / "o.mp4",
    )
    write_image(picture, np.full((20, 30, 3), 90, np.uint8))
    words = [sys.executable, str(EXAMPLES / program), str(done.files[0]), *more, str(video), str(picture), str(out)]
    subprocess.run(words, check=True, env={**os.environ, "PYTHONPATH": ""}, capture_output=True)
    assert len(frame_times(out)) == 5


def test_they_are_as_short_as_they_are_said_to_be():
    for program in EXAMPLES.glob("*.py"):
        text = program.read_text()
        assert len(text.splitlines()) <= 40 and "import koutu" not in text and ModelError.__name__ not in text
