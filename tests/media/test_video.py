"""Video in and out: exact planes, times, colours, sound; every way a file can be wrong; nothing half-written."""

import errno
import os
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.error import FFmpegError
from PIL import Image
from support.media import Clip, frame_times, make_clip, planes, sound_packets, video_frame

import koutu.media.encode as encode_module
from koutu.color import rgb_to_yuv, to_rgb
from koutu.media.clock import Growing
from koutu.media.reader import open_video
from koutu.media.writer import EncodeOptions, open_writer
from koutu.types import ColorSpace, Frame, InputError, OutputError, Yuv420

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
LOSSLESS = EncodeOptions(crf=0, preset="ultrafast")
FAST = EncodeOptions(preset="ultrafast")
VFR = [0, 1, 4, 5, 9, 20, 21, 40]


def frames_of(path) -> list[Frame]:
    with open_video(path) as reader:
        return list(reader)


def planes_of(frame: Frame) -> list[np.ndarray]:
    assert isinstance(frame.picture, Yuv420)
    return [frame.picture.y, frame.picture.u, frame.picture.v]


def same(frame: Frame, expected) -> bool:
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(planes_of(frame), expected, strict=True))


def copy(source, target, *, alpha=None, **settings) -> list[str]:
    """Read and write every frame; returns the writer's notes."""
    with open_video(source) as reader:
        writer = open_writer(target, reader, alpha=alpha is not None, **settings)
        with writer:
            for frame in reader:
                assert isinstance(frame.picture, Yuv420)
                writer.write(frame.picture, frame, alpha)
        return writer.notes


def alone(folder: Path, *names: str) -> bool:
    """Whether the folder holds nothing but these."""
    return sorted(p.name for p in folder.iterdir()) == sorted(names)


# Reading


def test_frames_are_the_planes_that_were_encoded(tmp_path):
    with open_video(make_clip(tmp_path / "a.mp4")) as reader:
        assert (reader.size, reader.depth, reader.rotation, reader.rate) == ((48, 64), 8, 0, 25)
        assert reader.frame_count == 8 and reader.duration_seconds == pytest.approx(0.32) and not reader.has_audio
        frames = list(reader)
        assert reader.end == Fraction(8, 25) and not reader.lost and str(reader.lost) == ""
        assert next(reader, None) is None
    with pytest.raises(ValueError, match="closed"):
        next(reader)
    assert len(frames) == 8 and [f.seconds for f in frames] == [Fraction(i, 25) for i in range(8)]
    for index, frame in enumerate(frames):
        assert same(frame, planes(index, (48, 64)))
        assert all(plane.flags.c_contiguous and plane.flags.owndata for plane in planes_of(frame))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (47, 61), (50, 1922)])
def test_any_size_is_cropped_to_its_pixels(size, tmp_path):
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=size, frames=2)
    first = frames_of(path)[0]
    assert first.size == size and same(first, planes(0, size))


def test_ten_bits_stay_ten(tmp_path):
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv420p10le", frames=2)
    with open_video(path) as reader:
        assert reader.depth == 10 and same(next(reader), planes(0, (48, 64), 10))


@pytest.mark.parametrize("pix_fmt", ["yuv422p", "yuv444p", "yuva420p", "gray", "yuv422p10le", "yuv444p12le"])
def test_other_layouts_become_420_of_the_same_colours(pix_fmt, tmp_path):
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=1, tags=(1, 1, 1, 1))
    with open_video(path) as reader:
        frame = next(reader)
        assert isinstance(frame.picture, Yuv420) and frame.picture.space == reader.space == ColorSpace("bt709", False)
        deep = "10" in pix_fmt or "12" in pix_fmt
        assert reader.depth == frame.picture.depth == (10 if deep else 8)
    unit = 4 if deep else 1
    for mine, true in zip(planes_of(frame), planes(0, (48, 64)), strict=True):
        true = np.full_like(true, 128) if pix_fmt == "gray" and true.shape != (48, 64) else true
        assert np.abs(mine / unit - true).mean() < 2.5 and mine.shape == true.shape
    assert np.abs(planes_of(frame)[0] / unit - planes(0, (48, 64))[0]).max() <= 1


@pytest.mark.parametrize(("size", "matrix"), [((48, 64), "bt601"), ((720, 64), "bt709")])
def test_rgb_becomes_limited_range_of_the_size_s_matrix(size, matrix, tmp_path):
    rgb = np.zeros((*size, 3), np.uint8)
    rgb[:] = (200, 40, 90)
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=25, height=size[0], width=size[1], pix_fmt="bgr0")
        out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        out.mux(stream.encode(None))
    with open_video(tmp_path / "a.mkv") as reader:
        frame = next(reader)
        assert reader.space == ColorSpace(matrix, False) and reader.tags.matrix in (1, 6) and reader.tags.range == 1
    expected = rgb_to_yuv(rgb, reader.space)
    for mine, true in zip(planes_of(frame), (expected.y, expected.u, expected.v), strict=True):
        assert np.abs(mine.astype(int) - true).max() <= 1


