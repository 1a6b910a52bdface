"""Offline runs: resumed where they were stopped, in windows that change nothing, nothing left when they are whole."""

from typing import Any

import cv2
import numpy as np
import pytest
from support.backends import Everything
from support.media import Clip, make_clip

from koutu.api import convert
from koutu.matting.matte import Matte
from koutu.media.reader import open_video
from koutu.pipeline import offline
from koutu.types import InputError, ModelError, OutputError

FRAMES = 11


class Bright(Everything):
    """What is bright is a person; counts, and stops once it was asked so often."""

    name = "bright"

    def __init__(self, most: int = 10_000):
        super().__init__()
        self.calls, self.most = 0, most

    def __call__(self, rgb, state, **hints):
        self.calls += 1
        if self.calls > self.most:
            raise ModelError("expected power, got none; plug it in")
        return None, cv2.blur((rgb[..., 1] > 120).astype(np.float32), (3, 3)), state + 1


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(offline, "WINDOW", 4)
    monkeypatch.setattr(offline, "MARGIN", 2)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "talk.mp4", Clip(frames=FRAMES))


def test_a_stopped_run_goes_on(small, source, tmp_path):
    whole, told, mattes, again = Bright(), list[int](), list[Matte](), list[Matte]()
    progress: dict[str, Any] = {"progress": lambda done, _: told.append(done)}
    report = convert(source, alpha=tmp_path / "a.mkv", model=whole, offline=True, observe=mattes.append, **progress)
    assert report.frames == len(mattes) == FRAMES and "offline" in report.model
    assert told == sorted(told) and told[-1] == FRAMES
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
    with pytest.raises(ModelError, match="plug it in"):
        convert(source, alpha=tmp_path / "b.mkv", model=Bright(most=whole.calls // 2), offline=True)
    (kept,) = [path for path in tmp_path.iterdir() if path.name != "a.mkv"]
    assert kept.name.startswith(".b.") and 0 < len([*kept.iterdir()]) < FRAMES
    rest = Bright()
    convert(source, alpha=tmp_path / "b.mkv", model=rest, offline=True, observe=again.append)
    assert rest.calls < whole.calls
    assert all(np.array_equal(a.alpha, b.alpha) for a, b in zip(mattes, again, strict=True))
    assert {path.name for path in tmp_path.iterdir()} == {"a.mkv", "b.mkv"}


def test_another_network_begins_anew(source, tmp_path):
    class Dim(Bright):
        def __call__(self, rgb, state, **hints):
            _, pha, state = super().__call__(rgb, state)
            return None, 1 - pha, state

    with open_video(source) as reader:
        first = next(iter(reader))
    assert offline._answer(Bright(), first) != offline._answer(Dim(), first)
    assert offline.AlphaFolder(tmp_path, "a", ("x",)).path != offline.AlphaFolder(tmp_path, "a", ("y",)).path


@pytest.mark.parametrize("frames", [1, 4, 6, 9])
def test_windows_cover_every_frame_once(small, frames):
    seen = []
    for start, before, window, after in offline._windows(offline_frames(frames)):
        assert len(before) == min(2, start) and window[0].pts == start
        assert [frame.pts for frame in (*before, *window, *after)] == [
            *range(start - len(before), window[-1].pts + len(after) + 1)
        ]
        seen += [frame.pts for frame in window]
    assert seen == [*range(frames)]


def offline_frames(count: int):
    from koutu.types import Frame

    return [Frame(np.zeros((4, 4, 3), np.uint8), pts) for pts in range(count)]


def test_large_frames_have_short_windows():
    assert offline.window_length((64, 64)) == offline.WINDOW > offline.window_length((2160, 3840)) >= 8


def test_what_cannot_be_seen_twice_is_refused(source, tmp_path):
    needy = Bright()
    needy.needs = ("trimap",)
    with pytest.raises(ModelError, match="picture alone"):
        convert(source, alpha=tmp_path / "a.mkv", model=needy, offline=True)
    with pytest.raises(InputError, match="pipe"):
        offline.offline_mattes("-", tmp_path / "a.mkv", Bright())
    refused: tuple[dict[str, Any], ...] = (
        {"gate": True}, {"steady": True}, {"corrections": {0.0: np.zeros((4, 4), np.uint8)}}
    )  # fmt: skip
    for one in refused:
        with pytest.raises(InputError, match="both"):
            convert(source, alpha=tmp_path / "a.mkv", offline=True, **one)
    with pytest.raises(OutputError, match="give the same command again"):
        offline.AlphaFolder(tmp_path, "a", ()).get(3)
    assert not [*tmp_path.iterdir()]
