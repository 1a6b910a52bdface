"""From what a user writes for an output, a word, a path or an address, to the sink."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from koutu.live.controls import Desk
from koutu.live.encoded_sinks import SCHEMES, FileSink, HlsSink, StreamSink
from koutu.live.options import Encoding
from koutu.live.output_thread import Sink
from koutu.live.page import PORT, Page
from koutu.live.virtual_camera import VirtualCamera
from koutu.live.window import Window
from koutu.media.containers import CONTAINERS
from koutu.types import OutputError

_ACCEPTED = (
    f"window, page, page:PORT, virtual-camera, a file ({', '.join(CONTAINERS)}), a playlist (.m3u8), or an address "
    f"({', '.join(f'{scheme}://' for scheme in SCHEMES)})"
)


@dataclass(frozen=True)
class Wiring:
    """What sinks need of the run they belong to. source: the file that is read, if it is one."""

    desk: Desk
    encoding: Encoding
    pressed: Callable[[str], None]
    line: Callable[[], str]
    state: Callable[[], dict[str, Any]]
    tell: Callable[[str], None]
    source: Path | None = None


def sink_of(word: str, wiring: Wiring) -> Sink:
    """The sink that `word` names, checked as far as can be before there is a frame; raises OutputError."""
    name, _, rest = word.partition(":")
    if word == "window":
        return Window(wiring.pressed, wiring.line)
    if name == "virtual-camera":
        return VirtualCamera(rest or None, wiring.encoding.rate)
    port = _port(word)
    if port is not None:
        return Page(port, wiring.desk, state=wiring.state, tell=wiring.tell)
    if "://" in word:
        if word.partition("://")[0].lower() not in SCHEMES:
            raise OutputError(f"expected {_ACCEPTED}, got {word.partition('://')[0]}://…; use one of these")
        return StreamSink(word, wiring.encoding)
    path = Path(word)
    if path.suffix.lower() == ".m3u8":
        return HlsSink(path, wiring.encoding)
    if path.suffix.lower() in CONTAINERS:
        return FileSink(path, wiring.encoding, source=wiring.source)
    raise OutputError(f"expected {_ACCEPTED}, got {word!r}; name one of these")


def _port(word: str) -> int | None:
    """The page's port if it is meant; the page is for this machine alone."""
    if word == "page":
        return PORT
    if not word.startswith(("page:", "http://", "https://")):
        return None
    try:
        parts = urlsplit(f"http://localhost:{word[5:]}" if word.startswith("page:") else word)
        port = parts.port if parts.port is not None else PORT
    except ValueError:
        parts, port = None, -1
    if parts is None or not 0 <= port <= 65535 or parts.scheme != "http":
        raise OutputError(f"expected page:PORT or http://127.0.0.1:PORT, got {word!r}; for example page:{PORT}")
    if parts.hostname not in ("127.0.0.1", "localhost"):
        raise OutputError(
            f"expected the page on this machine alone, got {parts.hostname}; use page, or `koutu serve` for others"
        )
    return port