@pytest.mark.parametrize(
    ("tags", "height", "space"),
    [
        ((2, 2, 2, 0), 48, ColorSpace("bt601", False)),
        ((2, 2, 2, 0), 720, ColorSpace("bt709", False)),
        ((1, 1, 1, 1), 48, ColorSpace("bt709", False)),
        ((6, 6, 6, 2), 720, ColorSpace("bt601", True)),
        ((9, 16, 9, 1), 48, ColorSpace("bt2020", False)),
    ],
)
def test_tags_are_understood_and_kept(tags, height, space, tmp_path):
    path = make_clip(tmp_path / "a.mp4", tags=tags, size=(height, 64), frames=2)
    with open_video(path) as reader:
        assert reader.space == space and reader.tags == tags
    copy(path, tmp_path / "b.mp4", options=LOSSLESS)
    with open_video(tmp_path / "b.mp4") as reader:
        assert reader.space == space and reader.tags == tags


def test_yuvj_is_full_range(tmp_path):
    path = make_clip(tmp_path / "a.avi", codec="mjpeg", pix_fmt="yuvj420p", tags=(2, 2, 2, 2), frames=1)
    with open_video(path) as reader:
        assert reader.space.full_range and reader.tags.range == 2


def test_an_unknown_matrix_is_refused(tmp_path):
    path = make_clip(tmp_path / "a.mkv", tags=(2, 2, 8, 0), frames=1)
    with pytest.raises(InputError, match="matrix 8"):
        open_video(path)


@pytest.mark.parametrize(
    ("rotation", "degrees", "upright"),
    [
        ((-90, False, False), 90, lambda p: np.rot90(p, -1)),  # what a phone held upright writes
        ((90, False, False), 270, lambda p: np.rot90(p, 1)),
        ((180, False, False), 180, lambda p: p[::-1, ::-1]),
        ((0, True, False), 0, lambda p: p[:, ::-1]),
        ((0, False, True), 180, lambda p: p[::-1]),
    ],
)
def test_rotated_pictures_come_upright_and_stay_so(rotation, degrees, upright, tmp_path):
    path = make_clip(tmp_path / "a.mp4", rotation=rotation, frames=2, aspect=Fraction(4, 3))
    with open_video(path) as reader:
        frame = next(reader)
        assert reader.rotation == degrees and frame.size == reader.size
        assert same(frame, [upright(plane) for plane in planes(0, (48, 64))])
        assert reader.pixel_aspect == (Fraction(3, 4) if degrees % 180 else Fraction(4, 3))
    copy(path, tmp_path / "b.mp4", options=LOSSLESS)
    with open_video(tmp_path / "b.mp4") as again:
        assert again.rotation == 0 and same(next(again), planes_of(frame)) and again.pixel_aspect == reader.pixel_aspect


def test_two_recordings_in_one_file_go_on_in_the_first_size(tmp_path):
    """The second part is of another size, and its clock starts anew, for sound as for pictures."""
    sizes = [(48, 64), (96, 80)]
    parts = [make_clip(tmp_path / f"{i}.ts", size=size, frames=50, audio="mp2") for i, size in enumerate(sizes)]
    (tmp_path / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = frames_of(tmp_path / "both.ts")
    assert len(frames) >= 98 and {f.size for f in frames} == {(48, 64)}
    gaps = [b.seconds - a.seconds for a, b in pairwise(frames)]
    assert all(Fraction(1, 50) < gap < Fraction(1, 5) for gap in gaps) and frames[-1].seconds < Fraction(43, 10)
    copy(tmp_path / "both.ts", tmp_path / "b.mp4", options=FAST)
    heard = [seconds for seconds, _ in sound_packets(tmp_path / "b.mp4")]
    assert all(0 < b - a < Fraction(1, 5) for a, b in pairwise(heard)) and 3.7 < heard[-1] < 4.3


@pytest.mark.parametrize("stamps", [[0, 1, 2, 0, 4, 5], [0, 1, None, 3, 4, 5], [0, 1, 2, 3, 0, 1, 2]])
def test_false_timestamps_do_no_lasting_harm(stamps):
    growing = Growing(Fraction(1, 1000))
    placed = [growing.place(None if s is None else 500 * s, 40) for s in stamps]
    assert all(a < b for a, b in pairwise(placed))
    if stamps[4] == 4:
        assert placed[4:] == [2000, 2500]
    else:
        assert placed[4:] == [1540, 2040, 2540]


def test_an_image_is_a_video_of_one_frame(tmp_path):
    make_clip(tmp_path / "a.png", codec="png", pix_fmt="rgb24", frames=1)
    assert [f.size for f in frames_of(tmp_path / "a.png")] == [(48, 64)]


def test_raw_streams_without_times_get_them(tmp_path):
    path = make_clip(tmp_path / "a.h264", options={"qp": "0", "preset": "ultrafast", "bf": "0"})
    assert [f.seconds for f in frames_of(path)] == [Fraction(i, 25) for i in range(8)]


# What is wrong with a file


def bad_file(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / {"text": "a.txt", "playlist": "a.m3u8"}.get(kind, "a.mp4")
    if kind == "empty":
        path.touch()
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(20_000))
    elif kind == "text":
        path.write_text("hello\n" * 500)
    elif kind == "playlist":
        path.write_text(f"#EXTM3U\n#EXTINF:1,\n{make_clip(tmp_path / 'b.ts')}\n#EXT-X-ENDLIST\n")
    elif kind == "folder":
        path.mkdir()
    elif kind == "headless":
        whole = make_clip(tmp_path / "b.mp4").read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    return path


@pytest.mark.parametrize(
    ("kind", "came"),
    [
        ("missing", "No such file"),
        ("empty", "an empty file"),
        ("noise", "cannot read"),
        ("text", "expected a"),
        ("playlist", "expected a"),
        ("folder", "a folder"),
        ("headless", "cannot read"),
    ],
)
def test_what_is_no_video_is_refused_in_one_sentence(kind, came, tmp_path, capfd):
    with pytest.raises(InputError, match=came) as error:
        open_video(bad_file(tmp_path, kind))
    assert "expected" in str(error.value) and ";" in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_sound_alone_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.int16), format="s16", layout="stereo")
        frame.sample_rate = 48_000
        out.mux(stream.encode(frame))
    with pytest.raises(InputError, match="sound only"):
        open_video(path)


