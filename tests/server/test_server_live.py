"""Live viewers, by WebSocket and WebRTC: what they get, that they are kept apart, and what they leave behind."""

import asyncio
import contextlib
import json
import socket
import struct
import time

import cv2
import numpy as np
import pytest
from support.serving import client, encoded, file_of, opened, person, running, service_of
from support.waiting import until

import koutu
from koutu.server.settings import Limits
from koutu.server.viewer import Newest, View, parse_view
from koutu.server.webrtc import safe_offer
from koutu.types import InputError

STREAM = "ws://localhost/api/stream"


@pytest.fixture(scope="module")
def web():
    with client(limits=Limits(viewers=2, live_megapixels=1)) as found:
        yield found


def ask(link, number: int, picture: bytes) -> tuple[int, np.ndarray]:
    """Send a frame; its answer, past what else is told."""
    link.send_bytes(struct.pack(">Q", number) + picture)
    while True:
        message = link.receive()
        assert message["type"] == "websocket.send", message
        if message.get("bytes"):
            return struct.unpack(">Q", message["bytes"][:8])[0], np.asarray(opened(message["bytes"][8:]))
        assert json.loads(message["text"])["type"] == "stats", message


def error_of(link) -> str:
    while True:
        told = link.receive_json()
        if told["type"] == "error":
            return told["detail"]


def test_alpha_is_the_librarys(web):
    with web.websocket_connect(STREAM) as socket:
        socket.send_json({"background": "alpha"})
        number, grey = ask(socket, 2**63 + 7, encoded("JPEG", quality=95))
        assert number == 2**63 + 7 and grey.shape == (180, 320, 3)
        truth = koutu.Matter(koutu.load("koutu-small"))(person()).alpha
        assert np.abs(grey[..., 0].astype(int) - truth).mean() < 2  # JPEG both ways


def test_options_change_while_it_runs(web):
    with web.websocket_connect(STREAM) as socket:
        socket.send_json({"background": "#204060"})
        _, plain = ask(socket, 1, encoded())
        assert np.abs(plain[5, 5].astype(int) - (32, 64, 96)).max() < 8
        socket.send_json({"mirror": True})
        _, mirrored = ask(socket, 2, encoded())
        assert np.abs(mirrored[:, ::-1].astype(int) - plain).mean() < 6
        socket.send_json({"width": 160, "mirror": False, "background": "dusk"})
        assert ask(socket, 3, encoded())[1].shape == (90, 160, 3)
        socket.send_json({"width": None, "model": "koutu", "background": "blur"})
        assert ask(socket, 4, encoded())[1].shape == (180, 320, 3)
        wrongs = [{"background": "/etc/passwd"}, {"width": 3}, {"colour": 1}, {"mirror": 1}, {"model": "x"}, []]
        for wrong in (*map(json.dumps, wrongs), "nonsense", "[" * 5000):
            socket.send_text(wrong)
            assert "expected" in error_of(socket)
        assert ask(socket, 5, encoded())[0] == 5  # goes on as before


def test_frames_that_are_none(web):
    with web.websocket_connect(STREAM) as socket:
        socket.send_json({})
        large = file_of(np.zeros((1100, 1100, 3), np.uint8))
        for wrong in (b"", b"123", b"12345678", b"12345678nonsense", encoded()[:9], b"12345678" + encoded("PNG"),
                      b"12345678" + encoded()[:300], b"12345678" + large):  # fmt: skip
            socket.send_bytes(wrong)
            assert "expected" in error_of(socket)
        for size in ((1, 1), (1, 900), (900, 3)):
            assert ask(socket, 1, file_of(np.full((*size, 3), 99, np.uint8)))[1].shape == (*size, 3)


def test_the_first_message_must_be_options(web):
    for first in ("nonsense", '{"background": "../x"}', '{"x": 1}'):
        with web.websocket_connect(STREAM) as socket:
            socket.send_text(first)
            assert "expected" in error_of(socket) and socket.receive()["code"] == 1008
    with web.websocket_connect(STREAM) as socket:
        socket.send_bytes(b"12345678" + encoded())
        assert "first" in error_of(socket)
    until(lambda: service_of(web).viewers.taken == 0)


