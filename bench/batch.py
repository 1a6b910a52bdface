"""Many small clips and pictures by `koutu batch`, undisturbed and with random kills: the same results, byte for byte?

    python bench/batch.py [--items 200] [--kills 40] [--every 6] [--seed 0] [--from FOLDER] [--cluster] [--rounds 5]

Clips of 4 to 12 frames and pictures are cut from the packaged sample, or the videos of a folder, one of them longer
and made in segments, and one file is none. One command makes them undisturbed. Then SIGKILL meets a worker or the
command at random moments, and what was killed is started again, until all is done; every file must be as in the first
run, and nothing may lie beside them. --cluster does the same on two machines of Ray on loopback, of which one dies now
and then and another joins. --rounds times one worker against two in alternation: efficiency is the median time of one
over twice that of two. The load average is told, since other work on the machine takes from both.
"""

import argparse
import contextlib
import hashlib
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import av
from PIL import Image

from koutu.color import to_rgb
from koutu.media.reader import open_video
from koutu.zoo import SAMPLE

STATE, WORKER = ".koutu-batch", "koutu.batch.worker"
SIZES = ((160, 90), (192, 108), (128, 128), (90, 160))
OPTIONS = ["--model", "koutu-small", "--preset", "ultrafast", "-b", "white", "--segment", "2"]


def frames_of(folder: Path | None) -> list[Image.Image]:
    """Small frames to cut clips from, 60 of each video."""
    videos = [SAMPLE / "talk.mp4"] if folder is None else sorted(p for p in folder.rglob("*") if p.suffix == ".mp4")
    found: list[Image.Image] = []
    for path in videos:
        with open_video(path) as video:
            for _, frame in zip(range(60), video, strict=False):
                picture = Image.fromarray(to_rgb(frame.picture))
                picture.thumbnail((320, 320))
                found.append(picture)
    return found


