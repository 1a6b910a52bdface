"""A server under load: python bench/server_load.py [--pictures 50] [--viewers 8] [--seconds 60] [--json F].

Starts `koutu serve` as a process of its own, sends it that many pictures at one time, then holds that many WebRTC
viewers, and the same by WebSocket, for so long; tells latencies, frame rates, errors and the server's memory. Exits
with 1 if anything failed or memory did not stay bounded.
"""

import argparse
import asyncio
import io
import json
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import httpx2 as httpx
import numpy as np
from PIL import Image

from koutu.bench.run import about_run, save
from koutu.color import to_rgb
from koutu.media.reader import open_video
from koutu.zoo import SAMPLE

GROWTH_MB = 64  # of memory during the second half, beyond which it is not called bounded
RATE = 15  # frames a second that a viewer sends


@dataclass
class Server:
    """A running server. samples: (seconds, resident MB)."""

    url: str
    pid: int
    samples: list[tuple[float, float]] = field(default_factory=list)

    def memory_mb(self) -> float:
        """Resident."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

    async def watch(self) -> None:
        """Note the memory twice a second."""
        while True:
            self.samples.append((time.perf_counter(), self.memory_mb()))
            await asyncio.sleep(0.5)


@dataclass
class Held:
    """What one viewer got."""

    frames: int = 0
    stats: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def start(folder: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
    """The server's process and address, when it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "koutu", "serve", "--port", str(port), *arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return process, url
        except httpx.HTTPError:
            time.sleep(0.25)
        if process.poll() is not None:
            break
    process.kill()
    raise RuntimeError(f"the server did not start:\n{(folder / 'log').read_text()}")


def clip() -> list[Any]:
    """Frames of the packaged sample, (H, W, 3)."""
    with open_video(SAMPLE / "talk.mp4") as video:
        return [to_rgb(frame.picture) for frame, _ in zip(video, range(60), strict=False)]


async def pictures(server: Server, count: int, frames: list[Any]) -> dict[str, Any]:
    """So many requests at one time; each answer is opened and must show a person."""
    file = io.BytesIO()
    Image.fromarray(frames[0]).save(file, "JPEG", quality=92)
    errors: list[str] = []
    seconds: list[float] = []

    async def one(client: httpx.AsyncClient) -> None:
        began = time.perf_counter()
        answer = await client.post(f"{server.url}/api/remove", files={"file": ("a.jpg", file.getvalue(), "image/jpeg")})
        seconds.append(time.perf_counter() - began)
        if answer.status_code != 200:
            errors.append(f"{answer.status_code}: {answer.text[:200]}")
            return
        alpha = np.asarray(Image.open(io.BytesIO(answer.content)).getchannel("A"))
        if alpha.shape != frames[0].shape[:2] or not 0.05 < alpha.mean() / 255 < 0.9:
            errors.append(f"an answer of {alpha.shape}, mean alpha {alpha.mean():.0f}")

    limits = httpx.Limits(max_connections=count, max_keepalive_connections=0)
    began = time.perf_counter()
    async with httpx.AsyncClient(timeout=300, limits=limits) as client:
        done = await asyncio.gather(*(one(client) for _ in range(count)), return_exceptions=True)
    errors += [repr(problem) for problem in done if isinstance(problem, BaseException)]
    return {
        "count": count, "errors": errors, "per_second": count / (time.perf_counter() - began),
        "seconds": quantiles(seconds), "memory_mb": server.memory_mb(),
    }  # fmt: skip


