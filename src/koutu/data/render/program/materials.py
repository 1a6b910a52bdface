"""Skin, eyes, hair and plain stuff as Blender's shaders."""

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from arrays import Floats, Rng
from skins import FOLDER, WRINKLED, Skin

_EYES = "Go_MakeHuman_dot/Character Generator/char_edit/meshs/mats/brown_eye.png"
_TEETH = "Go_MakeHuman_dot/Character Generator/char_edit/meshs/mats/teeth.png"
_ABSORBED = np.array([1.45, 1.95, 2.3])  # of red, green and blue by the darkest skin, as exponents
_AROUND = 128  # pixels of a skin's picture that is smooth
_DETAIL = 0.5, 1.2  # least and most that wrinkles darken and lighten
_IRISES = ((0.0, 1.0, 0.9), (0.0, 0.7, 0.6), (0.08, 0.6, 1.2), (0.32, 0.4, 1.5), (0.5, 0.5, 1.6), (0.5, 0.15, 1.5))


class Shader:
    """A material's nodes, with Principled's inputs by name."""

    def __init__(self, name: str):
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.principled = self.tree.nodes["Principled BSDF"]

    def add(self, kind: str, **values: object) -> "bpy.types.Node":
        """A node; values: inputs by name, or the node's own settings."""
        node = self.tree.nodes.new(kind)
        for name, value in values.items():
            if hasattr(node, name):
                setattr(node, name, value)
            else:
                node.inputs[name.replace("_", " ")].default_value = value
        return node

    def link(self, output: "bpy.types.NodeSocket", target: "bpy.types.NodeSocket") -> None:
        """Join two sockets."""
        self.tree.links.new(output, target)

    def set(self, **values: object) -> "Shader":
        """Principled's inputs, underscores for spaces."""
        for name, value in values.items():
            self.principled.inputs[name.replace("_", " ")].default_value = value
        return self

    def mix(self, blend: str, factor: float, first: Any, second: Any) -> "bpy.types.Node":
        """A mix of two colours; each a socket or (r, g, b)."""
        node = self.add("ShaderNodeMix", data_type="RGBA", blend_type=blend)
        node.inputs["Factor"].default_value = factor
        for at, colour in ((6, first), (7, second)):
            if isinstance(colour, bpy.types.NodeSocket):
                self.link(colour, node.inputs[at])
            else:
                node.inputs[at].default_value = (*map(float, colour), 1.0)
        return node


def picture(path: Path) -> "bpy.types.Image":
    """An image file, loaded once."""
    return bpy.data.images.load(str(path), check_existing=True)


def plain(colour: Sequence[float] | Floats, roughness: float = 0.5, metallic: float = 0.0) -> "bpy.types.Material":
    """One colour all over."""
    shader = Shader("plain")
    shader.set(Base_Color=(*map(float, colour), 1.0), Roughness=roughness, Metallic=metallic)
    return shader.material


def any_colour(rng: Rng, saturation: float = 0.85) -> Floats:
    """Of cloth and things: greys, blacks and whites in a third, else any hue."""
    if rng.random() < 0.4:
        grey = rng.uniform(0.015, 0.75) ** 1.3
        return grey * np.array([1, rng.uniform(0.94, 1.02), rng.uniform(0.9, 1.08)])
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.15, 1) * saturation, rng.uniform(0.05, 0.75)))


def skin_tone(darkness: float, rng: Rng) -> Floats:
    """What skin lets back of the lightest skin's light, red, green and blue; darkness 0…1."""
    warm = np.array([1.0, rng.uniform(0.95, 1.0), rng.uniform(0.9, 1.02)])
    return np.exp(-darkness * _ABSORBED) * warm


