"""Tubes, boxes and turned bodies as vertices and faces."""

from collections.abc import Sequence

import numpy as np
from arrays import Floats, unit
from meshes import Faces

Solid = tuple[Floats, Faces]


def tube(path: Sequence[Sequence[float]] | Floats, radius: float, *, closed: bool = False, flat: float = 1.0) -> Solid:
    """A round wire along points; flat: the other half axis of its section, in radii."""
    points, sides = np.asarray(path, np.float64), 8
    ahead = np.roll(points, -1, 0) - np.roll(points, 1, 0) if closed else np.gradient(points, axis=0)
    along = unit(ahead)
    first = unit(np.cross(along, np.array([0.01, 1.0, 0.02])))
    second = np.cross(along, first)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)[None, :, None]
    rings = points[:, None] + radius * (np.cos(angle) * first[:, None] + flat * np.sin(angle) * second[:, None])
    count = len(points)
    faces = net(count, sides, closed=closed)
    if not closed:
        faces += [list(range(sides))[::-1], [(count - 1) * sides + k for k in range(sides)]]
    return rings.reshape(-1, 3), faces


def box(centre: Sequence[float] | Floats, axes: Floats, size: Sequence[float]) -> Solid:
    """size: along the columns of axes (3×3)."""
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    vertices = np.asarray(centre) + (signs * np.asarray(size) / 2) @ axes.T
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    return vertices, faces


def turned(origin: Floats, axes: Floats, profile: Sequence[tuple[float, float]], sides: int = 24) -> Solid:
    """profile: (radius, height) from bottom to top about axes' third column; closed at both ends."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    rings = [np.stack([r * np.cos(angle), r * np.sin(angle), np.full(sides, h)], 1) for r, h in profile]
    vertices = np.concatenate(rings) @ axes.T + origin
    count = len(profile)
    faces = net(count, sides)
    faces += [list(range(sides))[::-1], [(count - 1) * sides + k for k in range(sides)]]
    return vertices, faces


def joined(parts: Sequence[Solid]) -> Solid:
    """Several as one."""
    vertices: list[Floats] = []
    faces: Faces = []
    for part, sides in parts:
        start = sum(len(v) for v in vertices)
        vertices.append(part)
        faces += [[v + start for v in face] for face in sides]
    return np.concatenate(vertices), faces


def net(rows: int, columns: int, *, around: bool = True, closed: bool = False) -> Faces:
    """Quads between rows of points; around: the last column meets the first; closed: so do the rows."""
    faces = []
    for i in range(rows if closed else rows - 1):
        a, b = i * columns, (i + 1) % rows * columns
        for k in range(columns if around else columns - 1):
            right = (k + 1) % columns
            faces.append([a + k, a + right, b + right, b + k])
    return faces