async def viewers(
    server: Server, count: int, seconds: float, hold: Callable[[Server, float, list[Any]], Coroutine[Any, Any, Held]]
) -> dict[str, Any]:
    """So many viewers held for so long."""
    frames, began = clip(), time.perf_counter()

    async def one() -> Held:
        try:
            return await hold(server, seconds, frames)
        except Exception as error:
            return Held(errors=[repr(error)])

    held = await asyncio.gather(*(one() for _ in range(count)))
    memory = [mb for at, mb in server.samples if at >= began]
    half = memory[len(memory) // 2 :]
    growth = float(np.polyfit(range(len(half)), half, 1)[0] * len(half)) if len(half) > 3 else 0.0
    errors = [error for one in held for error in one.errors]
    errors += [f"viewer {i} got no frame" for i, one in enumerate(held) if not one.frames]
    return {
        "count": count, "seconds": seconds, "errors": errors,
        "fps": quantiles([one.frames / seconds for one in held]),
        "latency_ms": quantiles([one.stats.get("latency_ms", 0.0) for one in held]),
        "latency_p95_ms": quantiles([one.stats.get("latency_p95_ms", 0.0) for one in held]),
        "peak_mb": max(memory, default=0.0), "growth_mb": growth,
    }  # fmt: skip


async def by_websocket(server: Server, seconds: float, frames: list[Any]) -> Held:
    """JPEG frames at RATE, results counted."""
    import websockets

    held = Held()
    jpegs = [cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes() for frame in frames]
    async with websockets.connect(
        server.url.replace("http", "ws") + "/api/stream", proxy=None, open_timeout=60
    ) as link:
        await link.send(json.dumps({"background": "blur"}))

        async def send() -> None:
            number = 0
            while True:
                await link.send(struct.pack(">Q", number) + jpegs[number % len(jpegs)])
                number += 1
                await asyncio.sleep(1 / RATE)

        async def receive() -> None:
            async for message in link:
                if isinstance(message, bytes):
                    held.frames += 1
                elif (said := json.loads(message))["type"] == "error":
                    held.errors.append(said["detail"])
                else:
                    held.stats = said

        await _for(seconds, held, send(), receive())
    return held


async def by_webrtc(server: Server, seconds: float, frames: list[Any]) -> Held:
    """The clip as a camera, results counted."""
    import av
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

    class Camera(VideoStreamTrack):
        number = 0

        async def recv(self) -> av.VideoFrame:
            await asyncio.sleep(1 / RATE - 1 / 30)  # next_timestamp waits for 1/30 s
            pts, base = await self.next_timestamp()
            frame = av.VideoFrame.from_ndarray(frames[self.number % len(frames)], format="rgb24")
            self.number += 1
            frame.pts, frame.time_base = pts, base
            return frame

    held, peer = Held(), RTCPeerConnection(RTCConfiguration(iceServers=[]))
    channel = peer.createDataChannel("control")
    arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    peer.on("track", arrived.set_result)

    @channel.on("message")
    def message(text: str) -> None:
        said = json.loads(text)
        if said["type"] == "error":
            held.errors.append(said["detail"])
        else:
            held.stats = said

    async def receive() -> None:
        track = await arrived
        while True:
            await track.recv()
            held.frames += 1

    try:
        peer.addTrack(Camera())
        await peer.setLocalDescription(await peer.createOffer())
        local = {"sdp": peer.localDescription.sdp, "type": "offer", "options": {"background": "blur"}}
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.post(f"{server.url}/api/webrtc", json=local)
        if answer.status_code != 200:
            return Held(errors=[answer.text[:300]])
        given = answer.json()
        await peer.setRemoteDescription(RTCSessionDescription(given["sdp"], given["type"]))
        await _for(seconds, held, receive())
    finally:
        await peer.close()
    return held


async def _for(seconds: float, held: Held, *work: Coroutine[Any, Any, None]) -> None:
    """Run all for so long; one that ends before is an error."""
    tasks = [asyncio.ensure_future(one) for one in work]
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    held.errors += [repr(task.exception()) for task in done]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def quantiles(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and largest."""
    if not values:
        return {}
    median, high, top = np.percentile(values, [50, 95, 100])
    return {"p50": round(float(median), 3), "p95": round(float(high), 3), "max": round(float(top), 3)}


async def measure(server: Server, count: int, held: int, seconds: float, ways: list[str]) -> dict[str, Any]:
    """All of it."""
    watching = asyncio.ensure_future(server.watch())
    idle = server.memory_mb()
    results: dict[str, Any] = {"idle_mb": idle}
    if count:
        results["pictures"] = await pictures(server, count, clip())
    for way in ways:
        results[way] = await viewers(server, held, seconds, {"webrtc": by_webrtc, "websocket": by_websocket}[way])
        await asyncio.sleep(1)
    watching.cancel()
    results["after_mb"] = server.memory_mb()
    return results


def failures(results: dict[str, Any]) -> list[str]:
    """What went wrong."""
    parts = {name: part for name, part in results.items() if isinstance(part, dict)}
    found = [f"{name}: {error}" for name, part in parts.items() for error in part["errors"]]
    grown = [(name, part["growth_mb"]) for name, part in parts.items() if part.get("growth_mb", 0) > GROWTH_MB]
    return found + [f"{name}: memory grew by {mb:.0f} MB in the second half" for name, mb in grown]


def run(count: int, held: int, seconds: float, ways: list[str]) -> dict[str, Any]:
    """Start a server, load it, stop it; the results, with the code it ended with."""
    with tempfile.TemporaryDirectory() as folder:
        process, url = start(Path(folder), "--viewers", str(max(1, held)), "--requests", str(max(1, count)))
        try:
            results = asyncio.run(measure(Server(url, process.pid), count, held, seconds, ways))
        finally:
            process.terminate()
            code = process.wait(30)
        log = (Path(folder) / "log").read_text()
    results["exit"] = code
    results["log"] = [line for line in log.splitlines() if "Traceback" in line or "ERROR" in line]
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--viewers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--ways", nargs="*", default=["webrtc", "websocket"], choices=["webrtc", "websocket"])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    results = run(args.pictures, args.viewers, args.seconds, args.ways)
    print(json.dumps(results, indent=1))
    if args.json:
        save({**about_run(), "results": results}, args.json)
    wrong = failures(results) + results["log"]
    print("\n".join(wrong) if wrong else "no error, memory bounded")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
