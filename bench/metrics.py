"""koutu.metrics.connectivity beside the usual way, a labelling for every threshold: python bench/metrics.py [--json F].

Alphas of 1920×1080: the default network's matte of the packaged sample as truth, and predictions that miss it as
predictions do (blurred and moved; with noise in the soft parts), and both full of noise, so that they fall into crumbs.
Both ways run in turn, round after round, in one process; figures are medians, the ratio is the median of the rounds'
ratios, and both must give the same value.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from koutu.bench.run import about_run, save
from koutu.matting.matter import Matter
from koutu.media.reader import open_video
from koutu.metrics import connectivity
from koutu.zoo import SAMPLE, load

SIZE = (1080, 1920)


def by_labelling(pred: NDArray[Any], true: NDArray[Any]) -> float:
    """The measure as its definition reads: at every threshold label both alphas' common mask, keep the largest part."""
    p, g = pred / 255, true / 255
    last = np.full(p.shape, -1.0)
    for i in range(1, 11):
        both = (p >= i * 0.1) & (g >= i * 0.1)
        labels, count = cast("tuple[NDArray[Any], int]", ndimage.label(both))
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        largest = labels == 1 + areas.argmax() if count else np.zeros(p.shape, bool)
        last[(last < 0) & ~largest] = (i - 1) * 0.1
    last[last < 0] = 1
    degrees = [1 - (x - last) * (x - last >= 0.15) for x in (p, g)]
    return float(np.abs(degrees[0] - degrees[1]).sum())


def pictures() -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Name → prediction and truth (H, W) uint8."""
    with open_video(SAMPLE / "talk.mp4") as reader:
        alpha = Matter(load())(next(iter(reader))).alpha
    true = np.asarray(cv2.resize(alpha, SIZE[::-1], interpolation=cv2.INTER_CUBIC))
    rng = np.random.default_rng(0)
    moved = np.roll(np.asarray(cv2.GaussianBlur(true, (0, 0), 4)), 3, axis=1)
    soft = (moved > 0) & (moved < 255)
    rough = np.clip(moved + rng.normal(0, 25, SIZE) * soft, 0, 255).astype(np.uint8)
    torn, crumbs = (np.clip(x + rng.normal(0, 90, SIZE), 0, 255).astype(np.uint8) for x in (moved, true))
    return {"blurred and moved": (moved, true), "noise in the soft parts": (rough, true), "crumbs": (torn, crumbs)}


def measure(pred: NDArray[Any], true: NDArray[Any], rounds: int) -> dict[str, Any]:
    """Milliseconds of both ways in every round, after one to warm up, and their values."""
    ways = {"koutu": connectivity, "labelling": by_labelling}
    times: dict[str, list[float]] = {name: [] for name in ways}
    values = {name: way(pred, true) for name, way in ways.items()}
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 == 0 else -1]:
            started = time.perf_counter()
            ways[name](pred, true)
            times[name].append(1000 * (time.perf_counter() - started))
    ratios = [slow / fast for slow, fast in zip(times["labelling"], times["koutu"], strict=True)]
    return {
        "koutu_ms": statistics.median(times["koutu"]),
        "labelling_ms": statistics.median(times["labelling"]),
        "ratio": statistics.median(ratios),
        "value": values["koutu"],
        "difference": abs(values["koutu"] - values["labelling"]),
        "rounds": times,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    result = about_run() | {"size": SIZE, "rounds": args.rounds, "pictures": {}}
    for name, (pred, true) in pictures().items():
        row = result["pictures"][name] = measure(pred, true, args.rounds)
        print(
            f"{name:24} {row['labelling_ms']:7.1f} ms → {row['koutu_ms']:6.1f} ms, {row['ratio']:.1f}×; "
            f"{row['value']:.3f}, difference {row['difference']:.2g}",
            flush=True,
        )
    if args.json:
        save(result, args.json)


if __name__ == "__main__":
    main()
