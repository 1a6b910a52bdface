"""The library's calls: every output of a run agrees with the source and with the others; nothing is left half-made."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from support.media import frame_times, make_clip, sound_packets

import koutu
from koutu.api import convert_image
from koutu.color import to_rgb
from koutu.engines.backend import Backend
from koutu.media.reader import open_video
from koutu.media.writer import EncodeOptions
from koutu.progress import summary
from koutu.types import InputError, OutputError, Yuv420

SIZE = (64, 96)
FRAMES = 12
VFR = [0, 1, 4, 5, 9, 12, 13, 14, 20, 21, 22, 30]
LOSSLESS = EncodeOptions(crf=0, preset="ultrafast")
FAST = EncodeOptions(preset="ultrafast")


class Stripe(Backend):
    """A backend that sees a person in the middle third, with soft sides."""

    name = "stripe"

    def network_size(self, size):
        return size

    def initial_state(self, size):
        return 0

    def __call__(self, rgb, state, **hints):
        x = np.linspace(-1, 1, rgb.shape[1], dtype=np.float32)
        return None, np.tile(np.clip(2 - 4 * abs(x), 0, 1), (rgb.shape[0], 1)), state + 1


class Flicker(Stripe):
    """A backend that misses the person in its sixth frame."""

    def __call__(self, rgb, state, **hints):
        _, pha, after = super().__call__(rgb, state)
        return None, pha * (state != 5), after


class Bright(Stripe):
    """A backend that takes what is bright for people."""

    name = "bright"

    def __call__(self, rgb, state, **hints):
        return None, (rgb[..., 1] > 100).astype(np.float32), state + 1


STRIPE = np.rint(255 * Stripe()(np.zeros((*SIZE, 3), np.uint8), 0)[1]).astype(int)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """96×64, uneven times, with sound."""
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    return make_clip(path, frames=FRAMES, size=SIZE, pts=VFR, audio="aac", tags=(1, 1, 1, 1))


def pictures(path) -> list[np.ndarray]:
    """Every frame as RGB."""
    with open_video(path) as reader:
        return [to_rgb(frame.picture) for frame in reader]


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_four_outputs_of_one_run(clip, tmp_path):
    counts = []
    report = koutu.convert(
        clip, tmp_path / "c.mp4", alpha=tmp_path / "a.mp4", foreground=tmp_path / "f.mkv", background="#204060",
        side_by_side=tmp_path / "s.mp4", model=Stripe(), refine=False, encode=LOSSLESS,
        progress=lambda n, reader: counts.append((n, reader.frame_count)),
    )  # fmt: skip
    assert names(tmp_path) == ["a.mp4", "c.mp4", "f.mkv", "s.mp4"] == sorted(p.name for p in report.outputs)
    assert report.frames == FRAMES and report.fresh_starts == 1 and not report.lost and report.rate > 0
    assert counts == [(n, FRAMES) for n in range(1, FRAMES + 1)]
    assert set(report.stage_ms) == {"decode", "matte", "composite", "encode"} and report.model == "stripe"
    for path in report.outputs:
        assert [round(t * 1000) for t in frame_times(path)] == [round(t * 1000) for t in frame_times(clip)]
        assert [data for _, data in sound_packets(path)] == [data for _, data in sound_packets(clip)]
        width = 2 * SIZE[1] if path.name == "s.mp4" else SIZE[1]
        with av.open(str(path)) as file, av.open(str(clip)) as source:
            assert (file.streams.video[0].height, file.streams.video[0].width) == (SIZE[0], width)
            assert file.duration and source.duration and abs(file.duration - source.duration) < 0.05 * av.time_base
    assert frame_times(tmp_path / "c.mp4") == frame_times(clip)
    (alpha, *_), (composite, *_) = pictures(tmp_path / "a.mp4"), pictures(tmp_path / "c.mp4")
    (person, *_), (both, *_), (source, *_) = (pictures(p) for p in (tmp_path / "f.mkv", tmp_path / "s.mp4", clip))
    assert np.abs(alpha.astype(int) - STRIPE[..., None]).max() <= 1
    gone, there = STRIPE[0] == 0, STRIPE[0] == 255
    edge = np.convolve(~gone, np.ones(5), "same") == 0  # chroma is shared by neighbours
    assert np.abs(composite[:, edge].astype(int) - (0x20, 0x40, 0x60)).max() <= 3 and person[:, edge].max() <= 2
    solid = np.convolve(~there, np.ones(5), "same") == 0
    assert np.abs(composite[:, solid].astype(int) - source[:, solid]).max() <= 3
    assert np.array_equal(person[:, solid], composite[:, solid])
    assert np.abs(both[:, : SIZE[1]].astype(int) - source).max() <= 3
    assert np.abs(both[:, SIZE[1] :].astype(int) - composite).max() <= 3


def alpha_of(path: Path) -> np.ndarray:
    """Alpha (H, W) of the first frame, 0…255, as another program reads it."""
    if path.is_dir():
        return np.asarray(Image.open(path / "0000.png"))[..., 3].astype(float)
    decoder = av.CodecContext.create("libvpx-vp9", "r") if path.suffix == ".webm" else None
    with av.open(str(path)) as file:
        decode = decoder.decode if decoder else file.streams.video[0].codec_context.decode
        frame = next(f for packet in file.demux(video=0) for f in decode(packet if packet.size else None))
    plane = frame.planes[3]
    kind, top = (np.dtype(np.uint8), 255) if decoder else (np.dtype("<u2"), 4095)
    levels = np.frombuffer(memoryview(plane), kind).reshape(-1, plane.line_size // kind.itemsize)
    return levels[: frame.height, : frame.width] / top * 255


@pytest.mark.parametrize(("name", "worst"), [("cut.mov", 1.6), ("cut.webm", 3), ("cut", 1)])
def test_cut_out_has_the_alpha_of_the_grey_video(name, worst, clip, tmp_path):
    report = koutu.convert(
        clip, tmp_path / name, alpha=tmp_path / "grey.mp4", background="transparent", model=Stripe(), refine=False,
        encode=LOSSLESS,
    )  # fmt: skip
    grey = pictures(tmp_path / "grey.mp4")[0][..., 0].astype(float)
    assert np.abs(alpha_of(tmp_path / name) - grey).max() <= worst
    assert names(tmp_path) == sorted([name, "grey.mp4"])
    assert any("sound" in note for note in report.notes) == (name != "cut.mov")  # left out, or re-encoded for WebM
    if name == "cut":
        assert len(names(tmp_path / "cut")) == FRAMES
        rgba = np.asarray(Image.open(tmp_path / "cut" / "0000.png"))
        assert rgba[:, :8, :3].max() <= 2  # the room is not carried along unseen


@pytest.mark.parametrize("kind", ["blur", "green", "r,g,b", "image", "video", "array", "pillow"])
def test_every_kind_of_background(kind, clip, tmp_path):
    colour = (200, 30, 90)
    flat = np.full((40, 40, 3), colour, np.uint8)
    Image.fromarray(flat).save(tmp_path / "flat.png")
    spec = {
        "r,g,b": "200,30,90", "image": tmp_path / "flat.png", "array": flat, "pillow": Image.fromarray(flat),
        "video": make_clip(tmp_path / "behind.mp4", frames=7, tags=(1, 1, 1, 1)),
    }.get(kind, kind)  # fmt: skip
    report = koutu.convert(clip, tmp_path / "out.mp4", background=spec, model=Stripe(), refine=False, encode=LOSSLESS)
    assert report.frames == FRAMES
    first, *_, last = [picture[:, :16].astype(int) for picture in pictures(tmp_path / "out.mp4")]
    source = pictures(clip)[0][:, :16].astype(int)
    if kind == "blur":
        assert np.abs(np.diff(source, axis=0)).max() > 2 * np.abs(np.diff(first, axis=0)).max() > 0
    elif kind == "video":
        assert np.abs(first - last).mean() > 3 and np.abs(first - source).mean() > 3
    else:
        assert np.abs(first - ((0, 255, 0) if kind == "green" else colour)).max() <= 4


def test_smoothing_fills_a_gap_and_tells_its_delay(clip, tmp_path):
    plain, smooth = (
        koutu.convert(clip, alpha=tmp_path / f"{on}.mp4", smooth=on, model=Flicker(), refine=False, encode=LOSSLESS)
        for on in (False, True)
    )
    assert (plain.added_delay_frames, smooth.added_delay_frames) == (0, 1)
    assert frame_times(tmp_path / "True.mp4") == frame_times(clip)
    middle = [int(picture[32, 48, 0]) for picture in pictures(tmp_path / "False.mp4")]
    assert middle == [0 if index == 5 else 255 for index in range(FRAMES)]
    assert all(picture[32, 48, 0] == 255 for picture in pictures(tmp_path / "True.mp4"))


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> str:
    """Two bright people, one of whom moves; ten pictures, the left one gone in the last three."""
    folder = tmp_path_factory.mktemp("two")
    for t in range(10):
        rgb = np.zeros((*SIZE, 3), np.uint8)
        rgb[20:60, 60:80] = (255, 180, 120)
        if t < 7:
            rgb[10:50, 6 + 2 * t : 26 + 2 * t] = (120, 200, 255)
        Image.fromarray(rgb).save(folder / f"{t:02}.png")
    return str(folder / "%02d.png")


@pytest.mark.parametrize(
    ("asked", "left", "right"),
    [
        ({"only_person": 1}, 7, 0),
        ({"keep": [koutu.PersonAt(70, 40, 0.2)]}, 2, 10),
        ({"keep": [koutu.PersonAt(70, 40), koutu.PersonAt(16, 30)]}, 7, 10),
    ],
)
def test_of_several_people_some_stay(asked, left, right, two, tmp_path):
    report = koutu.convert(two, alpha=tmp_path / "alpha.mp4", model=Bright(), rate=10, encode=LOSSLESS, **asked)
    with open_video(tmp_path / "alpha.mp4") as video:
        found = [to_rgb(frame.picture)[..., 0] for frame in video]
    assert [sum(f[:, columns].max() > 200 for f in found) for columns in (slice(0, 40), slice(60, 80))] == [left, right]
    assert [note for note in report.notes if "lost at 0.70 s and not found again" in note or "until 0.20 s" in note]


def test_what_is_shown_again_is_not_matted_again(two, tmp_path):
    class Counted(Bright):
        seen = 0

        def __call__(self, rgb, state, **hints):
            self.seen += 1
            return super().__call__(rgb, state)

    backgrounds = {"still": "green", "video": str(make_clip(tmp_path / "room.mp4", frames=20, rate=Fraction(25)))}
    for name, background in backgrounds.items():
        backend, out = Counted(), tmp_path / f"{name}.mp4"
        report = koutu.convert(two, out, background=background, model=backend, rate=10, refine=False, encode=LOSSLESS)
        assert (report.frames, report.repeated_frames, backend.seen) == (10, 2, 8)  # the last three are alike
        assert "2 frames show what the one before did, and got its matte" in summary(report)
        shown = pictures(out)
        assert len(shown) == 10 and np.array_equal(shown[8], shown[9]) == (name == "still")
        assert np.abs(shown[9][30, 70].astype(int) - (255, 180, 120)).max() <= 4


def test_nobody_there_leaves_nothing(two, tmp_path):
    asked: dict[str, Any]
    for asked in ({"only_person": 3}, {"keep": [koutu.PersonAt(70, 40, 3)]}, {"keep": [koutu.PersonAt(48, 5, 0.5)]}):
        with pytest.raises(InputError, match=r"expected (3 people|the moments|a person at)"):
            koutu.convert(two, tmp_path / "out.mp4", model=Bright(), rate=10, encode=FAST, **asked)
        assert not list(tmp_path.iterdir())


def test_sample_with_the_packaged_network(tmp_path):
    from koutu.zoo import SAMPLE

    with av.open(str(SAMPLE / "talk.mp4")) as file:
        picture = next(file.decode(video=0)).to_ndarray(format="rgb24")
    found = koutu.matte(picture)
    assert found.alpha.shape == picture.shape[:2] and found.alpha.dtype == np.uint8
    assert 0.05 < (found.alpha > 127).mean() < 0.9
    Image.fromarray(picture).save(tmp_path / "still.png")
    data = (tmp_path / "still.png").read_bytes()
    for source in (tmp_path / "still.png", str(tmp_path / "still.png"), data):
        assert np.array_equal(koutu.matte(source, model=Stripe()).alpha, koutu.matte(picture, model=Stripe()).alpha)


def test_frame_by_frame_is_what_convert_writes(tiny_onnx, clip, tmp_path):
    koutu.convert(clip, alpha=tmp_path / "a.mp4", model=tiny_onnx, encode=LOSSLESS)
    matter, seen = koutu.Matter(koutu.load(tiny_onnx)), []
    with koutu.open_video(clip) as reader:
        for frame in reader:
            assert isinstance(frame.picture, Yuv420)
            matte = matter(frame)
            seen.append(matte.alpha.astype(int))
            assert matte.frame is frame and matte.fresh == (len(seen) == 1)
    written = [picture[..., 0] for picture in pictures(tmp_path / "a.mp4")]
    assert all(np.abs(a - b).max() <= 1 for a, b in zip(written, seen, strict=True))


def test_turned_and_odd_video(tmp_path):
    path = make_clip(tmp_path / "phone.mp4", frames=3, size=(48, 64), rotation=(90, False, False))
    koutu.convert(path, tmp_path / "out.mp4", side_by_side=tmp_path / "both.mp4", model=Stripe(), encode=FAST)
    assert pictures(tmp_path / "out.mp4")[0].shape == (64, 48, 3)
    odd = make_clip(tmp_path / "odd.mkv", frames=2, size=(47, 61), codec="ffv1")
    report = koutu.convert(odd, tmp_path / "odd.webm", side_by_side=tmp_path / "wide.mp4", model=Stripe(), encode=FAST)
    assert pictures(tmp_path / "odd.webm")[0].shape == (47, 61, 3)
    assert any("even sizes" in note for note in report.notes)


@pytest.mark.parametrize("stage", ["matte", "composite", "encode", "progress"])
def test_an_error_in_any_stage_leaves_nothing(stage, clip, tmp_path, monkeypatch):
    class Boom(Exception):
        pass

    def fail(*args, **kwargs):
        raise Boom

    class Failing(Stripe):
        def __call__(self, rgb, state, **hints):
            return fail() if state == 4 else super().__call__(rgb, state)

    where = {"composite": "koutu.pipeline.convert.put_over", "encode": "koutu.media.encode.VideoSink.put"}
    if stage in where:
        monkeypatch.setattr(where[stage], fail)
    with pytest.raises(Boom):
        koutu.convert(
            clip, tmp_path / "c.mp4", alpha=tmp_path / "a", model=Failing() if stage == "matte" else Stripe(),
            encode=FAST, progress=fail if stage == "progress" else None,
        )  # fmt: skip
    assert names(tmp_path) == []


def test_all_outputs_or_none(clip, tmp_path, monkeypatch):
    def full(sink):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("koutu.media.png_folder.PngSink.finish", full)
    with pytest.raises(OutputError, match="No space left"):
        koutu.convert(clip, tmp_path / "out.mp4", alpha=tmp_path / "alpha")
    assert names(tmp_path) == []


def test_outputs_that_would_meet_are_refused(clip, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    for a, b in (("c.mp4", "link/c.mp4"), ("cut", "cut.png"), ("cut/a%04d.png", "cut/b%04d.png")):
        with pytest.raises(OutputError, match="place of its own"):
            koutu.convert(clip, tmp_path / a, alpha=tmp_path / b, model=Stripe())
    behind = make_clip(tmp_path / "behind.mp4", frames=1)
    before = behind.read_bytes()
    with pytest.raises(OutputError, match="other than the background"):
        koutu.convert(clip, behind, background=behind, model=Stripe())
    assert behind.read_bytes() == before and names(tmp_path) == ["behind.mp4", "link"]


def test_what_is_there_is_replaced_only_by_a_whole_result(clip, tmp_path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    with pytest.raises(InputError):
        koutu.convert(clip, out, background=tmp_path / "none.jpg", model=Stripe())
    assert out.read_bytes() == b"precious"
    koutu.convert(clip, out, model=Stripe(), encode=FAST)
    assert len(frame_times(out)) == FRAMES and names(tmp_path) == ["out.mp4"]


def test_image_before_each_background(tmp_path):
    picture = np.full((*SIZE, 3), 120, np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    kept, alpha = convert_image(tmp_path / "a.png", tmp_path / "cut.png", backend=Stripe())
    assert np.array_equal(alpha, STRIPE) and np.array_equal(np.asarray(Image.open(tmp_path / "cut.png"))[..., 3], alpha)
    assert np.abs(kept.astype(int) - 120)[:, 24:72].max() <= 1 and (kept[:, :20] == 0).all()
    convert_image(tmp_path / "a.png", tmp_path / "white.jpg", background="white", backend=Stripe())
    white = np.asarray(Image.open(tmp_path / "white.jpg")).astype(int)
    assert white[:, :8].min() > 250 and np.abs(white[:, 46:50] - 120).max() < 4
    convert_image(tmp_path / "a.png", tmp_path / "alpha.png", alpha_only=True, backend=Stripe())
    assert np.array_equal(np.asarray(Image.open(tmp_path / "alpha.png"))[..., 0], alpha)
    with pytest.raises(InputError, match="spelling"):
        convert_image(tmp_path / "a.png", tmp_path / "no.png", background="beahc.jpg", backend=Stripe())
    assert not (tmp_path / "no.png").exists()


def test_import_brings_in_nothing_heavy():
    program = (
        "import sys, koutu; heavy = {'torch', 'cv2', 'av', 'numpy', 'onnxruntime', 'PIL'} & set(sys.modules); "
        "assert not heavy, heavy; assert koutu.KoutuError and 'convert' in dir(koutu)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    with pytest.raises(AttributeError):
        _ = koutu.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_times_before_zero_and_late_sound_stay_together(tmp_path):
    path = make_clip(tmp_path / "late.mkv", frames=5, audio="aac", audio_start=Fraction(1, 10))
    koutu.convert(path, tmp_path / "out.mkv", model=Stripe(), encode=FAST)
    first, out = sound_packets(path), sound_packets(tmp_path / "out.mkv")
    shift = frame_times(path)[0] - frame_times(tmp_path / "out.mkv")[0]
    assert all(abs(a - b - shift) <= Fraction(1, 500) for (a, _), (b, _) in zip(first, out, strict=True))
