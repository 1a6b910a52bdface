"""What a person wears: MakeHuman's suits and shoes, or tops, trousers and skirts cut out of its helper meshes."""

from dataclasses import dataclass

import numpy as np
from arrays import Floats, Ints, Rng, smoothstep
from body import SKIN_VERTICES, Body
from fabrics import cloth_material
from fitting import Fitted, fit
from hats import Dome
from hood import Hood
from materials import any_colour, plain
from meshes import Faces, islands, normals, triangles
from objects import Shape, mesh_shape
from scipy.spatial import cKDTree
from skeleton import Skeleton

_CLOTHES = "makehuman-assets/base/clothes"
_MATERIALS = 6  # different cloths of one suit, at most
_OVER = 0.006  # metres that a top lies over what is worn below
_TUCKED = -0.05  # hem of a top that goes under a skirt
_COLLAR = 0.02  # metres above the neck's joint that a top reaches on the shoulders
_LOOSE, _HEM = 0.016, 0.45  # metres off the skin from which a top's hem swings, and how far
_SKIRT = 0.75  # how far a skirt's hem swings
_CLOSE = 0.05  # metres: skin farther from a garment is not under it
_BARE = 0.045  # metres: skin nearer to a garment's edge stays


@dataclass
class Worn:
    """shapes; surface: vertices and triangles that hair must stay out of; hidden: skin that is covered; hood: if up."""

    shapes: list[Shape]
    surface: tuple[Floats, Ints]
    hidden: set[int]
    hood: Hood | None = None

    def add(self, vertices: Floats, faces: Faces) -> None:
        """To the surface."""
        at, corners = self.surface
        self.surface = np.concatenate([at, vertices]), np.concatenate([corners, triangles(faces) + len(at)])


@dataclass(frozen=True)
class Cut:
    """A garment out of the tights: sleeves and legs in shares of the limbs, 0 none; loose: metres off the skin.

    neck: metres below (positive) or above the neck's joint, in the middle. hem: metres below the hip joints.
    bottom: it is trousers or a skirt.
    """

    sleeves: float = 1.0
    legs: float = 0.0
    loose: float = 0.01
    neck: float = 0.0
    hem: float = 0.02
    bottom: bool = False


def dress(body: Body, skeleton: Skeleton, clothes: dict, rng: Rng) -> Worn:
    """clothes: "shoes" and a "suit" by name, or cuts: sleeves, neck, loose, hem, legs or skirt, and a hood perhaps."""
    worn = _suit(body, clothes["suit"], rng) if clothes.get("suit") else _tailored(body, skeleton, clothes, rng)
    shoes = fit(body, body.template.assets / _CLOTHES / clothes["shoes"] / f"{clothes['shoes']}.mhclo")
    material = plain(any_colour(rng) * 0.5, float(rng.uniform(0.3, 0.8)))
    worn.shapes.append(_shape("shoes", shoes, [material]))
    worn.hidden |= shoes.hidden
    return worn


def _suit(body: Body, name: str, rng: Rng) -> Worn:
    """Its islands (jacket, shirt, trousers) each of a cloth of their own."""
    suit = fit(body, body.template.assets / _CLOTHES / name / f"{name}.mhclo")
    numbers = islands(suit.faces, len(suit.vertices))
    materials = [cloth_material(rng) for _ in range(min(int(numbers.max()) + 1, _MATERIALS))]
    shape = _shape("suit", suit, materials, np.minimum(numbers, len(materials) - 1))
    return Worn([shape], (suit.vertices, triangles(suit.faces)), suit.hidden)


def _shape(name: str, fitted: Fitted, materials: list, material_of: Ints | None = None) -> Shape:
    return mesh_shape(
        name, fitted.vertices, fitted.faces, fitted.weights, materials, uvs=(fitted.uvs, fitted.face_uvs),
        material_of=material_of,
    )  # fmt: skip


def _tailored(body: Body, skeleton: Skeleton, clothes: dict, rng: Rng) -> Worn:
    hem = _TUCKED if clothes.get("skirt") else clothes["hem"]
    top = Cut(clothes["sleeves"], 0.0, clothes["loose"] + _OVER, clothes["neck"], hem)
    below = "helper-skirt" if clothes.get("skirt") else "helper-tights"
    bottom = Cut(0.0, clothes.get("skirt") or clothes["legs"], clothes["loose"], bottom=True)
    worn = Worn([], (np.zeros((0, 3)), np.zeros((0, 3), int)), set())
    dressy = any_colour(rng) if clothes.get("skirt") and rng.random() < 0.6 else None
    for cut, group, name in ((bottom, below, "bottom"), (top, "helper-tights", "top")):
        vertices, faces, kept = _cut(body, skeleton, cut, group)
        weights = body.template.weights[kept]
        material = cloth_material(rng, dressy)
        shape = mesh_shape(name, vertices, faces, weights, [material], uvs=_uvs(vertices, faces))
        shape.swings, shape.hung = hanging(vertices, skeleton.heads, cut, skirt=group == "helper-skirt"), "pelvis"
        worn.shapes.append(shape)
        worn.add(vertices, faces)
        worn.hidden |= _covered(body, vertices, faces)
        if name == "top" and clothes.get("hood"):
            hood = Hood(Dome(body, skeleton), skeleton, rng, up=clothes["hood"] == "up")
            worn.shapes += hood.shapes(material, rng)
            worn.hood = hood if hood.up else None
            if not hood.up:
                worn.add(*hood.solid)
    return worn