def test_permission_and_strange_names(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "%d|a:b c.mp4")
    assert len(frames_of(path)) == 8
    with pytest.raises(InputError, match="null"):
        open_video("a\0b.mp4")

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        open_video(path)


def test_damage_in_the_middle_loses_no_good_frame(tmp_path, capfd):
    options = {"qp": "20", "preset": "ultrafast", "g": "10"}
    path = make_clip(tmp_path / "a.mkv", frames=50, options=options)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 10] = np.random.default_rng(0).bytes(len(data) // 10)
    path.write_bytes(data)
    with open_video(path) as reader:
        frames = list(reader)
        lost = reader.lost
    assert 38 <= len(frames) <= 50 and frames[-1].seconds == Fraction(49, 25)
    assert lost and 0.5 < min(lost.moments) <= max(lost.moments) < 1.6 and "damaged" in str(lost)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_a_truncated_file_gives_its_beginning(kind, tmp_path):
    path = make_clip(tmp_path / f"a.{kind}", frames=50, options={"qp": "20", "preset": "ultrafast"})
    if kind == "mp4":
        whole = tmp_path / "b.mp4"
        copy(path, whole, options=FAST)  # its index in front
        path = whole
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    with open_video(path) as reader:
        frames = list(reader)
        lost = reader.lost
    assert 10 < len(frames) < 45
    if kind != "ts":  # which does not tell how long it should be
        assert lost.missing_seconds == pytest.approx(2 - len(frames) / 25, abs=0.1) and "missing" in str(lost)


def test_a_file_without_any_good_frame_is_refused(tmp_path):
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", frames=2, size=(200, 200))
    data = bytearray(path.read_bytes())
    data[2000:] = np.random.default_rng(0).bytes(len(data) - 2000)
    path.write_bytes(data)
    with pytest.raises(InputError, match="expected"):
        open_video(path)


# Writing


@pytest.mark.parametrize("name", ["b.mp4", "b.mov", "b.mkv", "b.webm"])
def test_lossless_is_lossless(name, tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=5, tags=(1, 1, 1, 1))
    assert copy(path, tmp_path / name, options=LOSSLESS) == []
    with open_video(tmp_path / name) as reader:
        assert reader.tags == (1, 1, 1, 1)
        assert all(same(f, planes(i, (48, 64))) for i, f in enumerate(reader)) and alone(tmp_path, "a.mp4", name)


@pytest.mark.parametrize("name", ["b.mp4", "b.mov", "b.mkv"])
def test_ten_bits_are_lossless_too(name, tmp_path, capfd):
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv420p10le", frames=3, tags=(9, 16, 9, 1))
    copy(path, tmp_path / name, options=EncodeOptions(crf=0, preset="ultrafast", depth=10))
    with open_video(tmp_path / name) as reader:
        assert reader.depth == 10 and reader.tags == (9, 16, 9, 1)
        assert all(same(f, planes(i, (48, 64), 10)) for i, f in enumerate(reader))
    assert capfd.readouterr() == ("", "")  # x265 has a voice of its own


def test_what_the_encoder_lacks_is_refused(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=1)
    if "yuv420p10le" in [known.name for known in av.Codec("libvpx-vp9", "w").video_formats or []]:
        pytest.skip("this FFmpeg's VP9 has ten bits")
    with pytest.raises(OutputError, match="depth 8"):
        copy(path, tmp_path / "b.webm", options=EncodeOptions(depth=10))
    assert alone(tmp_path, "a.mp4")


def test_hevc_in_mp4_has_the_tag_players_want(tmp_path):
    copy(make_clip(tmp_path / "a.mp4", frames=2), tmp_path / "b.mp4", options=EncodeOptions("hevc", "ultrafast"))
    with av.open(str(tmp_path / "b.mp4")) as file:
        assert file.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize("full", [False, True])
def test_depths_are_converted_with_rounding(full, tmp_path):
    tags = (1, 1, 1, 2 if full else 1)
    deep = make_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv420p10le", frames=1, tags=tags)
    copy(deep, tmp_path / "b.mkv", options=LOSSLESS)
    copy(tmp_path / "b.mkv", tmp_path / "c.mkv", options=EncodeOptions(crf=0, preset="ultrafast", depth=10))
    flat, again = frames_of(tmp_path / "b.mkv")[0], frames_of(tmp_path / "c.mkv")[0]
    for one, two, true in zip(planes_of(flat), planes_of(again), planes(0, (48, 64), 10), strict=True):
        scale = 1023 / 255 if full else 4
        grey = (128, 512) if one.shape != (48, 64) else (0, 0)
        exact = (true.astype(float) - grey[1]) / scale + grey[0]
        assert np.abs(one - exact).max() <= 0.5 and np.abs(two.astype(int) - true).max() <= 2


def test_variable_frame_times_are_exact(tmp_path):
    path = make_clip(tmp_path / "a.mp4", pts=[100 * p for p in VFR], time_base=Fraction(1, 30_000), last=4321)
    true = [Fraction(p, 300) for p in VFR]
    assert [f.seconds for f in frames_of(path)] == true
    for name in ("b.mp4", "b.mov", "b.mkv", "b.webm"):
        copy(path, tmp_path / name, options=FAST)
        error = max(abs(a - b) for a, b in zip(frame_times(tmp_path / name), true, strict=True))
        exact = name in ("b.mp4", "b.mov")
        assert error == 0 if exact else error <= Fraction(1, 2000)
        with open_video(tmp_path / name) as reader:
            assert len(list(reader)) == 8 and (not exact or reader.end == true[-1] + Fraction(4321, 30_000))


def test_ntsc_times_and_the_last_duration(tmp_path):
    path = make_clip(tmp_path / "a.mp4", time_base=Fraction(1001, 30_000), rate=Fraction(30_000, 1001))
    copy(path, tmp_path / "b.mp4", options=FAST)
    assert frame_times(tmp_path / "b.mp4") == [i * Fraction(1001, 30_000) for i in range(8)]
    with open_video(path) as a, open_video(tmp_path / "b.mp4") as b:
        assert len(list(a)) == len(list(b)) and a.end == b.end and b.rate == Fraction(30_000, 1001)


def test_a_file_that_starts_late_keeps_sound_and_picture_together(tmp_path):
    """The sound begins a third of a second before the picture, and neither at zero."""
    pts = [90_000 + 3600 * i for i in range(8)]
    path = make_clip(tmp_path / "a.ts", pts=pts, time_base=Fraction(1, 90_000), audio="mp2", audio_start=Fraction(2, 3))
    before = frame_times(path)[0] - sound_packets(path)[0][0]
    assert before == pytest.approx(1 / 3, abs=0.02)
    with open_video(path) as reader:
        assert reader.start > 0.5 and next(reader).seconds == before
    for name in ("b.mp4", "b.mkv", "b.mov"):
        copy(path, tmp_path / name, options=FAST)
        after = frame_times(tmp_path / name)[0] - sound_packets(tmp_path / name)[0][0]
        assert abs(after - before) <= Fraction(1, 1000)
        with open_video(tmp_path / name) as reader:
            assert len(list(reader)) == 8 and not reader.lost


@pytest.mark.parametrize(
    ("codec", "source", "target"),
    [("aac", "mp4", "mp4"), ("aac", "mp4", "mkv"), ("mp2", "mpg", "mp4"), ("libopus", "webm", "webm"),
     ("pcm_s16le", "mov", "mov"), ("pcm_s16le", "avi", "mkv"), ("libmp3lame", "mkv", "mp4")],
)  # fmt: skip
def test_sound_is_copied_bit_for_bit(codec, source, target, tmp_path):
    video = {"webm": "libvpx-vp9", "mpg": "mpeg1video"}.get(source, "libx264")
    path = make_clip(tmp_path / f"a.{source}", audio=codec, codec=video, frames=15)
    result = tmp_path / f"b.{target}"
    assert copy(path, result, options=FAST) == []
    before, after = sound_packets(path), sound_packets(result)
    assert b"".join(data for _, data in before) == b"".join(data for _, data in after) and len(before) > 5
    shift = frame_times(path)[0] - frame_times(result)[0]
    assert source != "mp4" or shift == 0  # though its sound starts before zero
    if codec != "pcm_s16le":
        assert max(abs(a - b - shift) for (a, _), (b, _) in zip(before, after, strict=True)) <= Fraction(1, 500)
    with open_video(result) as reader:
        assert reader.has_audio


@pytest.mark.parametrize(("target", "encoder"), [("webm", "opus"), ("mp4", "aac")])
def test_sound_the_container_cannot_hold_is_encoded_again_and_said(target, encoder, tmp_path):
    path = make_clip(tmp_path / "a.mkv", audio="pcm_s16le", frames=25, audio_start=Fraction(1, 5))
    (note,) = copy(path, tmp_path / f"b.{target}", options=FAST)
    assert "pcm_s16le" in note and encoder in note and ".mkv" in note
    with av.open(str(tmp_path / f"b.{target}")) as file:
        assert file.streams.audio[0].codec_context.codec.canonical_name == encoder
        samples = np.zeros(2 * 48_000)
        for frame in file.decode(audio=0):
            at = round(Fraction(frame.pts or 0) * Fraction(frame.time_base or 0) * 48_000)
            assert frame.format.name == "fltp"
            samples[max(0, at) : at + frame.samples] = frame.to_ndarray()[0, max(0, -at) :]
    (loud,) = np.nonzero(np.abs(samples) > 0.1)
    assert loud[0] / 48_000 == pytest.approx(0.2, abs=0.01) and loud[-1] / 48_000 == pytest.approx(1.2, abs=0.03)
    assert np.abs(samples[19_200:28_800]).max() == pytest.approx(8000 / 32768, abs=0.02)


@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("5.1(side)", 6), ("7.1", 8)])
def test_surround_sound_is_encoded_again_too(layout, channels, tmp_path):
    path = make_clip(tmp_path / "a.mkv", audio="pcm_s16le", frames=10, layout=layout)
    for name in ("b.mp4", "b.webm"):
        copy(path, tmp_path / name, options=FAST)
        with av.open(str(tmp_path / name)) as file:
            assert file.streams.audio[0].codec_context.channels == channels


