"""What Blender renders: meshes and strands that keep their form at rest and follow bones."""

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from arrays import Floats, Ints
from meshes import Faces
from skeleton import skinned

_APART = 1 + 1e-5  # an uneven scale, for Cycles to keep a tree of the strands' own, which lasts as long as they rest


@dataclass
class Shape:
    """object: Blender's. rest (V, 3); weights (V, len(bones)) over these bones' numbers.

    late: seconds by which each vertex follows its bones, None for at once; offset: of an expression, (V, 3) or 0.
    swings: how far each vertex of loose cloth hangs free, 0…1, None for not at all; hung: the bone that it hangs on.
    """

    object: "bpy.types.Object"
    rest: Floats
    bones: Ints
    weights: Floats
    late: Floats | None = None
    offset: Floats | float = 0.0
    swings: Floats | None = None
    hung: str = ""

    def at(self, matrices: Floats) -> Floats:
        """Where bones (all, 4, 4) put the vertices."""
        return skinned(self.rest + self.offset, self.weights, matrices[self.bones])

    def move(self, vertices: Floats, velocity: Floats | None = None) -> None:
        """Put vertices there; velocity: metres a second, for motion blur."""
        data = self.object.data
        target = data.vertices if isinstance(data, bpy.types.Mesh) else data.attributes["position"].data
        name = "co" if isinstance(data, bpy.types.Mesh) else "vector"
        target.foreach_set(name, np.ascontiguousarray(vertices, np.float32).ravel())
        speed = np.zeros_like(vertices) if velocity is None else velocity
        data.attributes["velocity"].data.foreach_set("vector", np.ascontiguousarray(speed, np.float32).ravel())
        if isinstance(data, bpy.types.Mesh):
            data.update()
        else:
            data.update_tag()
        self.object.update_tag()


def mesh_shape(
    name: str,
    vertices: Floats,
    faces: Faces,
    weights: Floats,
    materials: Sequence["bpy.types.Material"],
    *,
    bones: Sequence[int] | None = None,
    uvs: tuple[Floats, Faces] | None = None,
    material_of: Sequence[int] | Ints | None = None,
    smooth: bool = True,
    subdivided: bool = True,
) -> Shape:
    """weights: over `bones`, or over all of them; uvs: coordinates and a list of indices a face."""
    data = bpy.data.meshes.new(name)
    data.from_pydata(vertices.tolist(), [], faces)
    data.polygons.foreach_set("use_smooth", [smooth] * len(data.polygons))
    if uvs is not None:
        layer = data.uv_layers.new(name="UVMap")
        layer.data.foreach_set("uv", uvs[0][np.concatenate([np.array(face) for face in uvs[1]])].ravel())
    for material in materials:
        data.materials.append(material)
    if material_of is not None:
        data.polygons.foreach_set("material_index", np.asarray(material_of, np.int32))
    data.attributes.new("velocity", "FLOAT_VECTOR", "POINT")
    made = _linked(name, data)
    if subdivided:
        modifier = made.modifiers.new("smooth", "SUBSURF")
        modifier.levels = modifier.render_levels = 1
    numbers = np.arange(weights.shape[1]) if bones is None else np.array(bones)
    return Shape(made, np.asarray(vertices, np.float64), numbers, weights)


def rigid_shape(
    name: str, vertices: Floats, faces: Faces, bone: int, material: "bpy.types.Material", *, smooth: bool = True
) -> Shape:
    """A solid thing that one bone carries."""
    weights = np.ones((len(vertices), 1))
    return mesh_shape(name, vertices, faces, weights, [material], bones=[bone], smooth=smooth, subdivided=False)


def strand_shape(
    name: str,
    strands: Floats,
    radius: tuple[float, float],
    material: "bpy.types.Material",
    bones: Sequence[int],
    weights: Floats,
    late: Floats | None = None,
) -> Shape:
    """Curves (N, points, 3), radius at root and tip in metres; weights (N · points, len(bones)), late (N · points,)."""
    count, points, _ = strands.shape
    data = bpy.data.hair_curves.new(name)
    data.add_curves([points] * count)
    if "radius" not in data.attributes:
        data.attributes.new("radius", "FLOAT", "POINT")
    along = np.linspace(0, 1, points)[None] ** 2
    radii = (radius[0] * (1 - along) + radius[1] * along) * np.ones((count, 1))
    data.attributes["radius"].data.foreach_set("value", radii.astype(np.float32).ravel())
    data.attributes["position"].data.foreach_set("vector", strands.astype(np.float32).ravel())
    data.attributes.new("velocity", "FLOAT_VECTOR", "POINT")
    data.materials.append(material)
    rest = strands.reshape(-1, 3).astype(np.float64)
    made = _linked(name, data)
    made.scale[2] = _APART
    return Shape(made, rest, np.array(bones), weights, late)


def remove(shapes: Sequence[Shape]) -> None:
    """Take shapes out of the scene, with what they are made of."""
    for shape in shapes:
        data = shape.object.data
        bpy.data.objects.remove(shape.object)
        (bpy.data.meshes if isinstance(data, bpy.types.Mesh) else bpy.data.hair_curves).remove(data)


def _linked(name: str, data: "bpy.types.ID") -> "bpy.types.Object":
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    return made