def test_stats_and_places(web):
    service = service_of(web)
    with web.websocket_connect(STREAM) as one, web.websocket_connect(STREAM) as two:
        for socket in (one, two):
            socket.send_json({})
            ask(socket, 1, encoded())
        told = one.receive_json()
        while not told.get("frames"):
            told = one.receive_json()
        assert told["type"] == "stats" and told["latency_ms"] > 0 and told["viewers"] == 2
        assert told["engine"] == "websocket" and (told["width"], told["height"]) == (320, 180)
        with web.websocket_connect(STREAM) as third:
            third.send_json({})
            assert "places" in error_of(third) and third.receive()["code"] == 1013
    until(lambda: service.viewers.taken == 0)
    assert 'koutu_frames_total{way="websocket"}' in web.get("/metrics").text


def test_viewers_do_not_see_each_others_memory(web):
    """Two viewers in turn get what each would get alone, though their pictures have nothing in common."""
    empty = file_of(np.full((180, 320, 3), 120, np.uint8))
    shifted = file_of(np.roll(person(), 60, 1), "JPEG", quality=95)

    def alone(pictures):
        with web.websocket_connect(STREAM) as socket:
            socket.send_json({"background": "alpha"})
            return [ask(socket, i, picture)[1] for i, picture in enumerate(pictures)]

    first, second = [encoded(), shifted], [empty, empty]
    expected = alone(first), alone(second)
    with web.websocket_connect(STREAM) as a, web.websocket_connect(STREAM) as b:
        for socket in (a, b):
            socket.send_json({"background": "alpha"})
        for i in range(2):
            for socket, pictures, truth in ((a, first, expected[0]), (b, second, expected[1])):
                assert np.abs(ask(socket, i, pictures[i])[1].astype(int) - truth[i]).mean() < 1


def test_the_newest_frame_wins():
    async def check():
        newest: Newest[int] = Newest()
        assert not newest.put(1) and newest.put(2) and newest.put(3)
        assert await newest.get() == 3
        waiting = asyncio.ensure_future(newest.get())
        await asyncio.sleep(0)
        assert not newest.put(4)
        assert await waiting == 4

    asyncio.run(check())


def test_views():
    view = parse_view({"background": "red", "token": "x", "type": "options"}, View(), ["a"])
    assert view == View("red") and parse_view({"mirror": True}, view, ["a"]) == View("red", True)
    for wrong in ({"width": True}, {"width": 64.0}, {"width": 10**9}, {"background": None}, None, 5):
        with pytest.raises(InputError):
            parse_view(wrong, view, ["a"])


def test_a_viewer_that_stalls_or_vanishes_is_let_go():
    import websockets.sync.client as sockets

    with running(limits=Limits(idle_seconds=1)) as server:
        url = f"ws://127.0.0.1:{server.port}/api/stream"
        with sockets.connect(url, proxy=None) as link:  # says nothing after hello
            link.send("{}")
            until(lambda: server.service.viewers.taken == 1)
            until(lambda: server.service.viewers.taken == 0)
        with sockets.connect(url, proxy=None) as link:
            link.send("{}")
            until(lambda: server.service.viewers.taken == 1)
            link.socket.shutdown(socket.SHUT_RDWR)  # without a word
            until(lambda: server.service.viewers.taken == 0)


def test_a_viewer_that_takes_nothing_is_let_go():
    """It sends pictures, and never reads what comes back."""
    import httpx2 as httpx
    import websockets.sync.client as sockets
    from websockets.exceptions import ConnectionClosed

    noise = file_of(np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8), "JPEG", quality=60)
    flat = b"12345678" + file_of(np.full((1000, 1000, 3), 128, np.uint8))
    with running(limits=Limits(idle_seconds=3)) as server, socket.socket() as link:
        name = httpx.post(f"{server.url}/api/backgrounds", content=noise, timeout=60).json()["name"]
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", server.port))
        with (
            contextlib.suppress(ConnectionClosed),
            sockets.connect(
                f"ws://127.0.0.1:{server.port}/api/stream", sock=link, max_queue=1, close_timeout=1
            ) as stream,
        ):
            stream.send(json.dumps({"background": name}))
            until(lambda: server.service.viewers.taken == 1)
            for _ in range(600):
                stream.send(flat)
                time.sleep(0.1)
                if not server.service.viewers.taken:
                    break
        until(lambda: server.service.viewers.taken == 0)


OFFER = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"