def test_sound_that_changes_its_kind_on_its_way(tmp_path):
    parts = [
        make_clip(tmp_path / f"{i}.ts", frames=50, audio="mp2", layout=k) for i, k in enumerate(["stereo", "mono"])
    ]
    (tmp_path / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    copy(tmp_path / "both.ts", tmp_path / "b.webm", options=FAST)
    with av.open(str(tmp_path / "b.webm")) as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) / 48_000 == pytest.approx(4, abs=0.2)


def test_sound_can_be_left_out(tmp_path):
    path = make_clip(tmp_path / "a.mp4", audio="aac")
    copy(path, tmp_path / "b.mp4", options=EncodeOptions(preset="ultrafast", audio=False))
    with open_video(tmp_path / "b.mp4") as reader:
        assert not reader.has_audio


def test_damaged_sound_does_not_stop_the_picture(tmp_path):
    path = make_clip(tmp_path / "a.ts", audio="aac", frames=50)
    data = bytearray(path.read_bytes())
    for at in range(len(data) * 3 // 4, len(data), 188 * 7):
        data[at + 30 : at + 90] = bytes(60)
    path.write_bytes(data)
    for name in ("b.mp4", "b.webm"):
        notes = copy(path, tmp_path / name, options=FAST)
        assert len(frames_of(tmp_path / name)) >= 40 and any("damaged packets of sound" in note for note in notes)


@pytest.mark.parametrize("ending", ["mkv", "mp4", "webm"])
def test_sound_that_a_muxer_refuses_does_not_stop_the_picture(ending, tmp_path):
    """AAC of which nothing says how it was made; Matroska's muxer tells late, and of another packet."""
    clip, bare = make_clip(tmp_path / "a.mp4", audio="aac"), tmp_path / "bare.flv"
    with av.open(str(clip)) as given, av.open(str(bare), "w") as out:
        picture = out.add_stream_from_template(given.streams.video[0])
        sound = out.add_mux_stream("aac", rate=48_000, layout="stereo")
        for packet in given.demux():
            if packet.size:
                packet.stream = picture if packet.stream.type == "video" else sound
                out.mux(packet)
    copy(bare, tmp_path / f"b.{ending}", options=FAST)
    assert len(frames_of(tmp_path / f"b.{ending}")) == 8


def test_a_short_picture_beside_long_sound_misses_nothing(tmp_path):
    """FFmpeg takes the length of a Matroska file for that of its few frames of H.264."""
    path = make_clip(tmp_path / "a.mkv", frames=3, audio="libopus", audio_start=Fraction(1))
    with open_video(path) as reader:
        assert len(list(reader)) == 3 and not reader.lost


def test_titles_chapters_language_and_subtitles_are_kept(tmp_path):
    path = make_clip(
        tmp_path / "a.mkv", metadata={"title": "Tëst"}, chapters=True, audio="aac", subtitles="subrip", frames=20
    )
    assert copy(path, tmp_path / "b.mkv", options=FAST) == []
    with av.open(str(tmp_path / "b.mkv")) as file:
        assert file.metadata["title"] == "Tëst" and file.chapters()[0]["metadata"] == {"title": "one"}
        assert file.streams.audio[0].language == "fra" and len(file.streams.subtitles) == 1
        text = [(p.pts, bytes(p)) for p in file.demux(subtitles=0) if p.size]
        assert text == [(40, b"hello")]
    assert copy(path, tmp_path / "b.mp4", options=FAST) == []
    with av.open(str(tmp_path / "b.mp4")) as file:
        assert file.metadata["title"] == "Tëst" and len(file.chapters()) == 1 and len(file.streams.subtitles) == 1


@pytest.mark.parametrize(("code", "kept"), [("fra", "fra"), ("deu", "ger"), ("nld", "dut"), ("glg", None)])
def test_languages_in_quicktime_are_those_of_its_list(code, kept, tmp_path):
    path = make_clip(tmp_path / "a.mkv", audio="aac", language=code)
    notes = copy(path, tmp_path / "b.mov", options=FAST)
    with av.open(str(tmp_path / "b.mov")) as file:
        assert file.streams.audio[0].language == kept
    assert notes == (
        [] if kept else [f"the language of a track ({code}) was left out: .mov has no number for it, .mp4 has"]
    )
    assert copy(path, tmp_path / "b.mp4", options=FAST) == []


def texts(path) -> list[tuple[float, str]]:
    """When each subtitle begins, and its words."""
    with av.open(str(path)) as file:
        stream = file.streams.subtitles[0]
        packets = [p for p in file.demux(stream) if p.size > 2 and p.pts is not None]
        context = stream.codec_context
        found = [(round(float(p.pts * p.time_base), 2), context.decode2(p)) for p in packets]  # type: ignore[attr-defined]
    return [(at, "".join(bytes(rect.ass).decode().rpartition(",")[2] for rect in text)) for at, text in found if text]  # type: ignore[attr-defined]


@pytest.mark.parametrize("between", ["b.mp4", "b.mov", "b.webm"])
def test_text_subtitles_change_their_form_there_and_back(between, tmp_path):
    audio = "libopus" if between == "b.webm" else "aac"
    path = make_clip(tmp_path / "a.mkv", subtitles="subrip", audio=audio, frames=20)
    assert copy(path, tmp_path / between, options=FAST) == []
    assert copy(tmp_path / between, tmp_path / "c.mkv", options=FAST) == []
    assert texts(path) == texts(tmp_path / between) == texts(tmp_path / "c.mkv") == [(0.04, "hello")]


@pytest.mark.parametrize("name", ["b.mov", "b.mp4", "b.mkv"])
@pytest.mark.parametrize(("code", "rate", "kept"), [
    ("10:20:30:12", Fraction(25), "10:20:30:12"), ("10:20:30;12", Fraction(30000, 1001), "10:20:30;12"),
])  # fmt: skip
def test_timecode_is_written_again(name, code, rate, kept, tmp_path):
    path = make_clip(tmp_path / "a.mov", metadata={"timecode": code}, rate=rate, time_base=1 / rate)
    assert copy(path, tmp_path / name, options=FAST) == []
    with av.open(str(tmp_path / name)) as file:
        told = [stream.metadata.get("timecode") or stream.metadata.get("TIMECODE") for stream in file.streams]
        assert kept in told and (name == "b.mkv" or len(file.streams) == 2)
    notes = copy(path, tmp_path / "png", options=FAST)
    assert notes == [f"the timecode {kept} was left out: PNG pictures hold none"]


def test_what_is_left_out_is_named(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = out.add_stream(
            "libx264", rate=25, height=48, width=64, pix_fmt="yuv420p", options={"preset": "ultrafast"}
        )
        out.add_attachment("letters.ttf", "font/ttf", b"x" * 20)
        for index in range(2):
            frame = video_frame(index, (48, 64))
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    (note,) = copy(tmp_path / "a.mkv", tmp_path / "b.mp4", options=FAST)
    assert "attachment (letters.ttf) was left out" in note


@pytest.mark.parametrize(("name", "size"), [("b.mp4", (48, 62)), ("b.mkv", (48, 62)), ("b.webm", (47, 61))])
def test_odd_sizes_are_widened_only_where_they_must(name, size, tmp_path):
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(47, 61), frames=2)
    notes = copy(path, tmp_path / name, options=LOSSLESS)
    assert bool(notes) == (size != (47, 61))
    first = frames_of(tmp_path / name)[0]
    assert first.size == size
    true = planes(0, (47, 61))
    true[0] = np.pad(true[0], ((0, size[0] - 47), (0, size[1] - 61)), "edge")
    assert same(first, true)


def test_a_size_no_encoder_takes_is_refused_before_the_work(tmp_path):
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(2, 16_390), frames=1)
    with pytest.raises(OutputError, match="16390×2"):
        copy(path, tmp_path / "b.mp4")
    assert alone(tmp_path, "a.mkv")
    copy(make_clip(tmp_path / "c.mkv", codec="ffv1", size=(16, 16_384), frames=1), tmp_path / "d.mp4", options=FAST)