def skin_material(assets: Path, skin: Skin, tone: Floats, scalp: Floats, rng: Rng) -> "bpy.types.Material":
    """tone: over the texture; scalp: colour under the hair, where the mesh's attribute "scalp" says how much shows."""
    shader = Shader("skin")
    texture = shader.add("ShaderNodeTexImage")
    texture.image = picture(assets / FOLDER / f"{skin.name}.png")
    coordinates = shader.add("ShaderNodeTexCoord").outputs
    blotches = shader.add("ShaderNodeTexNoise", Scale=7.0, Detail=6.0)
    shader.link(coordinates["UV"], blotches.inputs["Vector"])
    value = shader.add("ShaderNodeMapRange")
    value.inputs[3].default_value, value.inputs[4].default_value = 0.86, 1.12
    shader.link(blotches.outputs[0], value.inputs[0])
    aged = _wrinkled(shader, assets, texture.outputs["Color"], skin.wrinkles)
    toned = shader.mix("MULTIPLY", 1.0, aged, tone * np.exp(skin.darkness * _ABSORBED))
    hue = shader.add("ShaderNodeHueSaturation")
    shader.link(toned.outputs[2], hue.inputs["Color"])
    shader.link(value.outputs[0], hue.inputs["Value"])
    covered = shader.mix("MIX", 0.0, hue.outputs[0], scalp)
    covered.name = "scalp"
    shader.link(shader.add("ShaderNodeAttribute", attribute_name="scalp").outputs["Fac"], covered.inputs["Factor"])
    shader.link(covered.outputs[2], shader.principled.inputs["Base Color"])
    _pores(shader, coordinates["UV"])
    shader.set(Roughness=rng.uniform(0.46, 0.64), Specular_IOR_Level=rng.uniform(0.3, 0.5))
    shader.set(Subsurface_Weight=0.75, Subsurface_Radius=(1.0, 0.32, 0.18), Subsurface_Scale=0.004)
    return shader.material


def _wrinkled(shader: Shader, assets: Path, colour: "bpy.types.NodeSocket", amount: float) -> "bpy.types.NodeSocket":
    """Light and dark of an old skin's texture, as far as its surroundings differ, on another's colours."""
    if not amount:
        return colour
    sharp, around = shader.add("ShaderNodeTexImage"), shader.add("ShaderNodeTexImage")
    sharp.image = picture(assets / FOLDER / f"{WRINKLED}.png")
    around.image = sharp.image.copy()
    around.image.scale(_AROUND, _AROUND)
    ratio = shader.mix("DIVIDE", 1.0, sharp.outputs["Color"], around.outputs["Color"])
    grey, bounded = shader.add("ShaderNodeRGBToBW"), shader.add("ShaderNodeClamp")
    shader.link(ratio.outputs[2], grey.inputs[0])
    shader.link(grey.outputs[0], bounded.inputs[0])
    bounded.inputs["Min"].default_value, bounded.inputs["Max"].default_value = _DETAIL
    return shader.mix("MULTIPLY", amount, colour, bounded.outputs[0]).outputs[2]


def _pores(shader: Shader, uv: "bpy.types.NodeSocket") -> None:
    noise = shader.add("ShaderNodeTexNoise", Scale=850.0, Detail=2.0)
    shader.link(uv, noise.inputs["Vector"])
    bump = shader.add("ShaderNodeBump", Strength=0.3, Distance=0.0006)
    shader.link(noise.outputs[0], bump.inputs["Height"])
    shader.link(bump.outputs[0], shader.principled.inputs["Normal"])


def eye_material(assets: Path, rng: Rng) -> "bpy.types.Material":
    """Wet, of any iris."""
    shader = Shader("eye")
    texture = shader.add("ShaderNodeTexImage")
    texture.image = picture(assets / _EYES)
    hue, saturation, value = _IRISES[int(rng.integers(len(_IRISES)))]
    tint = shader.add("ShaderNodeHueSaturation", Hue=0.5 + hue, Saturation=saturation, Value=value)
    shader.link(texture.outputs[0], tint.inputs["Color"])
    shader.link(tint.outputs[0], shader.principled.inputs["Base Color"])
    shader.set(Roughness=0.25, Coat_Weight=0.6, Coat_Roughness=0.08)
    return shader.material


def teeth_material(assets: Path) -> "bpy.types.Material":
    """Wet too."""
    shader = Shader("teeth")
    texture = shader.add("ShaderNodeTexImage")
    texture.image = picture(assets / _TEETH)
    shader.link(texture.outputs[0], shader.principled.inputs["Base Color"])
    return shader.set(Roughness=0.3).material


def hair_material(melanin: float, redness: float, dye: Floats | None, rng: Rng) -> "bpy.types.Material":
    """melanin 0 white … 1 black; redness of what there is; dye: a colour over it."""
    material = bpy.data.materials.new("hair")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    shader, out = tree.nodes.new("ShaderNodeBsdfHairPrincipled"), tree.nodes.new("ShaderNodeOutputMaterial")
    shader.model, shader.parametrization = "CHIANG", "MELANIN"
    values = {
        "Melanin": melanin, "Melanin Redness": redness, "Roughness": rng.uniform(0.2, 0.42), "Radial Roughness": 0.4,
        "Random Color": 0.3, "Random Roughness": 0.2,
    }  # fmt: skip
    for name, value in values.items():
        shader.inputs[name].default_value = value
    if dye is not None:
        shader.inputs["Tint"].default_value = (*map(float, dye), 1.0)
    tree.links.new(shader.outputs[0], out.inputs[0])
    return material
