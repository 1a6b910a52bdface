"""Bits of a sample: HDR stays HDR, editors' files keep ten bits, alpha as its own video is as good as the cut-out's."""

import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from support.backends import Everything
from support.media import make_clip

import koutu
from koutu.color import to_rgb, unit_rgb
from koutu.composite import matte_picture
from koutu.media.alpha_track import AlphaReader
from koutu.media.light import linear_light
from koutu.media.reader import open_video
from koutu.media.writer import EncodeOptions, open_writer
from koutu.types import Yuv420, Yuv444

PQ, HLG, SDR = (9, 16, 9, 1), (9, 18, 9, 1), (1, 1, 1, 1)
FAST = EncodeOptions(preset="ultrafast")
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"


def deep(path: Path, tags=PQ) -> Path:
    return make_clip(path, codec="ffv1", pix_fmt="yuv420p10le", tags=tags, frames=3)


def striped(path: Path, kind: str = "yuv444p10le", tags=SDR) -> Path:
    """Columns of colours in turn, grey below: what 4:2:0 would mix."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 48, 64, kind
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        frame = av.VideoFrame(64, 48, kind)
        for plane, levels in zip(frame.planes, ((400, 401), (300, 700), (650, 350)), strict=True):
            np.frombuffer(memoryview(plane), "<u2").reshape(plane.height, -1)[:, :] = 512
            np.frombuffer(memoryview(plane), "<u2").reshape(plane.height, -1)[:, : plane.width] = np.tile(
                levels, (plane.height, plane.width // 2)
            )
        frame.pts = 0
        frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = tags
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", ["yuv444p10le", "yuv422p10le"])
def test_editors_files_keep_all_chroma(kind, tmp_path):
    source = striped(tmp_path / "in.mkv", kind)
    with open_video(source, full_chroma=True) as reader:
        frame = next(reader)
        assert isinstance(frame.picture, Yuv444) and np.ptp(frame.picture.u) > 300
        true = unit_rgb(frame.picture)
    for name in ("a.mov", "a"):
        koutu.convert(source, tmp_path / name, background="transparent", model=Everything(), refine=False)
    with open_video(tmp_path / "a.mov", full_chroma=True) as again:
        assert np.abs(unit_rgb(next(again).picture) - true).mean() < 0.01
    png = cv2.imread(str(tmp_path / "a" / "0000.png"), cv2.IMREAD_UNCHANGED)
    assert png is not None and png.dtype == np.uint16
    assert np.abs(png[..., 2::-1] / 65_535 - true).max() < 1e-4
    koutu.convert(source, tmp_path / "a.mp4", model=Everything(), refine=False)
    with open_video(tmp_path / "a.mp4", full_chroma=True) as again:
        assert isinstance(next(again).picture, Yuv420)


@pytest.mark.parametrize("tags", [SDR, PQ, HLG])
def test_exr_holds_linear_light(tags, tmp_path):
    exr = pytest.importorskip("OpenEXR", reason="an extra")
    source = striped(tmp_path / "in.mkv", tags=tags)
    report = koutu.convert(
        source, tmp_path / "cut.exr", background="transparent", model=Everything(128), refine=False, decontaminate=False
    )
    assert not report.notes
    with open_video(source, full_chroma=True) as reader:
        frame = next(reader)
        light = linear_light(frame.picture, frame.viewing)
    file = exr.File(str(tmp_path / "cut" / "0000.exr"))
    found, header = file.channels()["RGBA"].pixels, file.header()
    assert found.dtype == np.float16 and np.allclose(found[..., 3], 128 / 255, atol=1e-3)
    alpha = found[8:-8, 8:-8, 3:].astype(np.float32)
    assert np.abs(found[8:-8, 8:-8, :3] / alpha - light[8:-8, 8:-8]).mean() < 0.02 * light.mean()
    red = header["chromaticities"][:2]
    assert np.allclose(red, (0.64, 0.33) if tags == SDR else (0.708, 0.292)) and header["whiteLuminance"] == 203


def test_exr_is_refused_where_it_cannot_be(tmp_path, monkeypatch):
    source = striped(tmp_path / "in.mkv")
    with pytest.raises(koutu.OutputError, match="its cut-out holds alpha"):
        koutu.convert(source, alpha=tmp_path / "alpha.exr", model=Everything())
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(koutu.OutputError, match="need OpenEXR, which is not installed; pip install"):
        koutu.convert(source, tmp_path / "cut.exr", model=Everything())
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def mastered(path: Path) -> Path:
    said = f"log-level=none:hdr10=1:master-display={DISPLAY}:max-cll=1000,400"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx265", rate=25, options={"x265-params": said, "preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = PQ
        for index in range(3):
            frame = av.VideoFrame(96, 64, "yuv420p10le")
            for plane in frame.planes:
                np.frombuffer(memoryview(plane), "<u2")[:] = 512
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("tags", [PQ, HLG])
@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm"])
def test_hdr_stays_hdr_by_itself(name, tags, tmp_path):
    source = deep(tmp_path / "in.mkv", tags)
    report = koutu.convert(source, tmp_path / name, model=Everything(), refine=False, encode=FAST)
    vp9 = av.Codec("libvpx-vp9", "w").video_formats or []
    able = name != "a.webm" or "yuv420p10le" in [known.name for known in vp9]
    with open_video(tmp_path / name) as reader:
        assert (reader.depth, reader.tags) == (10 if able else 8, tags)
    assert ["8 bits" in note for note in report.notes] == [True] * (not able)


def test_what_hdr_says_of_its_light_is_kept_or_told(tmp_path):
    source = mastered(tmp_path / "in.mp4")
    with open_video(source) as reader:
        assert reader.hdr == (DISPLAY, "1000,400", ())
    for name in ("a.mp4", "a.mkv"):
        assert not koutu.convert(source, tmp_path / name, model=Everything(), refine=False, encode=FAST).notes
        with open_video(tmp_path / name) as reader:
            assert reader.hdr == (DISPLAY, "1000,400", ())
    report = koutu.convert(source, tmp_path / "a.webm", model=Everything(), refine=False)
    assert any("mastering display" in note for note in report.notes)


def test_fewer_bits_are_told(tmp_path):
    source, eight = deep(tmp_path / "in.mkv"), EncodeOptions(preset="ultrafast", depth=8)
    report = koutu.convert(source, tmp_path / "a.mp4", model=Everything(), refine=False, encode=eight)
    assert any("PQ was written with 8 bits" in note for note in report.notes)
    report = koutu.convert(deep(tmp_path / "b.mkv", SDR), tmp_path / "b.mp4", model=Everything(), refine=False)
    assert any("10 bits or more were written with 8" in note for note in report.notes)


@pytest.mark.parametrize("tags", [PQ, HLG])
def test_sdr_when_asked(tags, tmp_path):
    report = koutu.convert(
        deep(tmp_path / "in.mkv", tags), tmp_path / "a.mp4", model=Everything(), refine=False, sdr=True
    )
    with open_video(tmp_path / "a.mp4") as reader:
        assert (reader.depth, reader.tags) == (8, SDR)
        assert to_rgb(next(reader).picture).mean() > 40
    assert any("made SDR" in note for note in report.notes)


def test_prores_and_png_keep_ten_bits(tmp_path):
    ramp = np.tile(np.arange(400, 464, dtype=np.uint16), (48, 1))
    half = np.full((24, 32), 512, np.uint16)
    opaque = np.full((48, 64), 255, np.uint8)
    with open_video(deep(tmp_path / "in.mkv", SDR)) as reader:
        frame = next(reader)
        picture = Yuv420(ramp, half, half, reader.space, 10)
        for name in ("a.mov", "a"):
            with open_writer(tmp_path / name, reader, alpha=True) as writer:
                writer.write(picture, frame, opaque)
                assert not writer.notes
    with open_video(tmp_path / "a.mov") as again:
        found = next(again).picture
    assert isinstance(found, Yuv420) and np.abs(found.y.astype(int) - ramp).mean() < 0.7
    png = cv2.imread(str(tmp_path / "a" / "0000.png"), cv2.IMREAD_UNCHANGED)
    assert png is not None and png.dtype == np.uint16 and png.shape[2] == 4
    assert np.abs(png[..., 1] - (ramp.astype(float) - 64) / 876 * 65_535).max() < 12 and (png[..., 3] == 65_535).all()


def test_alpha_as_its_own_video_is_nearly_exact(tmp_path):
    y, x = np.mgrid[:144, :192]
    alphas = [np.clip(40 * (np.hypot(x - 90 - i, y - 70) - 50), 0, 255).astype(np.uint8) for i in range(3)]
    rng = np.random.default_rng(0)
    alphas = [np.clip(a + rng.normal(0, 12, a.shape) * ((a > 5) & (a < 250)), 0, 255).astype(np.uint8) for a in alphas]
    with open_video(make_clip(tmp_path / "in.mp4", size=(144, 192), frames=3)) as reader:
        options = EncodeOptions(crf=EncodeOptions().alpha_crf)
        with open_writer(tmp_path / "alpha.mp4", reader, options=options) as writer:
            for frame, alpha in zip(reader, alphas, strict=True):
                writer.write(matte_picture(alpha, reader.space, reader.depth), frame)
    with AlphaReader(tmp_path / "alpha.mp4") as found:
        off = [np.abs(a.astype(int) - b)[(a > 5) & (a < 250)].mean() for a, b in zip(alphas, found, strict=True)]
    assert max(off) < 1.5
