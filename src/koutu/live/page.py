"""The page: the composite and its controls in a browser of this machine, by nothing but the standard library.

The browser asks for each frame and gets the newest, so that none can queue; asking for the next one it tells that the
last is drawn, so that ages count to there. `/stream` is the same as motion JPEG, for programs that show that.
"""

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore, Condition, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2

from koutu.color import to_rgb
from koutu.live.controls import Desk, shown_name
from koutu.live.flow import Shown, Sound
from koutu.live.keys import press
from koutu.live.output_thread import Sink
from koutu.live.resizable_backend import SHARES
from koutu.media.image import read_image
from koutu.types import InputError, KoutuError, OutputError

PORT = 8510
VIEWERS = 16  # connections at a time
WAIT = 5.0  # seconds that a request for a frame waits for one
UPLOAD = 30_000_000  # bytes of a background
QUALITY = 85  # of JPEG
_POLICY = "default-src 'self' 'unsafe-inline'; img-src 'self' blob:; frame-ancestors 'none'"
_SENT = 64  # frames that are remembered until a browser has drawn them
_PAGE = Path(__file__).with_name("page.html")


class Page(Sink):
    """Serves the page on 127.0.0.1. port: 0 for any free one; state: more for the page to show, as JSON."""

    name = "page"
    acknowledges = True

    def __init__(self, port: int, desk: Desk, *, state: Callable[[], dict[str, Any]], tell: Callable[[str], None]):
        self.desk, self.state = desk, state
        self.tell = tell
        self.viewers = BoundedSemaphore(VIEWERS)
        self._changed = Condition()
        self._shown: Shown | None = None
        self._sent: OrderedDict[int, float] = OrderedDict()
        self._ended = False
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(
                f"page: expected port {port} of this machine, got {reason}; choose another: --out page:{PORT + 1}"
            ) from error
        self._server.page = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, name="koutu-page", daemon=True).start()

    def show(self, shown: Shown, sounds: list[Sound]) -> None:
        with self._changed:
            self._shown = shown
            self._changed.notify_all()

    def close(self, sounds: list[Sound]) -> list[str]:
        self.abort()
        return []

    def abort(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def newest(self, after: int) -> Shown | None:
        """The newest frame, once its number is above `after`; None if none comes for a while."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or (self._shown and self._shown.shot.number > after), WAIT)
            shown = self._shown
            if self._ended or shown is None or shown.shot.number <= after:
                return None
            self._sent[shown.shot.number] = shown.shot.captured
            while len(self._sent) > _SENT:
                self._sent.popitem(last=False)
            return shown

    def drawn(self, number: int) -> None:
        """A browser shows that frame now; of several browsers the first counts."""
        with self._changed:
            captured = self._sent.pop(number, None)
        if captured is not None:
            self.seen(captured, number)

    def shown(self) -> dict[str, Any]:
        """What the page shows beside the frame."""
        desk = self.desk
        choices = {"backgrounds": list(desk.backgrounds), "models": desk.models, "sizes": ["auto", *SHARES]}
        settings = asdict(desk.settings) | {"background": shown_name(desk.settings.background)}
        return {"settings": settings, "choices": choices, **self.state()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    page: Page

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers come and go; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 15  # seconds for a browser to take what it asked for
    server: Any  # a _Server

    def do_GET(self) -> None:
        if not self._is_own():
            return
        parts = urlsplit(self.path)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        page = self.server.page
        if parts.path == "/":
            self._answer(200, _PAGE.read_bytes(), "text/html; charset=utf-8")
        elif parts.path == "/icon":  # none: otherwise browsers ask for one at another place
            self._answer(204, b"", "image/png")
        elif parts.path == "/frame":
            page.drawn(_number(asked.get("drawn")))
            shown = page.newest(_number(asked.get("after")))
            if shown is None:
                self._answer(204, b"", "image/jpeg")
            else:
                self._answer(200, jpeg(shown), "image/jpeg", {"X-Number": str(shown.shot.number)})
        elif parts.path == "/state":
            self._answer_json(200, page.shown())
        elif parts.path == "/stream":
            self._stream()
        else:
            self._answer_json(404, {"error": "expected /, /frame, /state or /stream"})

    def do_POST(self) -> None:
        if not self._is_own() or self.headers.get("X-Koutu") is None:  # which no other site's page may send
            self.close_connection = True
            self._answer_json(403, {"error": "expected a request of the page itself"})
            return
        length = _number(self.headers.get("Content-Length"))
        if not 0 <= length <= UPLOAD:
            self.close_connection = True
            self._answer_json(
                413, {"error": f"expected at most {UPLOAD // 1_000_000} MB, got more; use a smaller image"}
            )
            return
        body = self.rfile.read(length)
        try:
            self._change(urlsplit(self.path), body)
        except (KoutuError, ValueError) as error:
            self._answer_json(400, {"error": str(error)})
        else:
            self._answer_json(200, self.server.page.shown())

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: there is one for each frame."""

    def _change(self, parts: Any, body: bytes) -> None:
        desk = self.server.page.desk
        if parts.path == "/background":
            name = (parse_qs(parts.query).get("name") or ["picture"])[0][:60]
            desk.offer(read_image(body), name=name)
            desk.change("background", name)
            return
        sent = json.loads(body)
        if not isinstance(sent, dict):
            raise InputError(f"expected an object with name and value, got {sent!r}; send one")
        if "key" in sent:
            press(str(sent["key"]), desk, self.server.page.tell)
        else:
            desk.change(str(sent.get("name")), sent.get("value"))

    def _is_own(self) -> bool:
        """Whether the request is for this machine by name, and of no other site's page; answered if it is not."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        site = self.headers.get("Sec-Fetch-Site", "none")
        if host in ("127.0.0.1", "localhost", "::1") and site in ("none", "same-origin"):
            return True
        if self.command == "GET":
            self._answer_json(403, {"error": "expected a request of this machine's own page"})
        return False

    def _stream(self) -> None:
        page, number = self.server.page, -1
        if not page.viewers.acquire(blocking=False):
            self._answer_json(503, {"error": f"expected at most {VIEWERS} viewers; close one"})
            return
        try:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            while (shown := page.newest(number)) is not None:
                number, data = shown.shot.number, jpeg(shown)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                page.drawn(number)
        except OSError:  # the viewer left
            return
        finally:
            page.viewers.release()

    def _answer_json(self, code: int, content: Any) -> None:
        self._answer(code, json.dumps(content).encode(), "application/json")

    def _answer(self, code: int, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
        self.send_response(code)
        headers = {
            "Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": _POLICY,
        }  # fmt: skip
        for name, value in (headers | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@lru_cache(maxsize=2)
def jpeg(shown: Shown) -> bytes:
    """The composite as JPEG; made once for all viewers."""
    bgr = cv2.cvtColor(to_rgb(shown.on_screen), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes()


def _number(text: str | None) -> int:
    try:
        return int(text or -1)
    except ValueError:
        return -1
