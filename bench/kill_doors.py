"""The ways to use koutu that bench/killed.py kills: what each is given, what it must have made, and what is whole."""

import contextlib
import hashlib
import importlib
import os
import shutil
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

import koutu
from koutu.zoo import SAMPLE

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.people import make_packs

PATIENCE = 1800  # seconds, of a machine that does much else
FRAMES, SIZE = 30, (180, 320)  # of the clip that is given


class Started:
    """`koutu` with these words, in a copy of this process, a process group of its own: it has no start to wait for."""

    def __init__(self, words: list[str], log: Path):
        self.status: int | None = None
        self.pid = os.fork()
        if not self.pid:
            _run(words, log)

    def wait(self, seconds: float) -> int | None:
        """Its exit status (negative: the signal's), None if it still runs after so long."""
        until = time.monotonic() + seconds
        while self.status is None and time.monotonic() < until:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        return self.status

    def kill(self) -> None:
        """At once, with all that it started in its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait(PATIENCE)


def _run(words: list[str], log: Path) -> None:
    """Never returns."""
    code = 1
    try:
        os.setsid()
        for target, name in ((0, os.devnull), (1, os.devnull), (2, str(log))):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), target)
        sys.argv = ["koutu", *words]
        from koutu.cli import main

        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        os._exit(code)


class Door:
    """One way to use koutu, in a folder of its own; its results lie in `out`. needs: what is imported beforehand."""

    needs: tuple[str, ...] = "onnxruntime", "cv2", "koutu.cli", "koutu.pipeline.convert"

    def __init__(self, folder: Path, model: str):
        self.folder, self.out, self.model, self.log = folder, folder / "out", model, folder / "log"
        self.expected: dict[str, str] = {}
        for name in self.needs:
            importlib.import_module(name)

    def words(self) -> list[str]:
        """What is typed after `koutu`."""
        raise NotImplementedError

    def digest(self, path: Path) -> str:
        """Stands for what is in a result; any exception says that it is not whole."""
        raise NotImplementedError

    def clear(self) -> None:
        """No results."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)

    def whole(self) -> float:
        """Run to the end, undisturbed, for what is expected of all others; how long it took, seconds."""
        self.clear()
        seconds = self.finished()
        self.expected = {path.name: self.digest(path) for path in self.out.iterdir()}
        return seconds

    def finished(self) -> float:
        """Run to the end; seconds."""
        began, process = time.monotonic(), Started(self.words(), self.log)
        if process.wait(PATIENCE) != 0:
            process.kill()
            raise RuntimeError(f"koutu {' '.join(self.words())}: {process.status}, {self.log.read_text()}")
        return time.monotonic() - began

    def tried(self, moments: list[float]) -> str:
        """Killed after so many seconds, each time begun again, and at last run to its end: what was wrong."""
        self.clear()
        for moment in moments:
            process = Started(self.words(), self.log)
            process.wait(moment)
            process.kill()
            fault = self.fault(complete=False)
            if fault:
                return f"after the kill: {fault}"
        self.finished()
        fault = self.fault(complete=True)
        return f"after the next start: {fault}" if fault else ""

    def fault(self, *, complete: bool) -> str:
        """complete: all must be there and nothing else."""
        there = {path.name for path in self.out.iterdir()}
        if complete and there != set(self.expected):
            return f"there are {sorted(there)}, expected {sorted(self.expected)}"
        for name in there & set(self.expected):
            try:
                found = self.digest(self.out / name)
            except Exception as error:
                return f"{name} is not whole: {error}"
            if found != self.expected[name]:
                return f"{name} is not what an undisturbed run makes"
        return ""

    def clip(self) -> Path:
        """The first frames of the sample, small."""
        path = self.folder / "talk.mp4"
        if not path.exists():
            with av.open(str(path), "w") as out, koutu.open_video(SAMPLE / "talk.mp4") as reader:
                stream: Any = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
                stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
                for frame, _ in zip(reader, range(FRAMES), strict=False):
                    picture = av.VideoFrame.from_ndarray(koutu.to_rgb(frame.picture), "rgb24")
                    out.mux(stream.encode(picture.reformat(SIZE[1], SIZE[0], "yuv420p")))
                out.mux(stream.encode(None))
        return path


class Video(Door):
    """`koutu video` with two outputs."""

    def words(self) -> list[str]:
        paths = "-o", str(self.out / "out.mp4"), "--alpha", str(self.out / "alpha.mkv")
        return ["video", str(self.clip()), *paths, "--model", self.model, "--preset", "ultrafast"]

    def digest(self, path: Path) -> str:
        seen = hashlib.sha256()
        with koutu.open_video(path) as reader:
            count = 0
            for count, frame in enumerate(reader, 1):  # noqa: B007
                seen.update(koutu.to_rgb(frame.picture).tobytes())
        if count != FRAMES or reader.lost:
            raise ValueError(f"{count} frames of {FRAMES}; {reader.lost}")
        return seen.hexdigest()