def test_another_size_than_the_source_s(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=2)
    with open_video(path) as reader, open_writer(tmp_path / "b.mp4", reader, size=(48, 128), options=FAST) as writer:
        for frame in reader:
            y, u, v = (np.hstack([plane, plane]) for plane in planes_of(frame))
            writer.write(Yuv420(y, u, v, reader.space), frame)
    assert frames_of(tmp_path / "b.mp4")[0].size == (48, 128)


# Alpha


def ramp(size) -> np.ndarray:
    return np.tile(np.linspace(0, 255, size[1]).astype(np.uint8), (size[0], 1))


@pytest.mark.parametrize("size", [(48, 64), (47, 61)])
@pytest.mark.parametrize("full", [False, True])
def test_prores_keeps_alpha_and_colours(size, full, tmp_path):
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=size, frames=2, tags=(1, 1, 1, 2 if full else 1))
    copy(path, tmp_path / "b.mov", alpha=ramp(size))
    with av.open(str(tmp_path / "b.mov")) as file:
        frame = next(file.decode(video=0))
        assert (frame.height, frame.width) == size and frame.format.name.startswith("yuva444p")
        twelve = np.frombuffer(memoryview(frame.planes[3]), "<u2").reshape(-1, frame.planes[3].line_size // 2)
        alpha = twelve[: size[0], : size[1]] / 4095 * 255
    assert np.abs(alpha - ramp(size)).max() < 0.6 and (alpha[:, -1] == 255).all() and (alpha[:, 0] == 0).all()
    with open_video(tmp_path / "b.mov", keep_hidden=True) as reader:
        first = next(reader)
    true = planes(0, size)[0].astype(float)
    true = true * 219 / 255 + 16 if full else true
    assert isinstance(first.picture, Yuv420) and not first.picture.space.full_range
    assert np.abs(planes_of(first)[0] / 4 - true).mean() < 2


def test_vp9_keeps_alpha(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=4)
    copy(path, tmp_path / "b.webm", alpha=ramp((48, 64)))
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    with av.open(str(tmp_path / "b.webm")) as file:
        assert file.streams.video[0].metadata["alpha_mode"] == "1"
        frames = [f for packet in file.demux(video=0) for f in decoder.decode(packet if packet.size else None)]
    assert len(frames) == 4 and frames[0].format.name == "yuva420p"
    plane = frames[-1].planes[3]
    alpha = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:48, :64]
    assert np.abs(alpha.astype(int) - ramp((48, 64))).mean() < 2


