"""A person built once: body, skin, hair, clothes and headwear, all following one rig."""

from dataclasses import dataclass, field

import numpy as np
from arrays import Floats, Rng
from body import SKIN_VERTICES, Body, Template, build_body, skin_faces
from face_hair import beard, brows, lashes
from fitting import fit
from garments import dress
from glasses import glasses
from hair import Groom
from hats import Hat
from headset import headset
from hood import Hood
from materials import any_colour, eye_material, hair_material, skin_material, skin_tone, teeth_material
from meshes import triangles
from objects import Shape, mesh_shape, strand_shape
from scalp import Scalp, find_scalp
from scarf import headscarf
from skeleton import Skeleton
from skins import Skin, skin_of
from styles import STYLES
from surface import Surface, simplified
from ties import HeadForm

_EYES = "makehuman/makehuman/data/eyes/low-poly/low-poly.mhclo"
_TEETH = "makehuman-assets/base/teeth/teeth_base/teeth_base.mhclo"
_LAG = 0.14  # seconds that the tips of long hair trail behind
_SHADOW = np.array([0.25, 0.16, 0.09]), np.array([0.012, 0.008, 0.006])  # of light and of black hair on the scalp
_LUMA = np.array([0.21, 0.72, 0.07])
_FINE = 0.25  # heads over all rows that strands may be off: an eighth of a pixel in the closest view
_SKIN_ALBEDO = 0.42  # luminance of the lightest skin's texture


@dataclass
class Person:
    """shapes: what is rendered of them; skin: the one with expressions; albedo: luminance of the face's skin.

    fine: metres, an eighth of a pixel where a head fills the picture.
    """

    traits: dict
    body: Body
    skeleton: Skeleton
    skin: Shape
    albedo: float
    fine: float
    shapes: list[Shape] = field(default_factory=list)


def build_person(template: Template, traits: dict, rows: int) -> Person:
    """traits as people.py of the package draws them; the same from the same. rows: pixels of the smaller side."""
    rng = np.random.default_rng(traits["seed"])
    body = build_body(template, traits, rng)
    skeleton = Skeleton(body)
    style = STYLES.get(traits["style"])
    scalp = find_scalp(body, skeleton, receding=bool(style and style.receding))
    worn = dress(body, skeleton, traits["clothes"], rng)
    texture = skin_of(traits, rng)
    tone = skin_tone(traits["darkness"], rng)
    skin = _skin(body, scalp, traits, texture, tone, worn.hidden, rng)
    albedo, fine = _SKIN_ALBEDO * float(tone @ _LUMA), _FINE * skeleton.size / rows
    person = Person(traits, body, skeleton, skin, albedo, fine, [skin, *worn.shapes])
    person.shapes += _eyes_and_teeth(body, rng)
    surface = _surface(body, skeleton, worn.surface, rng)
    person.shapes += _head_wear(person, scalp, surface, worn.hood, rng)
    person.shapes += _face_hair(person, scalp, rng)
    return person


def _skin(body: Body, scalp: Scalp, traits: dict, texture: Skin, tone: Floats, hidden: set[int], rng: Rng) -> Shape:
    light, dark = _SHADOW
    under = light * (1 - traits["melanin"]) ** 1.5 + dark
    material = skin_material(body.template.assets, texture, tone, under, rng)
    faces, uvs = skin_faces(body.template, hidden)
    weights = body.template.weights[:SKIN_VERTICES]
    shape = mesh_shape("skin", body.skin, faces, weights, [material], uvs=(body.template.mesh.uvs, uvs))
    shadow = scalp.painted(scalp.hair) * (0.0 if traits["style"] == "bald" else 0.7)
    attribute = shape.object.data.attributes.new("scalp", "FLOAT", "POINT")
    attribute.data.foreach_set("value", shadow.astype(np.float32))
    return shape


def _eyes_and_teeth(body: Body, rng: Rng) -> list[Shape]:
    assets, shapes = body.template.assets, []
    for name, path, material in (("eyes", _EYES, eye_material(assets, rng)), ("teeth", _TEETH, teeth_material(assets))):
        part = fit(body, assets / path)
        uvs = part.uvs, part.face_uvs
        shapes.append(mesh_shape(name, part.vertices, part.faces, part.weights, [material], uvs=uvs))
    return shapes


