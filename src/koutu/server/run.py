"""From settings to a running server: what may be listened on, how connections that stall are cut, how it ends."""

import asyncio
import sys
from typing import Any

import cv2
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from koutu.server.app import make_app
from koutu.server.settings import ServerSettings, is_loopback
from koutu.server.workers import workers
from koutu.types import InputError

FRAME_BYTES = 4 * 2**20  # of a live frame
SHUTDOWN_SECONDS = 10
LATE_SECONDS = 1.0  # of a timer, that tell of a busy event loop


def run(settings: ServerSettings) -> None:
    """Serve until interrupted. Raises InputError for what must not or cannot be listened on."""
    require_safe(settings)
    cv2.setNumThreads(settings.threads)  # as the engine: work is spread over images
    config = make_config(settings)
    server = uvicorn.Server(config)
    config.app.state.service.is_leaving = lambda: server.should_exit  # type: ignore[union-attr]
    try:
        with workers(settings):  # a cluster that cannot be used is told before anything is listened on
            server.run()
    except KeyboardInterrupt:  # the ordinary end, as is SIGTERM; by now everything is put away
        return
    except SystemExit as e:
        if server.started:
            return
        raise InputError(  # uvicorn has said why
            f"could not serve on {settings.host} port {settings.port}; another program may, or choose another --port"
        ) from e


def require_safe(settings: ServerSettings) -> None:
    """Raise InputError if strangers could use the server without anybody having wanted it."""
    if is_loopback(settings.host) or settings.token:
        return
    if not settings.insecure:
        raise InputError(
            f"expected a token to listen on {settings.host}, where others can connect, got none; set KOUTU_TOKEN, "
            "or say --insecure"
        )
    print(f"koutu: anybody who can reach {settings.host} may use this server", file=sys.stderr)


def make_config(settings: ServerSettings) -> uvicorn.Config:
    """How uvicorn is to run the application."""
    for path in (settings.cert, settings.key):
        if path is not None and not path.is_file():
            raise InputError(f"expected a file at {path}, found none; check --cert and --key")
    patient = type("Patient", (PatientProtocol,), {"seconds": settings.limits.idle_seconds})
    return uvicorn.Config(
        make_app(settings), host=settings.host, port=settings.port, http=patient, ws="websockets-sansio",
        ws_max_size=FRAME_BYTES, ws_ping_interval=settings.limits.idle_seconds / 2,
        ws_ping_timeout=settings.limits.idle_seconds / 2, limit_concurrency=settings.limits.connections,
        timeout_keep_alive=min(15, settings.limits.idle_seconds), timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ssl_certfile=settings.cert, ssl_keyfile=settings.key, server_header=False, access_log=False,
        proxy_headers=bool(settings.trust_proxy), forwarded_allow_ips=settings.trust_proxy or None,
        log_level="warning" if settings.quiet else "info", lifespan="on",
    )  # fmt: skip


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that cuts connections which stall: no whole request within `seconds`, or hardly any of an answer taken.

    uvicorn itself waits for both without end.
    """

    seconds: float = 30
    slowest = 1000  # bytes of an answer a second

    _asking: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        if self._asking is None and (self.cycle is None or self.cycle.response_complete):
            self._expect()
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._asking = _stopped(self._asking)

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._asking = _stopped(self._asking)
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taking = _stopped(self._taking)

    def connection_lost(self, exc: Exception | None) -> None:
        self._asking, self._taking = _stopped(self._asking), _stopped(self._taking)
        super().connection_lost(exc)

    def _expect(self) -> None:
        """A request, within `seconds`."""
        due = self.loop.time() + self.seconds

        def look() -> None:
            if self.loop.time() - due > LATE_SECONDS:  # it is the server that is slow: the request may lie here unread
                self._expect()
            else:
                self._cut()

        self._asking = self.loop.call_at(due, look)

    def _watch(self) -> None:
        """Look again in `seconds` how much of the answer still waits."""
        _stopped(self._taking)
        waiting = self.transport.get_write_buffer_size()

        def look() -> None:
            if self.transport.get_write_buffer_size() > waiting - self.slowest * self.seconds:
                self._cut()
            else:
                self._watch()

        self._taking = self.loop.call_later(self.seconds, look)

    def _cut(self) -> None:
        self.transport.abort()


def _stopped(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
