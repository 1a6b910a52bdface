"""Faces in a picture, upright and seen from the front: a linear filter over directions of gradients, at every size.

After Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005; the filter is 1 kB long.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Alpha, Rgb

CELL, CELLS, DIRECTIONS = 4, 10, 9  # pixels; a side of the filter in cells; directions in half a turn
SIDE = CELL * CELLS
SMALLEST, LARGEST = 24, 0.7  # pixels, share of the picture's shorter side
_STEP = 2 ** (1 / 3)  # from size to size
_WEIGHTS = Path(__file__).with_name("faces.npz")
SURE = 1.5  # score of what is taken for a face
_APART = 0.2  # that two faces may share


@dataclass(frozen=True)
class Face:
    """A square from brows to below the mouth, cheeks included, at (x, y), and how sure it is."""

    x: float
    y: float
    side: float
    score: float = 0.0

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.side / 2, self.y + self.side / 2

    def part(self, left: float, right: float, top: float, bottom: float) -> tuple[slice, slice]:
        """Rows and columns of a part of it, in shares of its side."""
        across, down = (
            slice(max(0, int(at + self.side * a)), max(0, int(at + self.side * b)) + 1)
            for at, a, b in ((self.x, left, right), (self.y, top, bottom))
        )
        return down, across


def find_faces(rgb: Rgb, alpha: Alpha, sure: float = SURE) -> list[Face]:
    """The faces of a cut-out (H, W, 3) and its alpha (H, W) that score over `sure`, the surest first."""
    left, top, width, height = cv2.boundingRect(cv2.inRange(alpha, 128, 255))
    part = np.s_[top : top + height, left : left + width]
    if min(width, height) < SMALLEST:
        return []
    grey, inside = cv2.cvtColor(np.ascontiguousarray(rgb[part]), cv2.COLOR_RGB2GRAY), cv2.integral(alpha[part])
    faces: list[Face] = []
    for face in detections(grey, *_filter(), sure):
        if _covered(inside, face) > 0.97 and all(overlap(face, other, smaller=True) < _APART for other in faces):
            faces.append(face)
    return [replace(face, x=face.x + left, y=face.y + top) for face in faces]


def detections(
    grey: NDArray[Any], weights: NDArray[np.float32], bias: float, sure: float, least: float = SMALLEST
) -> list[Face]:
    """All squares of a picture (H, W) of at least so many pixels a side that score over `sure`, none on a surer one."""
    found: list[Face] = []
    for scale, cells in _sizes(grey, least):
        scores = response(cells, weights) + bias
        for row, column in np.argwhere(scores > sure):
            found.append(Face(column * CELL / scale, row * CELL / scale, SIDE / scale, float(scores[row, column])))
    found.sort(key=lambda face: -face.score)
    kept: list[Face] = []
    for face in found:
        if all(overlap(face, other) < _APART for other in kept):
            kept.append(face)
    return kept


def histograms(grey: NDArray[Any]) -> NDArray[np.float32]:
    """(H, W) → (H / CELL, W / CELL, DIRECTIONS): how much of the gradients goes which way, whatever the contrast."""
    light = grey.astype(np.float32)
    step = np.array([[-1, 0, 1]], np.float32)
    length, angle = cv2.cartToPolar(cv2.filter2D(light, -1, step), cv2.filter2D(light, -1, step.T))
    height, width = grey.shape[0] // CELL, grey.shape[1] // CELL
    part = np.s_[: height * CELL, : width * CELL]
    length, bins = length[part], angle[part] * np.float32(DIRECTIONS / np.pi)
    low = bins.astype(np.int32)
    share = length * (bins - low)
    cell = (np.arange(height * CELL)[:, None] // CELL * width + np.arange(width * CELL) // CELL) * DIRECTIONS
    sums = np.bincount((cell + low % DIRECTIONS).ravel(), (length - share).ravel(), height * width * DIRECTIONS)
    sums += np.bincount((cell + (low + 1) % DIRECTIONS).ravel(), share.ravel(), height * width * DIRECTIONS)
    cells = (sums / CELL**2).reshape(height, width, DIRECTIONS).astype(np.float32)
    energy = cv2.blur((cells**2).sum(axis=2), (3, 3))
    return np.minimum(cells / (np.sqrt(energy) + 2)[..., None], 0.6)


def response(cells: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The filter (CELLS, CELLS, DIRECTIONS) laid on every place of (h, w, DIRECTIONS)."""
    planes = zip(cv2.split(cells), cv2.split(weights), strict=True)
    return np.sum([cv2.matchTemplate(cell, weight, cv2.TM_CCORR) for cell, weight in planes], axis=0)


def overlap(a: Face, b: Face, *, smaller: bool = False) -> float:
    """Of two squares, what they share of their union, or of the smaller one."""
    width = min(a.x + a.side, b.x + b.side) - max(a.x, b.x)
    height = min(a.y + a.side, b.y + b.side) - max(a.y, b.y)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (min(a.side, b.side) ** 2 if smaller else a.side**2 + b.side**2 - shared)


def _sizes(grey: NDArray[Any], least: float) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Histograms of the picture at every scale at which a face of sensible size fits the filter."""
    scale = SIDE / least
    while scale * LARGEST * min(grey.shape) >= SIDE:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        sized = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=how)
        if min(sized.shape) >= SIDE:
            yield scale, histograms(sized)
        scale /= _STEP


def _covered(inside: NDArray[Any], face: Face) -> float:
    """How much of a face is somebody, by the sums of alpha."""
    left, top = max(0, int(face.x)), max(0, int(face.y))
    right, bottom = min(inside.shape[1] - 1, int(face.x + face.side)), min(inside.shape[0] - 1, int(face.y + face.side))
    whole = inside[bottom, right] - inside[top, right] - inside[bottom, left] + inside[top, left]
    return float(whole) / 255 / max(1, (right - left) * (bottom - top))


@cache
def _filter() -> tuple[NDArray[np.float32], float]:
    with np.load(_WEIGHTS) as held:
        return held["weights"].astype(np.float32) * np.float32(held["step"]), float(held["bias"])
