"""Numbered pictures, animated images and pipes as videos, and animated images as backgrounds."""

import contextlib
import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from support.backends import Everything
from support.media import frame_times, make_clip, sound_packets

import koutu
from koutu.color import to_rgb
from koutu.media.background_spec import make_background
from koutu.media.image import is_animated, read_image
from koutu.media.pipe import spooled
from koutu.media.reader import open_video
from koutu.types import Frame, InputError, Yuv420

SIZE = (48, 64)
LENGTHS = [100, 200, 50, 100]


def shade(level: int, size=SIZE) -> Image.Image:
    return Image.new("RGB", size[::-1], (level,) * 3)


def sequence(folder: Path, numbers, ending="png") -> Path:
    """Pictures as bright as ten times their number."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        shade(10 * number).save(folder / f"shot_{number:02d}.{ending}")
    return folder


def brightness(path, **options) -> list[int]:
    with open_video(path, **options) as reader:
        return [round(float(to_rgb(frame.picture).mean())) for frame in reader]


@pytest.mark.parametrize("name", ["", "shot_%02d.png", "shot_%d.png", "*.png", "shot_0[1-3]*.png"])
def test_numbered_pictures_are_a_video(name, tmp_path):
    folder = sequence(tmp_path / "seq", [8, 9, 10, 11] if "%d" in name else [1, 2, 3])
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.png").write_bytes(b"")
    with open_video(folder / name if name else folder, rate=50) as reader:
        frames = list(reader)
        assert (reader.rate, reader.size, reader.has_audio, reader.file) == (50, SIZE, False, None)
        assert reader.frame_count == len(frames) and not reader.lost and not reader.notes
    assert [frame.seconds for frame in frames] == [Fraction(i, 50) for i in range(len(frames))]
    levels = [round(float(to_rgb(frame.picture).mean())) for frame in frames]
    assert np.abs(np.subtract(levels, [100, 110] if "%d" in name else [10, 20, 30])).max() <= 1


def test_ten_comes_after_nine_and_gaps_are_told(tmp_path):
    for number in (9, 10, 12):
        shade(10 * number).save(tmp_path / f"{number}.png")
    assert np.abs(np.subtract(brightness(tmp_path), [90, 100, 120])).max() <= 1
    with open_video(tmp_path / "%d.png") as reader:
        assert reader.notes == ["1 numbers are missing in %d.png, the first is 11; what follows is next"]
        assert reader.rate == 25


def test_a_broken_picture_among_others_is_lost(tmp_path):
    folder = sequence(tmp_path / "seq", [1, 2, 3])
    (folder / "shot_02.png").write_bytes((folder / "shot_01.png").read_bytes()[:60])
    with open_video(folder) as reader:
        assert [frame.seconds for frame in reader] == [0, Fraction(2, 25)]
        assert str(reader.lost) == "1 damaged frame at about 0.0 s"


def test_sixteen_bits_of_numbered_pictures_are_kept(tmp_path):
    level = np.full((*SIZE, 3), 30_100, np.uint16)
    with av.open(str(tmp_path / "1.png"), "w", format="image2", options={"update": "1"}) as out:
        stream = out.add_stream("png", rate=1, height=SIZE[0], width=SIZE[1], pix_fmt="rgb48be")
        out.mux(stream.encode(av.VideoFrame.from_ndarray(level, "rgb48le").reformat(format="rgb48be")))
        out.mux(stream.encode(None))
    with open_video(tmp_path) as reader:
        picture = next(reader).picture
    assert isinstance(picture, Yuv420) and picture.depth == 10
    assert abs(picture.y.mean() - (64 + 876 * 30_100 / 65_535)) < 2  # of 1023, as swscale rounds


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "a folder of numbered pictures, got a folder without pictures"),
        ("a_%04d.png", "got none of that pattern"),
        ("*.png", "a pattern that names pictures, got one without"),
        ("%d/%d.png", "expected one number"),
    ],
)
def test_names_without_pictures(name, message, tmp_path):
    with pytest.raises(InputError, match=message):
        open_video(f"{tmp_path}/{name}")


def test_rates(tmp_path):
    folder = sequence(tmp_path / "seq", [1])
    for given, exact in ((29.97, Fraction(30_000, 1001)), (23.976, Fraction(24_000, 1001)), (12.5, Fraction(25, 2))):
        assert open_video(folder, rate=given).rate == exact
    with pytest.raises(InputError, match="a rate from"):
        open_video(folder, rate=-1)
    with pytest.raises(InputError, match="numbered pictures for a rate"):
        open_video(make_clip(tmp_path / "a.mp4"), rate=25)


def animated(path: Path) -> Path:
    """Four shades of grey, transparent to the right, each shown for its length."""
    alpha = Image.fromarray(np.tile(np.where(np.arange(64) < 32, 255, 0).astype(np.uint8), (48, 1)))
    pictures = [shade(50 + 40 * i) for i in range(4)]
    for picture in pictures:
        picture.putalpha(alpha)
    more: dict[str, Any] = (
        {"lossless": True} if path.suffix == ".webp" else {"quality": 90} if path.suffix == ".avif" else {}
    )
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=LENGTHS, loop=0, disposal=2, **more)
    return path


@pytest.mark.parametrize("ending", ["webp", "avif", "gif", "png"])
def test_animated_images_are_videos_and_backgrounds_that_move(ending, tmp_path):
    path = animated(tmp_path / f"a.{ending}")
    with open_video(path) as reader:
        frames = list(reader)
        assert reader.end == Fraction(sum(LENGTHS), 1000) and not reader.lost
    assert [frame.seconds for frame in frames] == [0, Fraction(1, 10), Fraction(3, 10), Fraction(7, 20)]
    levels = [to_rgb(frame.picture)[24, 8, 0] for frame in frames]
    assert np.abs(np.subtract(levels, [50, 90, 130, 170], dtype=float)).max() <= 4
    assert all(frame.alpha is not None and (frame.alpha[:, 34:] == 0).all() for frame in frames)
    empty, alpha = np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, np.uint8)
    with make_background(path) as behind:
        shown = [behind(Frame(empty, at, Fraction(1, 1000)), alpha) for at in (0, 150, 320, 400, 460)]
    pixels = [
        (int(rgb[24, 8, 0]), int(rgb[24, 50, 0]))
        for rgb in (to_rgb(picture) for picture in shown if picture is not None)
    ]
    assert np.abs(np.subtract(pixels, [(50, 255), (90, 255), (130, 255), (170, 255), (50, 255)])).max() <= 4


@pytest.mark.parametrize("ending", ["webp", "avif", "gif", "png"])
@pytest.mark.parametrize("kept", [0.4, 0.9])
def test_a_damaged_animation_is_told(ending, kept, tmp_path):
    """Zeros in the place of its end: an error that every caller knows, or the frames before with what is lost."""
    data = bytearray(animated(tmp_path / f"a.{ending}").read_bytes())
    whole = int(len(data) * kept)
    path = tmp_path / f"b.{ending}"
    path.write_bytes(data[:whole] + bytes(len(data) - whole))
    assert isinstance(is_animated(path), bool)
    try:
        with open_video(path) as reader:
            count = len(list(reader))
    except InputError as error:
        assert "; " in str(error)
    else:
        assert count == 4 or reader.lost or ending == "gif"  # which does not tell how many it has
    with contextlib.suppress(InputError):
        assert read_image(path).shape == (*SIZE, 3)


@pytest.mark.parametrize("data", [b"", b"no picture", None])
def test_the_only_picture_of_a_sequence_that_is_none_is_told(data, tmp_path):
    path = sequence(tmp_path / "seq", [1]) / "0001.png"
    path = next(path.parent.iterdir())
    path.write_bytes(path.read_bytes()[:60] if data is None else data)
    with pytest.raises(InputError, match="; "), open_video(path.parent) as reader:
        list(reader)


def test_standard_input_that_is_a_terminal_and_a_pipe_that_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", type("Stdin", (), {"isatty": lambda self: True})())
    with pytest.raises(InputError, match="got a terminal; pipe one in"):
        open_video("-")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"read to its end .*; make room there"):
        spooled(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_numbered_pictures_become_a_film(tmp_path):
    folder = sequence(tmp_path / "seq", range(1, 6))
    report = koutu.convert(folder, tmp_path / "a.mp4", rate=10, model=Everything(), refine=False)
    assert report.frames == 5 and frame_times(tmp_path / "a.mp4") == [Fraction(i, 10) for i in range(5)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_read_once_with_its_sound(tmp_path, monkeypatch):
    clip, pipe = make_clip(tmp_path / "a.mp4", audio="aac"), tmp_path / "pipe"
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    os.mkfifo(pipe)
    writing = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()))
    writing.start()
    koutu.convert(pipe, tmp_path / "b.mp4", model=Everything(), refine=False)
    writing.join()
    assert len(frame_times(tmp_path / "b.mp4")) == 8 and sound_packets(tmp_path / "b.mp4") == sound_packets(clip)
    with clip.open("rb") as file:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": file, "isatty": lambda self: False})())
        with open_video("-") as reader:
            assert len(list(reader)) == 8
