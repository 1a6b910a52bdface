"""Brows and lashes on MakeHuman's strips, and beards."""

from itertools import pairwise

import numpy as np
from arrays import Floats, Rng, unit
from body import Body
from fitting import fit
from meshes import islands
from scalp import Scalp
from scipy.interpolate import LinearNDInterpolator
from skeleton import Skeleton
from surface import scattered, wavering

_BROWS, _LASHES = 12, 75
_BEARD_STRANDS = 6000


def brows(body: Body, rng: Rng) -> Floats:
    """(N, 6, 3) strands."""
    name = f"eyebrow{int(rng.integers(1, _BROWS + 1)):03d}"
    thick = rng.uniform(0.7, 1.4) * (1.25 if body.traits["gender"] > 0.5 else 0.9)
    parts = [_brow(points, uvs, thick, rng) for points, uvs in _strips(body, "eyebrows", name)]
    return np.concatenate(parts)


def lashes(body: Body, skeleton: Skeleton, rng: Rng) -> Floats:
    """(N, 5, 3) strands."""
    parts = [_lash(points, skeleton, rng) for points, _ in _strips(body, "eyelashes", "eyelashes01")]
    return np.concatenate([part for part in parts if part is not None])


def beard(body: Body, scalp: Scalp, length: float, rng: Rng) -> Floats:
    """(N, 7, 3) strands of about this length in metres."""
    count, points = _BEARD_STRANDS, 7
    roots, out = scattered(rng, body.skin, scalp.corners, scalp.beard, count)
    t = np.linspace(0, 1, points)[None, :, None]
    way = unit(out * 0.55 + np.array([0, -0.25, -1.0]) + rng.normal(0, 0.2, (count, 3)))
    strands = roots[:, None] + way[:, None] * t * length * np.exp(rng.normal(0, 0.25, (count, 1, 1)))
    return strands + wavering(rng, count, points, 3) * length * 0.1 * t - np.array([0, 0, 0.25]) * length * t**2


def _strips(body: Body, folder: str, name: str) -> list[tuple[Floats, Floats]]:
    """Points (N, 3) and uvs (N, 2) of each island of a strip."""
    strip = fit(body, body.template.assets / "makehuman-assets/base" / folder / name / f"{name}.mhclo")
    uv = {
        vertex: at
        for face, uvs in zip(strip.faces, strip.face_uvs, strict=True)
        for vertex, at in zip(face, uvs, strict=True)
    }
    numbers = islands(strip.faces, len(strip.vertices))
    found = []
    for number in np.unique(numbers):
        held = sorted({v for face, n in zip(strip.faces, numbers, strict=True) if n == number for v in face})
        found.append((strip.vertices[held], strip.uvs[[uv[v] for v in held]]))
    return found


def _brow(points: Floats, uvs: Floats, thick: float, rng: Rng) -> Floats:
    """Hairs that lie flatter the farther out they are."""
    count, steps = 330, 6
    low, size = uvs.min(0), np.ptp(uvs, axis=0)
    outwards = abs(points[np.argmin(uvs[:, 0]), 0]) < abs(points[np.argmax(uvs[:, 0]), 0])
    s = rng.random(count) ** 0.9 * 0.86 + 0.06
    u = s if outwards else 1 - s
    v = 0.47 + rng.uniform(-1, 1, count) * 0.17 * (1 - 0.55 * s) * thick
    angle = np.deg2rad(70 - 60 * np.clip(1.5 * s, 0, 1) + rng.normal(0, 10, count))
    length = rng.uniform(0.6, 1.1, count)
    du = np.cos(angle) * (1 if outwards else -1) * 0.12 * length
    dv = np.sin(angle) * 0.2 * length * np.where(v > 0.5, 0.5, 1)
    k = np.linspace(0, 1, steps)[None]
    at = np.stack([u[:, None] + du[:, None] * k, v[:, None] + dv[:, None] * k], 2) * size + low
    strands = LinearNDInterpolator(uvs, points)(at.reshape(-1, 2)).reshape(count, steps, 3)
    strands = strands[~np.isnan(strands).any((1, 2))]
    return strands - np.array([0, 0.001, 0]) * np.linspace(0.5, 1.6, steps)[None, :, None]


def _lash(points: Floats, skeleton: Skeleton, rng: Rng) -> Floats | None:
    """From the strip's near edge to its far one; None for a strip too short."""
    eye = skeleton.eyes["l" if points[:, 0].mean() > 0 else "r"]
    far = np.linalg.norm(points - eye, axis=1)
    edges = np.linspace(points[:, 0].min(), points[:, 0].max() + 1e-6, 13)
    near_edge, far_edge = [], []
    for left, right in pairwise(edges):
        held = np.flatnonzero((points[:, 0] >= left) & (points[:, 0] < right))
        if len(held) > 1:
            near_edge.append(points[held[np.argmin(far[held])]])
            far_edge.append(points[held[np.argmax(far[held])]])
    if len(near_edge) < 4:
        return None
    x = np.linspace(0, 1, len(near_edge))

    def along(edge: list[Floats], at: Floats) -> Floats:
        return np.stack([np.interp(at, x, np.array(edge)[:, k]) for k in range(3)], 1)

    at = rng.random(_LASHES)
    roots, tips = along(near_edge, at), along(far_edge, np.clip(at + rng.normal(0, 0.03, _LASHES), 0, 1))
    k = np.linspace(0, 1, 5)[None, :, None]
    upwards = 1.0 if points[:, 2].mean() > eye[2] else -1.0
    way = (tips - roots)[:, None] * rng.uniform(0.5, 1, (_LASHES, 1, 1))
    return roots[:, None] + way * k + np.array([0, 0, upwards * 0.0012]) * k**2
