"""The page's frames a second in this machine's Chromium by network size, and the server's latency and CPU share.

python bench/live.py [--peer selfie_segmentation.onnx] [--rounds 5] [--frames 30] [--seconds 10] [--json live.json]

Three things, each against a server started for it: the network alone in a worker, all sizes and the peer (MediaPipe's
selfie segmentation as ONNX) in turn, every second round backwards, so that what else runs here meets all alike; the
whole page with a camera of 640×360 at each size; and a client of the WebSocket that sends the next frame when the last
one's result has come. WebGL is drawn by the processor too (SwiftShader), which makes the page's figures the worst case:
a machine without a graphics card. `python tools/make_tables.py` writes the table in docs/page.md.
"""

import argparse
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.browser import CHROMIUM, Page, Server, chromium, write_camera

from koutu import machine
from koutu.bench.run import about_run, save
from koutu.color import to_rgb

SIZES = ((256, 144), (320, 176), (384, 216), (448, 256), (512, 288))
SCRIPT = Path(__file__).with_suffix(".js")
PEER = "MediaPipe selfie"
CAMERA_FRAMES = 30
WARM = 10  # frames before the clock runs
_WORK = """async (order) => {
    const worker = new Worker("/web/bench-live.js", { type: "module" });
    const answer = await new Promise((resolve) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage(order);
    });
    worker.terminate();
    if (answer.error) throw new Error(answer.error);
    return answer.times;
}"""


