"""The page and what it loads: its files, the networks for the browser, our backgrounds, and what the server can do."""

import gzip
import hashlib
import lzma
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from koutu import __version__
from koutu.server import scenery
from koutu.server.encode import as_jpeg
from koutu.server.errors import RESPONSES, invalid, not_found
from koutu.server.guard import page_policy
from koutu.server.remove import answered
from koutu.server.service import Service
from koutu.server.uploads import BINARY, bytes_of, decoded, flat, received

WEB = Path(__file__).parent / "web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}
_PACKED = (".gz", ".xz")
_EFFORT = 4  # of packing anew, for tenths of a second
MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>koutu</title>
<h1>The page is missing</h1><p>This koutu was installed without src/koutu/server/web/index.html.
The HTTP API works: see <a href="/docs">/docs</a>.</p></html>"""


@dataclass(frozen=True)
class _Kept:
    """A file as it is sent. packed: gzip, if it is stored so."""

    stamp: tuple[int, int]
    tag: str
    plain: bytes | None
    packed: bytes | None


class Files:
    """The files of a folder by their names in it. A client's path is looked up in the list, never on the disk."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._names: dict[str, Path] = {}
        self._kept: dict[str, _Kept] = {}
        self._listed = -1.0
        self._lock = threading.Lock()

    def get(self, name: str) -> _Kept | None:
        """The file, or None. NAME.gz and NAME.xz are found as NAME."""
        with self._lock:
            if name not in self._names and monotonic() - self._listed > 1:
                self._list()
            path = self._names.get(name)
            try:
                return self._read(name, path) if path else None
            except OSError:  # removed since
                self._names.pop(name, None)
                return None

    def _list(self) -> None:
        paths = [path for path in self._folder.rglob("*") if path.is_file() and not path.is_symlink()]
        names = {path.relative_to(self._folder).as_posix(): path for path in paths}
        packed = {name: path for name, path in names.items() if path.suffix in _PACKED}
        plain = {name: path for name, path in names.items() if name not in packed}
        self._names = plain | {name[:-3]: path for name, path in packed.items()}
        self._listed = monotonic()

    def _read(self, name: str, path: Path) -> _Kept:
        stat = path.stat()
        stamp = stat.st_mtime_ns, stat.st_size
        kept = self._kept.get(name)
        if kept is None or kept.stamp != stamp:
            data = path.read_bytes()
            packed = data if path.suffix == ".gz" else _repacked(data) if path.suffix == ".xz" else None
            beside = self._folder / name
            plain = beside.read_bytes() if packed and beside.is_file() else None if packed else data
            kept = _Kept(stamp, hashlib.sha256(data).hexdigest()[:24], plain, packed)
            self._kept[name] = kept
        return kept


def _repacked(data: bytes) -> bytes:
    """What is kept as xz, which installs small, as the gzip that every browser takes."""
    return gzip.compress(lzma.decompress(data), _EFFORT, mtime=0)


