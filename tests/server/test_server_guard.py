"""Who gets in: host names, other sites' pages, tokens, sizes, places, and clients that stall or leave."""

import contextlib
import socket
import struct
import zlib

import httpx2 as httpx
import numpy as np
import pytest
from support.serving import client, encoded, file_of, running, service_of
from support.waiting import until

from koutu.server.errors import Refused
from koutu.server.guard import require_token
from koutu.server.run import require_safe
from koutu.server.service import Slots
from koutu.server.settings import Limits, ServerSettings
from koutu.types import InputError


def refusal(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


@pytest.fixture(scope="module")
def web():
    with client(allow_hosts=("koutu.example",), allow_origins=("https://page.example",)) as found:
        yield found


def test_names_of_the_server(web):
    for good in (
        "localhost",
        "localhost:8000",
        "127.0.0.1:1",
        "[::1]:8000",
        "192.168.1.7",
        "koutu.example",
        "a.localhost",
    ):
        assert web.get("/healthz", headers={"Host": good}).status_code == 200
    for bad in (
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "[x",
        "a b",
    ):
        assert refusal(web.get("/healthz", headers={"Host": bad})) == (403, "unknown_host")


def test_other_sites_pages(web):
    post = {"url": "/api/remove", "content": b"x"}
    for origin in ("http://evil.example", "null", "http://localhost:1234", "https://koutu.example.evil.example"):
        assert refusal(web.post(**post, headers={"Origin": origin})) == (403, "foreign_page")
    for origin in ("http://localhost", "https://page.example"):
        assert web.post(**post, headers={"Origin": origin}).status_code == 400  # it is no picture, but it got in
    crossing = {"Sec-Fetch-Site": "cross-site"}
    assert refusal(web.get("/api/remove?url=http://example.org", headers=crossing)) == (403, "foreign_page")
    assert web.get("/", headers=crossing).status_code in (200, 503)  # a link to us is fine
    allowed = web.get("/api/config", headers={"Origin": "https://page.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://page.example"
    assert (
        "access-control-allow-origin" not in web.get("/api/config", headers={"Origin": "http://evil.example"}).headers
    )


def test_other_sites_sockets(web):
    from starlette.websockets import WebSocketDisconnect

    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}):
        named = {"Host": "localhost"} | headers
        with pytest.raises(WebSocketDisconnect) as caught, web.websocket_connect("/api/stream", headers=named):
            pass
        assert caught.value.reason in ("foreign_page", "unknown_host")


def test_the_token():
    with client(token="s3cret") as web:
        assert web.get("/api/config").json()["token_required"]
        assert web.get("/healthz").status_code == 200 and web.get("/docs").status_code == 200
        for headers in ({}, {"X-Api-Key": "s3cre"}, {"Authorization": "Bearer nö"}, {"Authorization": "Basic s3cret"}):
            coded = {name.encode(): value.encode() for name, value in headers.items()}
            for answer in (
                web.post("/api/remove", content=encoded(), headers=coded),
                web.get("/metrics", headers=coded),
            ):
                assert refusal(answer) == (401, "auth_failed")
            answer = web.post("/api/webrtc", json={}, headers=coded)
            assert refusal(answer) == (401, "auth_failed")
        for headers in ({"X-Api-Key": "s3cret"}, {"Authorization": "Bearer s3cret"}):
            assert web.get("/metrics", headers=headers).status_code == 200
            assert web.post("/api/removebg", files={"image_file": encoded()}, headers=headers).status_code == 200
        for first in ({"background": "blur"}, {"token": "wrong"}, {"token": 5}, {"token": None}):
            with web.websocket_connect("ws://localhost/api/stream") as socket:
                socket.send_json(first)
                assert "token" in socket.receive_json()["detail"]
                assert socket.receive()["code"] == 1008
        with web.websocket_connect("ws://localhost/api/stream") as socket:
            socket.send_json({"token": "s3cret"})
            assert socket.receive_json()["type"] == "stats"
    require_token("", None)


def test_listening_beyond_this_machine_needs_a_token(capsys):
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        require_safe(ServerSettings(host=host))
    require_safe(ServerSettings(host="0.0.0.0", token="x"))
    for host in ("0.0.0.0", "::", "192.168.1.7", "myhost"):
        with pytest.raises(InputError, match="token"):
            require_safe(ServerSettings(host=host))
    require_safe(ServerSettings(host="0.0.0.0", insecure=True))
    assert "anybody" in capsys.readouterr().err


def test_limits_are_at_least_one():
    with pytest.raises(InputError, match="--keep-minutes"):
        Limits(keep_minutes=0)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that tells so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_too_large_is_refused_by_header():
    with client(limits=Limits(upload_mb=1, megapixels=1)) as web:
        for size in ((1001, 1000), (60_000, 60_000), (2**31 - 1, 1)):
            answer = web.post("/api/remove", content=bomb(*size))
            assert answer.status_code in (400, 413), answer.text
            assert "megapixels" in answer.text or "damaged" in answer.text
            both = {"image_file": encoded(), "bg_image_file": bomb(*size)}
            assert web.post("/api/removebg", files=both).status_code in (400, 413)
        big = b"x" * 2_100_000
        told = {"Content-Type": "image/png"}
        assert refusal(web.post("/api/remove", content=big, headers=told)) == (413, "too_large")
        assert refusal(web.post("/api/remove", content=iter([big]), headers=told)) == (413, "too_large")  # untold
        assert refusal(web.post("/api/remove", files={"file": big})) == (413, "too_large")
        assert refusal(web.post("/api/remove", content=b"x" * 1_500_000)) == (413, "too_large")
        assert refusal(web.post("/api/backgrounds", content=bomb(5000, 5000))) == (413, "too_large")
        assert web.post("/api/remove", content=file_of(np.zeros((900, 1000, 3), np.uint8))).status_code == 200
        many = {f"f{i}": (f"{i}", b"x") for i in range(9)}
        assert refusal(web.post("/api/remove", files=many)) == (400, "invalid_request")


def test_places_are_given_back_once():
    places = Slots(2, "things")
    first, second = places.take(), places.take()
    with pytest.raises(Refused) as caught:
        places.take()
    assert caught.value.status == 429 and caught.value.headers["Retry-After"]
    first()
    first()
    assert places.taken == 1
    second()
    places.take()
    assert places.taken == 1


def test_full_is_told_and_passes():
    with client(limits=Limits(requests=1)) as web:
        service = service_of(web)
        leave = service.pictures.take()
        answer = web.post("/api/remove", content=encoded())
        assert refusal(answer) == (429, "rate_limit_exceeded") and int(answer.headers["retry-after"]) > 0
        assert refusal(web.get("/readyz")) == (503, "not_ready")
        leave()
        assert web.post("/api/remove", content=encoded()).status_code == 200
        assert web.post("/api/remove", content=b"x").status_code == 400
        assert service.pictures.taken == 0


@pytest.fixture(scope="module")
def slow():
    """A server of little patience."""
    with running(limits=Limits(idle_seconds=2)) as server:
        yield server


def connect(server) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    found.settimeout(60)
    return found


HEAD = b"POST /api/remove HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 5000\r\n"


@pytest.mark.parametrize("begin", [b"", b"POST /api/rem", HEAD])
def test_a_client_that_never_asks_is_cut(slow, begin):
    with connect(slow) as link:
        link.sendall(begin)
        with contextlib.suppress(ConnectionResetError):
            assert link.recv(1000) == b""


def test_a_body_that_does_not_come(slow):
    with connect(slow) as link:
        link.sendall(HEAD + b"\r\n123")
        answer = link.recv(4000)
        assert answer.startswith(b"HTTP/1.1 408") and b"too_slow" in answer + link.recv(4000)
    until(lambda: slow.service.pictures.taken == 0)


def test_a_client_that_leaves_gives_its_place_back(slow):
    with connect(slow) as link:
        link.sendall(HEAD + b"\r\n123")
        until(lambda: slow.service.pictures.taken == 1)
    until(lambda: slow.service.pictures.taken == 0)


def test_an_answer_that_is_not_taken(slow):
    """More than the buffers between hold, and never read."""
    noise = file_of(np.random.default_rng(0).integers(0, 256, (1600, 1600, 3), np.uint8), "JPEG", quality=50)
    name = httpx.post(f"{slow.url}/api/backgrounds", content=noise, timeout=60).json()["name"]
    body = file_of(np.full((1600, 1600, 3), 128, np.uint8))  # shows nobody: the answer is all background
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", slow.port))
        link.settimeout(60)
        head = f"POST /api/remove?background={name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        link.sendall(head.encode() + body)
        until(lambda: slow.service.pictures.taken == 1)
        until(lambda: slow.service.pictures.taken == 0 and not slow.connections)
        assert len(_rest(link)) < 7_000_000  # of 7.6


def _rest(link: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := link.recv(2**20):
            data += part
    return data
