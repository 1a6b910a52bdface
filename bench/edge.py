"""Milliseconds of the network alone at 192×192 in one thread: ours in float32 and int8 on both engines, and peers.

python bench/edge.py [--peers PEERS_FOLDER] [--rounds 7] [--json docs/bench/edge.json]

All cases run in turn, round after round, in one process, every second round backwards, each on the same pictures of the
packaged sample with its own memory. A case's figure is the median over rounds of each round's median; ratios to the
first case are medians of the rounds' own. Peers whose files have no 192×192 run at their own size, which is told.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from koutu.bench.run import about_run, save
from koutu.engines.backend import Backend
from koutu.engines.table import ENGINES
from koutu.export.clips import clip_of, halves
from koutu.export.int8.quantise import quantise
from koutu.machine import load_average
from koutu.zoo import SAMPLE, load, packaged

SIZE = (192, 192)
ARTICLE_MS = 13.8  # what the article's searched network takes at this size on the CPU that it was timed on
OURS = ("koutu-small", "koutu")
CALIBRATION = 40  # frames: half give scales, half tell the error
RVM = "rvm_192x320_1.onnx"  # the peer's nearest size


@dataclass
class Case:
    """A network ready to be timed; size: (h, w) that it is shown."""

    name: str
    engine: str
    precision: str
    backend: Backend
    size: tuple[int, int]
    error: float | None = None  # of int8 to float32, thousandths of alpha, on frames that gave no scales


def quantised(name: str, folder: Path) -> tuple[Path, float]:
    """Packaged weights in int8 by the packaged sample at `SIZE`; its file and mean difference × 1000."""
    out = folder / f"{name}-int8.onnx"
    clips = halves(clip_of(SAMPLE / "talk.mp4", lambda size: SIZE, frames=CALIBRATION))
    print(f"{name}: int8", flush=True)
    found = quantise(packaged(name), out, clips)
    return out, found.error


def ours(folder: Path) -> list[Case]:
    """Packaged networks on both engines."""
    cases = []
    for name in OURS:
        for engine, run in ENGINES.items():
            cases.append(Case(name, engine, "fp32", run(packaged(name), threads=1), SIZE))
        path, error = quantised(name, folder)
        for engine, run in ENGINES.items():
            cases.append(Case(name, engine, "int8", run(path, threads=1), SIZE, error))
    return cases


def peers(folder: Path) -> list[Case]:
    """RVM MobileNetV3 and MediaPipe's selfie segmentation on ONNX Runtime, at the sizes of their files."""
    files = {
        "rvm-onnx-fixed": folder / "rvm_mobilenetv3" / RVM,
        "mediapipe-selfie": folder / "mediapipe_selfie" / "selfie_segmentation.onnx",
    }
    cases = []
    for name, file in files.items():
        backend = load(name, weights=file, threads=1)
        cases.append(Case(name, "onnxruntime", "fp32", backend, backend.network_size(SIZE)))
    return cases


def modnet(folder: Path) -> list[Case]:
    """The published MODNet's architecture, random weights, whose time is the same, as a fixed file on ONNX Runtime."""
    import torch

    from koutu.export.onnx import export_onnx
    from koutu.models import build

    torch.manual_seed(0)
    path = folder / "modnet.onnx"
    network: Any = build("modnet")
    export_onnx(network, path, name="MODNet", pixels=SIZE[0] * SIZE[1])
    return [
        Case("MODNet's architecture", engine, "fp32", run(path, threads=1), SIZE) for engine, run in ENGINES.items()
    ]


def pictures(size: tuple[int, int]) -> list[Any]:
    """The sample's middle square, at what a network is shown."""
    clip = clip_of(SAMPLE / "talk.mp4", lambda whole: whole, frames=60).src
    side = min(clip.shape[1:3])
    top, left = (clip.shape[1] - side) // 2, (clip.shape[2] - side) // 2
    square = clip[:, top : top + side, left : left + side]
    return [np.asarray(cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)) for frame in square]


def turn(case: Case, frames: list[Any]) -> float:
    """Median milliseconds of the network over the frames."""
    state = case.backend.initial_state(case.size)
    times = []
    for frame in frames:
        started = time.perf_counter()
        state = case.backend(frame, state)[2]
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def measure(cases: list[Case], rounds: int, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """A row a case."""
    shown = {case.size: pictures(case.size) for case in cases}
    found: list[list[float]] = [[] for _ in cases]
    for number in range(rounds + 1):  # the first is to warm up
        order = range(len(cases)) if number % 2 == 0 else range(len(cases) - 1, -1, -1)
        for i in order:
            ms = turn(cases[i], shown[cases[i].size])
            if number:
                found[i].append(ms)
        tell(f"round {number} of {rounds}")
    rows = []
    for case, times in zip(cases, found, strict=True):
        ratios = [first / ms for first, ms in zip(found[0], times, strict=True)]
        rows.append(
            {
                "model": case.name, "what": case.backend.name, "engine": case.engine, "precision": case.precision,
                "size": list(case.size), "ms": statistics.median(times), "least_ms": min(times),
                "times_first": statistics.median(ratios), "times_article": ARTICLE_MS / statistics.median(times),
                "int8_error_x1000": case.error, "rounds": times,
            }
        )  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="folder with rvm_mobilenetv3/ and mediapipe_selfie/")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        cases = ours(Path(folder)) + modnet(Path(folder)) + (peers(args.peers) if args.peers else [])
        about = about_run()
        rows = measure(cases, args.rounds, lambda line: print(line, flush=True))
    about |= {"load_after": load_average(), "rounds": args.rounds, "threads": 1, "article_ms": ARTICLE_MS}
    print(f"one thread, load {about['load_before']} to {about['load_after']}; medians of {args.rounds} rounds, ms")
    for row in rows:
        where = f"{row['size'][1]}×{row['size'][0]}"
        print(
            f"{row['model']:24} {row['engine']:12} {row['precision']:5} {where:>9} {row['ms']:7.2f} "
            f"(least {row['least_ms']:.2f}), {row['times_article']:.2f} × the article's"
        )
    if args.json:
        save(about | {"rows": rows}, args.json)


if __name__ == "__main__":
    main()