def send_file(request: Request, kept: _Kept, name: str, headers: dict[str, str]) -> Response:
    """The file, packed for those who take it so; 304 for those who have it."""
    accepts = request.headers.get("accept-encoding", "")
    packed = kept.packed is not None and "gzip" in accepts and "gzip;q=0" not in accepts.replace(" ", "")
    tag = f'"{kept.tag}{"-gz" if packed else ""}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding", **headers}
    if tag in [word.strip().removeprefix("W/") for word in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    body = kept.packed if packed else kept.plain
    if body is None:
        assert kept.packed is not None
        body = gzip.decompress(kept.packed)
    return Response(body, media_type=TYPES.get(Path(name).suffix, "application/octet-stream"), headers=headers)


def routes(service: Service) -> APIRouter:
    """GET / and what the page loads."""
    router, web = APIRouter(include_in_schema=False), Files(WEB)

    @router.api_route("/", methods=["GET", "HEAD"])
    def page(request: Request) -> Response:
        policy = {"Content-Security-Policy": page_policy(request.headers["host"])}
        kept = web.get("index.html")
        return send_file(request, kept, "index.html", policy) if kept else HTMLResponse(MISSING, 503, policy)

    @router.api_route("/favicon.ico", methods=["GET", "HEAD"])
    def icon(request: Request) -> Response:
        return file(request, "favicon.ico") if web.get("favicon.ico") else Response(status_code=204)

    @router.api_route("/web/{name:path}", methods=["GET", "HEAD"])
    def file(request: Request, name: str) -> Response:
        kept = web.get(name)
        if kept is None:
            raise not_found("expected a file of the page, got another name")
        policy = {"Content-Security-Policy": page_policy(request.headers["host"])}
        return send_file(request, kept, name, policy)

    return router


def open_routes(service: Service) -> APIRouter:
    """What the page asks for first, which other programs may want too."""
    router = APIRouter(tags=["about"])
    models = {name: Files(served.path.parent) for name, served in service.networks.served.items()}

    @router.get("/models/{name}.onnx", response_class=Response, responses=_binary("application/octet-stream"))
    def model(request: Request, name: str) -> Response:
        """A network as an ONNX file, for the browser."""
        served = service.networks.served.get(name)
        kept = models[name].get(served.path.name) if served else None
        if kept is None:
            raise not_found(f"expected a network out of {', '.join(models)}; name one of them")
        return send_file(request, kept, f"{name}.onnx", {})

    @router.get("/backgrounds/{name}", response_class=Response, responses=_binary("image/jpeg"))
    def background(name: str, thumb: bool = False) -> Response:
        """One of our backgrounds, 1920×1080 JPEG, or 320×180 of it."""
        if name not in scenery.PICTURES:
            raise not_found(f"expected a background out of {', '.join(scenery.PICTURES)}; name one of them")
        data = scenery.thumb(name) if thumb else scenery.PICTURES[name].read_bytes()
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})

    @router.post(
        "/api/backgrounds", status_code=201, responses=RESPONSES, tags=["live"],
        openapi_extra={"requestBody": {"content": {"image/*": {"schema": BINARY}}}},
    )  # fmt: skip
    async def keep(request: Request) -> dict[str, Any]:
        """Send a background, as the raw body or a form's `file`; the name it gets is good wherever one is asked for."""
        leave = service.pictures.take()
        try:
            data = await _only_file(request, service)
            rgb = await service.picture(lambda: flat(decoded(data, service)), request)
            return {"name": service.backdrops.keep(rgb), "minutes": service.limits.keep_minutes}
        finally:
            leave()

    @router.post(
        "/api/jpeg", response_class=Response, responses=_binary("image/jpeg") | RESPONSES, tags=["pictures"],
        openapi_extra={"requestBody": {"content": {"image/*": {"schema": BINARY}}}},
    )  # fmt: skip
    async def jpeg(request: Request) -> Response:
        """A picture that a browser does not read, such as HEIC, as JPEG: upright, sRGB, at its size.

        As the raw body or a form's `file`.
        """

        async def work() -> Response:
            data = await _only_file(request, service)
            body = await service.picture(lambda: as_jpeg(flat(decoded(data, service))), request)
            return Response(body, media_type="image/jpeg")

        return await answered(service.pictures.take(), work)

    @router.get("/api/config")
    def config() -> dict[str, Any]:
        """What this server offers and how much it allows; models[0] is the one used if none is named."""
        return describe(service)

    return router


def describe(service: Service) -> dict[str, Any]:
    """The answer of /api/config."""
    return {
        "version": __version__,
        "models": [service.networks.describe(name) for name in service.networks.served],
        "backgrounds": [
            {"name": name, "url": f"/backgrounds/{name}", "thumb": f"/backgrounds/{name}?thumb=1"}
            for name in scenery.PICTURES
        ],
        "limits": vars(service.limits),
        "engines": {"webrtc": has_webrtc(), "websocket": True},
        "token_required": bool(service.settings.token),
    }


def has_webrtc() -> bool:
    """Whether aiortc is installed."""
    return find_spec("aiortc") is not None


async def _only_file(request: Request, service: Service) -> bytes:
    async with received(request, service) as sent:
        if set(sent.files) != {"file"}:
            raise invalid("expected an image as file or as the body, got none or another")
        return await bytes_of(sent.files["file"])


def _binary(kind: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {kind: {"schema": BINARY}}}}
