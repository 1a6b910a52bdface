"""The people of a matte told apart: regions of it that do not touch, and whose one a point is in."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Alpha, InputError

SURE = 128  # of 255: alpha that belongs to somebody
SHARE = 0.03  # of the largest region that makes a person; less is a part of the nearest
REACH = 0.05  # of the shorter side: how far beside a person a point may lie
LEAST = 0.002  # of the picture that makes a person
ANOTHER = 0.2  # of a region that somebody else was on before, from which on it is two people who touch

Labels = NDArray[Any]  # (h, w) int32: 0 nobody, else who


@dataclass(frozen=True)
class PersonAt:
    """Somebody by a point in pixels of the full-size frame, at the first frame from that second on."""

    x: float
    y: float
    seconds: float = 0.0


def parse_person(text: str) -> PersonAt:
    """ "320,200@1.5", or "320,200" at the beginning; raises InputError."""
    point, _, moment = text.partition("@")
    try:
        x, y = (float(part) for part in point.split(","))
        person = PersonAt(x, y, float(moment) if moment else 0.0)
    except ValueError:
        person = PersonAt(math.nan, math.nan)
    if not (math.isfinite(person.x + person.y + person.seconds) and min(person.x, person.y, person.seconds) >= 0):
        raise InputError(
            f"expected a point and its second, none below 0, got {text!r}; for example 320,200@1.5"
        ) from None
    return person


def regions(alpha: Alpha) -> Labels:
    """Everybody's region, 1, 2, … from left to right; alpha (h, w) uint8."""
    count, labels, stats, centres = cv2.connectedComponentsWithStats((alpha >= SURE).astype(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA]
    least = max(SHARE * max(areas[1:], default=0), LEAST * alpha.size, 1)
    kept = sorted((i for i in range(1, count) if areas[i] >= least), key=lambda i: centres[i][0])
    names = np.zeros(count, np.int32)
    names[kept] = range(1, len(kept) + 1)
    return names[labels.astype(np.int32)]


def nearest(labels: Labels) -> Labels:
    """For each pixel the label that is nearest to it; all 0 if there is nobody."""
    if not labels.any():
        return labels
    free = (labels == 0).astype(np.uint8)
    _, seeds = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    names = np.zeros(int(seeds.max()) + 1, np.int32)
    taken = labels != 0
    names[seeds[taken]] = labels[taken]
    return np.asarray(names[seeds])


def carried(found: Labels, before: Labels, another: float = ANOTHER) -> Labels:
    """Of the regions `found`, who each was `before`; 0 where nobody was. People who touch are parted as they stood.

    another: as of ANOTHER.
    """
    now = np.zeros_like(found)
    for region in range(1, int(found.max(initial=0)) + 1):
        inside = found == region
        counts = np.bincount(before[inside])[1:]
        if not counts.any():
            continue
        several = np.flatnonzero(counts >= another * counts.sum()) + 1
        if len(several) > 1:
            now[inside] = nearest(np.where(np.isin(before, several), before, 0).astype(np.int32))[inside]
        else:
            now[inside] = several[0] if len(several) else int(counts.argmax()) + 1
    return now


def centre(labels: Labels, name: int) -> tuple[float, float]:
    """(x, y) of the middle of somebody's region."""
    rows, columns = np.nonzero(labels == name)
    return float(columns.mean()), float(rows.mean())


def pixel_of(person: PersonAt, labels: Labels, found: Labels, scales: tuple[float, float]) -> tuple[int, int]:
    """(row, column) of somebody at the point, or next to it; raises InputError."""
    height, width = labels.shape
    x, y = person.x * scales[0], person.y * scales[1]
    if not (0 <= x < width and 0 <= y < height):
        full = f"{round(width / scales[0])}×{round(height / scales[1])}"
        raise InputError(f"expected a point within {full}, got {person.x:g},{person.y:g}; count from top left")
    spot = np.ones((height, width), np.uint8)
    spot[int(y), int(x)] = 0
    far = cv2.distanceTransform(spot, cv2.DIST_L2, 5)
    near = np.where(labels > 0, far, np.inf)
    if near.min() > REACH * min(height, width):
        raise InputError(
            f"expected a person at {person.x:g},{person.y:g} at {person.seconds:g} s, found nobody there; "
            f"there are {places(found, scales) or 'none in this frame'}"
        )
    return divmod(int(near.argmin()), width)


def places(found: Labels, scales: tuple[float, float]) -> str:
    """Where people are, in pixels of the frame."""
    middles = (centre(found, region) for region in range(1, int(found.max(initial=0)) + 1))
    return " ".join(f"{round(x / scales[0])},{round(y / scales[1])}" for x, y in middles)
