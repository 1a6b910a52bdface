"""MakeHuman's clothes, eyes, teeth and strips of lashes (.mhclo), fitted to a body."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from arrays import Floats
from body import Body, decimetres, metres
from meshes import Faces, load_obj

_SCALES = ("x_scale", "y_scale", "z_scale")


@dataclass
class Fitted:
    """vertices (V, 3) at rest; weights (V, bones); hidden: vertices of the skin that it covers."""

    vertices: Floats
    uvs: Floats
    faces: Faces
    face_uvs: Faces
    weights: Floats
    hidden: set[int] = field(default_factory=set)


@dataclass
class _Recipe:
    """What a .mhclo file says: rows of three base vertices, their shares and an offset; scales: (a, b, length)."""

    obj: str = ""
    rows: list[list[float]] = field(default_factory=list)
    scales: dict[int, tuple[int, int, float]] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)


def fit(body: Body, path: Path) -> Fitted:
    """The asset of a .mhclo file on this body."""
    recipe = _read(path)
    base = decimetres(body.vertices)
    scale = np.ones(3)
    for axis, (a, b, length) in recipe.scales.items():
        scale[axis] = abs(base[a, axis] - base[b, axis]) / length
    rows = np.array(recipe.rows)
    corners, shares = rows[:, :3].astype(int), rows[:, 3:6]
    vertices = (base[corners] * shares[:, :, None]).sum(1) + rows[:, 6:9] * scale
    weights = (body.template.weights[corners] * np.abs(shares)[:, :, None]).sum(1)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-6)
    mesh = load_obj(path.parent / recipe.obj)
    return Fitted(metres(vertices), mesh.uvs, mesh.faces, mesh.face_uvs, weights, recipe.hidden)


def _read(path: Path) -> _Recipe:
    recipe, part = _Recipe(), ""
    for line in path.read_text("utf-8", errors="ignore").splitlines():
        key, *words = line.split("#")[0].split() or [""]
        if key in _SCALES:
            recipe.scales[_SCALES.index(key)] = int(words[0]), int(words[1]), float(words[2])
        elif key == "obj_file":
            recipe.obj = words[0]
        elif key in ("verts", "delete_verts", "weights"):
            part = key
        elif part == "verts" and key.isdigit():
            recipe.rows.append(_row([key, *words]))
        elif part == "delete_verts" and key.isdigit():
            recipe.hidden |= _numbers([key, *words])
    return recipe


def _row(words: list[str]) -> list[float]:
    """A line of one vertex lies on it; other lines have three, their shares and perhaps an offset."""
    if len(words) < 6:
        return [float(words[0])] * 3 + [1.0] + [0.0] * 5
    return ([float(word) for word in words[:9]] + [0.0] * 3)[:9]


def _numbers(words: list[str]) -> set[int]:
    """Of such as "3 - 7 12"."""
    found: set[int] = set()
    text = " ".join(words).replace(" - ", "-")
    for part in text.split():
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found
