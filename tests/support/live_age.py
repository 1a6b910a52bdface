"""How old a live picture is when somebody sees it: pictures that carry their number, a sender, a viewer, a busy core.

Sender and viewer stand for other machines: begun before `busy_core`, they run on all cores; what is measured runs on
one, beside a busy neighbour.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from statistics import median
from threading import Thread
from time import monotonic

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from koutu.types import Yuv420
from support.ports import free_port
from support.waiting import until

BITS, BLOCK = 10, 8  # of a number, and pixels of a bit's square
_BEGINNING = 8  # pictures that no age is taken of: what waited while it was connected
_SEND = """
import av, sys, time
path, url = sys.argv[1:]
with av.open(path) as file:
    stream = file.streams.video[0]
    packets = [packet for packet in file.demux(stream) if packet.size]
    with av.open(url, "w", format="mpegts", options={"flush_packets": "1"}, buffer_size=4096) as out:
        target = out.add_stream_from_template(stream)
        out.start_encoding()
        began = time.monotonic()
        print(began, flush=True)
        for packet in packets:
            time.sleep(max(0, began + float(packet.dts * packet.time_base) - time.monotonic()))
            packet.stream = target
            out.mux(packet)
"""


def write_numbered(path: Path, pictures: Iterable[Yuv420], rate: int) -> Path:
    """The pictures as H.264 of single frames, each with its number in squares at its top left."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "tune": "zerolatency", "g": "10"})
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            if not number:
                stream.height, stream.width = picture.size
            y = picture.y.copy()
            for bit in range(BITS):
                y[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 230 if number >> bit & 1 else 20
            planes = np.concatenate([y.ravel(), picture.u.ravel(), picture.v.ravel()])
            frame = av.VideoFrame.from_ndarray(planes.reshape(-1, y.shape[1]), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def number_of(y: NDArray[np.uint8]) -> int:
    """The number that a picture carries."""
    squares = y[:BLOCK, : BITS * BLOCK].reshape(BLOCK, BITS, BLOCK).mean((0, 2))
    return sum(1 << bit for bit in range(BITS) if squares[bit] > 128)


class Sender:
    """Sends a file's pictures in real time, from a process of its own, to the first who connects."""

    def __init__(self, path: Path):
        port = free_port()
        self.url = f"tcp://127.0.0.1:{port}"
        command = [sys.executable, "-c", _SEND, path, f"{self.url}?listen=1"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        until(lambda: is_heard(port) or self._process.poll() is not None)

    def began(self) -> float:
        """When the first picture was sent, by this machine's clock."""
        assert self._process.stdout
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


class Viewer(Thread):
    """Takes what one connection sends, and notes when each number is seen."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, int]] = []
        port = free_port()
        self.url = f"tcp://127.0.0.1:{port}"
        self.start()
        until(lambda: is_heard(port))

    def run(self) -> None:
        """In the thread."""
        options = {"fflags": "nobuffer", "probesize": "5000", "analyzeduration": "0"}
        with (
            suppress(FFmpegError),
            av.open(f"{self.url}?listen=1", format="mpegts", options=options, timeout=60) as file,
        ):
            stream = file.streams.video[0]
            stream.thread_type = "NONE"
            for frame in file.decode(stream):
                self.seen.append((monotonic(), number_of(np.asarray(frame.to_ndarray(format="gray"), np.uint8))))

    def ages(self, began: float, rate: int) -> list[float]:
        """Seconds from a picture's sending to its being seen, but of the first few."""
        return [at - began - number / rate for at, number in self.seen[_BEGINNING:]]


def is_heard(port: int) -> bool:
    """Whether somebody listens there, without a connection."""
    return f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


@contextmanager
def busy_core() -> Iterator[None]:
    """This thread and all that it begins, on one core, which another process keeps busy."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        neighbour.kill()
        neighbour.wait()
        os.sched_setaffinity(0, before)


def growth(ages: list[float]) -> float:
    """Seconds by which the later half is older than the earlier, in the middle."""
    half = len(ages) // 2
    return median(ages[half:]) - median(ages[:half])