class Offline(Video):
    """`koutu video --offline`, which keeps what is done beside the result and goes on with it."""

    needs = (*Video.needs, "pymatting")

    def words(self) -> list[str]:
        return [*super().words(), "--offline"]


class Pictures(Door):
    """`koutu image` of a folder."""

    def words(self) -> list[str]:
        given = self.folder / "in"
        if not given.exists():
            given.mkdir()
            with koutu.open_video(self.clip()) as reader:
                for index, frame in zip(range(12), reader, strict=False):
                    Image.fromarray(koutu.to_rgb(frame.picture)).save(given / f"{index}.jpg")
        return ["image", str(given), "-o", str(self.out), "--format", "png", "--model", self.model]

    def digest(self, path: Path) -> str:
        with Image.open(path) as image:
            return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()


class Train(Door):
    """`koutu train`, which goes on where it was, to the bit."""

    needs = "torch", "lightning_fabric", "koutu.cli", "koutu.train.engine"

    def words(self) -> list[str]:
        recipe = self.folder / "recipe.yaml"
        if not recipe.exists():
            people, places = make_packs(self.folder)
            recipe.write_text(
                f"network: igf\npeople: {people}\nbackgrounds: {places}\noptions: {{channels: [4, 8, 8, 16]}}\n"
                "workers: 0\nthreads: 1\nheld_out: 4\nvalidation_clips: 1\nvalidation_size: 32\nsave_minutes: 0\n"
                "stages: [{steps: 16, objective: igf, batch: 1, sizes: [[1.0, 32]], options: {critic_channels: 4}}]\n"
            )
        return ["train", str(recipe), "-o", str(self.out), "--accelerator", "cpu"]

    def digest(self, path: Path) -> str:
        import torch

        if path.suffix == ".jsonl":
            return hashlib.sha256(path.read_bytes()).hexdigest()
        if path.suffix != ".pt":
            return ""  # TensorBoard's folder, a view of the journal
        seen = hashlib.sha256()
        _see(torch.load(path, weights_only=True), seen)
        return seen.hexdigest()

    def fault(self, *, complete: bool) -> str:
        """What grows on the way, the last checkpoint and the journal, only has to be readable before the end."""
        if complete:
            return super().fault(complete=True)
        for path in self.out.glob("*.pt"):
            try:
                self.digest(path)
            except Exception as error:
                return f"{path.name} is not whole: {error}"
        return ""


def _see(held: Any, seen: Any) -> None:
    """Feed a checkpoint's numbers to a hash, in the order of their names."""
    if isinstance(held, dict):
        for name in sorted(held, key=str):
            if name != "journal":  # bytes of a file that is compared by itself
                _see(held[name], seen)
    elif isinstance(held, list | tuple):
        for one in held:
            _see(one, seen)
    elif hasattr(held, "numpy"):
        seen.update(held.float().numpy().tobytes())
    else:
        seen.update(repr(held).encode())


class Serve(Door):
    """`koutu serve` with a video in hand: finished work is there again, other work is gone without a trace."""

    def words(self) -> list[str]:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        return ["serve", "--port", str(self.port), "--jobs-folder", str(self.out), "--model", self.model]

    def whole(self) -> float:
        """A server from its start to a finished video."""
        self.clear()
        began, server = time.monotonic(), Started(self.words(), self.log)
        self._send(began + PATIENCE)
        while "result" not in self._kept().values():
            time.sleep(0.05)
        server.kill()
        return time.monotonic() - began

    def tried(self, moments: list[float]) -> str:
        self.clear()
        finished = set[str]()
        for moment in moments:
            began, server = time.monotonic(), Started(self.words(), self.log)
            with contextlib.suppress(OSError):
                self._send(began + moment)
            server.wait(began + moment - time.monotonic())
            server.kill()
            finished |= {name for name, kind in self._kept().items() if kind == "result"}
        server = Started(self.words(), self.log)
        self._wait(time.monotonic() + PATIENCE)
        time.sleep(0.2)  # what the killed one had begun is at its end by now
        after = self._kept()
        server.kill()
        if set(after) != finished or "" in after.values():
            return f"after the next start: {after}, finished were {sorted(finished)}"
        others = {path.name for path in self.out.iterdir()} - finished - {".lock"}
        return f"after the next start: {sorted(others)}" if others else ""

    def _kept(self) -> dict[str, str]:
        """The folders of jobs, and whether each holds a whole result that was told to be finished."""
        kept = {}
        for folder in self.out.iterdir():
            if folder.is_dir():
                card, result = folder / "job.json", folder / "result.mp4"
                done = card.exists() and '"done"' in card.read_text() and result.exists()
                kept[folder.name] = "result" if done and Video.digest(self, result) else ""  # type: ignore[arg-type]
        return kept

    def _wait(self, until: float) -> None:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5).close()
                return
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def _send(self, until: float) -> None:
        self._wait(until)
        where = f"http://127.0.0.1:{self.port}/api/video?background=dusk"
        request = urllib.request.Request(where, self.clip().read_bytes(), {"Content-Type": "video/mp4"})
        urllib.request.urlopen(request, timeout=60).close()
