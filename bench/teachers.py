"""Whom to ask who is in a picture: python bench/teachers.py PICTURES MASKS --network NAME=FILE ….

Masks have the pictures' names. Each network alone and every choice of several (`koutu.data.mattes.teachers`: their
vote) against the masks, over one half: wrong pixels of 1000 among those farther than 8 from the mask's edge, and IoU;
once of all pictures, and once of those that are left where the networks dispute less than the limit of the checks.
"""

import argparse
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.bench.run import about_run, save
from koutu.data.mattes.checks import Limits, spots
from koutu.data.mattes.teachers import asked, in_dispute, together
from koutu.data.sets.reading import READERS
from koutu.media.image import read_image

_FAR = 8.0  # pixels from the mask's edge
Floats = NDArray[np.float32]


def score(mask: Floats, true: NDArray[np.bool_]) -> tuple[float, float]:
    """Wrong pixels of 1000 far from the edge, and IoU."""
    edge = cv2.morphologyEx(true.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    far = cv2.distanceTransform(1 - edge, cv2.DIST_L2, 5) > _FAR
    person = mask > 0.5
    union = int((person | true).sum())
    error = float((person ^ true)[far].mean()) * 1e3 if far.any() else 0.0
    return error, float((person & true).sum()) / union if union else 1.0


def scored(picture: Path, truth: Path, networks: list[str]) -> list[dict[str, Any]]:
    """A row for every choice of networks."""
    true = np.asarray(READERS["truth"](truth)["pha"]) > 0.5
    answers = asked(read_image(picture), networks, mirrored=True).answers
    rows = []
    for count in range(1, len(answers) + 1):
        for names in combinations(answers, count):
            own = {name: answers[name] for name in names}
            mask = together(own)
            error, iou = score(mask, true)
            row = {"picture": picture.stem, "who": " + ".join(names), "far": error, "iou": iou}
            rows.append(row | {"disputed": spots(in_dispute(own), mask > 0.5)})
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means by who was asked, of all and of what is kept."""
    found: dict[str, Any] = {}
    for who in dict.fromkeys(row["who"] for row in rows):
        own = [row for row in rows if row["who"] == who]
        kept = [row for row in own if row["disputed"] <= Limits().disputed]
        found[who] = {
            name: {
                "pictures": len(part),
                **{key: round(float(np.mean([row[key] for row in part])), 4) for key in ("far", "iou") if part},
            }
            for name, part in (("all", own), ("kept", kept))
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--network", action="append", required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--skip", type=Path, help="names of pictures to leave out, one a line")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    skipped = {Path(line).stem for line in given.skip.read_text().split()} if given.skip else set()
    masks = {path.stem: path for path in given.masks.iterdir()}
    rows: list[dict[str, Any]] = []
    for picture in sorted(given.pictures.iterdir())[:: given.every]:
        if picture.stem in masks and picture.stem not in skipped:
            rows += scored(picture, masks[picture.stem], given.network)
    result = summary(rows)
    for who, parts in result.items():
        print(who, parts)
    if given.json:
        save({**about_run(), "summary": result}, given.json)


if __name__ == "__main__":
    main()
