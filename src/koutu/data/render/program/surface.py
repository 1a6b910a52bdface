"""Surfaces to root strands on and to keep them out of."""

from collections.abc import Sequence

import numpy as np
from arrays import Floats, Ints, Rng, unit
from scipy.spatial import cKDTree

_TRIED = 500  # strands that are looked at to simplify all


def scattered(rng: Rng, vertices: Floats, corners: Ints, weights: Floats, count: int) -> tuple[Floats, Floats]:
    """Points (count, 3) spread over triangles by area × weight, and the normals there."""
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    share = np.linalg.norm(across, axis=1) * weights
    chosen = rng.choice(len(corners), count, p=share / share.sum())
    uv = rng.random((count, 2))
    outside = uv.sum(1) > 1
    uv[outside] = 1 - uv[outside]
    points = a[chosen] + uv[:, :1] * (b - a)[chosen] + uv[:, 1:] * (c - a)[chosen]
    return points, unit(across[chosen])


class Surface:
    """Points of skin and cloth with normals; what comes nearer than wanted is pushed out along them."""

    def __init__(self, rng: Rng, parts: Sequence[tuple[Floats, Ints, int]]):
        """parts: vertices, triangles, and how many points to take."""
        found = [scattered(rng, vertices, corners, np.ones(len(corners)), count) for vertices, corners, count in parts]
        self.points = np.concatenate([points for points, _ in found])
        self.normals = np.concatenate([normals for _, normals in found])
        self._tree = cKDTree(self.points)

    def height(self, points: Floats, near: float = 0.06) -> tuple[Floats, Floats]:
        """Of points (…, 3): metres above the surface, negative inside, infinite farther than `near`; its normals."""
        flat = points.reshape(-1, 3)
        distance, index = self._tree.query(flat, distance_upper_bound=near)
        there = np.isfinite(distance)
        height, normal = np.full(len(flat), np.inf), np.zeros((len(flat), 3))
        normal[there] = self.normals[index[there]]
        height[there] = ((flat[there] - self.points[index[there]]) * normal[there]).sum(1)
        return height.reshape(points.shape[:-1]), normal.reshape(points.shape)

    def outside(self, points: Floats, least: Floats | float, near: float = 0.06) -> Floats:
        """The points, those lower than `least` metres lifted to it."""
        height, normal = self.height(points, near)
        lift = np.where(np.isfinite(height), np.maximum(np.asarray(least) - height, 0), 0)
        return points + normal * lift[..., None]


def wavering(rng: Rng, count: int, points: int, waves: float) -> Floats:
    """(count, points, 3) smooth random curves of about so many waves, of variance 1."""
    knots = max(int(waves) + 2, 3)
    values = rng.normal(0, 1, (count, knots, 3))
    at = np.linspace(0, knots - 1.001, points)
    low = at.astype(int)
    share = (at - low)[None, :, None]
    share = share * share * (3 - 2 * share)
    return values[:, low] * (1 - share) + values[:, low + 1] * share


def resampled(strands: Floats, points: int) -> Floats:
    """Strands (N, P, 3) with other points along the same curves, Catmull-Rom between theirs as Cycles draws them."""
    last = strands.shape[1] - 1
    at = np.linspace(0, last, points)
    low = np.minimum(at.astype(int), last - 1)
    t = (at - low)[None, :, None]
    a, b, c, d = (strands[:, np.clip(low + step, 0, last)] for step in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def simplified(strands: Floats, tolerance: float) -> Floats:
    """With as few points as keep the curves within a tolerance in metres on the mean."""
    some, points = strands[:: max(len(strands) // _TRIED, 1)], strands.shape[1]
    for fewer in range(4, points, 2):
        off = np.linalg.norm(resampled(resampled(some, fewer), points) - some, axis=2)
        if off.mean() < tolerance:
            return resampled(strands, fewer)
    return strands
