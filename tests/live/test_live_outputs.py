"""Where live pictures go: files, HLS, addresses, window, virtual camera, the page; and the command line's mistakes."""

import contextlib
import importlib.util
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import av
import numpy as np
import pytest
from support.live_parts import SIZE, Elastic, desk_of, live_of, numbered_clip, shot
from support.ports import free_port
from support.waiting import until

from koutu import cli
from koutu.live import virtual_camera, window
from koutu.live.encoded_sinks import HlsSink, StreamSink
from koutu.live.flow import Shown
from koutu.live.options import Encoding, Reading
from koutu.live.output_thread import SinkLost
from koutu.live.page import Page
from koutu.live.sinks import Wiring, sink_of
from koutu.live.source_address import SourceAddress, parse_source
from koutu.live.virtual_camera import VirtualCamera
from koutu.live.window import Window, written_on
from koutu.types import InputError, OutputError
from koutu.zoo import SAMPLE


def shown(number: int) -> Shown:
    """A composite: the shot itself."""
    one = shot(number, time.monotonic())
    return Shown(one.frame.picture, np.full(SIZE, 255, np.uint8), one)  # type: ignore[arg-type]


def wiring(**changes) -> Wiring:
    given = {
        "desk": desk_of(), "encoding": Encoding(rate=25.0), "pressed": print, "line": lambda: "25 fps",
        "state": lambda: {"figures": {}, "words": [], "gated": False}, "tell": print,
    }  # fmt: skip
    return Wiring(**(given | changes))


NONE = {
    "out.avi": "virtual-camera", "srt://x:1": "srt", "nowhere/out.mp4": "does not exist", "page:99999": "PORT",
    "http://192.168.0.2:80": "this machine alone", "nowhere/x.m3u8": "make it first", "https://localhost": "page:",
}  # fmt: skip


@pytest.mark.parametrize(("word", "says"), NONE.items())
def test_outputs_that_are_none(word, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=f"(?s)expected .*{says}"):
        sink_of(word, wiring())
    assert not list(tmp_path.iterdir())


def test_the_source_is_not_overwritten(tmp_path):
    video = numbered_clip(tmp_path / "a.mp4", 3)
    before = video.read_bytes()
    with pytest.raises(OutputError, match="being read"):
        live_of(video, [str(video)])
    with pytest.raises(OutputError, match="got one twice"):
        live_of(video, [str(tmp_path / "b.mp4"), str(tmp_path / "b.mp4")])
    with pytest.raises(OutputError, match="got none"):
        live_of(video, [])
    with pytest.raises(OutputError, match="preset"):
        Encoding(preset="quick")
    assert video.read_bytes() == before and os.listdir(tmp_path) == ["a.mp4"]


def test_hls_can_be_played_and_ends(tmp_path):
    sink = HlsSink(tmp_path / "odd 100%.m3u8", Encoding(rate=25.0))
    for i in range(130):
        sink.show(shown(i), [])
    assert "wrote" in sink.close([])[0]
    text = (tmp_path / "odd 100%.m3u8").read_text()
    assert "#EXT-X-ENDLIST" in text and text.count(".ts") == 3
    with av.open(str(tmp_path / "odd 100%.m3u8")) as file:
        assert sum(1 for _ in file.decode(video=0)) == 130


def test_pictures_of_another_size_are_fitted_in(tmp_path):
    sink = sink_of(str(tmp_path / "out.mkv"), wiring())
    sink.show(shown(0), [])
    other = shot(1, size=(64, 64))
    sink.show(Shown(other.frame.picture, np.zeros((64, 64), np.uint8), other), [])  # type: ignore[arg-type]
    sink.close([])
    with av.open(str(tmp_path / "out.mkv")) as file:
        assert [(f.height, f.width) for f in file.decode(video=0)] == [SIZE, SIZE]


class Receiver:
    """Takes what one connection after the other sends."""

    def __init__(self, port: int = 0):
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.data, self.one = b"", None
        self.thread = Thread(target=self._take, daemon=True)
        self.thread.start()

    def _take(self) -> None:
        self.one, _ = self.socket.accept()
        with self.one, contextlib.suppress(ConnectionResetError):  # after `close`, what was still on its way
            while data := self.one.recv(65536):
                self.data += data

    def close(self) -> None:
        """Hang up, mid-stream."""
        if self.one is not None:
            self.one.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(20)