@pytest.mark.parametrize(
    ("name", "folder", "first"),
    [("shots", "shots", "0000.png"), ("shots.png", "shots", "0000.png"), ("shots/x_%03d.png", "shots", "x_000.png")],
)
def test_png_pictures(name, folder, first, tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=3, audio="aac", tags=(1, 1, 1, 1))
    (note,) = copy(path, tmp_path / name, alpha=ramp((48, 64)))
    assert "sound" in note and alone(tmp_path, "a.mp4", folder)
    assert len(list((tmp_path / folder).iterdir())) == 3
    with av.open(str(tmp_path / folder / first)) as file:
        rgba = next(file.decode(video=0)).to_ndarray(format="rgba")
    assert np.array_equal(rgba[..., 3], ramp((48, 64)))
    y, u, _ = planes(0, (48, 64))
    back = rgb_to_yuv(np.ascontiguousarray(rgba[..., :3]), ColorSpace("bt709"))
    inside = ((rgba[..., :3] > 0) & (rgba[..., :3] < 255)).all(-1)  # not clipped
    assert (
        inside.mean() > 0.5
        and np.abs(back.y.astype(int) - y)[inside].max() <= 1
        and np.abs(back.u.astype(int) - u).mean() < 2
    )
    with pytest.raises(OutputError, match="not empty"):
        copy(path, tmp_path / name)


