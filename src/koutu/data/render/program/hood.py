"""The hood of a top: up around the head, or down behind the neck."""

import bpy
import numpy as np
from arrays import Floats, Rng, smoothstep
from hats import Dome
from objects import Shape, mesh_shape
from skeleton import Skeleton
from solids import Solid, net, tube

_THICK = 0.006  # metres of cloth


class Hood:
    """up: around the head, which presses the hair under it; else it lies behind the neck."""

    def __init__(self, dome: Dome, skeleton: Skeleton, rng: Rng, *, up: bool):
        self.dome, self.skeleton, self.up = dome, skeleton, up
        self.face = float(rng.uniform(0.92, 1.2))  # radians from straight ahead to the hood's edge
        self.room = float(rng.uniform(0.02, 0.036))  # metres over the skull
        self.solid: Solid = self._raised(rng) if up else self._lowered(rng)

    def shapes(self, material: "bpy.types.Material", rng: Rng) -> list[Shape]:
        """The hood and, of most, two strings."""
        vertices, faces = self.solid
        chest, head = self.skeleton.bones.index("spine_03"), self.skeleton.bones.index("head")
        up = smoothstep((vertices[:, 2] - self.skeleton.chin + 0.03) / 0.1) * (0.95 if self.up else 0.2)
        weights = np.stack([1 - up, up], 1)
        uvs = np.stack([vertices[:, 0] + vertices[:, 1], vertices[:, 2]], 1)
        hood = mesh_shape("hood", vertices, faces, weights, [material], bones=[chest, head], uvs=(uvs, faces))
        thick = hood.object.modifiers.new("cloth", "SOLIDIFY")
        thick.thickness, thick.offset = _THICK, 1.0
        hood.swings, hood.hung = self.free(), "head" if self.up else "spine_03"
        return [hood, *self._strings(material, chest)] if rng.random() < 0.6 else [hood]

    def free(self) -> Floats:
        """How far each vertex hangs free, 0…1: what is far behind."""
        vertices = self.solid[0]
        behind = (vertices[:, 1] - self.skeleton.centre[1]) / self.skeleton.size
        return (0.35 if self.up else 0.5) * smoothstep((behind - 0.1) / 0.5)

    def pressed(self, strands: Floats) -> Floats:
        """Hair under the hood lies within it; before its edge it is free."""
        offset = strands - self.skeleton.centre
        radius = np.linalg.norm(offset, axis=-1)
        way = offset / np.maximum(radius, 1e-6)[..., None]
        most = self.dome.radius(way) + 0.75 * self.room
        under = (np.arccos(np.clip(-way[..., 1], -1, 1)) > self.face - 0.12) & (radius > most)
        return self.skeleton.centre + way * np.where(under, most, radius)[..., None]

    def _collar(self, angle: Floats, out: Floats | float, height: Floats | float) -> Floats:
        """Around the neck; angle from straight ahead, out and height in head sizes from the neck's joint."""
        neck, size = self.skeleton.heads["neck_01"], self.skeleton.size
        radius = (0.36 + out) * size
        x, y = np.sin(angle) * radius, neck[1] + 0.03 * size - np.cos(angle) * radius
        return np.stack([x, y, np.broadcast_to(neck[2] + height * size, x.shape)], -1)

    def _raised(self, rng: Rng) -> Solid:
        """Rings from the edge about the face backwards; low ones come down to the collar."""
        rows, sides, size = 18, 48, self.skeleton.size
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
        peak, folds = rng.uniform(0.02, 0.09), rng.uniform(0, 2 * np.pi, 2)
        rings = []
        for step in np.linspace(0, 1, rows):
            opening = self.face + (np.pi - self.face - 0.02) * step
            flat = np.sin(opening)
            way = np.stack([flat * np.sin(angle), np.full(sides, -np.cos(opening)), flat * np.cos(angle)], 1)
            creased = 0.008 * np.sin(3 * angle + folds[0] + 4 * step) * np.sin(np.pi * step)
            room = self.room + creased + 0.012 * np.sin(np.pi * step)
            ring = self.skeleton.centre + way * (self.dome.radius(way) + room)[:, None]
            ring[:, 1] += peak * size * step * np.clip(way[:, 2] + 0.6, 0, 1)
            around = np.arctan2(way[:, 0], -way[:, 1])
            collar = self._collar(around, 0.1 + 0.06 * step, -0.25 + 0.1 * step)
            low = smoothstep((-0.15 - way[:, 2]) / 0.55)[:, None]
            rings.append(ring * (1 - low) + collar * low)
        return np.concatenate(rings), [*net(rows, sides), [(rows - 1) * sides + k for k in range(sides)]]

    def _lowered(self, rng: Rng) -> Solid:
        """A slack roll from one side of the collar round the back to the other; a pouch hangs behind."""
        columns, sides = 34, 18
        around = np.linspace(0.55, 2 * np.pi - 0.55, columns)
        section = np.linspace(0, 2 * np.pi, sides, endpoint=False)
        sag, thick = rng.uniform(0.3, 0.55), rng.uniform(0.8, 1.25)
        phase = rng.uniform(0, 2 * np.pi, 3)
        rings = []
        for angle in around:
            behind = smoothstep(0.5 - 0.75 * np.cos(angle))
            wide, tall = (0.03 + 0.12 * behind) * thick, (0.045 + 0.14 * behind) * thick
            crumpled = 1 + 0.1 * np.sin(3 * section + 4 * angle + phase[0]) + 0.07 * np.sin(5 * angle + phase[1])
            out = 0.03 + 0.75 * wide + wide * np.cos(section) * crumpled
            height = -0.13 + 0.13 * behind + tall * np.sin(section) * crumpled
            height = height - sag * behind * np.clip(np.cos(section) + 0.35, 0, None) * 0.6
            rings.append(self._collar(np.full(sides, angle), out, height))
        ends = [list(range(sides))[::-1], [(columns - 1) * sides + k for k in range(sides)]]
        return np.concatenate(rings), [*net(columns, sides), *ends]

    def _strings(self, material: "bpy.types.Material", chest: int) -> list[Shape]:
        shapes = []
        for side in (-1.0, 1.0):
            top = self._collar(np.array([0.42 * side]), 0.1, 0.0)[0]
            front = min(self.skeleton.front - 0.012, top[1])
            drop = np.linspace(0, 1, 8)[:, None]
            path = top + np.array([0.012 * side, 0.0, -0.75 * self.skeleton.size]) * drop
            path[:, 1] += (front - top[1]) * smoothstep(drop[:, 0] / 0.7)
            vertices, faces = tube(path, 0.0028)
            weights, uvs = np.ones((len(vertices), 1)), vertices[:, 1:]
            string = mesh_shape("string", vertices, faces, weights, [material], bones=[chest], uvs=(uvs, faces))
            string.swings, string.hung = np.repeat(0.6 * drop[:, 0], len(vertices) // len(path)), "spine_03"
            shapes.append(string)
        return shapes
