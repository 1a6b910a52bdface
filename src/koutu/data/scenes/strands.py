"""Hair strands on a cut-out that a solver or a mask gave none: colour and alpha of each are known to within rounding.

A strand is a curve from a root inside the hair, in the hair's colour there, thin and thinner to its tip.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.scenes.hair import Hair
from koutu.data.scenes.strand_layer import POINTS, Strands, lay_over, painted, with_room

THINNEST, THICKEST = 0.3, 2.0  # pixels of a sample
_LEAST = 12  # pixels of the sample that the side of a face must have
_REACH = 0.8  # of the face's side that strands may stand out beyond the picture


@dataclass(frozen=True)
class Habit:
    """How many strands somebody has: single ones, locks that share a path, frizz near the outline, before the forehead.

    curl: how far they wind, in units of 6 radians; length: of the longest, in sides of the face; thickness: of common
    ones, in pixels of the sample.
    """

    single: int
    locks: int
    frizz: int
    fringe: int
    curl: float
    length: float
    thickness: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, hair: Hair, size: float) -> "Habit":
        """size: pixels of the sample that a side of the face will have; small heads show few strands."""
        few = float(np.clip(size / 90, 0.25, 1.2))
        much = float(rng.uniform(0.1, 1.0) ** 1.5)
        longest = float(np.clip(1.8 * hair.depth - 0.15, 0.1, 0.6)) if not hair.long else rng.uniform(0.6, 1.2)
        frizzy = rng.random() < 0.4
        return cls(
            single=int(few * (50 + 400 * much)),
            locks=int(few * rng.integers(0, 16 if hair.long else 8)),
            frizz=int(few * (rng.integers(100, 350) if frizzy else rng.integers(0, 60))),
            fringe=int(few * rng.integers(10, 40)) if rng.random() < 0.3 else 0,
            curl=float(0.1 + rng.uniform(0, 1) ** 2),
            length=longest * float(rng.uniform(0.6, 1)),
            thickness=float(rng.uniform(0.35, 0.9)),
        )


def with_strands(
    rgba: NDArray[Any], heads: Sequence[Hair], rng: np.random.Generator, pixel: float = 1.0
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """A cut-out (H, W, 4) with strands, grown where they leave it, and the (2, 3) map that it took.

    heads: of this very picture. pixel: pixels of the sample that one of the cut-out's will be.
    """
    made = [x for hair in heads if (x := strands_of(rgba, hair, rng, pixel)) is not None]
    if not made:
        return rgba, np.eye(2, 3)
    strands = Strands(*(np.concatenate([getattr(x, part.name) for x in made]) for part in fields(Strands)))
    rgba, offset = with_room(rgba, strands, int(_REACH * max(hair.side for hair in heads)) + 1)
    box, layer = painted(strands, offset, rgba.shape[:2])
    lay_over(layer, rgba[box])
    return rgba, np.hstack([np.eye(2), offset[:, None]])


def strands_of(rgba: NDArray[Any], hair: Hair, rng: np.random.Generator, pixel: float) -> Strands | None:
    """Of one head, in pixels of the cut-out; None if it is too small for any."""
    if hair.side * pixel < _LEAST:
        return None
    habit = Habit.drawn(rng, hair, hair.side * pixel)
    alpha = np.ascontiguousarray(rgba[..., 3])
    soft = cv2.GaussianBlur(alpha[hair.part], (0, 0), 0.08 * hair.side).astype(np.float32)
    slope = -np.stack([cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)], axis=-1)
    rim, inner = hair.roots(alpha)
    parts = []
    kinds = ((habit.single, 1, rim, 1.0), (habit.frizz, 1, rim, 0.35), (habit.locks, 9, rim, 1.2))
    for count, together, places, reach in (*kinds, (habit.fringe, 1, inner, 0.6)):
        if not count or not len(places):
            continue
        root = np.repeat(_clustered(rng, places, count), together, axis=0)
        away = slope[tuple((root - hair.corner).T[::-1])]
        share = np.minimum(0.1 + np.abs(rng.normal(0, 0.4, count)), 1)
        length = reach * habit.length * hair.side * share.repeat(together)
        parts.append(_curves(rng, root, away, length, habit.curl, hair.side, together))
    if not parts:
        return None
    curves = np.concatenate(parts).astype(np.float32)
    total = len(curves)
    root = np.clip(np.rint(curves[:, 0]).astype(int), 0, np.array(alpha.shape[::-1]) - 1)
    shade = rng.uniform(0.75, 1.25, total)[:, None] * (1 + rng.normal(0, 0.02, (total, 3)))
    colour = hair.colour[None] * 0.3 + rgba[root[:, 1], root[:, 0], :3] * 0.7
    width = np.clip(habit.thickness * np.exp(rng.normal(0, 0.45, total)), THINNEST, THICKEST) / pixel
    opacity = np.clip(rng.normal(0.85, 0.2, total), 0.25, 1) * np.clip(hair.side * pixel / 50, 0.3, 1)
    light = rng.uniform(-0.6, 1.6, total)
    return Strands(curves, *(np.asarray(x, np.float32) for x in (width, opacity, colour * shade, light)))


def _clustered(rng: np.random.Generator, places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """`count` of the places (N, 2), more of them in some parts of the head than in others."""
    places = places[:: 1 + len(places) // 2000]
    spread = np.ptp(places, axis=0).max() + 1.0
    middles = places[rng.integers(len(places), size=5)]
    near = np.exp(-(((places[:, None] - middles[None]) / (0.2 * spread)) ** 2).sum(axis=2)) @ rng.uniform(0, 1, 5)
    likely = np.cumsum(0.15 + near)
    return places[np.minimum(np.searchsorted(likely, rng.random(count) * likely[-1]), len(places) - 1)]


def _curves(
    rng: np.random.Generator, root: NDArray[np.int64], away: NDArray[Any], length: NDArray[np.float64],
    curl: float, side: float, together: int,
) -> NDArray[np.float64]:  # fmt: skip
    """(N, P, 2): from each root along the outline downwards and off it, curling, and falling the more the longer.

    together: so many that follow each other share a path but for a little.
    """
    total = len(root)
    shared = total // together

    def each(values: NDArray[np.float64], own: float) -> NDArray[np.float64]:
        repeated = values.repeat(together)
        return repeated + own * values.std() * rng.standard_normal(total) if together > 1 else repeated

    outward = np.arctan2(away[:, 1], away[:, 0])
    along = np.where(away[:, 0] >= 0, outward + np.pi / 2, outward - np.pi / 2)  # down, on either side of the head
    lift = each(np.clip(rng.normal(0.6, 0.4, shared), 0.05, 1.5), 0.12)
    turn = along + lift * _wrapped(outward - along)
    bend = each(rng.normal(0, 1.3, shared), 0.2)
    waves, phase = each(rng.uniform(1, 5, shared), 0.05), each(rng.uniform(0, 2 * np.pi, shared), 0.08)
    step = length / (POINTS - 1)
    fall = np.minimum(length / side, 1.0) * rng.uniform(0.5, 1.5)
    places = [root + rng.normal(0, 0.6 if together == 1 else 0.012 * side, (total, 2))]
    for t in np.linspace(0, 1, POINTS)[1:]:
        turn = turn + (bend + 6 * curl * np.sin(2 * np.pi * waves * t + phase)) / POINTS
        turn = turn + fall / POINTS * 3 * np.cos(turn)  # towards straight down
        places.append(places[-1] + step[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1))
    return np.stack(places, axis=1)


def _wrapped(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    return (angle + np.pi) % (2 * np.pi) - np.pi