@pytest.mark.parametrize(("wide", "cut"), [(False, True), (True, False), (True, True)])
def test_animated_gif(wide, cut, tmp_path):
    """At most 15 pictures a second and 640 pixels a side; what is seen by half is seen, and the end is kept."""
    size = (120, 960) if wide else (48, 64)
    path = make_clip(tmp_path / "a.mp4", frames=7, size=size, audio="aac", tags=(1, 1, 1, 1))
    alpha = ramp(size) if cut else None
    notes = copy(path, tmp_path / "b.gif", alpha=alpha)
    assert alone(tmp_path, "a.mp4", "b.gif")
    words = {"640×80": wide, "sound": True, "3 frames": True, "soft edges": cut}
    assert {word: word in " ".join(notes) for word in words} == words
    with Image.open(tmp_path / "b.gif") as gif:
        durations, found = [], []
        for i in range(gif.n_frames):  # type: ignore[attr-defined]
            gif.seek(i)
            durations.append(gif.info["duration"])
            found.append(np.asarray(gif.convert("RGBA")))
        assert gif.info["loop"] == 0
    assert durations == [80, 80, 80, 40]
    with open_video(path) as video:
        first = to_rgb(next(iter(video)).picture)
    rgb, seen = found[0][..., :3], found[0][..., 3] > 0
    small = cv2.resize(first, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_AREA)
    assert (
        rgb.shape == ((80, 640, 3) if wide else (48, 64, 3)) and np.abs(rgb[seen].astype(int) - small[seen]).mean() < 8
    )
    if alpha is None:
        assert seen.all()
    else:
        assert np.abs(seen.mean(0) - (ramp(rgb.shape[:2])[0] >= 128)).sum() <= 1


