"""A headscarf: cloth around head and neck that leaves the face free."""

import bpy
import numpy as np
from arrays import Floats, Rng, smoothstep
from body import Body
from fabrics import cloth_material
from hats import Dome
from meshes import Faces
from objects import Shape, mesh_shape
from skeleton import Skeleton
from solids import net


def headscarf(body: Body, skeleton: Skeleton, rng: Rng) -> list[Shape]:
    """Cloth around head and neck that leaves the face free."""
    dome, centre, size = Dome(body, skeleton), skeleton.centre, skeleton.size
    rows, sides = 20, 56
    face = rng.uniform(0.60, 0.72)
    rings = []
    for step in np.linspace(0, 1, rows):
        # rings open from the edge of the face (around -y) backwards to a point behind the head
        opening = face + (np.pi - face - 0.02) * step
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
        tall = 1.18 - 0.18 * step
        way = np.stack(
            [np.sin(opening) * np.sin(angle), np.full(sides, -np.cos(opening)), np.sin(opening) * np.cos(angle) * tall],
            1,
        )
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        ring = centre + way * (dome.radius(way) + 0.012 + 0.01 * step)[:, None]
        low = np.clip((centre[2] - ring[:, 2]) / size - 0.35, 0, 1)
        ring[:, 2] -= 0.25 * size * low
        rings.append(ring)
    vertices = np.concatenate(rings)
    faces = net(rows, sides)
    material = cloth_material(rng)
    return [_soft(skeleton, "scarf", vertices, faces, material), _collar(skeleton, material)]


def _collar(skeleton: Skeleton, material: "bpy.types.Material") -> Shape:
    """The scarf's lower part around neck and shoulders."""
    neck, sides, rows = skeleton.heads["neck_01"], 40, 9
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    rings = []
    for step in np.linspace(0, 1, rows):
        radius = (0.38 + 0.36 * step**1.5) * skeleton.size * (1 + 0.05 * np.sin(5 * angle + 2 * step))
        height = neck[2] + (0.42 - 0.68 * step) * skeleton.size
        middle = neck[1] + 0.04 * skeleton.size
        rings.append(np.stack([np.sin(angle) * radius, middle - np.cos(angle) * radius, np.full(sides, height)], 1))
    vertices = np.concatenate(rings)
    faces = net(rows, sides)
    return _soft(skeleton, "collar", vertices, faces, material)


def _soft(skeleton: Skeleton, name: str, vertices: Floats, faces: Faces, material: "bpy.types.Material") -> Shape:
    """Follows the head above the chin and the chest below."""
    share = np.clip((skeleton.chin + 0.03 - vertices[:, 2]) / 0.12, 0, 1)[:, None]
    weights = np.concatenate([1 - share, share], 1)
    bones = [skeleton.bones.index("head"), skeleton.bones.index("spine_03")]
    uvs = np.stack([vertices[:, 0] + vertices[:, 1], vertices[:, 2]], 1)
    shape = mesh_shape(name, vertices, faces, weights, [material], bones=bones, uvs=(uvs, faces))
    behind = (vertices[:, 1] - skeleton.centre[1]) / skeleton.size
    shape.swings, shape.hung = 0.5 * share[:, 0] * smoothstep((behind + 0.3) / 0.6), "spine_03"
    return shape
