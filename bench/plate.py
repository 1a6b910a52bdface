"""What a plate is worth: python bench/plate.py CUTOUTS BACKGROUNDS --only people.txt --json FILE.

Cut-outs glide before a background that stands still, or shakes as a hand does, under light that drifts, with a shadow
beside the person and sensor noise in every frame and in the plate. koutu mattes the same frames without the plate,
with it, with the plate that it finds in the clip itself, and with one of another place. Milliseconds are CPU time.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.bench.run import about_run, save
from koutu.cli.options import parse_size
from koutu.data.sets.open import Example, open_dataset
from koutu.engines.backend import Backend
from koutu.evaluation.only import only_named
from koutu.evaluation.testset import backgrounds_in
from koutu.matting.hints import Hints
from koutu.matting.matter import Matter
from koutu.matting.plate_search import sought_plate
from koutu.media.image import read_image
from koutu.metrics import band, mad
from koutu.types import Frame, InputError, Rgb
from koutu.zoo import load

RATE = Fraction(1, 25)
MARGIN = 24  # pixels of background beyond the frame, for the camera to shake in
SHAKE, TURN = 0.012, 0.5  # of the sides, and degrees, that a hand moves by
DRIFT, SHADOW, NOISE = 0.06, 0.3, 1.5  # of each channel's gain; of the light; levels of 255
Plane = NDArray[Any]


@dataclass(frozen=True)
class Shown:
    """Frames, their true alphas, and the plate."""

    frames: list[Frame]
    truths: list[Plane]
    plate: Rgb


def clip(
    fgr: Rgb, pha: Plane, bgr: Rgb, count: int, size: tuple[int, int], rng: np.random.Generator, shake: float
) -> Shown:
    """A cut-out that walks from one place to another before a background (H, W)."""
    height, width = size
    scale = min(0.95 * height / pha.shape[0], 0.9 * width / pha.shape[1])
    own = round(pha.shape[1] * scale), round(pha.shape[0] * scale)
    colours, alpha = (cv2.resize(x, own, interpolation=cv2.INTER_AREA).astype(np.float32) for x in (fgr, pha))
    large = width + 2 * MARGIN, height + 2 * MARGIN
    room = cv2.resize(bgr, large, interpolation=cv2.INTER_AREA).astype(np.float32)
    gains, ends = rng.uniform(1 - DRIFT, 1 + DRIFT, (2, 3)), rng.uniform(0, width - own[0], 2)
    phases = rng.uniform(0, 2 * np.pi, 5)
    frames, truths = [], []
    for at in range(count):
        t = at / max(1, count - 1)
        x, y = ends[0] + (ends[1] - ends[0]) * t, height - own[1] + 4 + 4 * np.sin(5 * t + phases[0])
        place = np.array([[1, 0, x + MARGIN], [0, 1, y + MARGIN]])
        share = cv2.warpAffine(alpha / 255, place, large)
        beside = np.array([[1, 0, 0.06 * width], [0, 1, 0.03 * height]])
        shadow = cv2.GaussianBlur(cv2.warpAffine(share, beside, large), (0, 0), 9)[..., None]
        front = cv2.warpAffine(colours, place, large, borderMode=cv2.BORDER_REPLICATE)
        scene = front * share[..., None] + room * (1 - SHADOW * shadow) * (1 - share[..., None])
        hand = shake * np.sin(np.array([9, 11, 7]) * t + phases[1:4])
        seen = cv2.getRotationMatrix2D((large[0] / 2, large[1] / 2), TURN * hand[2], 1)
        seen[:, 2] += (SHAKE * width * hand[0] - MARGIN, SHAKE * height * hand[1] - MARGIN)
        scene, share = (cv2.warpAffine(plane, seen, (width, height)) for plane in (scene, share))
        frames.append(Frame(_exposed(scene * (gains[0] + (gains[1] - gains[0]) * t), rng), at, RATE))
        truths.append(np.rint(share * 255).astype(np.uint8))
    return Shown(frames, truths, _exposed(room[MARGIN:-MARGIN, MARGIN:-MARGIN], rng))


def errors(backend: Backend, shown: Shown, hints: Hints | None) -> dict[str, float]:
    """Mean MAD × 1000 of a clip, and in the band; milliseconds a frame."""
    matter, rows = Matter(backend, hints=hints), []
    began = time.process_time()
    alphas = [matter(frame).alpha for frame in shown.frames]
    spent = 1000 * (time.process_time() - began) / len(alphas)
    for alpha, truth in zip(alphas, shown.truths, strict=True):
        rows.append((1000 * mad(alpha, truth), 1000 * mad(alpha, truth, band(truth))))
    return {"mad": statistics.fmean(r[0] for r in rows), "band_mad": statistics.fmean(r[1] for r in rows), "ms": spent}


def found(backend: Backend, shown: Shown) -> Hints | None:
    """The plate of the clip itself, if it shows one."""
    try:
        return Hints(plate=sought_plate(shown.frames, backend, "the clip"))
    except InputError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cutouts", type=Path)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("--only", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--size", default="512x384")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    data = open_dataset(args.cutouts)
    data = only_named(data, args.only) if args.only else data
    places = [read_image(path) for path in backgrounds_in(args.backgrounds)]
    backend = load(gate=None, steady=None, threads=1)
    rows: list[dict[str, Any]] = []
    for number, people in enumerate(list(data.clips)[: args.limit or None]):
        example = next(iter(people.examples()))
        assert isinstance(example, Example) and example.fgr is not None and example.pha is not None
        for camera, shake in (("still", 0.0), ("shaken", 1.0)):
            rng = np.random.default_rng([args.seed, number])
            place, other = rng.permutation(len(places))[:2]
            cutout = example.fgr, np.rint(example.pha * 255).astype(np.uint8)
            shown = clip(*cutout, places[place], args.frames, parse_size(args.size), rng, shake)
            wrong = cv2.resize(places[other], shown.plate.shape[1::-1], interpolation=cv2.INTER_AREA)
            ways = {
                "without": None, "plate": Hints(plate=shown.plate), "auto": found(backend, shown),
                "another place's": Hints(plate=np.asarray(wrong)),
            }  # fmt: skip
            for name, hints in ways.items():
                rows.append({"clip": str(people.name), "camera": camera, "way": name, **errors(backend, shown, hints)})
            print(people.name, camera, *(f"{row['way']} {row['mad']:.1f}" for row in rows[-len(ways) :]), flush=True)
            if args.json:
                save(
                    about_run() | {"frames": args.frames, "size": args.size, "seed": args.seed, "rows": rows}, args.json
                )
    tell(rows)


def tell(rows: Sequence[dict[str, Any]]) -> None:
    """Means of every camera and way, and as a share of those without a plate."""
    for camera in dict.fromkeys(row["camera"] for row in rows):
        for way in dict.fromkeys(row["way"] for row in rows):
            means = [_mean(rows, camera, way, column) for column in ("mad", "band_mad", "ms")]
            of = [_mean(rows, camera, "without", column) for column in ("mad", "band_mad", "ms")]
            print(f"{camera:7} {way:16}", *(f"{x:7.2f} = {x / y:.2f}×" for x, y in zip(means, of, strict=True)))


def _mean(rows: Sequence[dict[str, Any]], camera: str, way: str, column: str) -> float:
    return statistics.fmean(row[column] for row in rows if row["camera"] == camera and row["way"] == way)


def _exposed(scene: Plane, rng: np.random.Generator) -> Rgb:
    return np.rint(np.clip(scene + rng.normal(0, NOISE, scene.shape), 0, 255)).astype(np.uint8)


if __name__ == "__main__":
    main()
