"""Media that is damaged at random, each file read by koutu in a process of its own with bounds on time and memory.

    python bench/mutated.py --count 200 [--first 0] [--folder DIR]
    python bench/mutated.py --one 137 --folder DIR        # that file again, kept, with what koutu says

A number is all there is to a file: it is the seed of which clip is taken and what is done to it. A run is right when
koutu ends by itself with what was asked for, whole, or with an error that it means to give, and then leaves nothing
behind. A crash, any other error, more than the bounds, files left open, an output that cannot be read or is shorter
than reported, or one beside an error is a fault. The process begins as a copy of this one: no file costs a start.
"""

import argparse
import contextlib
import gc
import importlib
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections import Counter
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

import numpy as np
from damage import clips, mutated
from numpy.typing import NDArray
from PIL import Image

import koutu
from koutu.live.controls import Desk, LiveSettings
from koutu.live.options import Encoding, LiveOptions, Quality
from koutu.live.run import Live
from koutu.live.source_address import parse_source
from koutu.media.containers import EncodeOptions

SECONDS, BYTES = 60, 3 << 30
_OUTPUTS = "out.mp4", "out.mkv", "out.webm", "out.mov", "pictures"
PATIENCE = 15.0  # seconds that a live run of such a file may take
_WHOLE = "h264.mp4"  # stands before what is given as a background
_EVERY_DOOR = *((_WHOLE, seed) for seed in (0, 1, 2, 3, 4, 7, 8)), ("p.png", 0), ("moving.webp", 0)


class Outcome(NamedTuple):
    """What became of a file. fault: what koutu did wrong, "" for nothing."""

    kind: str
    fault: str = ""


