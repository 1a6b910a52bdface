"""What a live run is made of, without a clock of its own: sources by name, time, sizes, settings, figures, sound."""

import errno
import os
import pty

import av
import numpy as np
import pytest
from PIL import Image
from support.live_parts import Elastic, Reader, desk_of, shot
from support.media import make_clip

from koutu.live import connection as feed
from koutu.live import source_address as place
from koutu.live.adaptive_size import Sizer
from koutu.live.clock import LATE, Pace, stamp_origin
from koutu.live.controls import LiveSettings
from koutu.live.figures import Record
from koutu.live.keys import KEYS, Terminal, press
from koutu.live.recorder import Form, Recorder, pictures_like
from koutu.live.resizable_backend import SHARES, SizedBackend
from koutu.live.source_address import DeviceRequest, SourceAddress, parse_source, without_secrets
from koutu.live.stages import Compositing, Matting, mirrored
from koutu.matting.hints import Hints
from koutu.types import InputError, ModelError, OutputError


class Clock:
    """A clock that only moves when it is told."""

    def __init__(self, now: float = 100.0):
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_sources_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("DISPLAY", ":7")
    video = tmp_path / "1.mp4"
    video.write_bytes(b"x")
    found = {word: parse_source(word) for word in ("2", "/dev/video5", "screen", "lavfi:testsrc2", str(video))}
    assert [(p.kind, p.format) for p in found.values()] == [
        ("device", "v4l2"), ("device", "v4l2"), ("device", "x11grab"), ("device", "lavfi"), ("file", None),
    ]  # fmt: skip
    assert found["2"].url == "/dev/video2" and found["screen"].url == ":7"
    request = DeviceRequest((640, 480), 30.0, {"input_format": "mjpeg"})
    options = {"video_size": "640x480", "framerate": "30", "input_format": "mjpeg"}
    assert parse_source("0", request).options == options
    stream = parse_source("rtsp://me:secret@camera.local:8554/main?key=1")
    assert stream.kind == "stream" and stream.options["rtsp_transport"] == "tcp"
    assert stream.name == "rtsp://camera.local:8554/…" and "file" not in stream.options["protocol_whitelist"]
    assert without_secrets("rtmp://[::1]:1935/live/KEY") == "rtmp://[::1]:1935/…"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("nowhere.mp4", "none of these"),
        ("ftp://x/y", "ftp"),
        ("dshow:video=Cam", "built without"),
        ("", "none of these"),
    ],
)
def test_sources_that_are_none(word, says):
    with pytest.raises(InputError, match=f"expected .*{says}.*;"):
        parse_source(word)