def hanging(vertices: Floats, heads: dict[str, Floats], cut: Cut, *, skirt: bool) -> Floats | None:
    """How far each vertex hangs free, 0…1: a skirt below the hips, a loose top's hem; None of what lies close."""
    waist, ankle = heads["spine_01"][2], heads["foot_l"][2]
    if skirt:
        hip = heads["thigh_l"][2]
        return _SKIRT * smoothstep((hip - vertices[:, 2]) / (hip - ankle) / 0.7)
    if cut.bottom or cut.loose < _LOOSE:
        return None
    share = _HEM * smoothstep((waist + 0.1 - vertices[:, 2]) / 0.25)
    return np.where(np.abs(vertices[:, 0]) < heads["upperarm_l"][0] + 0.04, share, 0.0)


def _cut(body: Body, skeleton: Skeleton, cut: Cut, group: str) -> tuple[Floats, Faces, Ints]:
    """Vertices off the skin, faces between them, and which vertices of the base mesh they are."""
    mesh = body.template.mesh
    fits = _within(body, skeleton, cut, skirt=group == "helper-skirt")
    faces = [f for f, g in zip(mesh.faces, mesh.groups, strict=True) if g == group and fits[f].all()]
    pieces = islands(faces, len(mesh.vertices))
    large = np.bincount(pieces) > 0.15 * np.bincount(pieces).max()
    faces = [face for face, piece in zip(faces, pieces, strict=True) if large[piece]]
    kept = np.unique(np.concatenate([np.array(face) for face in faces]))
    renumbered = np.full(len(mesh.vertices), -1)
    renumbered[kept] = np.arange(len(kept))
    own = [[int(renumbered[v]) for v in face] for face in faces]
    points = body.vertices[kept]
    return points + normals(points, own) * cut.loose, own, kept


def _within(body: Body, skeleton: Skeleton, cut: Cut, *, skirt: bool) -> Floats:
    """Which vertices of the base mesh the garment reaches."""
    points, heads = body.vertices, skeleton.heads
    along = np.zeros(len(points))  # from the shoulder (0) to the wrist (1); negative on the trunk
    weights, bones = body.template.weights, body.template.bones
    of_arm = np.zeros(len(points), bool)
    for side in "lr":
        shoulder, wrist = heads[f"upperarm_{side}"], heads[f"hand_{side}"]
        parts = [f"{part}_{side}" for part in ("upperarm", "lowerarm", "hand")]
        parts += [
            b for b in bones if b.endswith(f"_{side}") and b.startswith(("index", "middle", "ring", "pinky", "thumb"))
        ]
        arm = weights[:, [bones.index(part) for part in parts]].sum(1) > 0.5
        way = wrist - shoulder
        along = np.where(arm, (points - shoulder) @ way / (way @ way), along)
        of_arm |= arm
    hip, ankle = heads["thigh_l"][2], heads["foot_l"][2]
    down = (hip - points[:, 2]) / (hip - ankle)  # 0 at the hips, 1 at the ankles
    if cut.bottom:
        waist = heads["spine_01"][2] + 0.03
        return (down <= cut.legs) & ~of_arm & (skirt | (points[:, 2] < waist))
    middle = np.clip(1 - np.abs(points[:, 0]) / (0.8 * heads["upperarm_l"][0]), 0, 1)
    neck = points[:, 2] < heads["neck_01"][2] + _COLLAR - (cut.neck + _COLLAR) * middle
    return neck & (points[:, 2] > hip - cut.hem) & (~of_arm | (along < cut.sleeves))


def _covered(body: Body, vertices: Floats, faces: Faces) -> set[int]:
    """Skin close under the garment and not at its edges."""
    edges: dict[tuple[int, int], int] = {}
    for face in faces:
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            key = min(a, b), max(a, b)
            edges[key] = edges.get(key, 0) + 1
    rim = sorted({v for edge, count in edges.items() if count == 1 for v in edge})
    skin = body.vertices[:SKIN_VERTICES]
    near, nearest = cKDTree(vertices).query(skin)
    rim_near, _ = cKDTree(vertices[rim]).query(skin)
    under = (near < _CLOSE) & (rim_near > _BARE) & ~np.isin(nearest, rim)
    head = np.zeros(SKIN_VERTICES, bool)
    head[body.head_vertices] = True
    return set(np.flatnonzero(under & ~head).tolist())


def _uvs(vertices: Floats, faces: Faces) -> tuple[Floats, Faces]:
    """Wrapped around the body's axis."""
    angle = np.arctan2(vertices[:, 0], -vertices[:, 1]) / (2 * np.pi)
    return np.stack([angle + 0.5, vertices[:, 2]], 1), faces
