"""The gate every request passes: whose name it came under, whose page sent it, its token, its size and its pace."""

import asyncio
import hmac
import ipaddress
import socket
from collections.abc import Iterable
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from koutu.server.errors import Refused, too_large
from koutu.server.service import Service

OPEN_PATHS = ("/", "/healthz", "/readyz", "/docs", "/docs/style.css", "/openapi.json", "/api/config")
OPEN_FOLDERS = ("/web/", "/models/", "/backgrounds/")
LARGE_PATHS = ("/api/video", "/api/batch")
BASE64_PATHS = ("/api/removebg", "/v1.0/removebg")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
ROOM_BESIDE_FILE = 2**20  # of a form, for its other fields and the backgrounds' names
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
}
API_POLICY = "default-src 'none'; frame-ancestors 'none'"


class Guard:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, service: Service):
        self.app, self.service = app, service
        settings = service.settings
        self.names = {"localhost", socket.gethostname().lower(), *(name.lower() for name in settings.allow_hosts)}
        self.origins = {origin.lower().rstrip("/") for origin in settings.allow_origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            self._check(scope)
        except Refused as refused:
            self.service.counters.add("koutu_refused_total", code=refused.code)
            await self._turn_away(refused, scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = _one(headers, "host")
        if not self._known_name(host):
            raise Refused(
                403, "unknown_host", "Unknown host name",
                f"expected a Host of this machine, got {host[:80]!r}; start the server with --allow-host for it",
            )  # fmt: skip
        self._check_site(scope, headers, host)
        if scope["type"] == "http" and self._needs_token(scope):
            require_token(self.service.settings.token, given_token(headers))

    def _known_name(self, host: str) -> bool:
        """An address is what was typed; a name may be somebody's who made it point here (DNS rebinding)."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.names or (name and name.endswith(".localhost")):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _check_site(self, scope: Scope, headers: Headers, host: str) -> None:
        """Another site's page may not use the visitor's browser to call us."""
        origin = headers.get("origin", "").lower().rstrip("/")
        same = bool(origin) and urlsplit_netloc(origin) == host.lower()
        if same or origin in self.origins:
            return
        reads = scope["type"] == "http" and scope["method"] in SAFE_METHODS
        foreign = headers.get("sec-fetch-site", "") in ("cross-site", "same-site")
        if (origin and not reads) or (foreign and scope["path"].startswith("/api/")):
            raise Refused(
                403, "foreign_page", "Another site's page",
                f"expected a page of {host[:80]}, got one of {origin[:80] or 'another site'}; start the server with "
                "--allow-origin for it",
            )  # fmt: skip

    def _needs_token(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if scope["method"] == "OPTIONS" or path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            return False
        return not path.startswith("/api/video/")  # knowing a job's number, which cannot be guessed, is the permission

    async def _turn_away(self, refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refused.code})
        else:
            await refused.response()(scope, receive, _with_headers(send))

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, counters = perf_counter(), self.service.counters
        status = ["499"]  # the client was gone before there was an answer

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = str(message["status"])
            await send(message)

        try:
            await self.app(scope, self._paced(scope, receive), _with_headers(noting))
        finally:
            route = getattr(scope.get("route"), "path", "none")
            counters.add("koutu_requests_total", route=route, status=status[0])
            counters.observe("koutu_request_seconds", perf_counter() - began, route=route)

    def _paced(self, scope: Scope, receive: Receive) -> Receive:
        """`receive` that refuses a body that is too large or comes too slowly."""
        limits = self.service.limits
        most = (limits.video_mb if scope["path"] in LARGE_PATHS else limits.upload_mb) * 1_000_000
        most = most * 4 // 3 if scope["path"] in BASE64_PATHS else most
        most += ROOM_BESIDE_FILE
        declared = Headers(scope=scope).get("content-length", "")
        over = too_large(f"expected a body of at most {most / 1e6:.0f} MB, got more; send a smaller file")
        # A whole file at the slowest pace that is worth waiting for, 1 Mbit/s.
        state = {"bytes": 0, "more": True, "end": perf_counter() + limits.idle_seconds + most / 125_000}

        async def paced() -> Message:
            if not state["more"]:
                return await receive()  # waits for the client to leave
            if declared.isdecimal() and int(declared) > most:
                raise over
            try:
                seconds = min(limits.idle_seconds, state["end"] - perf_counter())
                message = await asyncio.wait_for(receive(), max(0.01, seconds))
            except (asyncio.TimeoutError, TimeoutError):
                raise Refused(
                    408, "too_slow", "Too slow", "expected the body to arrive without long pauses; send it again",
                    {"Connection": "close"},
                ) from None  # fmt: skip
            state["more"] = message.get("more_body", False)
            state["bytes"] += len(message.get("body", b""))
            if state["bytes"] > most:
                raise over
            return message

        return paced


def urlsplit_netloc(origin: str) -> str:
    """The host and port of an origin; "" if it is not one, as "null"."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def given_token(headers: Headers) -> str:
    """The token of a request: X-Api-Key, or Authorization: Bearer."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key", "") or (bearer.strip() if scheme.lower() == "bearer" else "")


def require_token(expected: str, given: Any) -> None:
    """Raise Refused (401) unless it is the server's token, or the server has none."""
    given = given if isinstance(given, str) else ""
    if expected and not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise Refused(
            401, "auth_failed", "Token missing or wrong",
            "expected the server's token as X-Api-Key or Authorization: Bearer; ask who started the server",
            {"WWW-Authenticate": "Bearer"},
        )  # fmt: skip


def page_policy(host: str) -> str:
    """The Content-Security-Policy of the page: everything from this server, WebAssembly, workers made of blobs."""
    return (
        f"default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; "
        f"connect-src 'self' ws://{host} wss://{host} blob: data:; img-src 'self' blob: data:; "
        "media-src 'self' blob:; style-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self'"
    )


def _one(headers: Headers, name: str) -> str:
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else ""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _defaults():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _defaults() -> Iterable[tuple[str, str]]:
    return (HEADERS | {"content-security-policy": API_POLICY, "cache-control": "no-store"}).items()