def networks(browser: Any, server: Server, args: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a frame of each size and of the peer, by threads."""
    url = server.url + "models/koutu-small.onnx"
    jobs = [{"name": f"{w}×{h}", "url": url, "kind": "koutu", "width": w, "height": h} for w, h in SIZES]
    if args.peer:
        jobs.append({"name": PEER, "url": server.url + "web/peer.onnx", "kind": "selfie", "width": 256, "height": 256})
    found: dict[str, Any] = {}
    for threads in sorted({1, machine.cores()}):
        with Page(browser, server.url, "?engine=server") as page:
            page.page.route("**/web/bench-live.js", lambda route: fulfil(route, SCRIPT, "text/javascript"))
            page.page.route("**/web/peer.onnx", lambda route: fulfil(route, args.peer, "application/octet-stream"))
            order = {"vendor": server.url + "web/vendor/ort/", "threads": threads, "jobs": jobs}
            times = page.page.evaluate(_WORK, order | {"count": args.rounds, "frames": args.frames})
        found[str(threads)] = {name: figures(rows, times.get(PEER)) for name, rows in times.items()}
        for name, row in found[str(threads)].items():
            print(f"{threads} threads, {name}: {row['ms']:.1f} ms, {row['fps']:.1f} frames/s", flush=True)
    return found


def figures(rounds: list[list[float]], reference: list[list[float]] | None) -> dict[str, Any]:
    """Of the rounds' medians the median; and how many times the peer's, round by round."""
    medians = [statistics.median(row) for row in rounds]
    ms = statistics.median(medians)
    p95 = float(np.percentile([ms for row in rounds for ms in row], 95))
    result: dict[str, Any] = {"ms": ms, "fps": 1000 / ms, "p95": p95, "rounds": rounds}
    if reference:
        peers = [statistics.median(row) for row in reference]
        result["times_peer"] = statistics.median(own / peer for own, peer in zip(medians, peers, strict=True))
    return result


def fulfil(route: Any, path: Path, kind: str) -> None:
    headers = {"Content-Type": kind, "Cross-Origin-Embedder-Policy": "require-corp"}
    route.fulfill(body=path.read_bytes(), headers=headers | {"Cross-Origin-Resource-Policy": "same-origin"})


def pages(browser: Any, server: Server, seconds: float) -> dict[str, Any]:
    """Frames a second, latency and share of this machine's cores of the page with a camera, at each size."""
    found = {}
    for width, height in SIZES:
        query = f"?engine=browser&size={width}x{height}&background=dusk"
        found[f"{width}×{height}"] = row = watched(browser, server, query, "browser", seconds)
        print(f"page, {width}×{height}: {row}", flush=True)
    return found


def watched(browser: Any, server: Server, query: str, state: str, seconds: float) -> dict[str, float]:
    """What the page's own meter says in the end, and the CPU that Chromium took meanwhile."""
    with Page(browser, server.url, query) as page:
        page.page.click("#start-camera")
        page.ready(state)
        page.matted()
        page.page.wait_for_timeout(3000)
        before, began = cpu_seconds("chrom"), time.perf_counter()
        readings = []
        while time.perf_counter() - began < seconds:
            page.page.wait_for_timeout(1000)
            readings.append(page.page.evaluate("koutu.session.meter.figures"))
        share = (cpu_seconds("chrom") - before) / (time.perf_counter() - began) / machine.cores()
        assert not page.errors, page.errors
    readings = [reading for reading in readings if reading]
    middle = {name: statistics.median(reading[name] for reading in readings) for name in ("fps", "latency", "work")}
    return {**middle, "cpu_share": share}


def cpu_seconds(name: str) -> float:
    """CPU time so far of all processes called so."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue  # ended meanwhile
        if name in head:
            fields = rest.split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / 100


def socket_latency(server: Server, frames: list[Any], seconds: float) -> dict[str, float]:
    """Milliseconds from a frame's sending to its result's arrival, one frame on its way at a time."""
    from websockets.sync.client import connect

    jpegs = []
    for picture in frames:
        file = io.BytesIO()
        Image.fromarray(to_rgb(picture)).save(file, "JPEG", quality=85)
        jpegs.append(file.getvalue())
    with connect(server.url.replace("http", "ws") + "api/stream", max_size=None) as socket:
        socket.send('{"background": "dusk"}')

        def turn(i: int) -> float:
            number = i.to_bytes(8, "big")
            sent = time.perf_counter()
            socket.send(number + jpegs[i % len(jpegs)])
            while not isinstance(answer := socket.recv(), bytes) or answer[:8] != number:
                continue
            return 1000 * (time.perf_counter() - sent)

        for i in range(WARM):
            turn(i)
        times: list[float] = []
        before, began = server.cpu_seconds(), time.perf_counter()
        while not times or time.perf_counter() - began < seconds:
            times.append(turn(WARM + len(times)))
        share = (server.cpu_seconds() - before) / (time.perf_counter() - began) / machine.cores()
    p50, p95, p99 = np.percentile(times, [50, 95, 99]).tolist()
    return {"p50": p50, "p95": p95, "p99": p99, "fps": 1000 / statistics.mean(times), "cpu_share": share}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="MediaPipe's selfie segmentation as ONNX")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=30, help="of each network in a round")
    parser.add_argument("--seconds", type=float, default=10, help="of the page and of the server")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if not CHROMIUM:
        sys.exit("expected Chromium, found none; apt-get install chromium")
    result: dict[str, Any] = about_run() | {"rounds": args.rounds, "frames": args.frames, "seconds": args.seconds}
    with tempfile.TemporaryDirectory() as folder:
        frames = write_camera(Path(folder) / "camera.y4m", CAMERA_FRAMES)
        server = Server(model="koutu-small")
        try:
            result["server"] = socket_latency(server, frames, args.seconds)
            print("server, WebSocket:", result["server"], flush=True)
            with chromium(camera=Path(folder) / "camera.y4m") as browser:
                result["chromium"] = browser.version
                result["network"] = networks(browser, server, args)
                result["page"] = pages(browser, server, args.seconds)
                query = "?engine=server&background=transparent"
                result["page on server"] = {"WebSocket": watched(browser, server, query, "server", args.seconds)}
                query = "?engine=server&background=dusk"
                result["page on server"]["WebRTC"] = watched(browser, server, query, "server", args.seconds)
                print("page on the server:", result["page on server"], flush=True)
        finally:
            server.stop()
    result["load_after"] = machine.load_average()
    if args.json:
        save(result, args.json)


if __name__ == "__main__":
    main()
