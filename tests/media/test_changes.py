"""Streams that change in their middle, and interlaced ones."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from support.backends import Everything
from support.media import make_clip

import koutu
from koutu.color import to_rgb
from koutu.live.connection import Feed, Still
from koutu.live.source_address import parse_source
from koutu.matting.matter import Matter
from koutu.media.reader import open_video
from koutu.media.writer import EncodeOptions
from koutu.types import Frame, OutputError, Yuv420

SIZE = (48, 64)


def joined(path: Path, *clips: Path) -> Path:
    path.write_bytes(b"".join(clip.read_bytes() for clip in clips))
    return path


@pytest.mark.parametrize("ending", ["ts", "h264", "mjpeg"])
def test_another_size_keeps_its_shape_beside_bars(ending, tmp_path):
    codec = "mjpeg" if ending == "mjpeg" else "libx264"
    pix_fmt = "yuvj420p" if ending == "mjpeg" else "yuv420p"
    clips = [
        make_clip(tmp_path / f"{i}.{ending}", size=size, codec=codec, pix_fmt=pix_fmt, frames=12)
        for i, size in enumerate([SIZE, (96, 64)])
    ]
    with open_video(joined(tmp_path / f"both.{ending}", *clips)) as reader:
        frames = list(reader)
        assert len(reader.notes) == 1 and "from 64×48 to 64×96 at about" in reader.notes[0]
    assert {frame.size for frame in frames} == {SIZE} and {frame.part for frame in frames} == {0, 1}
    last = to_rgb(frames[-1].picture).astype(int)
    assert last[:, :14].max() < 12 and last[:, 50:].max() < 12 and last[:, 18:46].mean() > 60  # 32 wide, in the middle
    fresh = [matte.fresh for matte in map(Matter(Everything(), refine=False), frames)]
    assert [i for i, new in enumerate(fresh) if new] == [0, [frame.part for frame in frames].index(1)]


def test_other_colours_are_brought_to_those_of_the_beginning(tmp_path):
    clips = [
        make_clip(tmp_path / f"{i}.ts", tags=tags, frames=12) for i, tags in enumerate([(1, 1, 1, 1), (6, 6, 6, 1)])
    ]
    with open_video(joined(tmp_path / "both.ts", *clips)) as reader:
        frames = list(reader)
        assert len(reader.notes) == 1 and "the colours change" in reader.notes[0]
    with open_video(clips[1]) as reader:
        true = to_rgb(next(reader).picture).astype(int)
    assert all(isinstance(f.picture, Yuv420) and f.picture.space.matrix == "bt709" for f in frames)
    first = next(frame for frame in frames if frame.part)
    assert np.abs(to_rgb(first.picture) - true).mean() < 6


def test_numbered_pictures_of_two_sizes(tmp_path):
    for index, size in enumerate([(64, 48), (48, 64)]):
        make_clip(tmp_path / f"{index}.png", codec="png", pix_fmt="rgb24", frames=1, size=size)
    with open_video(tmp_path) as reader:
        assert [frame.size for frame in reader] == [(64, 48)] * 2 and len(reader.notes) == 1


def interlaced(path: Path, frames: int = 10, order: str = "tff") -> Path:
    """A bar that moves from field to field."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg2video", rate=25, options={"flags": "+ilme+ildct", "qmin": "1", "qmax": "2"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        graph = Graph()
        source = graph.add_buffer(width=128, height=96, format=av.VideoFormat("yuv420p"), time_base=Fraction(1, 25))
        flagged, sink = graph.add("setfield", order), graph.add("buffersink")
        source.link_to(flagged)
        flagged.link_to(sink)
        graph.configure()
        for index in range(frames):
            rgb = np.full((96, 128, 3), 30, np.uint8)
            for field in (0, 1):
                left = 8 * (2 * index + (field if order == "tff" else 1 - field)) % 100
                rgb[field::2, left : left + 20] = 220
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            graph.push(frame)
            made = graph.pull()
            assert isinstance(made, av.VideoFrame)
            made.pict_type = 0
            out.mux(stream.encode(made))
        out.mux(stream.encode(None))
    return path


def combed(frame: Frame) -> float:
    """How much more each line differs from its neighbour than from the next but one."""
    assert isinstance(frame.picture, Yuv420)
    luma = frame.picture.y.astype(int)
    return float(np.abs(luma[2:-2] - luma[1:-3]).mean() - np.abs(luma[2:-2] - luma[:-4]).mean())


def test_interlaced_frames_are_made_progressive_and_told(tmp_path):
    path = interlaced(tmp_path / "a.mpg")
    with open_video(path, deinterlace="off") as reader:
        before = list(reader)
        assert not reader.notes
    with open_video(path) as reader:
        after = list(reader)
        assert ["made progressive" in note for note in reader.notes] == [True]
    assert [frame.seconds for frame in after] == [frame.seconds for frame in before] and len(after) == 10
    assert np.mean([combed(frame) for frame in before[1:]]) > 8 > 2 > np.mean([combed(frame) for frame in after[1:]])
    feed = Feed(parse_source(str(path)))
    live = [Frame(item.picture) for item in feed if isinstance(item, Still)]
    feed.close()
    assert len(live) == 10 and np.mean([combed(frame) for frame in live[1:]]) < 2
    report = koutu.convert(path, tmp_path / "a.mp4", model=Everything(), refine=False)
    assert any("progressive" in note for note in report.notes) and report.frames == 10


class Alternating(Everything):
    """Takes all of one frame and nothing of the next."""

    def __call__(self, rgb, state, **hints):
        fgr, pha, after = super().__call__(rgb, state, **hints)
        return fgr, pha * np.float32(after % 2), after


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_fields_are_kept_and_matted_one_by_one(order, tmp_path):
    source = interlaced(tmp_path / "a.mpg", 4, order)
    lines = ["top", "bottom"] if order == "tff" else ["bottom", "top"]
    with open_video(source, deinterlace="keep") as reader:
        fields = list(reader)
        assert not reader.notes and reader.first_field == lines[0]
    assert [f.lines for f in fields] == lines * 4
    assert {float(b.seconds - a.seconds) for a, b in itertools.pairwise(fields)} == {0.02}
    with open_video(source, deinterlace="off") as reader:
        before = [np.asarray(frame.picture.y, int) for frame in reader if isinstance(frame.picture, Yuv420)]
    for name, alpha in (("a.mp4", None), ("a.mkv", tmp_path / "alpha.mkv"), ("a.mov", None)):
        look = "transparent" if name == "a.mov" else "white"
        report = koutu.convert(
            source, tmp_path / name, background=look, alpha=alpha, deinterlace="keep", model=Alternating(), refine=False
        )
        assert report.frames == 4 and not report.notes
        with open_video(tmp_path / name, deinterlace="keep") as again:
            assert again.first_field == lines[0] and len(list(again)) == 8
        with open_video(tmp_path / name, deinterlace="off") as again:
            after = list(again)
        assert [frame.seconds for frame in after] == [Fraction(i, 25) for i in range(4)]
        first = ("top", "bottom").index(lines[0])
        for old, new in zip(before, after, strict=True):
            assert isinstance(new.picture, Yuv420)
            luma = new.picture.y / 2 ** (new.picture.depth - 8)
            assert np.abs(luma[first::2] - old[first::2]).mean() < 4 and (luma[1 - first :: 2] > 225).all()


@pytest.mark.parametrize("name, codec", [("a.webm", "h264"), ("a.mp4", "hevc"), ("a", "h264")])
def test_what_holds_no_fields_is_refused(name, codec, tmp_path):
    source = interlaced(tmp_path / "in.mpg", 3)
    with pytest.raises(OutputError, match=r"holds interlaced frames.*mp4, \.mov or \.mkv of H\.264"):
        encode = EncodeOptions(codec=codec)
        koutu.convert(source, tmp_path / name, deinterlace="keep", model=Everything(), encode=encode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mpg"]