def _surface(body: Body, skeleton: Skeleton, worn: tuple[Floats, Floats], rng: Rng) -> Surface:
    """Head and trunk down to the waist, clothes included."""
    skin = triangles(skin_faces(body.template, set())[0])
    height = body.skin[skin].mean(1)[:, 2]
    head = height > skeleton.chin - 0.02
    trunk = (height > skeleton.chin - 2.2 * skeleton.size) & ~head
    cloth = worn[0][worn[1]].mean(1)[:, 2] > skeleton.chin - 2.4 * skeleton.size
    parts = [(body.skin, skin[head], 22000), (body.skin, skin[trunk], 9000)]
    return Surface(rng, [*parts, (worn[0], worn[1][cloth], 14000)])


def _head_wear(person: Person, scalp: Scalp, surface: Surface, hood: Hood | None, rng: Rng) -> list[Shape]:
    """Hair, and what is put over it."""
    traits, body, skeleton = person.traits, person.body, person.skeleton
    shapes: list[Shape] = []
    hat = Hat(traits["hat"], body, skeleton, rng) if traits["hat"] not in ("", "scarf") else None
    if hat:
        shapes += hat.shapes
    if traits["hat"] == "scarf":
        shapes += headscarf(body, skeleton, rng)
    elif traits["style"] != "bald":
        shapes += _hair(person, scalp, surface, hat or hood, rng)
    if traits["glasses"]:
        shapes += glasses(body, skeleton, traits["glasses"] == "dark", rng)
    if traits["headset"]:
        shapes += headset(body, skeleton, traits["headset"] == "microphone", rng)
    return shapes


def _hair(person: Person, scalp: Scalp, surface: Surface, over: Hat | Hood | None, rng: Rng) -> list[Shape]:
    traits, skeleton = person.traits, person.skeleton
    style = STYLES[traits["style"]]
    groom = Groom(rng, style, _form(person, rng), surface, person.body.skin, scalp.corners, scalp.hair)
    strands = groom.grown(int(traits["strands"] * style.share * (1.4 if style.fine else 1.0)), traits["wild"])
    if over:
        strands = over.pressed(strands)
    if len(strands) < 10:
        return []
    strands = simplified(strands, person.fine)
    dye = any_colour(rng, 1.0) if traits["dyed"] else None
    material = hair_material(traits["melanin"], traits["redness"], dye, rng)
    thick = (
        (0.00008 if style.fine else 0.00011) * rng.uniform(0.8, 1.25) * np.sqrt(13000 / style.share / traits["strands"])
    )
    free = np.clip((skeleton.chin + 0.02 - strands[..., 2].ravel()) / 0.2, 0, 1)
    free = free * free * (3 - 2 * free)
    weights = np.stack([1 - 0.85 * free, 0.85 * free], 1)
    bones = [skeleton.bones.index("head"), skeleton.bones.index("spine_03")]
    along = np.tile(np.linspace(0, 1, strands.shape[1]), len(strands))
    late = _LAG * np.clip(groom.length / 0.3, 0, 1) * (0.8 * free + 0.2 * along**2)
    return [strand_shape("hair", strands, (thick, thick * 0.35), material, bones, weights, late)]


def _form(person: Person, rng: Rng) -> HeadForm:
    skeleton, head = person.skeleton, person.body.skin[person.body.head_vertices]
    eye = skeleton.eyes["l"][2]
    level = head[np.abs(head[:, 2] - eye - 0.2 * (skeleton.crown - eye)) < 0.02]
    knot = np.array([0, head[:, 1].max() + 0.012, eye + rng.uniform(-0.05, 0.55) * (skeleton.crown - eye)])
    width = np.abs(level[:, 0]).max()
    return HeadForm(skeleton.centre, skeleton.size, width, eye + 0.10 * skeleton.size, skeleton.chin, knot)


def _face_hair(person: Person, scalp: Scalp, rng: Rng) -> list[Shape]:
    traits, body, skeleton = person.traits, person.body, person.skeleton
    head = [skeleton.bones.index("head")]
    own = hair_material(min(traits["melanin"] + 0.15, 0.98), traits["redness"], None, rng)
    black = hair_material(0.98, 0.2, None, rng)
    made = [("brows", brows(body, rng), 0.00011, own), ("lashes", lashes(body, skeleton, rng), 0.0001, black)]
    if traits["beard"] and scalp.beard.sum() > 0:
        made.append(("beard", beard(body, scalp, traits["beard"], rng), 0.00006, own))
    return [
        strand_shape(name, strands, (radius, radius * 0.4), material, head, np.ones((strands.size // 3, 1)))
        for name, strands, radius, material in made
    ]
