"""koutu killed at random moments (SIGKILL, its whole process group), and started once more.

    python bench/killed.py --count 25 [--first 0] [--doors video image serve] [--model koutu-small]

Each number is the seed of a moment between a door's start and its end. A kill is survived when every file under its
final name is whole at once, and the next start gives all results and leaves nothing beside them. Training is killed by
tests/train/test_engine.py.
"""

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import koutu
from koutu.zoo import SAMPLE

KOUTU = [sys.executable, "-m", "koutu"]
PATIENCE = 1800  # seconds, of a machine that does much else


def begun(command: list[str]) -> Any:
    """The command in a process group of its own."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)


def kill(process: Any) -> None:
    """At once, with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Door:
    """One way to use koutu, in a folder of its own. broken: what is wrong there, "" for nothing."""

    names: frozenset[str] = frozenset()

    def __init__(self, folder: Path, model: str):
        self.folder, self.out, self.model = folder, folder / "out", model

    def command(self) -> list[str]:
        raise NotImplementedError

    def clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def broken(self, *, complete: bool) -> str:
        """complete: all must be there and nothing else."""
        there = {path.name for path in self.out.iterdir()}
        if complete and there != self.names:
            return f"there are {sorted(there)}, expected {sorted(self.names)}"
        for name in there & self.names:
            try:
                self.read(self.out / name)
            except Exception as error:
                return f"{name} is not whole: {error}"
        return ""

    def read(self, path: Path) -> None:
        raise NotImplementedError

    def undisturbed(self) -> float:
        """Run to the end; seconds."""
        began = time.monotonic()
        if begun(self.command()).wait(PATIENCE):
            raise RuntimeError(f"{' '.join(self.command())} failed")
        return time.monotonic() - began

    def tried(self, moment: float) -> str:
        """Killed after so many seconds, then run again."""
        self.clear()
        process = begun(self.command())
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        kill(process)
        fault = self.broken(complete=False)
        if fault:
            return f"after the kill: {fault}"
        self.undisturbed()
        fault = self.broken(complete=True)
        return f"after the next start: {fault}" if fault else ""


class Video(Door):
    """`koutu video` with two outputs."""

    names = frozenset({"out.mp4", "alpha.mkv"})

    def command(self) -> list[str]:
        paths = "-o", str(self.out / "out.mp4"), "--alpha", str(self.out / "alpha.mkv")
        return [*KOUTU, "video", str(SAMPLE / "talk.mp4"), *paths, "--model", self.model, "--preset", "ultrafast"]

    def read(self, path: Path) -> None:
        with koutu.open_video(path) as reader, koutu.open_video(SAMPLE / "talk.mp4") as source:
            count, expected = sum(1 for _ in reader), sum(1 for _ in source)
        if count != expected:
            raise ValueError(f"{count} frames of {expected}")


class Pictures(Door):
    """`koutu image` of a folder."""

    names = frozenset(f"{index}.png" for index in range(8))

    def command(self) -> list[str]:
        given = self.folder / "in"
        if not given.exists():
            given.mkdir()
            with koutu.open_video(SAMPLE / "talk.mp4") as reader:
                for index, frame in zip(range(8), reader, strict=False):
                    Image.fromarray(koutu.to_rgb(frame.picture)).save(given / f"{index}.jpg")
        return [*KOUTU, "image", str(given), "-o", str(self.out), "--format", "png", "--model", self.model]

    def read(self, path: Path) -> None:
        with Image.open(path) as image:
            image.load()


class Serve(Door):
    """`koutu serve` with a video in hand: finished work is there again, other work is gone without a trace."""

    def command(self) -> list[str]:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        more = "--port", str(self.port), "--jobs-folder", str(self.out), "--model", self.model
        return [*KOUTU, "serve", *more]

    def undisturbed(self) -> float:
        """A server from its start to a finished video."""
        self.clear()
        began, server = time.monotonic(), begun(self.command())
        self._send()
        while "result" not in self._kept().values():
            time.sleep(0.1)
        kill(server)
        return time.monotonic() - began

    def tried(self, moment: float) -> str:
        self.clear()
        began, server = time.monotonic(), begun(self.command())
        with contextlib.suppress(OSError):
            self._send(until=began + moment)
        time.sleep(max(0.0, began + moment - time.monotonic()))
        kill(server)
        finished = {name for name, kind in self._kept().items() if kind == "result"}
        server = begun(self.command())
        self._wait()
        after = set(self._kept())
        kill(server)
        return "" if after == finished else f"after the next start: {sorted(after)}, finished were {sorted(finished)}"

    def _kept(self) -> dict[str, str]:
        """The folders of jobs, and whether each holds a result that was told to be finished."""
        kept = {}
        for folder in self.out.iterdir():
            if folder.is_dir():
                told = [path.read_text() for path in folder.glob("*.json")]
                kept[folder.name] = "result" if any('"finished"' in text or '"done"' in text for text in told) else ""
        return kept

    def _wait(self, until: float | None = None) -> None:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5).close()
                return
            except OSError:
                if until is not None and time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _send(self, until: float | None = None) -> None:
        self._wait(until)
        body = (SAMPLE / "talk.mp4").read_bytes()
        where = f"http://127.0.0.1:{self.port}/api/video?background=dusk"
        request = urllib.request.Request(where, body, {"Content-Type": "video/mp4"})
        urllib.request.urlopen(request, timeout=60).close()


DOORS: dict[str, Callable[[Path, str], Door]] = {"video": Video, "image": Pictures, "serve": Serve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=25, help="of each door")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--doors", nargs="+", choices=DOORS, default=list(DOORS))
    parser.add_argument("--model", default="koutu-small")
    given = parser.parse_args()
    faults = 0
    for name in given.doors:
        with tempfile.TemporaryDirectory() as folder:
            door = DOORS[name](Path(folder), given.model)
            door.clear()
            whole = door.undisturbed()
            for seed in range(given.first, given.first + given.count):
                moment = float(np.random.default_rng(seed).uniform(0, whole))
                fault = door.tried(moment)
                faults += bool(fault)
                print(f"{name} {seed}, killed after {moment:.1f} of {whole:.1f} s: {fault or 'right'}", flush=True)
    print(f"{given.count} kills of each of {', '.join(given.doors)}: {faults} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
