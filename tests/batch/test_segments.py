"""A long video made in segments is the unbroken one: the same times, the same sound, and no seam to be seen."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from support.media import frame_times, make_clip, sound_packets

from koutu.batch.options import ItemOptions
from koutu.batch.plan import BatchPlan
from koutu.batch.pool import Alone
from koutu.batch.run import run
from koutu.batch.segments import chosen, spans_of
from koutu.batch.sources import STATE, items_of
from koutu.batch.task import Task
from koutu.color import to_rgb
from koutu.matting.matte import Matte
from koutu.media.reader import open_video
from koutu.pipeline.convert import Outputs, Span, convert_video
from koutu.zoo import SAMPLE, load

CUT = Fraction(3)


def moments(*seconds: float) -> list[Fraction]:
    return [Fraction(s).limit_denominator(1000) for s in seconds]


@pytest.mark.parametrize(
    ("keys", "end", "cuts"),
    [
        ([0, 10, 20, 30, 40], 45, [10, 20, 30]),  # the last segment is the rest
        ([0, 10, 20], 14, []),  # too short
        ([0, 4, 8, 12, 16, 20, 24], 30, [8, 16, 24][:2]),
        ([0, 8, 9, 17, 25], 30, [9, 17]),  # a key frame before its turn is a scene's
        ([0, 100], 110, [100]),  # none before
        ([0], 100, []),
    ],
)
def test_cuts_lie_at_key_frames(keys, end, cuts):
    assert chosen(moments(*keys), Fraction(end), Fraction(10)) == moments(*cuts)


def test_what_cannot_be_trusted_is_not_cut(clip, tmp_path):
    data = clip.read_bytes()
    for name, content in (("half.mp4", data[: len(data) // 2]), ("none.mp4", b"no video"), ("empty.mp4", b"")):
        (tmp_path / name).write_bytes(content)
        assert spans_of(tmp_path / name, 0.2) == []
    stream = make_clip(tmp_path / "stream.ts", frames=20, options={"qp": "0", "g": "5"})
    assert len(spans_of(clip, 0.2)) > 2 and spans_of(stream, 0.2) == []


@pytest.fixture(scope="module")
def talk(tmp_path_factory) -> Path:
    """Six seconds of the sample at ten small frames a second, with a key frame every one and a half."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    with open_video(SAMPLE / "talk.mp4") as video, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", 10, options={"preset": "ultrafast", "g": "15", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for _, frame in zip(range(60), video, strict=False):
            out.mux(stream.encode(av.VideoFrame.from_image(Image.fromarray(to_rgb(frame.picture)).resize((160, 90)))))
        out.mux(stream.encode(None))
    return path


def alphas(source: Path, place: Path, span: Span | None) -> dict[Fraction, np.ndarray]:
    found: dict[Fraction, np.ndarray] = {}

    def keep(matte: Matte) -> None:
        found[matte.frame.seconds] = matte.alpha.astype(int)

    report = convert_video(
        source, Outputs(alpha=place / "alpha.mp4"), backend=load("koutu-small", threads=1), observe=keep, span=span
    )
    assert report.frames == len(found) == len(frame_times(place / "alpha.mp4"))
    return found


def test_a_seam_changes_less_than_a_frame_does(talk, tmp_path):
    """The second segment alone, warmed on what comes before, against the unbroken run."""
    assert spans_of(talk, 3) == [Span(Fraction(0), CUT), Span(CUT, None)]
    whole, second = alphas(talk, tmp_path, None), alphas(talk, tmp_path, Span(CUT, None))
    assert list(second) == [seconds for seconds in whole if seconds >= CUT]
    apart = [np.abs(second[seconds] - whole[seconds]).mean() for seconds in second]
    frames = list(whole.values())
    change = [np.abs(after - before).mean() for before, after in pairwise(frames)]
    assert max(apart) < np.median(change) / 2, (max(apart), np.median(change))


def made(source: Path, target: Path, segment: float, pool: Alone | None = None, **options) -> Path:
    asked = ItemOptions(model="koutu-small", preset="ultrafast", **options)
    items = items_of([str(source)], str(target), asked)
    outcome = run(items, str(target), pool or Alone(), BatchPlan(segment=segment, review=False))
    assert [entry.reason for entry in outcome.entries if entry.state != "done"] == []
    assert not list((target / STATE / "segments").glob("*"))
    return target / items[0].name


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """A key frame every fifth of a second, B frames, sound."""
    place = tmp_path_factory.mktemp("clip")
    return make_clip(
        place / "clip.mp4", frames=20, audio="aac", options={"qp": "0", "g": "5", "bf": "2"}, chapters=True
    )


@pytest.mark.parametrize(
    "options", [{}, {"background": "transparent"}, {"codec": "hevc", "smooth": True, "format": "mkv"}]
)
def test_segments_are_joined(clip, tmp_path, options):
    whole, joined = made(clip, tmp_path / "a", 0, **options), made(clip, tmp_path / "b", 0.4, **options)
    assert frame_times(joined) == frame_times(whole) and len(frame_times(joined)) == 20
    assert sound_packets(joined) == sound_packets(whole) != []
    with open_video(whole) as one, open_video(joined) as other, av.open(str(joined)) as file:
        assert len(file.chapters()) == 1
        assert (one.size, one.tags, one.time_base, one.end) == (other.size, other.tags, other.time_base, other.end)
        for first, second in zip(one, other, strict=True):
            off = np.abs(to_rgb(first.picture).astype(int) - to_rgb(second.picture))
            assert off.mean() < 3
            assert (first.alpha is None) == (second.alpha is None)
        assert one.lost == other.lost


class Watched(Alone):
    """Counts the segments that are made; the driver dies after the first."""

    def __init__(self, dies: bool):
        self.made, self._dies = 0, dies

    def submit(self, task: Task):
        if self._dies and self.made:
            raise KeyboardInterrupt
        self.made += bool(task.folder)
        return super().submit(task)


def test_segments_that_are_made_are_not_made_again(clip, tmp_path):
    whole = made(clip, tmp_path / "a", 0.2).read_bytes()
    with pytest.raises(KeyboardInterrupt):
        made(clip, tmp_path / "b", 0.2, Watched(dies=True))
    pool = Watched(dies=False)
    assert made(clip, tmp_path / "b", 0.2, pool).read_bytes() == whole
    assert pool.made == len(spans_of(clip, 0.2)) - 1 >= 2
