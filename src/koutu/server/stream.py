"""Live matting over a WebSocket: JPEG in, JPEG out, the newest frame wins."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from PIL import Image

from koutu.color import to_rgb
from koutu.server.errors import Refused
from koutu.server.guard import require_token
from koutu.server.service import Service
from koutu.server.viewer import Newest, Viewer, parse_json
from koutu.types import InputError, KoutuError

GREETING_SECONDS = 10
STATS_SECONDS = 1.0
QUALITY = 85
ID = 8  # bytes before each picture: the frame's number, big-endian, given back with its result
POLICY, TRY_AGAIN = 1008, 1013


def routes(service: Service) -> APIRouter:
    """WS /api/stream."""
    router = APIRouter()

    @router.websocket("/api/stream")
    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        talk = Talk(service, socket)
        try:
            await talk.run()
        except WebSocketDisconnect:
            pass
        except (asyncio.TimeoutError, TimeoutError):
            await talk.end(POLICY, "expected messages to come and to be taken, got a long pause; connect again")
        except Refused as refused:
            service.counters.add("koutu_refused_total", code=refused.code)
            await talk.end(TRY_AGAIN if refused.status == 429 else POLICY, refused.detail)
        except InputError as error:
            await talk.end(POLICY, str(error))

    return router


class Talk:
    """One connection: who it is, then frames until somebody leaves."""

    def __init__(self, service: Service, socket: WebSocket):
        self.service, self.socket = service, socket
        self.viewer = Viewer(service, "websocket")
        self._newest: Newest[tuple[bytes, float]] = Newest()
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        """Until the client leaves (WebSocketDisconnect), stalls (TimeoutError) or breaks the rules."""
        first = await asyncio.wait_for(self._receive(), GREETING_SECONDS)
        if not isinstance(first, str):
            raise InputError("expected options as a first message, got an image; send a JSON object first")
        options = parse_json(first)
        require_token(self.service.settings.token, options.get("token") if isinstance(options, dict) else None)
        leave = self.service.viewers.take()
        try:
            self.viewer.want(options)
            await until_first_ends(self._listen(), self._work(), self._tell())
        finally:
            leave()

    async def end(self, code: int, detail: str) -> None:
        """Say why, and close; a client that is gone does not matter."""
        try:
            await asyncio.wait_for(self.socket.send_json({"type": "error", "detail": detail}), 1)
            await asyncio.wait_for(self.socket.close(code, detail[:120]), 1)
        except (RuntimeError, WebSocketDisconnect, asyncio.TimeoutError, TimeoutError):
            pass

    async def _receive(self) -> str | bytes:
        message = await self.socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        text = message.get("text")
        return text if text is not None else message["bytes"]

    async def _listen(self) -> None:
        """Take what comes at once, so that nothing old waits."""
        patience = 2 * self.service.limits.idle_seconds
        while True:
            message = await asyncio.wait_for(self._receive(), patience)
            if isinstance(message, bytes):
                if self._newest.put((message, perf_counter())):
                    self.viewer.drop()
                continue
            try:
                self.viewer.want(parse_json(message))
            except InputError as error:  # what was wanted before goes on
                await self._error(error)

    async def _work(self) -> None:
        while True:
            message, came = await self._newest.get()
            try:
                result = await self.service.live(lambda data=message: self._answer(data))
            except KoutuError as error:
                await self._error(error)
                continue
            self.viewer.done(perf_counter() - came)
            await self._send(self.socket.send_bytes, result)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(STATS_SECONDS)
            await self._send(self.socket.send_json, self.viewer.stats())

    async def _error(self, error: KoutuError) -> None:
        await self._send(self.socket.send_json, {"type": "error", "detail": str(error)})

    async def _send(self, send: Callable[[Any], Coroutine[Any, Any, None]], message: Any) -> None:
        async with self._sending:
            try:
                await asyncio.wait_for(send(message), self.service.limits.idle_seconds)
            except RuntimeError as error:  # the connection was closed meanwhile
                raise WebSocketDisconnect from error

    def _answer(self, message: bytes) -> bytes:
        """In a worker thread: one image to its result, under the same number."""
        rgb = read_jpeg(message[ID:], self.service.limits.live_megapixels)
        return message[:ID] + write_jpeg(to_rgb(self.viewer.composite(rgb)))


def read_jpeg(data: bytes, megapixels: int) -> Any:
    """(H, W, 3) of a JPEG whose header tells no more than so many megapixels; raises InputError."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as head:
            width, height = head.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            f"expected {ID} bytes of number and a JPEG, got {len(data)} bytes of something else"
        ) from error
    if width * height > megapixels * 1_100_000:  # 1920×1088 is called 2 megapixels
        raise InputError(f"expected a live frame of at most {megapixels} megapixels, got {width}×{height}")
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if bgr is None:
        raise InputError(f"expected a whole JPEG, got a damaged one of {len(data)} bytes")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def write_jpeg(rgb: Any) -> bytes:
    """The image as JPEG, for the eye and not for keeping."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return data.tobytes()


async def until_first_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Run all; when one ends, cancel the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # looked at, so that asyncio does not complain
