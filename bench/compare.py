"""koutu beside programs of the same purpose, each as its own package runs: python bench/compare.py IM TRUTH [options].

IM and TRUTH: ten pictures of people, and grey pictures of the same names: where one holds nothing but black and white
it is a mask, whose outline is believed to 8 pixels, else exact alpha. Programs that are not installed, or lack their
weights, are named with the reason. One after the other cuts out each picture, in every round, every second round
backwards; time is the processor's, of all threads, from pixels to alpha at the picture's size. The page of
docs/compare.md comes from the JSON by tools/make_tables.py.

--sheet FILE  also all results as one picture, to be looked at
"""

import argparse
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import cv2
import numpy as np
from compare_systems import Cut, Imgly, Start, systems
from numpy.typing import NDArray

from koutu.bench.run import about_run, save
from koutu.data.sets.reading import READERS
from koutu.media.image import read_image, write_image
from koutu.metrics import mad
from koutu.types import Alpha, Rgb

FAR = 8.0  # pixels from a mask's outline
SOFT = (5, 250)  # of 255: beyond these, alpha is of the soft edge
BAND = 5  # pixels, by which the soft edge is widened
TILE = 200  # pixels of a sheet's pictures


def started(given: dict[str, Start]) -> tuple[dict[str, Cut], dict[str, dict[str, Any]]]:
    """What runs, and a row for each with its version, or with why it does not."""
    running, rows = {}, {}
    for name, (package, start) in given.items():
        rows[name] = {"package": package, "version": version_of(package), "error": ""}
        try:
            running[name] = start()
        except Exception as error:
            rows[name]["error"] = f"{type(error).__name__}: {error}"
            print(f"{name} is left out: {rows[name]['error']}", file=sys.stderr)
    return running, rows


def version_of(package: str) -> str:
    """As installed in this Python; "" if not of Python."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def seconds(cut: Cut, rgb: Rgb) -> tuple[float, Alpha]:
    """Processor seconds, and the alpha at the picture's size."""
    clock = cut.cpu_seconds if isinstance(cut, Imgly) else process_time
    began = clock()
    alpha = cut(rgb)
    if alpha.shape != rgb.shape[:2]:
        alpha = np.asarray(cv2.resize(alpha, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR))
    return clock() - began, alpha


def scores(alpha: Alpha, true: NDArray[np.float32]) -> dict[str, float]:
    """MAD × 1000: of a mask farther than 8 pixels from its outline, with IoU; of exact alpha all, and its soft edge."""
    levels = np.rint(255 * true).astype(np.uint8)
    if np.isin(levels, (0, 255)).all():
        edge = cv2.morphologyEx(levels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        far = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, 5) > FAR
        ours, theirs = alpha >= 128, levels >= 128
        return {
            "far": 1e3 * mad(alpha, levels, far),
            "iou": float((ours & theirs).sum() / max(1, (ours | theirs).sum())),
        }
    soft = ((levels > SOFT[0]) & (levels < SOFT[1])).astype(np.uint8)
    band = cv2.dilate(soft, np.ones((BAND, BAND), np.uint8)) > 0
    return {"all": 1e3 * mad(alpha, levels), "band": 1e3 * mad(alpha, levels, band)}


def compared(
    pictures: list[Path], truths: Path, running: dict[str, Cut], rounds: int
) -> tuple[dict[str, Any], list[Any]]:
    """Times of every round and the scores, by system; and the first round's mattes, a row a picture."""
    found: dict[str, Any] = {name: {"seconds": [], "scores": []} for name in running}
    sheet: list[Any] = []
    for number in range(rounds + 1):  # the first warms up, and is scored
        order = list(running) if number % 2 else list(reversed(running))
        for path in pictures:
            rgb = read_image(path)
            alphas = {}
            for name in order:
                took, alphas[name] = seconds(running[name], rgb)
                if number:
                    found[name]["seconds"].append(took)
            if not number:
                true = READERS["truth"](next(truths.glob(f"{path.stem}.*")))["pha"]
                for name in running:
                    found[name]["scores"].append(scores(alphas[name], true))
                sheet.append([rgb, *(before_green(rgb, alphas[name]) for name in running)])
        print(f"round {number} of {rounds}", file=sys.stderr)
    return found, sheet


def before_green(rgb: Rgb, alpha: Alpha) -> Rgb:
    """The picture's own colours before a green, so that every fault is seen."""
    share = alpha[..., None] / 255
    return np.rint(rgb * share + np.array([0, 177, 64]) * (1 - share)).astype(np.uint8)


def summary(found: dict[str, Any], rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each system's row with its medians and means; ratios are of the same picture in the same round."""
    reference = found["koutu"]["seconds"]
    for name, values in found.items():
        scored = values["scores"]
        pairs = zip(values["seconds"], reference, strict=True)
        rows[name] |= {
            "cpu_ms": 1e3 * median(values["seconds"]),
            "times_koutu": median(took / koutus for took, koutus in pairs),
            "each_ms": [1e3 * took for took in values["seconds"]],
        } | {
            kind: float(np.mean([score[kind] for score in scored if kind in score]))
            for kind in ("far", "iou", "all", "band")
            if any(kind in score for score in scored)
        }
    return rows


def tiles(rows: list[list[Rgb]]) -> Rgb:
    """A row a picture, all of one size."""
    return np.vstack([np.hstack([fitted(picture) for picture in row]) for row in rows])


def fitted(rgb: Rgb) -> Rgb:
    """The picture in a square of `TILE`."""
    scale = TILE / max(rgb.shape[:2])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.full((TILE, TILE, 3), 255, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small[:TILE, :TILE]
    return tile


def main() -> None:
    """Compare, print, and write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("truths", type=Path)
    parser.add_argument("--mediapipe", type=Path, help="a .tflite of MediaPipe's image segmenter")
    parser.add_argument(
        "--network", action="append", default=[], metavar="NAME=FILE", help="one of koutu's descriptions"
    )
    parser.add_argument("--imgly", type=Path, help="a folder in which npm installed @imgly/background-removal-node")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    told = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(told.threads))  # rembg's number of threads
    about = about_run()
    running, rows = started(systems(told))
    pictures = sorted(told.pictures.iterdir())
    found, sheet = compared(pictures, told.truths, running, told.rounds)
    rows = summary(found, rows)
    for name, row in rows.items():
        print(name, {key: value for key, value in row.items() if key != "each_ms"})
    if told.json:
        save(
            about | {"pictures": len(pictures), "rounds": told.rounds, "threads": told.threads, "systems": rows},
            told.json,
        )
    if told.sheet:
        write_image(told.sheet, tiles(sheet))


if __name__ == "__main__":
    main()