def make_sources(folder: Path, items: int, frames: list[Image.Image], chance: random.Random) -> None:
    """So many clips and pictures, mixed, and one file that is none."""
    for number in range(items - 1):
        place = folder / f"{number % 7}"
        place.mkdir(parents=True, exist_ok=True)
        size, first = chance.choice(SIZES), chance.randrange(len(frames))
        if number % 4 == 3:
            frames[first].resize(size).save(place / f"{number:03d}.{chance.choice(('jpg', 'png', 'webp'))}")
            continue
        count = 60 if number == 0 else chance.randint(4, 12)
        path = place / f"{number:03d}.{chance.choice(('mp4', 'mkv', 'mov'))}"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("libx264", 10, options={"preset": "ultrafast", "g": "10", "sc_threshold": "0"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for at in range(first, first + count):
                out.mux(stream.encode(av.VideoFrame.from_image(frames[at % len(frames)].resize(size))))
            out.mux(stream.encode(None))
    (folder / "none.mp4").write_bytes(b"no video")


def command(sources: Path, target: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "koutu", "batch", str(sources), "-o", str(target), *OPTIONS, *more]


def hashes(target: Path) -> dict[str, str]:
    """Of all results, and of what should not lie beside them."""
    files = (path for path in sorted(target.rglob("*")) if path.is_file())
    found = {path.relative_to(target).as_posix(): path for path in files}
    kept = {name: path for name, path in found.items() if name not in (f"{STATE}/record.sqlite", f"{STATE}/lock")}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in kept.items()}


def left(target: Path) -> int:
    """Items that are not done and have not failed."""
    asked = [sys.executable, "-m", "koutu", "batch", "-o", str(target), "--status"]
    told = re.search(r"(\d+) left", subprocess.run(asked, capture_output=True, text=True).stdout)
    return int(told[1]) if told else 1


def workers() -> list[int]:
    """Numbers of the processes that work, of this batch as long as no other runs on the machine."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if WORKER in (place / "cmdline").read_text():
                found.append(int(place.name))
    return found


class Disturbances:
    """What is done to a batch: kills so far, by kind."""

    def __init__(self, chance: random.Random, most: int, every: float, machines: Any):
        self.chance, self.left, self.every, self.machines = chance, most, every, machines
        self.count = {"worker": 0, "command": 0, "machine": 0}

    def happen(self, driver: "subprocess.Popen[bytes]") -> None:
        """One of them."""
        kinds = ["worker", "worker", "command", *(["machine"] if self.machines else [])]
        kind = self.chance.choice(kinds)
        if kind == "command":
            driver.kill()
        elif kind == "machine":
            self.machines.replace()
        elif found := workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(found), signal.SIGKILL)
        self.count[kind] += 1
        self.left -= 1


def disturbed(sources: Path, target: Path, more: list[str], disturbances: Disturbances) -> int:
    """Make all, through kills; how many times the command was started."""
    starts = 0
    while not starts or left(target):
        starts += 1
        driver = subprocess.Popen(command(sources, target, *more), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while driver.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                driver.wait(disturbances.chance.expovariate(1 / disturbances.every) if disturbances.left > 0 else None)
            if driver.poll() is None:
                disturbances.happen(driver)
        driver.wait()
    return starts


class Machines:
    """A cluster of two on loopback, whose second machine can be replaced."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

        self._numbers = cycle(range(3, 250))
        self._cluster = Cluster(initialize_head=True, head_node_args={**self._machine(2), "include_dashboard": False})
        self._second = self._cluster.add_node(**self._machine(next(self._numbers)))
        self.address = self._cluster.address

    def replace(self) -> None:
        """It dies, and another joins."""
        self._cluster.remove_node(self._second, allow_graceful=False)
        self._second = self._cluster.add_node(**self._machine(next(self._numbers)))

    def close(self) -> None:
        self._cluster.shutdown()

    @staticmethod
    def _machine(number: int) -> dict[str, Any]:
        return {
            "node_ip_address": f"127.0.0.{number}", "num_cpus": 1, "memory": 2**31, "object_store_memory": 80 * 2**20,
        }  # fmt: skip


@contextmanager
def cluster(wanted: bool) -> Iterator[Machines | None]:
    machines = Machines() if wanted else None
    try:
        yield machines
    finally:
        if machines is not None:
            machines.close()


def trial(sources: Path, folder: Path, args: argparse.Namespace) -> bool:
    """Whether kills changed nothing."""
    subprocess.run(command(sources, folder / "first", "--workers", "2"), capture_output=True)
    expected = hashes(folder / "first")
    with cluster(args.cluster) as machines:
        more = ["--workers", "2", *(["--ray", machines.address] if machines else [])]
        disturbances = Disturbances(random.Random(args.seed), args.kills, args.every, machines)
        began = time.monotonic()
        starts = disturbed(sources, folder / "second", more, disturbances)
    found = hashes(folder / "second")
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    said = ", ".join(f"{count} of the {kind}" for kind, count in disturbances.count.items() if count)
    print(f"{len(expected)} results; SIGKILL: {said}; {starts} starts, {time.monotonic() - began:.0f} s")
    print(f"other than undisturbed: {', '.join(names) or 'none'}")
    return not names


def efficiency(sources: Path, folder: Path, rounds: int) -> None:
    """Of two workers against one."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for number in range(rounds):
        for count in (1, 2) if number % 2 == 0 else (2, 1):
            target = folder / f"timed-{number}-{count}"
            done = subprocess.run(command(sources, target, "--workers", str(count)), capture_output=True, text=True)
            told = re.search(r"items in ([\d.]+) s", done.stderr)
            assert told, done.stderr
            seconds[count].append(float(told[1]))
            print(f"{count} workers: {told[1]} s, load {os.getloadavg()[0]:.1f}", flush=True)
    one, two = (statistics.median(seconds[count]) for count in (1, 2))
    print(f"medians {one:.1f} and {two:.1f} s: efficiency {one / (2 * two):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--every", type=float, default=6, help="seconds from one kill to the next, in the mean")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from", dest="folder", type=Path)
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--rounds", type=int, default=0)
    args = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} at the beginning, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as place:
        folder, sources = Path(place), Path(place) / "in"
        make_sources(sources, args.items, frames_of(args.folder), random.Random(args.seed))
        same = trial(sources, folder, args) if args.kills else True
        if args.rounds:
            efficiency(sources, folder, args.rounds)
    sys.exit(not same)


if __name__ == "__main__":
    main()
