"""CPU milliseconds a frame of every stage of `koutu video`, here and in another checkout, in turn.

python bench/stages.py [--against CHECKOUT] [--sizes 640x360 …] [--frames 60] [--rounds 5] [--json out.json]

A process of its own for each checkout and size converts the packaged sample, scaled and back and forth, before a still
background; they work in alternating rounds. Stages are CPU time of their own thread, with OpenCV and engine on one
thread each; `whole` is that of the process, with decoder, encoder and all. Figures are medians over the rounds, ratios
medians of the rounds' own ratios.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SIZES = "640x360", "1280x720", "1920x1080", "3840x2160"
STAGES = ("read", "network", "steadying", "colours", "full size", "rest of matting", "composite", "write", "whole")
# (module, name, stage): what is timed; an inner one's time is its own.
SEAMS = (
    ("media.video_reader", "frame_to_planes", "read"),
    ("engines.onnxruntime", "OnnxBackend.__call__", "network"),
    ("engines.stabilise", "SteadyBackend.__call__", "steadying"),
    ("matting.matter", "follow_colours", "colours"),
    ("matting.matter", "guided_upsample", "full size"),
    ("matting.matter", "Matter.__call__", "rest of matting"),
    ("pipeline.convert", "Composer.__call__", "composite"),
    ("media.picture_stream", "PictureStream.framed", "write"),
)


class Clock:
    """CPU time by stage, of functions that are called in others; one thread never meets another's stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def wrap(self, function: Callable, stage: str) -> Callable:
        def timed(*given: Any, **named: Any) -> Any:
            within, began = sum(self.seconds[name] for name in INNER.get(stage, ())), time.thread_time()
            try:
                return function(*given, **named)
            finally:
                passed = time.thread_time() - began
                self.seconds[stage] += passed - (sum(self.seconds[name] for name in INNER.get(stage, ())) - within)

        return timed


INNER = {"steadying": ("network",), "rest of matting": ("network", "steadying", "colours", "full size")}


def worker(clip: Path, frames: int) -> None:
    """Convert the clip once for every line that comes, and answer with the stages' milliseconds a frame."""
    import importlib

    import cv2

    from koutu.machine import peak_mb
    from koutu.media.writer import EncodeOptions
    from koutu.pipeline.convert import Outputs, convert_video
    from koutu.pipeline.look import Look
    from koutu.zoo import SAMPLE, load

    cv2.setNumThreads(1)
    clock = Clock()
    for module, name, stage in SEAMS:
        owner: Any = importlib.import_module(f"koutu.{module}")
        *outer, name = name.split(".")
        for part in outer:
            owner = getattr(owner, part)
        setattr(owner, name, clock.wrap(getattr(owner, name), stage))
    backend, look = load(threads=1), Look(background=str(SAMPLE / "lake.jpg"))
    for _ in sys.stdin:
        clock.seconds.clear()
        began = time.process_time()
        report = convert_video(
            clip, Outputs(clip.with_suffix(".out.mp4")), look=look, backend=backend, encode=EncodeOptions(threads=1)
        )
        assert report.frames == frames
        clock.seconds["whole"] = time.process_time() - began
        found = {name: 1000 * clock.seconds[name] / frames for name in STAGES}
        print(json.dumps(found | {"peak_mb": peak_mb()}), flush=True)


class Checkout:
    """A worker on the code of one checkout."""

    def __init__(self, tree: Path, clip: Path, frames: int):
        command = [sys.executable, __file__, "--worker", str(clip), "--frames", str(frames)]
        environment = os.environ | {"PYTHONPATH": str(tree / "src")}
        self.rounds: list[dict[str, float]] = []
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def round(self, *, kept: bool) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        if kept:
            self.rounds.append(found)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def measured(trees: dict[str, Path], size: str, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from video import make_clip

    width, height = map(int, size.split("x"))
    found: dict[str, Any] = {}
    checkouts, made = {}, folder / f"{size}.mp4"
    make_clip(made, (height, width), args.frames)
    for name, tree in trees.items():
        clip = folder / f"{size}-{name}.mp4"
        shutil.copy(made, clip)
        checkouts[name] = Checkout(tree, clip, args.frames)
    for i in range(args.rounds + 1):  # the first is to warm up
        for name in list(checkouts)[:: 1 if i % 2 else -1]:
            checkouts[name].round(kept=i > 0)
    for name, checkout in checkouts.items():
        found[name] = {s: statistics.median(r[s] for r in checkout.rounds) for s in STAGES}
        found[name]["peak_mb"] = checkout.rounds[-1]["peak_mb"]
        checkout.close()
    if len(trees) > 1:
        now, before = (checkouts[name].rounds for name in ("now", "before"))
        found["ratio"] = {
            s: statistics.median(a[s] / b[s] if b[s] else 1 for a, b in zip(now, before, strict=True)) for s in STAGES
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="a checkout of before")
    parser.add_argument("--sizes", nargs="*", default=SIZES)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return worker(args.worker, args.frames)
    sys.path.insert(0, str(Path(__file__).parent))
    from koutu.bench.run import about_run, save

    trees = {"now": ROOT} | ({"before": args.against} if args.against else {})
    result: dict[str, Any] = about_run() | {"frames": args.frames, "rounds": args.rounds, "sizes": {}}
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            table = result["sizes"][size] = measured(trees, size, args, Path(folder))
            for name, row in table.items():
                print(f"{size:10} {name:7}", " ".join(f"{k} {v:.2f}" for k, v in row.items()), flush=True)
    if args.json:
        save(result, args.json)


if __name__ == "__main__":
    main()