def test_alpha_needs_a_file_that_holds_it(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=1)
    for name in ("b.mp4", "b.mkv"):
        with pytest.raises(OutputError, match=r"\.mov, \.webm"):
            copy(path, tmp_path / name, alpha=ramp((48, 64)))
    assert alone(tmp_path, "a.mp4")


# Whole or not at all


def test_bad_destinations(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=1)
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to(path)
    os.link(path, tmp_path / "hard.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    names = sorted(p.name for p in tmp_path.iterdir())
    expected = {
        "a.mp4": "being read", "link.mp4": "being read", "hard.mp4": "being read", "pipe.mp4": "device or pipe",
        "no/b.mp4": "does not exist", "b.xyz": r"\.mp4, \.mov", "b\0.mp4": "null",
    }  # fmt: skip
    for name, came in expected.items():
        with pytest.raises(OutputError, match=came) as error:
            copy(path, f"{tmp_path}/{name}")
        assert ";" in str(error.value)
    with pytest.raises(OutputError, match="a file where a folder"):
        copy(path, _file_as_folder(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "plain") == names


def _file_as_folder(tmp_path: Path) -> Path:
    (tmp_path / "plain").write_text("kept")
    return tmp_path / "plain.png"


def test_an_existing_result_stays_until_the_new_one_is_complete(tmp_path):
    path, target = make_clip(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    target.write_text("old")
    frame = frames_of(path)[0]
    assert isinstance(frame.picture, Yuv420)
    with open_video(path) as reader, pytest.raises(RuntimeError, match="stop"), open_writer(target, reader) as writer:
        writer.write(frame.picture, frame)
        assert target.read_text() == "old"
        raise RuntimeError("stop")
    assert target.read_text() == "old" and alone(tmp_path, "a.mp4", "b.mp4")
    writer.abort()
    with pytest.raises(ValueError, match="finished or aborted"):
        writer.write(frame.picture, frame)
    copy(path, target, options=FAST)
    assert len(frames_of(target)) == 8 and alone(tmp_path, "a.mp4", "b.mp4")


def test_nothing_written_is_an_error_and_wrong_pictures_too(tmp_path):
    path = make_clip(tmp_path / "a.mp4")
    with open_video(path) as reader:
        with pytest.raises(OutputError, match="at least one frame"), open_writer(tmp_path / "b.mp4", reader):
            pass
        frame = next(reader)
        assert isinstance(frame.picture, Yuv420)
        other = Yuv420(*planes(0, (24, 64)))  # type: ignore[arg-type]
        with open_writer(tmp_path / "b.mp4", reader) as writer:
            writer.write(frame.picture, frame)
            for picture, alpha in ((other, None), (frame.picture, ramp((48, 64)))):
                with pytest.raises(ValueError, match="expected"):
                    writer.write(picture, frame, alpha)
    assert len(frames_of(tmp_path / "b.mp4")) == 1


@pytest.mark.parametrize("wrong", [{"codec": "av1"}, {"preset": "quick"}, {"crf": 52}, {"depth": 12}])
def test_wrong_options_are_refused(wrong, tmp_path):
    with open_video(make_clip(tmp_path / "a.mp4")) as reader, pytest.raises(OutputError, match=next(iter(wrong))):
        open_writer(tmp_path / "b.mp4", reader, options=EncodeOptions(**wrong))


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "shots"])
def test_a_full_disk(name, tmp_path):
    room = tmp_path / "room"
    room.mkdir()
    mounted = ROOT and not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "none", room], capture_output=True, check=False
    ).returncode  # fmt: skip
    if not mounted:
        pytest.skip("needs to mount a small disk")
    try:
        path = make_clip(tmp_path / "a.mp4", frames=30, size=(240, 320))
        with pytest.raises(OutputError, match=r"No space left.*free some space"):
            copy(path, room / name, options=LOSSLESS)
        assert alone(room)
    finally:
        subprocess.run(["umount", room], check=True)


@pytest.mark.parametrize("moment", ["write", "close"])
def test_a_failing_muxer_leaves_nothing(moment, tmp_path, monkeypatch):
    path = make_clip(tmp_path / "a.mp4")

    def fail(self, *args):
        raise FFmpegError(errno.ENOSPC, "No space left on device")

    method = "_encode" if moment == "write" else "finish"
    monkeypatch.setattr(encode_module.VideoSink, method, fail)
    with pytest.raises(OutputError, match="free some space"):
        copy(path, tmp_path / "b.mp4")
    assert alone(tmp_path, "a.mp4")


def test_pictures_from_elsewhere_in_time_and_clips_are_what_they_say(tmp_path):
    """Frames in another time base land on the same moments."""
    path = make_clip(tmp_path / "a.mp4", Clip(frames=3))
    with open_video(path) as reader, open_writer(tmp_path / "b.mp4", reader, options=FAST) as writer:
        for frame in reader:
            assert isinstance(frame.picture, Yuv420)
            writer.write(frame.picture, Frame(frame.picture, int(frame.seconds * 1000), Fraction(1, 1000)))
    assert frame_times(tmp_path / "b.mp4") == frame_times(path) == [Fraction(i, 25) for i in range(3)]
    assert video_frame(0, (48, 64)).format.name == "yuv420p"
