"""The tables of docs/page.md: the network in the browser, the page, and the server, from docs/bench/live.json."""

from pathlib import Path

from bench_tables import filled, read, table, where

PEER = "MediaPipe selfie"


def live(root: Path) -> str:
    """Frames a second by network size and threads; the page with a camera; the server's latency."""
    run = read(root, "live")
    about = (
        f"{where(run)}; Chromium {run['chromium']}, WebAssembly; medians of {run['rounds']} alternating rounds of "
        f"{run['frames']} frames (`bench/live.py`):"
    )
    return f"{filled(about)}\n{_networks(run)}\n{filled(_page(run))}\n{_pages(run)}\n{filled(_server(run))}"


def _networks(run: dict) -> str:
    threads = list(run["network"])
    head = ["network alone"]
    for count in threads:
        head += [f"ms, {_threads(count)}", "frames/s", "× as long as the peer"]
    rows = []
    for name in run["network"][threads[0]]:
        row = [name if name == PEER else f"koutu-small {name}"]
        for count in threads:
            found = run["network"][count][name]
            times = f"{found['times_peer']:.2f}" if "times_peer" in found else "–"
            row += [f"{found['ms']:.1f}", f"{found['fps']:.1f}", times]
        rows.append(row)
    return table(head, rows)


def _page(run: dict) -> str:
    return (
        "The whole page with a camera of 640×360 (reading, network, alpha at full size, colours, drawing; WebGL by the "
        f"processor), and the same with the network on the server, over {run['seconds']:g} seconds each; latency is "
        "from a frame's capture to its showing, by WebRTC as far as the browser tells:"
    )


def _pages(run: dict) -> str:
    rows = [[f"in the browser, {size}", *_row(found)] for size, found in run["page"].items()]
    rows += [[f"on the server, {way}", *_row(found)] for way, found in run["page on server"].items()]
    return table(["page", "frames/s", "latency ms", "share of all cores"], rows)


def _row(found: dict) -> list[str]:
    return [f"{found['fps']:.1f}", f"{found['latency']:.0f}", f"{100 * found['cpu_share']:.0f} %"]


def _server(run: dict) -> str:
    found = run["server"]
    return (
        f"The server alone, WebSocket, JPEG 640×360 to JPEG composite by koutu-small, one frame on its way at a time: "
        f"median {found['p50']:.0f} ms, 95th percentile {found['p95']:.0f} ms, 99th {found['p99']:.0f} ms, "
        f"{found['fps']:.1f} frames a second, {100 * found['cpu_share']:.0f} % of all cores."
    )


def _threads(count: str) -> str:
    return "1 thread" if count == "1" else f"{count} threads"
