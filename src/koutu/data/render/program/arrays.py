"""Arrays and turns. Lengths are metres, angles degrees; z is up, a person at rest faces -y, and +x is their left."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[Any]
Rng: TypeAlias = np.random.Generator


def unit(vectors: Floats) -> Floats:
    """Vectors (…, 3) of length 1; a zero vector stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def smoothstep(x: Floats | float) -> Floats:
    """0 up to 0, 1 from 1 on, smooth between."""
    t = np.clip(x, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def rotation(axis: str, degrees: float) -> Floats:
    """3×3, about a main axis."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    rows = {
        "x": ((1, 0, 0), (0, c, -s), (0, s, c)),
        "y": ((c, 0, s), (0, 1, 0), (-s, 0, c)),
        "z": ((c, -s, 0), (s, c, 0), (0, 0, 1)),
    }
    return np.array(rows[axis], np.float64)


def about(axis: Floats, degrees: float) -> Floats:
    """3×3, about any unit axis."""
    x, y, z = axis
    cross = np.array(((0, -z, y), (z, 0, -x), (-y, x, 0)), np.float64)
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def turning(start: Floats, end: Floats) -> Floats:
    """3×3, the shortest turn of one unit vector into another."""
    axis = np.cross(start, end)
    sine, cosine = float(np.linalg.norm(axis)), float(start @ end)
    if sine < 1e-8:
        return np.eye(3)
    return about(axis / sine, float(np.rad2deg(np.arctan2(sine, cosine))))


def frame(first: Floats, second: Floats) -> Floats:
    """3×3 orthonormal columns: the first direction, the second made square to it, and their cross product."""
    a = unit(first)
    b = unit(second - a * (a @ second))
    return np.stack([a, b, np.cross(a, b)], 1)
