"""Pictures from URLs: what is never connected to, and that the checked address is the one that is used."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from support.serving import client, encoded, opened, service_of

from koutu.server.errors import Refused
from koutu.server.fetch import Fetcher, is_public, parse

ADDRESSES = {
    "8.8.8.8": True, "2606:4700::1111": True,
    "127.0.0.1": False, "127.9.9.9": False, "0.0.0.0": False, "10.1.2.3": False, "172.16.0.1": False,
    "192.168.0.1": False, "169.254.169.254": False, "100.64.0.1": False, "100.100.100.200": False,
    "224.0.0.1": False, "255.255.255.255": False, "192.0.2.1": False, "198.18.0.1": False, "240.0.0.1": False,
    "::1": False, "::": False, "fe80::1": False, "fe80::1%eth0": False, "fd00:ec2::254": False, "ff02::1": False,
    "::ffff:127.0.0.1": False, "::ffff:8.8.8.8": False, "::127.0.0.1": False, "64:ff9b::7f00:1": False,
    "2002:7f00:1::": False, "2001:0:7f00:1::": False, "2001:db8::1": False, "name": False, "": False,
}  # fmt: skip


@pytest.mark.parametrize("address, public", ADDRESSES.items())
def test_addresses(address, public):
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "", "picture.png", "/etc/passwd", "file:///etc/passwd", "ftp://example.org/a", "gopher://example.org", "http://",
        "http://u@example.org/", "http://u:p@example.org/", "http://example.org:99999/", "http://exa mple.org/",
        "http://example.org/\r\nHost: x", "http://example.org/\0", "http://[::1", "http://[fe80::1%25eth0]/",
        "javascript:alert(1)", "data:image/png;base64,AA", "http://例え.jp/", "http://example.org/" + "a" * 3000,
    ],
)  # fmt: skip
def test_urls_that_are_none(url):
    with pytest.raises(Refused) as caught:
        parse(url)
    assert (caught.value.status, caught.value.code) == (400, "invalid_url")


def test_parts_of_a_url():
    assert parse("HTTPS://Example.org/a/b?c=d#e") == ("https", "example.org", 443, "/a/b?c=d")
    assert parse("http://[2606:4700::1]:8080") == ("http", "2606:4700::1", 8080, "/")


class Answers(BaseHTTPRequestHandler):
    """What the server of a test says, by path."""

    seen: ClassVar[list[tuple[str, str]]] = []
    place = ""

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Host"]))
        body = encoded()
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", {"/to/loop": "/to/loop"}.get(self.path, self.place))
            body = b""
        elif self.path == "/404":
            self.send_response(404)
        else:
            self.send_response(200)
        if self.path == "/packed":
            self.send_header("Content-Encoding", "gzip")
        if self.path == "/big":
            body = b"x" * 1_500_000
        if self.path == "/told":
            self.send_header("Content-Length", "999999999")
        elif self.path != "/untold":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/slow":
            threading.Event().wait(5)
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def other() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients leave early
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetcher(port: int, names: dict[str, list[str]], *, seconds: float = 30) -> Fetcher:
    """One whose resolver knows these names, and which may connect to 127.0.0.1 as if it were public."""

    async def resolve(host: str, port: int) -> list[str]:
        if host not in names:
            raise OSError("no such name")
        return names[host]

    def allowed(address: str) -> bool:
        return address == "127.0.0.1" or is_public(address)

    return Fetcher(seconds, 1, resolve, allowed, (port,))


def code(fetch: Fetcher, url: str) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        asyncio.run(fetch(url))
    assert "127.0.0" not in caught.value.detail and "10.0.0" not in caught.value.detail
    return caught.value.status, caught.value.code


def test_fetching():
    with other() as port:
        fetch = fetcher(port, {"good.test": ["127.0.0.1"], "mixed.test": ["127.0.0.1", "10.0.0.1"]}, seconds=20)
        at = f"http://good.test:{port}"
        for path in ("/a.jpg", "/untold"):
            assert asyncio.run(fetch(at + path)) == encoded()
        assert Answers.seen[0] == ("/a.jpg", f"good.test:{port}")  # the name is told, the address was checked before
        for path, expected in [("/404", (400, "failed_fetch")), ("/big", (413, "too_large")),
                               ("/told", (413, "too_large")), ("/packed", (400, "failed_fetch")),
                               ("/to/loop", (400, "failed_fetch"))]:  # fmt: skip
            assert code(fetch, at + path) == expected
        assert code(fetch, f"http://unknown.test:{port}/") == (400, "failed_fetch")
        assert code(fetch, "http://good.test/") == (403, "address_not_allowed")  # port 80 is not among its ports
        before = len(Answers.seen)
        assert code(fetch, f"http://mixed.test:{port}/") == (403, "address_not_allowed")
        assert len(Answers.seen) == before
        assert code(fetch, f"https://good.test:{port}/") == (400, "failed_fetch")  # no TLS there
        assert code(fetcher(port, {"good.test": ["127.0.0.1"]}, seconds=0.3), at + "/slow") == (400, "failed_fetch")


def test_redirections_are_checked_again():
    names = {"good.test": ["127.0.0.1"], "evil.test": ["10.0.0.1"], "meta.test": ["169.254.169.254"]}
    with other() as port:
        fetch = fetcher(port, names)
        for place in (
            f"http://evil.test:{port}/",
            f"http://meta.test:{port}/latest",
            "//meta.test/",
            "http://evil.test:22/",
        ):
            Answers.place = place
            assert code(fetch, f"http://good.test:{port}/to/there") == (403, "address_not_allowed")
        for place in ("file:///etc/passwd", "gopher://good.test/", "http://u:p@good.test/"):
            Answers.place = place
            assert code(fetch, f"http://good.test:{port}/to/there") == (400, "invalid_url")
        Answers.place = "/a.jpg"
        assert asyncio.run(fetch(f"http://good.test:{port}/to/there")) == encoded()


def test_a_name_that_changes_its_mind():
    """DNS rebinding: each connection goes to an address that was checked for it."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    with other() as port:
        Answers.place = f"http://good.test:{port}/a.jpg"
        fetch = Fetcher(30, 1, resolve, lambda address: address == "127.0.0.1", (port,))
        assert code(fetch, f"http://good.test:{port}/to/there") == (403, "address_not_allowed")


def test_by_the_api():
    with client() as web, other() as port:
        service = service_of(web)
        for url in ("http://127.0.0.1/", "http://localhost:8080/", "http://[::1]/", "http://169.254.169.254/latest",
                    "http://2130706433/", "http://0x7f.1/", "http://0/", "http://[::ffff:7f00:1]/"):  # fmt: skip
            picture = {"image_file": encoded()}
            for answer in (
                web.get("/api/remove", params={"url": url}),
                web.post("/api/removebg", data={"image_url": url}),
                web.post("/api/removebg", files=picture, data={"bg_image_url": url}),
            ):
                assert answer.status_code in (400, 403)
                assert answer.json()["errors"][0]["code"] in ("address_not_allowed", "failed_fetch")
        service.fetch = fetcher(port, {"good.test": ["127.0.0.1"]})
        url = f"http://good.test:{port}/a.jpg"
        assert opened(web.get("/api/remove", params={"url": url}).content).size == (320, 180)
        assert opened(web.post("/api/remove", data={"url": url}).content).size == (320, 180)
        assert opened(web.post("/api/removebg", json={"image_url": url}).content).size == (320, 180)
        assert service.pictures.taken == 0
