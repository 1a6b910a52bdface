"""A server for the tests: in this process behind a client, or listening on a port of this machine."""

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

import uvicorn
from fastapi.testclient import TestClient

from koutu.color import shrink, to_rgb
from koutu.media.reader import open_video
from koutu.server.app import make_app
from koutu.server.run import make_config
from koutu.server.settings import ServerSettings
from koutu.zoo import SAMPLE

LOCAL = "http://localhost"


@lru_cache
def person() -> np.ndarray:
    """A frame of the packaged sample, (180, 320, 3)."""
    with open_video(SAMPLE / "talk.mp4") as video:
        return shrink(to_rgb(next(iter(video)).picture), (180, 320))


@lru_cache
def encoded(kind: str = "JPEG", **options: Any) -> bytes:
    """The same as a file."""
    return file_of(person(), kind, **options)


def file_of(rgb: np.ndarray, kind: str = "JPEG", **options: Any) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """A result."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@contextmanager
def client(**settings: Any) -> Iterator[TestClient]:
    """A server in this process; its app is `client.app`."""
    settings = {"model": "koutu-small", "quiet": True} | settings
    with TestClient(make_app(ServerSettings(**settings)), base_url=LOCAL) as found:
        yield found


def service_of(web: TestClient) -> Any:
    """The service behind a client."""
    app: Any = web.app
    return app.state.service


@dataclass
class Running:
    """A server that listens."""

    port: int
    app: Any
    state: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return len(self.state.connections)

    @property
    def service(self) -> Any:
        return self.app.state.service


@contextmanager
def running(**settings: Any) -> Iterator[Running]:
    """A server on a free port of 127.0.0.1, in a thread."""
    given = ServerSettings(**({"model": "koutu-small", "port": 0, "quiet": True} | settings))
    config = make_config(given)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield Running(server.servers[0].sockets[0].getsockname()[1], config.app, server.server_state)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