def test_a_screen_needs_a_display(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(InputError, match="expected an X display"):
        parse_source("screen")


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(errno.EBUSY, "close the program"), (errno.EACCES, "usermod"), (errno.ENOENT, "plug it in"), (errno.EIO, "yours")],
)
def test_a_camera_that_cannot_be_opened_says_what_to_do(code, remedy, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")

    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(feed.av, "open", refuse)
    with pytest.raises(InputError, match=f"camera 0: expected a camera .*{remedy}"):
        feed.Feed(SourceAddress("device", "/dev/video0", "camera 0", "v4l2"))


def test_a_camera_that_is_not_there():
    with pytest.raises(InputError, match=r"no such file.*plug it in"):
        feed.Feed(parse_source("/dev/video97"))


def test_an_image_of_pillows_is_no_live_source(tmp_path):
    Image.new("RGBA", (64, 48)).save(tmp_path / "a.webp")
    with pytest.raises(InputError, match="a video, got a WebP, AVIF or HEIF image; make a video"):
        feed.Feed(parse_source(str(tmp_path / "a.webp")))


def test_sound_that_nobody_can_decode_is_not_heard(tmp_path):
    path = make_clip(tmp_path / "a.mkv", audio="libopus")
    path.write_bytes(path.read_bytes().replace(b"A_OPUS", b"A_NONE"))
    source = feed.Feed(parse_source(str(path)))
    assert not source.has_audio and len(list(source)) == 8
    source.close()


def test_a_film_is_waited_for_and_its_clock_waits_for_it():
    clock = Clock()
    pace = Pace(clock, paced=True)
    pace.start(0.5)
    assert pace.due(0.5) == 0 and pace.due(0.75) == 0.25 and pace.place(1.5) == 101
    clock.now = 100.5 + LATE / 2  # a little late: the next one makes up for it
    assert pace.due(1.0) == 0 and pace.place(1.5) == 101 and pace.captured(1.0, clock.now) == 100.5
    clock.now = 110.0
    assert pace.due(1.0) == 0 and pace.place(1.0) == 110 and pace.waited == 9.5
    assert pace.due(1.25) == 0.25


def test_what_piles_up_before_a_camera_is_read_counts_as_age():
    pace = Pace(Clock(), paced=False)
    delays = [0.30, 0.05, 0.05, 0.40, 0.90]  # from the moment of the picture to its arrival
    ages = [100 + i + d - pace.captured(i, 100 + i + d) for i, d in enumerate(delays)]
    assert np.allclose(ages, [0, 0, 0, 0.35, 0.85])  # against the quickest so far


def test_stamps_of_the_machine_itself_are_exact():
    import time

    clock, before = Clock(5.0), time.monotonic()
    origin = stamp_origin(before - 1, clock)
    assert origin is not None and 5.0 - time.monotonic() <= origin <= 5.0 - before
    assert stamp_origin(17.0 if time.monotonic() > 60 else 1e6, clock) is None
    pace = Pace(clock, paced=False, stamped=-2.0)
    assert pace.captured(6.5, 5.0) == 4.5 and pace.captured(8.0, 5.0) == 5.0


class Machine:
    """A machine that needs `fixed` seconds and `whole` more for all of the network's pixels, for each picture."""

    def __init__(self, sizer: Sizer, fixed: float, whole: float, rate: float = 25.0):
        self.sizer, self.fixed, self.whole, self.rate, self.now = sizer, fixed, whole, rate, 0.0
        self.changes: list = []

    def run(self, seconds: float) -> float:
        """So many seconds go by; the share at their end."""
        until = self.now + seconds
        while self.now < until:
            busy = self.fixed + self.whole * self.sizer.share
            self.now += max(busy, 1 / self.rate)
            if change := self.sizer.note(self.now, busy, self.rate):
                self.changes.append(change)
        return self.sizer.share


def test_a_slow_machine_gets_a_smaller_network_at_once_and_keeps_it():
    slow = Machine(Sizer(), 0.008, 0.082)
    assert slow.run(5) == 0.35  # 0.5 does not fit: 8 + 41 of 40 ms
    assert slow.run(60) == 0.35 and len(slow.changes) == 1
    change = slow.changes[0]
    assert (change.before, change.after, change.wanted) == (1.0, 0.35, 25.0) and 10 < change.made < 12


def test_a_machine_that_is_fast_enough_keeps_the_whole_network():
    assert Machine(Sizer(), 0.005, 0.030).run(60) == 1.0
    assert Machine(Sizer(hold=10), 0.005, 0.080).run(60) == 1.0  # ten a second are enough
    assert Machine(Sizer(), 0.005, 0.080, rate=10.0).run(60) == 1.0  # the source has no more


def test_a_machine_too_slow_for_anything_gets_the_smallest():
    hopeless = Machine(Sizer(), 0.5, 1.0)
    assert hopeless.run(60) == SHARES[-1] and len(hopeless.changes) <= 2


def test_the_size_comes_back_when_there_is_room_and_hurries_less_each_time_it_was_wrong():
    machine = Machine(Sizer(), 0.005, 0.120)
    assert machine.run(10) == 0.25
    machine.whole = 0.020  # what took the machine is over
    assert machine.run(40) == 1.0
    assert [c.after for c in machine.changes[1:]] == [0.35, 0.5, 0.7, 1.0]
    # Room that vanishes as soon as it is used: tried again later and later.
    waits, machine = [], Machine(Sizer(), 0.005, 0.0)
    machine.sizer.share = 0.5
    for _ in range(4):
        began, machine.whole = machine.now, 0.02
        while machine.sizer.share == 0.5:
            machine.run(0.5)
        waits.append(machine.now - began)
        machine.whole = 0.2
        while machine.sizer.share == 0.7:
            machine.run(0.5)
        machine.sizer.share = 0.5
    assert waits[-1] > 2 * waits[0]


def test_matting_says_that_it_is_too_slow_and_takes_the_memory_along():
    told: list[str] = []
    backend = Elastic(64 * 96)
    desk, clock = desk_of(backend, told=told), Clock(0.0)
    ticks = iter(range(10**6))
    matting = Matting(desk, refine=False, tell=told.append, timer=lambda: next(ticks) * 0.06)  # 60 ms a look
    for i in range(80):
        clock.now += 1 / 30
        matting(shot(i, clock.now))
        matting.join()
    sizes = list(dict.fromkeys(backend.shown))
    assert sizes[0] == (64, 88) and len(sizes) > 1 and sizes[1][0] < 64 and desk.backend.share < 1
    lines = [line for line in told if "too slow" in line]
    assert lines and f"now sees {sizes[1][1]}×{sizes[1][0]}" in lines[0] and "of 25 frames a second" in lines[0]
    desk.change("size", 1.0)
    matting(shot(80, clock.now))
    matting.join()
    matting(shot(81, clock.now + 0.03))
    assert backend.shown[-1] == (64, 88) and desk.settings.size == 1.0


def test_a_network_of_a_size_of_its_own_keeps_it():
    class Fixed(Reader):
        def network_size(self, size):
            return 32, 32

    assert not SizedBackend(Fixed()).sizes and SizedBackend(Fixed(), 0.25).network_size((720, 1280)) == (32, 32)
    sized = SizedBackend(Elastic(592 * 332), 0.25)
    assert (
        sized.sizes and sized.network_size((720, 1280)) == (168, 296) and sized.size_at(1.0, (720, 1280)) == (336, 592)
    )


def test_settings_change_whole_or_not_at_all():
    desk = desk_of(background="blur")
    desk.offer("green")
    desk.offer(model="two")
    before, behind = desk.settings, desk.behind
    wrong = [
        ("background", "nowhere.jpg"), ("background", 3), ("model", "three"), ("mirror", "yes"), ("paused", 1),
        ("blur", 0), ("blur", True), ("size", 0.9), ("size", None), ("colour", "red"),
    ]  # fmt: skip
    for name, value, kind in [*((*pair, InputError) for pair in wrong), ("background", "transparent", OutputError)]:
        with pytest.raises(kind, match="expected"):
            desk.change(name, value)
        assert desk.settings == before and desk.behind is behind
    desk.change("blur", 30)
    assert desk.settings.background == "blur:30" and list(desk.backgrounds) == ["green", "blur:30"]
    desk.step("background")
    assert desk.settings.background == "green"
    desk.step("model")
    assert desk.settings.model == "two" and desk.backend.share == 1


def test_a_model_that_cannot_be_loaded_leaves_the_old_one():
    desk = desk_of()
    before = desk.backend

    def fail(name, gate):
        raise ModelError("expected a gate, got none; leave it out")

    desk._load = fail
    with pytest.raises(ModelError):
        desk.change("gate", True)
    assert desk.backend is before and desk.settings.gate is None


def test_every_key_does_something_and_only_q_ends():
    told: list[str] = []
    desk = desk_of(told=told)
    desk.offer("green")
    seen = []
    for key in KEYS:
        before = (desk.settings, desk.resets, len(told), desk.backgrounds.copy(), desk.backend)
        assert press(key, desk, told.append) is (key != "q")
        seen.append((key, before != (desk.settings, desk.resets, len(told), desk.backgrounds, desk.backend)))
    assert [key for key, changed in seen if not changed] == ["i", "q"]  # i is the window's own
    assert desk.settings.paused and desk.settings.mirror and desk.resets == 1
    assert press("ж", desk, told.append) and not press("\x1b", desk, told.append)


def test_a_terminal_gives_its_keys_and_is_left_as_it_was():
    import termios
    from threading import Event

    ours, theirs = pty.openpty()
    pressed, got = [], Event()

    def press_one(key: str) -> None:
        pressed.append(key)
        if len(pressed) == 3:
            got.set()

    with open(theirs, closefd=True) as stdin:
        before = termios.tcgetattr(stdin)
        with Terminal(press_one, stdin) as keys:
            assert keys.reads
            os.write(ours, b"b")
            os.write(ours, b" +")
            assert got.wait(20)
        assert termios.tcgetattr(stdin) == before and pressed == ["b", " ", "+"]
    os.close(ours)
    with open(os.devnull) as nothing, Terminal(press_one, nothing) as keys:
        assert not keys.reads


def test_figures_of_an_output():
    clock = Clock(0.0)
    record = Record(clock)
    for i in range(0, 100, 2):  # every second picture of 50 a second, 60 ms old, some 200
        clock.now = i / 50
        record.note(clock.now - (0.2 if i >= 90 else 0.06), i + 7)
    found = record.figures(50.0, (336, 592), "engine")
    assert (
        found.fps == pytest.approx(25) and found.age_ms == pytest.approx(60) and found.age_95_ms == pytest.approx(200)
    )
    assert (found.shown, found.delivered, found.dropped) == (50, 99, 49)
    assert found.line() == (
        "25.0 of 50.0 fps · age 60 ms, 95 % within 200 · dropped 49 (49.5 %) · network 592×336 · engine"
    )
    assert record.ages_ms() == (60, 200)
    clock.now += 100
    assert record.figures(None, (0, 0), "").line() == "– fps · dropped 49 (49.5 %)" and Record(clock).ages_ms() is None


def test_a_picture_of_who_is_where_is_refused():
    with pytest.raises(InputError, match=r"in a live run makes nothing, got a mask; name a network"):
        Matting(desk_of(), hints=Hints(mask=np.zeros((8, 8), np.uint8)))


def test_mirrored_and_paused_pictures():
    desk = desk_of(background="#000000")
    matting, compositing = Matting(desk, refine=False), Compositing(desk, decontaminate=False)
    assert compositing((shot(0), None)) is None
    one = shot(1, 0.1)
    one.frame.picture.y[:, :8] = 200  # type: ignore[union-attr]
    desk.change("mirror", True)
    turned, matte = matting(one)
    assert turned.frame.picture.y[0, -1] == 200 and turned.frame.picture.y[0, 0] != 200  # type: ignore[union-attr]
    assert np.array_equal(mirrored(turned.frame).picture.y, one.frame.picture.y)  # type: ignore[union-attr]
    first = compositing((turned, matte))
    desk.change("paused", True)
    held = compositing(matting(shot(2, 0.2)))
    assert first and held and held.picture is first.picture and held.shot.number == 2
    assert held.shot.captured == first.shot.captured  # what stands still grows older
    desk.change("paused", False)
    goes_on = compositing(matting(shot(3, 0.3)))
    assert goes_on and goes_on.picture is not first.picture


def test_sound_has_no_holes_and_nothing_twice(tmp_path):
    from koutu.live.flow import Sound

    picture = shot(0).frame.picture
    path = tmp_path / "s.mkv"
    recorder = Recorder(f"file:{path}", Form("matroska"), (48, 64), pictures_like(shot(0).frame, 25), audio=True)
    part = np.full((2, 4800), 0.5, np.float32)
    times = [9.95, 10.05, 10.06, 10.16, 12.0, 12.01]  # of 0.1 s: before the first picture, overlaps, and a gap
    for i in range(80):
        now = 10 + i / 25
        sounds = [Sound(t, part) for t in times if now - 0.04 < t <= now]
        recorder.put(picture, now, sounds)  # type: ignore[arg-type]
    recorder.finish([])
    heard = np.concatenate([f.to_ndarray()[0] for f in av.open(str(path)).decode(audio=0)])
    loud = np.abs(heard) > 0.2
    assert 3.2 - 1.1 < len(heard) / 48_000 < 3.25  # silence up to half a second before the pictures' end
    at = np.flatnonzero(loud) / 48_000
    assert at[0] < 0.03 and abs(at[at < 1].max() - 0.27) < 0.06 and abs(at[at > 1].min() - 2.0) < 0.06


def test_place_names_hold_no_secrets():
    assert "KEY" not in parse_source("rtmp://h/app/KEY").name and place.SCHEMES


def test_desk_settings_have_defaults():
    assert LiveSettings("green", "koutu").size == "auto"
