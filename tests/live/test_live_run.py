"""Whole live runs: the newest picture with its own alpha, sound in step, errors, what is lost and found, endings."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from threading import Event, Thread

import av
import numpy as np
import pytest
from support.backends import Everything
from support.live_parts import (
    RATE,
    SIZE,
    Keep,
    Reader,
    desk_of,
    level,
    live_of,
    number_in,
    numbered_clip,
    shot,
)
from support.media import make_clip
from support.ports import free_port
from support.waiting import came_true, until

from koutu.api import convert
from koutu.live.connection import Feed, Lost, Still
from koutu.live.flow import Shown
from koutu.live.options import Patience, Reading
from koutu.live.output_thread import Fan, Outlet, SinkLost
from koutu.live.run import Live, LiveReport
from koutu.live.source_address import parse_source
from koutu.live.stages import Compositing, Matting
from koutu.media.containers import EncodeOptions
from koutu.media.reader import open_video
from koutu.pipeline.mailbox import Mailbox, stage, stop
from koutu.types import InputError, ModelError, OutputError
from koutu.zoo import SAMPLE, load

PART = 376  # bytes of a stream that are sent at once
QUICK = Reading(patience=2, wait=0.01)


@pytest.fixture(autouse=True)
def no_thread_outlives_a_run():
    yield
    until(lambda: not alive())


def alive() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("koutu-")]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """A second of pictures that carry their number."""
    return numbered_clip(tmp_path_factory.mktemp("clip") / "numbers.mp4")


def run_until(live: Live, keep: Keep) -> LiveReport:
    """The run, ended when `keep` has enough."""
    waiting = Thread(target=lambda: (keep.enough.wait(120), live.quit()))
    waiting.start()
    report = live.run()
    keep.enough.set()
    waiting.join()
    return report


def assert_alpha_belongs(shown: list[Shown]) -> None:
    """Every composite is α · F + (1 − α) · black of one picture, whose grey is its number and its alpha."""
    for one in shown:
        grey = level(one.shot.number)
        white = (grey - 16) * 255 / 219
        assert abs(float(one.alpha.mean()) - white) <= 2, one.shot.number
        assert number_in(float(one.shot.frame.picture.y.mean())) == one.shot.number  # type: ignore[union-attr]
        alpha = float(one.alpha.mean()) / 255
        assert abs(float(one.picture.y.mean()) - (alpha * grey + (1 - alpha) * 16)) <= 2, one.shot.number


def test_a_film_as_a_camera_by_the_packaged_network(tmp_path):
    keep = Keep(5)
    desk = desk_of(load(gate=None), background="#00ff00")
    live = live_of(SAMPLE / "talk.mp4", [keep, str(tmp_path / "out.mp4")], desk=desk, reading=Reading(loop=True))
    report = run_until(live, keep)
    assert keep.closed and keep.shown and report.closing == ["kept", f"wrote {tmp_path / 'out.mp4'}"]
    numbers = [one.shot.number for one in keep.shown]
    assert numbers == sorted(set(numbers)) and report.ages_ms and report.ages_ms[0] > 0
    assert report.figures.engine.startswith("koutu · onnxruntime") and all(report.figures.network)
    share = float(np.mean([np.mean(one.alpha > 127) for one in keep.shown]))
    assert 0.1 < share < 0.9  # somebody is there, and a room
    with av.open(str(tmp_path / "out.mp4")) as file:
        pictures = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
        assert len(pictures) >= 3 and file.streams.audio
    behind = keep.shown[0].alpha == 0
    assert np.abs(pictures[0][behind].astype(int) - (0, 255, 0)).mean() < 12


def test_alpha_belongs_to_the_picture_it_is_shown_with(clip):
    keep = Keep()
    backend = Reader(lambda count: time.sleep(0.03 * (count % 4)))  # now slower, now faster than the source
    live_of(clip, [keep], backend).run()
    assert keep.shown and keep.shown[-1].shot.number == RATE - 1  # the last one is shown, however slow
    assert_alpha_belongs(keep.shown)


def test_the_newest_picture_wins_everywhere():
    """While one stage is held, everything that comes is thrown away but the newest: no age can pile up."""
    started, go_on = Event(), Event()

    def hold(count: int) -> None:
        started.set()
        if count == 0:
            assert go_on.wait(30)

    desk, keep = desk_of(Reader(hold)), Keep()
    outlet = Outlet(keep, tell=print)
    shots, mattes, fan = Mailbox(1, live=True), Mailbox(1, live=True), Fan([outlet])
    stages = [
        stage(Matting(desk, refine=False), shots, mattes, name="matte"),
        stage(Compositing(desk, decontaminate=False), mattes, fan, name="composite"),
    ]
    outlet.start()
    shots.put(shot(0))
    assert started.wait(30)
    for i in range(1, 41):
        shots.put(shot(i, i / RATE))
    go_on.set()
    shots.close()
    assert outlet.done.wait(30)
    stop(stages)
    assert [one.shot.number for one in keep.shown] in ([0, 40], [40]) and shots.dropped == 39
    assert_alpha_belongs(keep.shown)


def test_a_slow_output_holds_up_nobody(clip):
    hold, quick = Event(), Keep()

    class Slow(Keep):
        def show(self, shown, sounds):
            super().show(shown, sounds)
            assert hold.wait(100)

    slow = Slow()
    live = live_of(clip, [slow, quick], reading=Reading(loop=True))
    runner = Thread(target=live.run)
    runner.start()
    came = came_true(lambda: len(quick.shown) > 3)
    waiting = len(slow.shown)
    live.quit()
    hold.set()
    runner.join(60)
    assert came and waiting == 1 and slow.closed and quick.closed


def test_sound_stays_with_the_picture(tmp_path):
    """White and loud between 0.4 s and 1.0 s; whatever is dropped, each picture that is left agrees with the sound."""
    video = numbered_clip(tmp_path / "beep.mp4", 40, beep=(0.4, 1.0))

    class Whole(Reader):
        def __call__(self, rgb, state, **hints):
            time.sleep(0.05)
            return None, np.ones(rgb.shape[:2], np.float32), 0

    for name in ("out.mp4", "out.webm"):
        live_of(video, [str(tmp_path / name)], Whole()).run()
        offset = sound_offset(tmp_path / name)
        assert abs(offset) <= 0.045, f"{name}: {offset}"


def sound_offset(path: Path) -> float:
    """By how many seconds sound must be moved for white pictures and loud sound to agree best."""
    with av.open(str(path)) as file:
        white = [(float(f.time or 0), f.to_ndarray(format="gray").mean() > 125) for f in file.decode(video=0)]
    with av.open(str(path)) as file:
        frames = [(float(f.time or 0), f.to_ndarray().reshape(-1, f.samples)[0]) for f in file.decode(audio=0)]
    begin, heard = frames[0][0], np.concatenate([samples for _, samples in frames])
    loud = np.convolve(np.abs(heard) > 0.15, np.ones(240), "same") > 0  # a tone passes 0 now and then
    assert any(w for _, w in white) and not all(w for _, w in white) and loud.any() and not loud.all()

    def wrong(offset: float) -> int:
        at = [min(len(loud) - 1, max(0, round((t + offset - begin) * 48_000))) for t, _ in white]
        return sum(bool(loud[i]) != w for i, (_, w) in zip(at, white, strict=True))

    offsets = np.arange(-50, 51) * 0.01
    counts = [wrong(float(offset)) for offset in offsets]
    best = [float(o) for o, count in zip(offsets, counts, strict=True) if count == min(counts)]
    assert min(counts) == 0, "sound and picture agree nowhere"
    return min(best, key=abs)


def test_an_error_in_any_stage_is_told_and_outputs_are_whole(clip, tmp_path):
    def fail(count: int) -> None:
        if count == 4:
            raise ModelError("expected alpha, got smoke; open a window")

    path = tmp_path / "out.mp4"
    with pytest.raises(ModelError, match="smoke"):
        live_of(clip, [str(path)], Reader(fail)).run()
    assert 1 <= count_frames(path) <= 4 and [p.name for p in tmp_path.iterdir()] == ["out.mp4"]

    live = live_of(clip, [keep := Keep()])

    class Broken(type(live.desk.behind)):
        def __init__(self):
            pass

        def __call__(self, frame, alpha):
            raise InputError("expected a background, got a hole; fill it")

    live.compositing._behind = live.desk.behind = Broken()
    with pytest.raises(InputError, match="hole"):
        live.run()
    assert keep.closed and not keep.shown

    live = live_of(clip, [keep := Keep()])
    live.source._feed._stills = lambda packet, arrived: 1 / 0  # type: ignore[method-assign,assignment]
    with pytest.raises(ZeroDivisionError):
        live.run()
    assert keep.closed


def test_an_output_that_fails_leaves_the_others(clip, tmp_path):
    class Full(Keep):
        name = "full"

        def show(self, shown, sounds):
            raise OutputError("full: expected space, got none; free some")

    told: list[str] = []
    report = live_of(clip, [Full(), str(tmp_path / "out.mkv")], told=told).run()
    assert [str(e) for e in report.errors] == ["full: expected space, got none; free some"] and report.errors[
        0
    ] is not None
    assert count_frames(tmp_path / "out.mkv") >= 1 and "full: expected space, got none; free some" in told
    report = live_of(clip, [Full()], reading=Reading(loop=True)).run()  # nobody is left: the run ends
    assert len(report.errors) == 1


def count_frames(path: Path) -> int:
    with av.open(str(path)) as file:
        return sum(1 for _ in file.decode(video=0))


def test_a_film_begins_again(clip):
    keep = Keep(RATE + 5)
    live = live_of(clip, [keep], reading=Reading(loop=True))
    run_until(live, keep)
    moments = [float(one.shot.frame.seconds) for one in keep.shown]
    assert moments == sorted(set(moments)) and max(one.shot.number for one in keep.shown) > RATE
    assert 0.5 < moments[-1] < 60


class Server:
    """Sends the same stream to each that connects over TCP, `times` in all, and is then gone."""

    def __init__(self, data: bytes, times: int):
        self.data, self.times, self.served = data, times, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self.socket.getsockname()[1]}"
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while self.served < self.times:
            one, _ = self.socket.accept()
            with one:
                for at in range(0, len(self.data), PART):  # little by little, as what is live comes
                    one.sendall(self.data[at : at + PART])
                    time.sleep(0.02)
                self.served += 1
                if self.served == self.times:
                    self.socket.close()


def test_a_source_that_is_lost_comes_back_until_it_is_given_up(tmp_path):
    stream = numbered_clip(tmp_path / "numbers.ts").read_bytes()
    server, keep, told = Server(stream, 3), Keep(), []
    path = tmp_path / "out.mp4"
    live = live_of(server.url, [keep, str(path)], reading=QUICK, told=told)
    with pytest.raises(InputError, match=r"expected the source to come back within 2 s, got .*refused"):
        live.run()
    assert server.served == 3 and live.source.lost >= 3 and keep.closed and count_frames(path) >= 3
    assert told.count("tcp://127.0.0.1:%d/… is there again" % int(server.url.rpartition(":")[2])) == 2  # noqa: UP031
    assert sum("is lost: it ended; connecting again" in line for line in told) == 3
    moments = [float(one.shot.frame.seconds) for one in keep.shown]
    assert moments == sorted(set(moments))  # one time goes through all connections


def test_a_source_that_is_not_there_is_told_at_once():
    port = free_port()
    with pytest.raises(
        InputError, match="expected a stream that can be opened, got connection refused; start the server"
    ):
        live_of(f"rtsp://127.0.0.1:{port}/x", [Keep()])


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("late", "seen"), [(0.1, list(range(50))), (0.5, [0, 49]), (5.0, [45])])
def test_what_comes_while_the_machine_is_busy_does_not_pile_up(tmp_path, late, seen):
    """Late by a little, all is shown; by more, the newest and some; by seconds, the newest that stands alone."""
    server, clock = Server(numbered_clip(tmp_path / "numbers.ts", 50).read_bytes(), 1), Clock()
    feed = Feed(parse_source(server.url), clock=clock)
    arrivals = feed._arrivals
    assert arrivals is not None
    until(lambda: not arrivals._thread.is_alive())
    clock.now = late
    found: list[int] = []
    with pytest.raises(Lost, match="it ended"):
        for item in feed:
            assert isinstance(item, Still) and item.arrived == 0  # the age counts from there
            found.append(number_in(float(item.picture.y.mean())))
    feed.close()
    assert found == seen and feed.skipped == 50 - len(seen)


def test_a_receiver_that_is_lost_comes_back_or_is_given_up():
    clock, told, gone = Clock(), [], [False]

    class Stream(Keep):
        name, comes_back, drops = "stream", True, 0

        def show(self, shown, sounds):
            if gone[0]:
                raise SinkLost("broken pipe")
            super().show(shown, sounds)

        def drop(self):
            self.drops += 1

    def show(at: float) -> None:
        clock.now = at
        outlet.pictures.put(Shown(one.frame.picture, np.zeros(SIZE, np.uint8), one))  # type: ignore[arg-type]
        outlet.step(0)

    one = shot(0)
    sink = Stream()
    outlet = Outlet(sink, tell=told.append, patience=Patience(10, 1), clock=clock)
    show(0)
    gone[0] = True
    for at in (1.0, 1.5, 2.1, 3.0, 4.2):  # tried at 1, after 1 more second, after 2 more
        show(at)
    assert sink.drops == 3 and told == ["stream is lost: broken pipe; connecting again"]
    gone[0] = False
    show(8.3)
    assert told[-1] == "stream is connected again" and len(sink.shown) == 2
    gone[0] = True
    show(9)
    show(30)
    assert isinstance(outlet.error, OutputError) and "within 10 s, got broken pipe" in str(outlet.error)
    assert outlet.done.is_set() and not outlet.step(0)


def test_settings_change_while_it_runs(clip):
    keep = Keep()
    live = live_of(clip, [keep], reading=Reading(loop=True))
    live.desk.offer("#ffffff")

    def hands() -> None:
        until(lambda: len(keep.shown) > 2)
        live.press("b")
        until(lambda: keep.shown[-1].picture.y.mean() > 150)
        live.press(" ")
        until(lambda: keep.shown[-1].picture is keep.shown[-2].picture)
        live.press("q")

    thread = Thread(target=hands)
    thread.start()
    live.run()
    thread.join(60)
    assert keep.shown[0].picture.y.mean() < 150 < keep.shown[-1].picture.y.mean() and live.desk.settings.paused


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_whole_files(number, clip, tmp_path):
    outputs = "-o", tmp_path / "out.mp4", "-o", tmp_path / "out.mkv"
    words = ["live", clip, "--loop", "-m", "koutu-small", "-b", "green", *outputs]
    run = subprocess.Popen([sys.executable, "-m", "koutu", *map(str, words)], stderr=subprocess.PIPE, text=True)
    until(lambda: len(list(tmp_path.glob(".*.part"))) == 2 or run.poll() is not None)  # both have begun
    run.send_signal(number)
    _, told = run.communicate(timeout=100)
    assert run.returncode == 0, told
    assert sorted(os.listdir(tmp_path)) == ["out.mkv", "out.mp4"] and "wrote" in told
    assert count_frames(tmp_path / "out.mp4") >= 1 and count_frames(tmp_path / "out.mkv") >= 1


@pytest.mark.parametrize(
    ("tags", "aspect", "shown"),
    [((1, 1, 1, 1), Fraction(1), 64 / 48), ((6, 6, 6, 2), Fraction(64, 45), 64 / 48 * 64 / 45),
     ((9, 16, 9, 1), Fraction(2, 3), 64 / 48 * 2 / 3)],
)  # fmt: skip
@pytest.mark.parametrize("door", ["video", "live"])
def test_what_a_video_keeps_of_its_description_a_live_run_keeps(door, tags, aspect, shown, tmp_path):
    source = make_clip(tmp_path / "a.mkv", tags=tags, aspect=aspect, frames=3, metadata={"title": "Tëst"})
    if door == "live":
        assert not live_of(source, [str(tmp_path / "b.mkv")]).run().errors
    else:
        convert(source, tmp_path / "b.mkv", model=Everything(), refine=False, encode=EncodeOptions(depth=8))
    with open_video(tmp_path / "b.mkv") as reader, av.open(str(tmp_path / "b.mkv")) as file:
        height, width = reader.size
        assert reader.tags == tags and file.metadata["title"] == "Tëst"
        assert width * float(reader.pixel_aspect) / height == pytest.approx(shown, rel=0.03)
