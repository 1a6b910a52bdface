"""Caps, beanies, durags and fedoras, and what they do to the hair under them."""

import bpy
import numpy as np
from arrays import Floats, Rng
from body import Body
from fabrics import cloth_material
from fitting import fit
from meshes import Faces
from objects import Shape, mesh_shape
from scipy.ndimage import gaussian_filter
from skeleton import Skeleton
from solids import net

_AROUND, _UP = 64, 28  # of the outline's grid
_SLACK = {"beanie": (0.0, 0.035), "durag": (0.0, 0.003)}  # metres of cloth over the head, from and to


class Dome:
    """The head's outline as a radius in every direction from its centre, hair not counted, smoothed as cloth lies."""

    def __init__(self, body: Body, skeleton: Skeleton):
        self.skeleton = skeleton
        offset = body.skin[body.head_vertices] - skeleton.centre
        radius = np.linalg.norm(offset, axis=1)
        around = (np.arctan2(offset[:, 0], -offset[:, 1]) / (2 * np.pi) * _AROUND).astype(int) % _AROUND
        up = np.clip(((np.arcsin(offset[:, 2] / radius) / np.pi + 0.5) * _UP).astype(int), 0, _UP - 1)
        grid = np.zeros((_AROUND, _UP))
        np.maximum.at(grid, (around, up), radius)
        known = grid > 0
        for _ in range(8):  # empty directions take their neighbours'
            spread = _smooth(grid * known, 1.0)
            share = _smooth(known.astype(float), 1.0)
            grid = np.where(known, grid, spread / np.maximum(share, 1e-6))
        self.grid = _smooth(grid, 1.2)

    def radius(self, directions: Floats) -> Floats:
        """Of unit vectors (…, 3)."""
        around = np.arctan2(directions[..., 0], -directions[..., 1]) / (2 * np.pi) * _AROUND % _AROUND
        up = np.clip((np.arcsin(np.clip(directions[..., 2], -1, 1)) / np.pi + 0.5) * _UP - 0.5, 0, _UP - 1.001)
        a, b = around.astype(int) % _AROUND, up.astype(int)
        s, t = around - around.astype(int), up - b
        c = (a + 1) % _AROUND
        low = self.grid[a, b] * (1 - s) + self.grid[c, b] * s
        high = self.grid[a, b + 1] * (1 - s) + self.grid[c, b + 1] * s
        return low * (1 - t) + high * t


def _smooth(grid: Floats, sigma: float) -> Floats:
    """A mean over neighbouring directions; the first axis goes round."""
    wrapped = np.pad(grid, ((8, 8), (0, 0)), mode="wrap")
    return gaussian_filter(wrapped, sigma, mode="nearest")[8:-8]