class Half(koutu.Backend):
    """Takes the left half of every picture for a person."""

    name = "half"

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return size

    def initial_state(self, size: tuple[int, int]) -> Any:
        return 0

    def __call__(self, rgb: NDArray, state: Any, **hints: NDArray) -> tuple[None, NDArray[np.float32], Any]:
        alpha = np.zeros(rgb.shape[:2], np.float32)
        alpha[:, : rgb.shape[1] // 2] = 1
        return None, alpha, state


def tried(source: Path, folder: Path, seed: int, *, seconds: float = SECONDS) -> Outcome:
    """The file at `source` through koutu in a process of its own, which writes into `folder`, an empty one."""
    said = folder.with_suffix(".said")
    pid = os.fork()
    if not pid:
        _child(source, folder, seed, said)
    end, status, done = monotonic() + seconds, 0, 0
    while not done and monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        sleep(0.01)
    if not done:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return Outcome("hang", f"did not end within {seconds:g} s")
    text = said.read_text(errors="replace") if said.exists() else ""
    said.unlink(missing_ok=True)
    shutil.rmtree(folder.with_suffix(".tmp"), ignore_errors=True)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return Outcome("hang" if number in (signal.SIGXCPU, signal.SIGKILL) else "crash", f"signal {number}")
    kind, _, fault = text.partition("\n")
    return Outcome(kind or "crash", fault if kind else f"ended with {os.WEXITSTATUS(status)} and no word")


def _child(source: Path, folder: Path, seed: int, said: Path) -> None:
    """Never returns. said: gets the outcome, its kind on the first line and the fault on the others."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    _silence()
    tempfile.tempdir = str(folder.with_suffix(".tmp"))
    os.mkdir(tempfile.tempdir)
    try:
        outcome = _judged(source, folder, seed)
    except BaseException:
        outcome = Outcome("error", traceback.format_exc())
    said.write_text("\n".join(outcome))
    os._exit(0)


def _silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _judged(source: Path, folder: Path, seed: int) -> Outcome:
    """What koutu makes of the file, and whether anything but the outputs is left of that."""
    before = set(os.listdir("/proc/self/fd"))
    fault = ""
    try:
        kind = _door(source, folder, seed)
    except koutu.KoutuError as error:
        kind, left = type(error).__name__, sorted(path.name for path in folder.iterdir())
        if left:
            fault = f"{left} was left beside: {error}"
        elif not re.search(r"expected .*got\b.*; \w", str(error), re.DOTALL):
            fault = f"an error without advice: {error}"
    except MemoryError:
        return Outcome("memory", f"more than {BYTES >> 20} MiB")
    return Outcome(kind, fault or _leaks(before))


def _leaks(before: set[str]) -> str:
    gc.collect()
    opened = set(os.listdir("/proc/self/fd")) - before
    still = [name for name in opened if os.path.exists(f"/proc/self/fd/{name}")]
    if still:
        return f"{len(still)} files are still open"
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    for thread in others:
        thread.join(10)
    running = [thread.name for thread in others if thread.is_alive()]
    if running:
        return f"threads still run: {running}"
    left = os.listdir(tempfile.gettempdir())
    return f"temporary files are left: {left}" if left else ""


def _door(source: Path, folder: Path, seed: int) -> str:
    """By the seed: a picture, a background, `koutu live`, or a video with one of the outputs; says what came of it."""
    if source.name.startswith("p.") and seed % 2 == 0:
        return _picture(source, folder / "out.png")
    if seed % 8 == 7:
        return "behind, " + _video(source.parent.parent / "whole" / _WHOLE, folder / "out.mp4", str(source))
    if seed % 16 == 3:
        return _live(source, folder / "out.mp4")
    target = folder / _OUTPUTS[seed % len(_OUTPUTS)]
    return _video(source, target, "transparent" if target.suffix in ("", ".mov") else "#204060")


def _picture(source: Path, target: Path) -> str:
    koutu.convert_image(source, target, backend=Half())
    with Image.open(target) as image:
        image.load()
    return "picture"


def _video(source: Path, target: Path, look: str) -> str:
    report = koutu.convert(
        source, target, background=look, model=Half(), encode=EncodeOptions(preset="ultrafast"), refine=False
    )
    _require_frames(target, report.frames)
    return "damaged, told" if report.lost else "whole"


def _live(source: Path, target: Path) -> str:
    """In real time: what has gaps of minutes is not waited for."""
    desk = Desk(LiveSettings("#204060", "half"), lambda name, gate: Half(), tell=lambda line: None)
    options = LiveOptions(encoding=Encoding(preset="ultrafast"), seconds=PATIENCE, quality=Quality(refine=False))
    report = Live(parse_source(str(source)), [str(target)], desk, options=options, tell=lambda line: None).run()
    if report.errors:
        raise report.errors[0]
    if report.seconds >= PATIENCE:
        return "live, waited"
    _require_frames(target, None)
    return "live"


def _require_frames(target: Path, count: int | None) -> None:
    """count: None for any but none."""
    with koutu.open_video(target) as reader:
        found = sum(1 for _ in reader)
    if not found or found != (count or found) or reader.lost:
        raise AssertionError(f"{count} frames were reported, {found} are there, {reader.lost}")


def ready(folder: Path) -> list[Path]:
    """The whole files, which are made into `folder`, and all modules that koutu needs for them in this process."""
    reading, writing = os.pipe()
    pid = os.fork()  # encoders leave threads behind, which copies of this process would wait for
    if not pid:
        try:
            _silence()
            clips(folder)
            for name, number in _EVERY_DOOR:
                place = folder.parent / f"{name}-{number}"
                place.mkdir()
                _door(folder / name, place, number)
                shutil.rmtree(place)
        finally:
            os.write(writing, "\n".join(sys.modules).encode())
            os._exit(0)
    os.close(writing)
    with open(reading) as file:
        for name in file.read().split("\n"):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    os.waitpid(pid, 0)
    return sorted(folder.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--one", type=int)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="by the clock; more on a busy machine")
    parser.add_argument("--folder", type=Path, help="where files are made, and those of faults kept")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    (folder / "whole").mkdir(parents=True, exist_ok=True)
    files = ready(folder / "whole")
    seeds = range(given.first, given.first + given.count) if given.one is None else [given.one]
    counts, faults = Counter[str](), []
    for seed in seeds:
        name, data = mutated(files, seed)
        place, source = folder / f"{seed}", folder / f"{seed}-in" / name
        for made in (place, source.parent):
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
        source.write_bytes(data)
        outcome = tried(source, place, seed, seconds=given.seconds)
        counts[outcome.kind] += 1
        if outcome.fault:
            faults.append(seed)
            print(f"seed {seed}, {name}: {outcome.kind}: {outcome.fault}", flush=True)
        elif given.one is None:
            for made in (place, source.parent):
                shutil.rmtree(made)
        if given.one is not None:
            print(f"seed {seed}, {name}: {outcome.kind}")
    print(f"{len(seeds)} files: {dict(counts.most_common())}; {len(faults)} faults: {faults}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