def test_candidates_that_are_not_knocked_at():
    def kept(address: str, client: str, port: int = 50000) -> bool:
        line = f"a=candidate:1 1 udp 2130706431 {address} {port} typ host\r\n"
        return line in safe_offer(OFFER + line, client)

    assert kept("192.168.1.5", "192.168.1.9") and kept("192.168.1.5", "127.0.0.1") and kept("abc.local", "127.0.0.1")
    assert kept("8.8.8.8", "9.9.9.9") and not kept("192.168.1.5", "9.9.9.9") and not kept("abc.local", "9.9.9.9")
    for address in ("169.254.169.254", "224.0.0.1", "0.0.0.0", "::ffff:10.0.0.1", "ff02::1", "name.example"):
        assert not kept(address, "127.0.0.1")
    assert not kept("192.168.1.5", "127.0.0.1", 53)


@pytest.mark.parametrize(
    "sdp", ["", "v=0", "x" * 60_000, OFFER, OFFER * 5, OFFER + "a=candidate:\r\n" * 30, "v=0\r\nm=\r\n"]
)
def test_offers_that_are_none(web, sdp):
    pytest.importorskip("aiortc")
    answer = web.post("/api/webrtc", json={"sdp": sdp, "type": "offer"})
    assert answer.status_code == 400 and answer.json()["errors"]
    until(lambda: service_of(web).viewers.taken == 0)
    assert not service_of(web).calls


async def _call(server, options: dict, frames: int) -> tuple[list[np.ndarray], list[dict], str]:
    """A call of so many frames back: the pictures, what was told, the call's number."""
    import av
    import httpx2 as httpx
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

    class Camera(VideoStreamTrack):
        async def recv(self):
            pts, base = await self.next_timestamp()
            frame = av.VideoFrame.from_ndarray(person(), format="rgb24")
            frame.pts, frame.time_base = pts, base
            return frame

    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    arrived = asyncio.get_running_loop().create_future()
    told: list[dict] = []
    try:
        channel = peer.createDataChannel("control")
        channel.on("message", lambda text: told.append(json.loads(text)))
        channel.on("open", lambda: channel.send('{"nonsense": 1}'))
        peer.on("track", arrived.set_result)
        peer.addTrack(Camera())
        await peer.setLocalDescription(await peer.createOffer())
        body = {"sdp": peer.localDescription.sdp, "type": "offer", "options": options}
        async with httpx.AsyncClient(timeout=60) as web:
            answer = (await web.post(f"{server.url}/api/webrtc", json=body)).json()
        await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        track = await asyncio.wait_for(arrived, 60)
        pictures = [(await asyncio.wait_for(track.recv(), 120)).to_ndarray(format="rgb24") for _ in range(frames)]
        for _ in range(600):
            if any(one["type"] == "stats" and one["frames"] for one in told):
                break
            await asyncio.sleep(0.1)
        async with httpx.AsyncClient(timeout=60) as web:
            gone = await web.delete(f"{server.url}/api/webrtc/{answer['id']}")
            assert gone.status_code == 204
            assert (await web.delete(f"{server.url}/api/webrtc/{answer['id']}")).status_code == 404
        return pictures, told, answer["id"]
    finally:
        await peer.close()


def test_a_webrtc_call():
    pytest.importorskip("aiortc")
    from aioice.ice import get_host_addresses

    if not get_host_addresses(True, False):
        pytest.skip("this machine has no network address but loopback, which WebRTC leaves out")
    with running(limits=Limits(viewers=1)) as server:
        pictures, told, _ = asyncio.run(_call(server, {"background": "#204060"}, 4))
        picture = pictures[-1]
        assert picture.shape == (180, 320, 3)
        alpha = koutu.matte(person(), model="koutu-small").alpha
        away = cv2.erode(cv2.inRange(alpha, 0, 0), np.ones((15, 15), np.uint8)) > 0
        assert np.abs(picture[away].astype(int) - (32, 64, 96)).mean() < 12  # VP8
        assert np.abs(picture[cv2.erode(alpha, np.ones((9, 9))) == 255].astype(int)
                      - person()[cv2.erode(alpha, np.ones((9, 9))) == 255]).mean() < 12  # fmt: skip
        assert any(one["type"] == "error" and "nonsense" in one["detail"] for one in told)
        assert any(one["type"] == "stats" and one["engine"] == "webrtc" for one in told)
        until(lambda: server.service.viewers.taken == 0)
        assert not server.service.calls