class Hat:
    """A cap, beanie, durag or fedora: its shapes, and what it does to the hair under it."""

    def __init__(self, kind: str, body: Body, skeleton: Skeleton, rng: Rng):
        self.dome, self.skeleton = Dome(body, skeleton), skeleton
        eye, crown = skeleton.eyes["l"][2], skeleton.crown
        self.front, self.back = (
            eye + rng.uniform(0.4, 0.52) * (crown - eye),
            eye + rng.uniform(0.0, 0.2) * (crown - eye),
        )
        self.slack = rng.uniform(*_SLACK.get(kind, (0.008, 0.016)))
        bone = skeleton.bones.index("head")
        if kind == "fedora":
            name = str(rng.choice(["fedora", "fedora_cocked"]))
            made = fit(body, body.template.assets / f"makehuman-assets/base/clothes/fedora01/{name}.mhclo")
            weights = np.ones((len(made.vertices), 1))
            uvs = made.uvs, made.face_uvs
            material = cloth_material(rng)
            self.shapes = [mesh_shape("fedora", made.vertices, made.faces, weights, [material], bones=[bone], uvs=uvs)]
            self.front = made.vertices[:, 2].min() + 0.03 * skeleton.size
            self.back = self.front
            return
        material = cloth_material(rng)
        vertices, faces = self._crown(kind)
        self.shapes = [self._piece("crown", vertices, faces, bone, material)]
        if kind == "cap":
            self.shapes.append(self._piece("brim", *self._brim(float(rng.uniform(-1, 1))), bone, material))
        if kind == "durag":
            self.shapes += [self._tail(bone, material, side, rng) for side in (-1.0, 1.0)]

    def _piece(self, name: str, vertices: Floats, faces: Faces, bone: int, material: "bpy.types.Material") -> Shape:
        weights = np.ones((len(vertices), 1))
        uvs = np.stack([np.arctan2(vertices[:, 0], -vertices[:, 1]) / (2 * np.pi) + 0.5, vertices[:, 2] * 3], 1)
        return mesh_shape(name, vertices, faces, weights, [material], bones=[bone], uvs=(uvs, faces))

    def _tail(self, bone: int, material: "bpy.types.Material", side: float, rng: Rng) -> Shape:
        """A ribbon from the knot behind."""
        down, across = np.linspace(0, 1, 10)[:, None], np.linspace(-0.5, 0.5, 4)[None]
        way = np.array([0.0, 1.0, (self.back - self.skeleton.centre[2]) / (0.45 * self.skeleton.size)])
        knot = self.skeleton.centre + way / np.linalg.norm(way) * self.dome.radius(way / np.linalg.norm(way))
        length, wide = rng.uniform(0.12, 0.28), (0.008 + 0.03 * np.sqrt(down)) * np.ones((1, 4))
        x = side * (0.004 + 0.035 * down) + wide * across
        y = knot[1] + 0.008 + 0.03 * np.sin(np.pi * np.minimum(down, 0.7)) + 0.2 * wide * np.abs(across)
        z = knot[2] - length * down + 0.01 * across
        vertices = np.stack(np.broadcast_arrays(x, y, z), 2).reshape(-1, 3)
        tail = self._piece("tail", vertices, net(10, 4, around=False), bone, material)
        tail.swings, tail.hung = np.repeat(0.7 * down[:, 0], 4), "head"
        return tail

    def line(self, points: Floats) -> Floats:
        """Height of the hat's edge above or below which points (…, 3) are, by how far back they lie."""
        back = np.clip((points[..., 1] - self.skeleton.centre[1]) / (0.4 * self.skeleton.size) * 0.5 + 0.5, 0, 1)
        return self.front * (1 - back) + self.back * back

    def _crown(self, kind: str) -> tuple[Floats, Faces]:
        centre, rows, sides = self.skeleton.centre, 14, 48
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
        rings = []
        for step in np.linspace(0, 0.985, rows):
            level = np.stack([np.sin(angle) * 0.1, -np.cos(angle) * 0.1, np.zeros(sides)], 1) + centre
            low = np.arctan2(self.line(level) - centre[2], 0.42 * self.skeleton.size)
            height = low + (np.pi / 2 - low) * step
            way = np.stack([np.sin(angle) * np.cos(height), -np.cos(angle) * np.cos(height), np.sin(height)], 1)
            slack = 0.006 + self.slack * np.sin(np.pi * min(step + 0.1, 1) * 0.6)
            radius = self.dome.radius(way) + slack
            ring = centre + way * radius[:, None]
            if kind == "beanie":
                ring[:, 1] += 0.8 * self.slack * step
            rings.append(ring)
        vertices = np.concatenate(rings)
        faces = net(rows, sides)
        return vertices, [*faces, [(rows - 1) * sides + k for k in range(sides)]]

    def _brim(self, tilt: float) -> tuple[Floats, Faces]:
        size, columns, rows = self.skeleton.size, 17, 6
        angle = np.linspace(-1.05, 1.05, columns)
        rings = []
        for out in np.linspace(0, 1, rows):
            way = np.stack([np.sin(angle), -np.cos(angle), np.zeros(columns)], 1)
            edge = np.full(columns, self.front - self.skeleton.centre[2])
            radius = self.dome.radius(way * 0.93 + np.array([0, 0, 0.3])) * 0.97
            length = out * 0.30 * size * np.sqrt(np.maximum(1 - (angle / 1.1) ** 2, 0))
            ring = self.skeleton.centre + way * (radius + length)[:, None]
            ring[:, 2] += edge - out * size * (0.06 + 0.03 * tilt) - 0.08 * size * np.abs(np.sin(angle)) ** 2 * out
            rings.append(ring)
        top = np.concatenate(rings)
        return top, net(rows, columns, around=False)

    def pressed(self, strands: Floats) -> Floats:
        """Hair under the hat lies within it; what grows high under it is gone but for what comes out below."""
        roots = strands[:, 0]
        kept = strands[roots[:, 2] < self.line(roots) + 0.02 * self.skeleton.size]
        if not len(kept):
            return kept
        offset = kept - self.skeleton.centre
        radius = np.linalg.norm(offset, axis=-1)
        way = offset / np.maximum(radius, 1e-6)[..., None]
        under = kept[..., 2] > self.line(kept) - 0.01
        most = self.dome.radius(way) + 0.004
        pressed = np.where(under & (radius > most), most, radius)
        return self.skeleton.centre + way * pressed[..., None]