def test_a_stream_reaches_its_receiver_and_finds_it_again():
    receiver = Receiver()
    sink = StreamSink(f"tcp://127.0.0.1:{receiver.port}", Encoding(rate=25.0))
    sent: list[int] = []
    sink.seen = lambda captured, number: sent.append(number)
    number = 0
    while len(receiver.data) < 2000:
        sink.show(shown(number), [])
        number += 1
        assert number < 3000
        time.sleep(0.005)
    receiver.close()
    with pytest.raises(SinkLost):
        for i in range(number, number + 3000):
            sink.show(shown(i), [])
            time.sleep(0.005)
    sink.drop()
    again = Receiver(receiver.port)
    for i in range(9000, 9030):
        sink.show(shown(i), [])
    sink.close([])
    again.thread.join(20)
    again.socket.close()
    assert sent[0] == 0 and sent == sorted(set(sent)) and sent[-30:] == list(range(9000, 9030))
    with av.open(io.BytesIO(receiver.data), "r", format="mpegts") as file:
        assert next(file.decode(video=0)).height == SIZE[0]
    with av.open(io.BytesIO(again.data), "r", format="mpegts") as file:
        assert sum(1 for _ in file.decode(video=0)) >= 30


def test_a_receiver_that_takes_nothing_gets_no_more():
    """The system holds little for it: pictures wait where the newest takes the place of the older."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    server.bind(("127.0.0.1", 0))
    server.listen()
    sink, sent = StreamSink(f"tcp://127.0.0.1:{server.getsockname()[1]}", Encoding(rate=25.0)), []
    sink.seen = lambda captured, number: sent.append(number)
    noise = np.random.default_rng(0).integers(0, 255, (8, *SIZE), np.uint8)

    def show() -> None:
        with contextlib.suppress(SinkLost):
            for number in range(3000):
                one = shown(number)
                sink.show(replace(one, picture=replace(one.picture, y=noise[number % 8])), [])

    thread = Thread(target=show, daemon=True)
    thread.start()
    one, _ = server.accept()
    until(lambda: sent)
    before = -1
    while before != len(sent):
        before = len(sent)
        time.sleep(0.4)
    one.close()
    server.close()
    thread.join(20)
    sink.abort()
    assert 3 < before < 150


def test_a_receiver_that_was_never_there_is_told_without_the_key():
    port = free_port()
    sink = StreamSink(f"rtmp://127.0.0.1:{port}/live/SECRET", Encoding(rate=25.0))
    with pytest.raises(
        OutputError, match="expected a receiver that takes the stream, got connection refused"
    ) as caught:
        for i in range(3000):
            sink.show(shown(i), [])
            time.sleep(0.005)
    assert "SECRET" not in str(caught.value)
    sink.abort()


def test_rtmp_to_a_listener():
    port = free_port()
    url = f"rtmp://127.0.0.1:{port}/live/key"
    code = (
        "import av, sys\nf = av.open(sys.argv[1], options={'listen': '1'}, timeout=60)\nn = 0\ntry:\n"
        "    for _ in f.decode(video=0): n += 1\nexcept av.error.FFmpegError: pass\nprint(n)"
    )
    listener = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
    until(lambda: listens(port) or listener.poll() is not None)
    sink = StreamSink(url, Encoding(rate=25.0))
    for i in range(60):
        sink.show(shown(i), [])
        time.sleep(0.02)  # a burst that is over at once may be cut off in the receiver's buffers
    sink.close([])
    told, _ = listener.communicate(timeout=60)
    assert int(told) >= 10


def listens(port: int) -> bool:
    """Whether somebody does, without a connection."""
    return f":{port:04X} " in Path("/proc/net/tcp").read_text()


def test_a_virtual_camera_gets_i420(monkeypatch):
    sent: list[np.ndarray] = []

    class Camera:  # the driver's, as pyvirtualcam has it; a real one needs v4l2loopback
        def __init__(self, width, height, fps, fmt, device="/dev/video9"):
            self.width, self.height, self.fps, self.fmt, self.device = width, height, fps, fmt, device

        def send(self, data):
            assert data.dtype == np.uint8 and data.size == self.width * self.height * 3 // 2
            sent.append(data)

        def close(self):
            sent.append(np.zeros(0))

    fake = SimpleNamespace(Camera=Camera, PixelFormat=SimpleNamespace(I420="I420"))
    monkeypatch.setattr(virtual_camera, "_pyvirtualcam", lambda: fake)
    camera = sink_of("virtual-camera:/dev/video7", wiring())
    camera.show(shown(3), [])
    camera.close([])
    assert camera.name == "virtual camera /dev/video7" and len(sent) == 2
    assert sent[0][0] == 28 and sent[0][-1] == 128


def test_a_virtual_camera_that_cannot_be_says_what_to_do(monkeypatch):
    def none(**_):
        raise RuntimeError("No v4l2 loopback device found.")

    monkeypatch.setattr(
        virtual_camera, "_pyvirtualcam",
        lambda: SimpleNamespace(Camera=none, PixelFormat=SimpleNamespace(I420=1)),
    )  # fmt: skip
    with pytest.raises(OutputError, match="modprobe v4l2loopback"):
        VirtualCamera(None, 30).show(shown(0), [])


@pytest.mark.parametrize(("module", "word"), [("pygame", "window"), ("pyvirtualcam", "virtual-camera")])
def test_what_is_not_installed_says_how(module, word, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OutputError, match=r"pip install '(pygame-ce|pyvirtualcam)>="):
        sink_of(word, wiring())


@pytest.mark.skipif(importlib.util.find_spec("pygame") is None, reason="pygame-ce is not installed")
def test_a_window_shows_the_picture_and_gives_its_keys(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pressed: list[str] = []
    one = Window(pressed.append, lambda: "25.0 of 25.0 fps · age 60 ms")
    try:
        one.figures = False
        one.show(shown(20), [])
        pygame = one._pygame
        assert pygame.display.get_surface().get_size() == SIZE[::-1]
        assert max(abs(c - 93) for c in pygame.display.get_surface().get_at((5, 5))[:3]) <= 2  # 16 + 4 · 20 of 16…235
        for key in (pygame.K_b, pygame.K_i, pygame.K_ESCAPE):
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=chr(key)))
        pygame.event.post(pygame.event.Event(pygame.QUIT))
        one.pump()
        assert pressed == ["b", "i", "\x1b", "q"] and one.figures
        one.show(shown(21), [])
    finally:
        one.close([])


def test_figures_are_written_on_the_lower_edge():
    rgb = np.full((180, 320, 3), 100, np.uint8)
    written = written_on(
        rgb, "25.0 of 25.0 fps · age 60 ms, 95 % within 80 · dropped 0 (0.0 %) · network 592×336 · koutu"
    )
    assert (rgb == 100).all() and (written[:80] == 100).all() and (written > 200).any() and window is not None


@pytest.fixture
def page() -> Iterator[Page]:
    told: list[str] = []
    desk = desk_of(Elastic(), told=told)
    desk.offer("green")
    state = {"figures": {"network": [8, 8]}, "words": told, "gated": False}
    one = Page(0, desk, state=lambda: state, tell=told.append)
    try:
        yield one
    finally:
        one.close([])


def ask(page: Page, path: str, body: bytes | None = None, **headers: str):
    """Code, headers and body of an answer."""
    request = urllib.request.Request(page.url + path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_the_page_shows_the_newest_picture_and_counts_age_to_the_drawing(page):
    seen: list[tuple[float, int]] = []
    page.seen = lambda captured, number: seen.append((captured, number))
    for i in range(5):
        page.show(shown(i), [])
    code, headers, data = ask(page, "/frame?after=-1&drawn=-1")
    assert (code, headers["X-Number"]) == (200, "4") and data[:2] == b"\xff\xd8" and not seen
    page.show(shown(7), [])
    _, headers, _ = ask(page, "/frame?after=4&drawn=4")
    assert headers["X-Number"] == "7" and [number for _, number in seen] == [4]
    assert ask(page, "/")[0] == 200 and b"koutu live" in ask(page, "/")[2]
    with urllib.request.urlopen(page.url + "/stream", timeout=30) as stream:
        assert stream.read(200).startswith(b"--frame\r\nContent-Type: image/jpeg")


def test_the_page_changes_settings(page):
    own = {"X_Koutu": "1"}
    told = json.loads(ask(page, "/state")[2])
    assert told["choices"]["backgrounds"] == ["#000000", "green"] and told["settings"]["size"] == "auto"
    for name, value in (("background", "green"), ("blur", 20), ("mirror", True), ("paused", True), ("size", 0.5)):
        code, _, body = ask(page, "/change", json.dumps({"name": name, "value": value}).encode(), **own)
        assert code == 200 and json.loads(body)["choices"]
    assert page.desk.settings.mirror and page.desk.settings.size == 0.5
    assert ask(page, "/change", json.dumps({"key": "b"}).encode(), **own)[0] == 200
    picture = (SAMPLE / "lake.jpg").read_bytes()
    assert ask(page, "/background?name=my%20lake.jpg", picture, **own)[0] == 200
    assert page.desk.settings.background == "my lake.jpg" and "my lake.jpg" in page.desk.backgrounds


def test_the_page_is_for_this_machine_and_takes_no_rubbish(page):
    assert ask(page, "/state", Host="evil.example")[0] == 403  # another name that leads here
    assert ask(page, "/frame", Sec_Fetch_Site="cross-site")[0] == 403
    change = json.dumps({"name": "paused", "value": True}).encode()
    assert ask(page, "/change", change)[0] == 403 and not page.desk.settings.paused
    own = {"X_Koutu": "1"}
    for path, body in (
        ("/change", b"{"), ("/change", b"[]"), ("/change", b'{"name": "x"}'), ("/change", b"\xff\xfe"),
        ("/background", b"no picture"), ("/background", b""),
    ):  # fmt: skip
        code, _, told = ask(page, path, body, **own)
        assert code == 400 and json.loads(told)["error"]
    page.show(shown(0), [])  # or else the answer takes as long as a picture may
    assert ask(page, "/etc/passwd")[0] == 404 and ask(page, "/frame?after=x&drawn=y")[0] in (200, 204)
    request = urllib.request.Request(page.url + "/background", method="POST", headers={"X-Koutu": "1"})
    request.add_unredirected_header("Content-Length", "99999999999")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 413
    refused.value.close()
    with pytest.raises(OutputError, match="choose another"):
        Page(int(page.url.rpartition(":")[2]), page.desk, state=dict, tell=print)


def test_a_device_of_ffmpegs_is_a_source(tmp_path):
    place = parse_source("lavfi:testsrc2=size=64x48:rate=25:duration=1")
    live = live_of(place, [str(tmp_path / "o.mkv")], reading=Reading(patience=0.0, wait=0.01))
    with pytest.raises(InputError, match="expected the source to come back"):
        live.run()
    with av.open(str(tmp_path / "o.mkv")) as file:
        assert sum(1 for _ in file.decode(video=0)) >= 1


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="there is no Xvfb to be a screen")
def test_the_screen_is_a_source(tmp_path, monkeypatch):
    reading, writing = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "320x240x24", "-nolisten", "tcp"],
        pass_fds=[writing], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        os.close(writing)
        with os.fdopen(reading) as told:
            monkeypatch.setenv("DISPLAY", f":{told.readline().strip()}")
        place = parse_source("screen")
        assert isinstance(place, SourceAddress)
        live = live_of(place, [str(tmp_path / "o.mkv")], seconds=2.0)
        report = live.run()
        assert live.source.size == (240, 320) and not report.errors and report.figures.shown >= 1
    finally:
        screen.terminate()
        screen.wait()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nowhere.mp4", "-o", "x.mp4"], 3, "none of these"), (["9", "-o", "page:0"], 3, "camera 9"),
        ([SAMPLE / "talk.mp4", "-o", "x.avi"], 4, "got 'x.avi'"),
        ([SAMPLE / "talk.mp4", "-b", "transparent"], 4, "green"),
        ([SAMPLE / "talk.mp4", "-m", "nothing"], 5, "expected a model"), (["0", "--size", "big"], 3, "1280x720"),
        ([SAMPLE / "talk.mp4", "--network-size", "0.3"], 5, "auto"), (["0", "--input-option", "x"], 3, "NAME=VALUE"),
        ([SAMPLE / "lake.jpg", "-b", "nowhere.jpg"], 3, "background"),
    ],
)  # fmt: skip
def test_mistakes_on_the_command_line(words, code, says, monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["koutu", "live", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    _, told = capfd.readouterr()
    assert left.value.code == code and says in told and "Traceback" not in told, told
    assert told.startswith("koutu: ") and ";" in told and not list(tmp_path.iterdir())
