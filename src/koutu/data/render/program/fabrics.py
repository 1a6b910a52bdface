"""Cloth: plain, striped, checked, mottled or printed, with folds and weave."""

import math
from typing import TypeAlias

import bpy
import numpy as np
from arrays import Floats, Rng
from materials import Shader, any_colour

_KINDS = ("solid", "solid", "solid", "stripe", "check", "mottled", "print", "knit")
_PRINT = 256  # pixels
_Socket: TypeAlias = "bpy.types.NodeSocket"


def cloth_material(rng: Rng, colour: Floats | None = None) -> "bpy.types.Material":
    """Any cloth; colour: the main one, any if None."""
    shader = Shader("cloth")
    first = any_colour(rng) if colour is None else colour
    mix = shader.mix("MIX", 0.0, first, any_colour(rng))
    coordinates = shader.add("ShaderNodeTexCoord").outputs
    kind = str(rng.choice(_KINDS))
    if kind in ("stripe", "check"):
        shader.link(_bands(shader, coordinates["UV"], rng, kind == "check"), mix.inputs["Factor"])
    elif kind in ("mottled", "knit"):
        noise = shader.add("ShaderNodeTexNoise", Scale=float(rng.uniform(120, 500)))
        shader.link(coordinates["UV"], noise.inputs["Vector"])
        shader.link(noise.outputs[0], mix.inputs["Factor"])
    elif kind == "print":
        _print(shader, coordinates["UV"], mix, rng)
    shader.link(mix.outputs[2], shader.principled.inputs["Base Color"])
    _folds(shader, coordinates, rng, coarse=kind == "knit")
    shader.set(Roughness=rng.uniform(0.6, 0.98), Sheen_Weight=rng.uniform(0, 0.4), Specular_IOR_Level=0.22)
    return shader.material


def _bands(shader: Shader, uv: _Socket, rng: Rng, crossed: bool) -> _Socket:
    """0 or 1 in stripes, or as much as two sets of stripes cover."""
    mapping = shader.add("ShaderNodeMapping")
    shader.link(uv, mapping.inputs[0])
    mapping.inputs["Rotation"].default_value = (0, 0, float(rng.choice([0, math.pi / 2])))
    scale, share = rng.uniform(6, 26), rng.uniform(0.35, 0.8)

    def wave(direction: str) -> _Socket:
        node = shader.add("ShaderNodeTexWave", bands_direction=direction, Scale=float(scale))
        shader.link(mapping.outputs[0], node.inputs["Vector"])
        step = shader.add("ShaderNodeMath", operation="GREATER_THAN")
        step.inputs[1].default_value = share
        shader.link(node.outputs[1], step.inputs[0])
        return step.outputs[0]

    if not crossed:
        return wave("X")
    mean = shader.add("ShaderNodeMath", operation="MULTIPLY_ADD")
    shader.link(wave("X"), mean.inputs[0])
    mean.inputs[1].default_value = 0.5
    half = shader.add("ShaderNodeMath", operation="MULTIPLY")
    half.inputs[1].default_value = 0.5
    shader.link(wave("Y"), half.inputs[0])
    shader.link(half.outputs[0], mean.inputs[2])
    return mean.outputs[0]


def _print(shader: Shader, uv: _Socket, mix: "bpy.types.Node", rng: Rng) -> None:
    image = bpy.data.images.new("print", _PRINT, _PRINT)
    pixels = np.ones((_PRINT, _PRINT, 4), np.float32)
    pixels[..., :3] = any_colour(rng)
    rows, columns = np.mgrid[:_PRINT, :_PRINT]
    round_ones = rng.random() < 0.5
    for _ in range(int(rng.integers(4, 30))):
        x, y = rng.integers(0, _PRINT, 2)
        size = int(rng.integers(5, 40))
        if round_ones:
            inside = (columns - x) ** 2 + (rows - y) ** 2 < size**2
        else:
            inside = (abs(columns - x) < size) & (abs(rows - y) < size * rng.uniform(0.2, 2))
        pixels[inside, :3] = any_colour(rng)
    image.pixels.foreach_set(pixels.ravel())
    texture, mapping = shader.add("ShaderNodeTexImage"), shader.add("ShaderNodeMapping")
    texture.image = image
    mapping.inputs["Scale"].default_value = (float(rng.uniform(1, 5)),) * 3
    shader.link(uv, mapping.inputs[0])
    shader.link(mapping.outputs[0], texture.inputs[0])
    shader.link(texture.outputs[0], mix.inputs[6])


def _folds(shader: Shader, coordinates: "bpy.types.bpy_prop_collection", rng: Rng, *, coarse: bool) -> None:
    """Large creases and the weave, as bumps."""
    noise = shader.add("ShaderNodeTexNoise", Scale=float(rng.uniform(6, 14)), Detail=3.0, Distortion=0.6)
    shader.link(coordinates["Object"], noise.inputs["Vector"])
    large = shader.add("ShaderNodeBump", Strength=float(rng.uniform(0.3, 0.75)), Distance=0.025)
    shader.link(noise.outputs[0], large.inputs["Height"])
    weave = shader.add("ShaderNodeTexNoise", Scale=250.0 if coarse else 900.0)
    shader.link(coordinates["UV"], weave.inputs["Vector"])
    fine = shader.add("ShaderNodeBump", Strength=0.6 if coarse else 0.4, Distance=0.003 if coarse else 0.0012)
    shader.link(weave.outputs[0], fine.inputs["Height"])
    shader.link(large.outputs[0], fine.inputs["Normal"])
    shader.link(fine.outputs[0], shader.principled.inputs["Normal"])
