"""Wavefront meshes in numpy: read, cut into triangles, parted into islands."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arrays import Floats, Ints

Faces = list[list[int]]


@dataclass
class Mesh:
    """vertices (V, 3); uvs (U, 2); faces and face_uvs: indices, a list a face; groups: a name a face."""

    vertices: Floats
    uvs: Floats
    faces: Faces
    face_uvs: Faces
    groups: list[str]


def load_obj(path: Path) -> Mesh:
    """Of a .obj file, its axes as they are."""
    vertices, uvs, faces, face_uvs, groups = [], [], [], [], []
    group = ""
    for line in path.read_text("utf-8", errors="ignore").splitlines():
        key, *words = line.split() or [""]
        if key == "v":
            vertices.append([float(word) for word in words[:3]])
        elif key == "vt":
            uvs.append([float(word) for word in words[:2]])
        elif key == "g":
            group = words[0] if words else ""
        elif key == "f":
            corners = [word.split("/") for word in words]
            faces.append([int(corner[0]) - 1 for corner in corners])
            face_uvs.append([int(corner[1]) - 1 if len(corner) > 1 and corner[1] else 0 for corner in corners])
            groups.append(group)
    return Mesh(np.array(vertices), np.array(uvs or [[0.0, 0.0]]), faces, face_uvs, groups)


def triangles(faces: Sequence[Sequence[int]]) -> Ints:
    """(T, 3) fans of the faces."""
    return np.array([(face[0], face[k], face[k + 1]) for face in faces for k in range(1, len(face) - 1)])


def islands(faces: Sequence[Sequence[int]], count: int) -> Ints:
    """A number for each face, the same for faces that hang together; 0 has the most faces."""
    parent = list(range(count))

    def root(a: int) -> int:
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        return a

    for face in faces:
        first = root(face[0])
        for vertex in face[1:]:
            parent[root(vertex)] = first
    _, numbers, sizes = np.unique([root(face[0]) for face in faces], return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), int)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[numbers]


def normals(vertices: Floats, faces: Sequence[Sequence[int]]) -> Floats:
    """(V, 3) unit normals of the vertices."""
    corners = triangles(faces)
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, corners[:, k], area)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
