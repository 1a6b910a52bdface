"""What a video's work refuses before it begins, which networks are served, and engines that take turns."""

import re
from dataclasses import replace
from fractions import Fraction
from threading import Thread

import numpy as np
import pytest
from support.backends import Everything
from support.media import make_clip

from koutu.server.networks import _OneAtATime, _served
from koutu.server.work import Order, _progress, require_plain
from koutu.types import InputError, ModelError

ORDER = Order("in", "out", "green", False, True, "koutu", None, "cpu", seconds=10, frame_megapixels=2, result_mb=10)


@pytest.mark.parametrize(
    ("name", "order", "message"),
    [
        ("a.mp4", replace(ORDER, seconds=0), "at most 0 s, got 0; cut it"),
        ("a.mp4", replace(ORDER, frame_megapixels=0), "at most 0 megapixels, got 64×48; shrink"),
        ("a.y4m", ORDER, "such as MP4 or WebM, got yuv4mpegpipe; convert it"),
        ("a.txt", ORDER, "a video, got something that is none"),
    ],
)
def test_what_is_too_much_or_no_video(name, order, message, tmp_path):
    path = tmp_path / name
    if name == "a.txt":
        path.write_bytes(b"no video")
    else:
        make_clip(path, codec="wrapped_avframe" if name == "a.y4m" else "libx264")
    with pytest.raises(InputError, match=re.escape(message)):
        require_plain(str(path), order)


def test_titles_in_any_letters_are_no_hindrance(tmp_path):
    path = make_clip(tmp_path / "a.mkv", metadata={"title": "Käse"})
    path.write_bytes(path.read_bytes().replace("Käse".encode(), b"K\xe4\xe4se"))
    require_plain(str(path), ORDER)


def test_a_video_longer_than_it_says_is_broken_off():
    with pytest.raises(InputError, match="at most 10 s, got more; cut it"):
        _progress(ORDER)(1, type("Reader", (), {"end": Fraction(11), "frame_count": 9})())


def test_networks_that_are_served(tmp_path):
    for chosen, message in (("none", "a model out of"), (str(tmp_path / "none.onnx"), "found none")):
        with pytest.raises(ModelError, match=message):
            _served(chosen)
    (tmp_path / "mine.onnx").write_bytes(b"weights")
    first, *others = _served(str(tmp_path / "mine.onnx"))
    assert first.name == "mine" and "mine" not in [other.name for other in others]


def test_engines_that_must_not_be_called_twice_at_one_time_take_turns():
    busy = []

    class Alone(Everything):
        def __call__(self, rgb, state, **hints):
            assert not busy
            busy.append(1)
            try:
                return super().__call__(rgb, state, **hints)
            finally:
                busy.pop()

    backend, rgb = _OneAtATime(Alone()), np.zeros((8, 8, 3), np.uint8)
    found = []
    calls = [Thread(target=lambda: found.append(backend(rgb, backend.initial_state((8, 8))))) for _ in range(4)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert len(found) == 4
