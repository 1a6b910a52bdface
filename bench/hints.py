"""What hints are worth: python bench/hints.py CUTOUTS BACKGROUNDS --only people.txt --json FILE.

Cut-outs stand before backgrounds, and koutu mattes the same pictures without a hint, with trimaps of two widths, which
closed-form matting gets too, with a coarse mask, and with hints that are of no use. In clips somebody else walks
through behind a person whose mask is given in the first frame alone. Seconds are CPU time of one thread.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.bench.run import about_run, save
from koutu.color import to_rgb
from koutu.composite import fit
from koutu.data.sets.open import Example, open_dataset
from koutu.evaluation.only import only_named
from koutu.evaluation.testset import backgrounds_in
from koutu.matting.hints import Hints
from koutu.matting.matter import Matter
from koutu.media.image import read_image
from koutu.metrics import band, mad
from koutu.trimap import trimap_from_mask
from koutu.types import Frame, Rgb
from koutu.zoo import load, load_opinion

RATE = Fraction(1, 5)
RADII = (10, 20)  # of trimaps, pixels to either side of what is neither black nor white
WAYS = [
    "without",
    *(f"{kind} {radius}" for kind in ("trimap", "closed-form") for radius in RADII),
    "mask",
    "empty",
    "misplaced",
]
CELL, GROWN, MOVED = 0.025, 0.015, 0.01  # of coarse masks, as shares of the longer side
STEPS = 50  # frames of somebody who walks through
Plane = NDArray[Any]


def coarse(pha: Plane, rng: np.random.Generator) -> Plane:
    """A mask (H, W) made of squares, too wide or too narrow, and not quite in its place."""
    height, width = pha.shape
    longest = max(height, width)
    cells = max(1, round(width / (CELL * longest))), max(1, round(height / (CELL * longest)))
    small = cv2.resize(pha, cells, interpolation=cv2.INTER_AREA)
    mask = np.where(
        cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST) > 127, np.uint8(255), np.uint8(0)
    )
    side = 2 * round(GROWN * longest * rng.random()) + 1
    mask = (cv2.dilate if rng.random() < 0.5 else cv2.erode)(mask, np.ones((side, side), np.uint8))
    turn = rng.uniform(0, 2 * np.pi)
    place = np.array([[1, 0, MOVED * longest * np.cos(turn)], [0, 1, MOVED * longest * np.sin(turn)]])
    return np.asarray(cv2.warpAffine(mask, place, (width, height), flags=cv2.INTER_NEAREST))


def composed(fgr: Rgb, pha: Plane, behind: Plane) -> Rgb:
    """A cut-out before a picture, all (H, W)."""
    share = pha[..., None] / 255
    return np.rint(fgr * share + behind * (1 - share)).astype(np.uint8)


def people_in(folder: Path, only: Path | None, limit: int) -> Iterator[tuple[str, Rgb, Plane]]:
    """Names, colours and alphas (H, W) uint8."""
    data = open_dataset(folder)
    data = only_named(data, only) if only else data
    for clip in list(data.clips)[: limit or None]:
        for example in clip.examples():
            assert isinstance(example, Example) and example.fgr is not None and example.pha is not None
            yield str(clip.name), example.fgr, np.rint(example.pha * 255).astype(np.uint8)


def figures(matter: Matter, rgb: Rgb, pha: Plane) -> dict[str, float]:
    """MAD × 1000 of one picture and of its band, and seconds."""
    began = time.process_time()
    alpha = matter(Frame(rgb)).alpha
    spent = time.process_time() - began
    return {"mad": 1000 * mad(alpha, pha), "band_mad": 1000 * mad(alpha, pha, band(pha)), "seconds": spent}


def pictures(
    people: Sequence[tuple[str, Rgb, Plane]], places: Sequence[Path], ways: Sequence[str], solve: int
) -> Iterator[dict[str, Any]]:
    """A row of figures for every way and picture; closed-form matting solves the first `solve`."""
    plain, solver, opinion = load(threads=1), load("closed-form"), load_opinion(threads=1)
    for number, (name, fgr, pha) in enumerate(people):
        rgb = composed(fgr, pha, background(places, 3 * number, pha))
        for way in ways:
            solves = way.startswith("closed-form")
            if solves and number >= solve:
                continue
            hints = hints_of(way, pha, np.random.default_rng(number))
            yield {
                "name": name,
                "way": way,
                **figures(Matter(solver if solves else plain, hints=hints, solve=True, opinion=opinion), rgb, pha),
            }


def background(places: Sequence[Path], number: int, pha: Plane) -> Rgb:
    """A background for a cut-out."""
    return to_rgb(fit(read_image(places[number % len(places)]), (pha.shape[0], pha.shape[1]), "cover"))


def hints_of(way: str, pha: Plane, rng: np.random.Generator) -> Hints | None:
    """What a way is given."""
    kind, _, radius = way.partition(" ")
    if kind in ("trimap", "closed-form"):
        return Hints(trimap=trimap_from_mask(pha, int(radius), sure=0.999, trace=0.001))
    masks = {
        "mask": coarse(pha, rng), "empty": np.zeros_like(pha),
        "misplaced": np.roll(coarse(pha, rng), pha.shape[1] // 2, axis=1),
    }  # fmt: skip
    return Hints(mask=masks[kind]) if kind in masks else None


def walks(people: Sequence[tuple[str, Rgb, Plane]], places: Sequence[Path], count: int) -> Iterator[dict[str, Any]]:
    """A row of figures for every clip and way: the error of who was there first while another passes behind."""
    if not count:
        return
    plain = load(threads=1)
    for number in range(min(count, len(people) - 1)):
        (name, fgr, pha), (_, other, its) = people[number], people[-1 - number]
        height, width = pha.shape
        behind = background(places, 3 * number + 1, pha)
        small = cv2.resize(other, None, fx=0.7, fy=0.7), cv2.resize(its, None, fx=0.7, fy=0.7)
        matters = {
            "without": Matter(plain),
            "first mask": Matter(plain, hints=Hints(mask=coarse(pha, np.random.default_rng(number)))),
        }
        errors: dict[str, list[float]] = {way: [] for way in matters}
        for at in range(STEPS):
            x = round(-small[1].shape[1] + (width + small[1].shape[1]) * at / (STEPS - 1))
            place = np.array([[1, 0, x], [0, 1, height - small[1].shape[0]]], np.float64)
            walker = cv2.warpAffine(small[0], place, (width, height)), cv2.warpAffine(small[1], place, (width, height))
            sway = np.array([[1, 0, 6 * np.sin(at / 4)], [0, 1, 0]])
            own = [cv2.warpAffine(p, sway, (width, height), borderMode=cv2.BORDER_REPLICATE) for p in (fgr, pha)]
            rgb = composed(own[0], own[1], composed(walker[0], walker[1], behind))
            for way, matter in matters.items():
                errors[way].append(1000 * mad(matter(Frame(rgb, at, RATE)).alpha, own[1]))
        for way, found in errors.items():
            yield {"name": name, "way": way, "mad": statistics.fmean(found), "last": found[-1], "worst": max(found)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cutouts", type=Path)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("--only", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--solve", type=int, default=8, help="Pictures that closed-form matting solves too.")
    parser.add_argument("--walks", type=int, default=4, help="Clips with somebody who walks through.")
    parser.add_argument("--ways", nargs="*", default=WAYS)
    parser.add_argument("--json", type=Path, help="The result; rows of other ways that it holds already are kept.")
    args = parser.parse_args()
    people = list(people_in(args.cutouts, args.only, args.limit))
    places, about = list(backgrounds_in(args.backgrounds)), about_run()
    kept = json.loads(args.json.read_text()) if args.json and args.json.is_file() else {"rows": [], "walks": []}
    found: dict[str, list[dict[str, Any]]] = {
        "rows": [row for row in kept["rows"] if row["way"] not in args.ways], "walks": kept["walks"]
    }  # fmt: skip
    if args.walks:
        found["walks"] = []
    made = (
        ("rows", pictures(people, places, args.ways, args.solve)),
        ("walks", walks(people, places, args.walks)),
    )
    for kind, rows in made:
        for row in rows:
            found[kind].append(row)
            print(*(f"{x:.3f}" if isinstance(x, float) else x for x in row.values()), flush=True)
            if args.json:
                save(about | found, args.json)
    tell(found["rows"], ("mad", "band_mad", "seconds"))
    tell(found["walks"], ("mad", "last", "worst"))


def tell(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Means of every way, and as shares of those without a hint on the same pictures."""
    for way in dict.fromkeys(row["way"] for row in rows):
        own = {row["name"] for row in rows if row["way"] == way}
        found = [
            [statistics.fmean(row[c] for row in rows if row["way"] == w and row["name"] in own) for c in columns]
            for w in (way, "without")
        ]
        print(f"{way:16} {len(own):3}", *(f"{x:8.2f} = {x / y:.2f}×" for x, y in zip(*found, strict=True)))


if __name__ == "__main__":
    main()
