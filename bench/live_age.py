"""How old pictures of `koutu live` are for who sees them, on one core with a busy neighbour.

python bench/live_age.py [--seen 100] [--scheme rtmp] [--json docs/bench/live_age.json]

The packaged sample, 640×360 at 25 pictures a second, each with its number on it, is sent in real time over loopback
into koutu-small's live run, and from there to a viewer, a file and the page. Sender, viewer and the page's reader are
other processes and threads on all cores; the run is kept on one core, beside a program that does nothing but count. The
network works in full, but its alpha is put aside for a whole picture, so that the number stays legible. The viewer's
age is from a picture's arrival here, as the run stamps it, to its coming out of the decoder over there. RTMP needs
FFmpeg's command line, as sender.
"""

import argparse
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.live_age import Sender, Viewer, busy_core, number_of, on_all_cores, write_numbered
from support.ports import free_port

from koutu.bench.run import about_run, save
from koutu.engines.backend import Backend
from koutu.engines.wrapped import WrappedBackend
from koutu.live.controls import Desk, LiveSettings
from koutu.live.flow import Shown, Sound
from koutu.live.options import LiveOptions
from koutu.live.output_thread import Sink
from koutu.live.run import Live
from koutu.live.source_address import parse_source
from koutu.media.reader import open_video
from koutu.types import Yuv420
from koutu.zoo import SAMPLE, load

RATE = 25
LONGEST = 240.0  # seconds of a run


class Whole(WrappedBackend):
    """The network's work, and a whole picture as its answer."""

    def __call__(self, rgb: Any, state: Any, **hints: Any) -> Any:
        _, pha, state = self.inner(rgb, state, **hints)
        return None, np.ones_like(pha), state


class Noted(Sink):
    """Notes when the picture of each number was captured."""

    name = "noted"

    def __init__(self) -> None:
        self.captured: dict[int, float] = {}

    def show(self, shown: Shown, sounds: list[Sound]) -> None:
        """In its thread."""
        self.captured[number_of(shown.picture.y)] = shown.shot.captured

    def ages(self, seen: list[tuple[float, int]]) -> list[float]:
        """Seconds from capture to being seen, but of the first few; of pictures that came here too."""
        return [at - self.captured[number] for at, number in seen[8:] if number in self.captured]


class PageReader(Thread):
    """Reads the page's motion JPEG as a browser does, and notes when each number is seen."""

    def __init__(self, port: int, stop: Event):
        super().__init__(daemon=True)
        self.seen: list[tuple[float, int]] = []
        self._url, self._stop = f"http://127.0.0.1:{port}/stream", stop

    def run(self) -> None:
        """In the thread."""
        on_all_cores()
        while not self._stop.is_set():
            try:
                with urlopen(self._url, timeout=10) as stream:
                    self._read(stream)
            except OSError:
                sleep(0.05)

    def _read(self, stream: Any) -> None:
        data = b""
        while not self._stop.is_set() and (part := stream.read1(65536)):
            data += part
            while (end := data.find(b"\xff\xd9")) >= 0:
                begin = data.find(b"\xff\xd8")
                picture = cv2.imdecode(np.frombuffer(data[begin : end + 2], np.uint8), cv2.IMREAD_GRAYSCALE)
                self.seen.append((monotonic(), number_of(np.asarray(picture))))
                data = data[end + 2 :]


def sample(count: int) -> list[Yuv420]:
    """The packaged sample's pictures, to and fro, so that there is no cut."""
    with open_video(SAMPLE / "talk.mp4") as video:
        pictures = [frame.picture for frame in video]
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    return [there_and_back[i % len(there_and_back)] for i in range(count)]  # type: ignore[misc]


def measured(seen: int, scheme: str, folder: Path) -> dict[str, Any]:
    """One run."""
    path = write_numbered(folder / f"talk.{'ts' if scheme == 'tcp' else 'flv'}", sample(1000), RATE)
    sender, viewer, noted, stop = Sender(path, scheme), Viewer(scheme), Noted(), Event()
    port = free_port()
    page = PageReader(port, stop)

    def network(name: str, gate: bool | None) -> Backend:
        return Whole(load(name, threads=1, gate=gate))

    def tick(live: Live) -> None:
        if min(len(viewer.seen), len(page.seen)) >= seen:
            live.quit()

    page.start()
    with busy_core():
        desk = Desk(LiveSettings("#000000", "koutu-small"), network)
        outputs = [noted, viewer.url, f"page:{port}", str(folder / "out.mkv")]
        live = Live(parse_source(sender.url), outputs, desk, options=LiveOptions(seconds=LONGEST))
        report = live.run(tick)
    stop.set()
    sender.close()
    viewer.join(20)
    return {
        "stage_ms": report.stage_ms, "network": list(report.figures.network), "seconds": report.seconds,
        "viewer_ms": spread(noted.ages(viewer.seen)), "page_ms": spread(noted.ages(page.seen)),
        "told_ms": {outlet.sink.name.partition(":")[0]: outlet.record.ages_ms() for outlet in live.outlets},
        "shown": {outlet.sink.name.partition(":")[0]: outlet.record.shown for outlet in live.outlets},
    }  # fmt: skip


def spread(ages: list[float]) -> dict[str, float]:
    """Median, 95th percentile, and of the later half the median."""
    return {
        "median": 1e3 * median(ages), "p95": 1e3 * float(np.percentile(ages, 95)),
        "later": 1e3 * median(ages[len(ages) // 2 :]),
    }  # fmt: skip


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seen", type=int, default=100)
    parser.add_argument("--scheme", choices=("rtmp", "tcp"), default="rtmp")
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = about_run() | {"scheme": told.scheme} | measured(told.seen, told.scheme, Path(folder))
    print(found)
    if told.json:
        save(found, told.json)


if __name__ == "__main__":
    main()
