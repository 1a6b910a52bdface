"""Light: a room or a photograph all around, and lamps."""

from pathlib import Path

import bpy
import cv2
import numpy as np
from arrays import Floats, Rng
from materials import any_colour
from mathutils import Vector

_WIDE, _HIGH = 256, 128  # pixels of the surroundings
_BRIGHTEST = 14.0  # times white that a photograph's brightest pixels are taken to be


def light_scene(rng: Rng, head: Floats, kind: str, photograph: Path | None) -> None:
    """Surroundings and lamps about a head; with a photograph it lights alone, but for a weak lamp in front."""
    if photograph is not None:
        _surround(_from_photograph(photograph), float(rng.uniform(0.9, 1.3)))
        _lamp(head + np.array([rng.uniform(-0.4, 0.4), -0.9, 0.2]), rng.uniform(0.5, 4), 0.6, (1, 0.97, 0.93), head)
        return
    _surround(_room(rng), float(rng.uniform(0.5, 1.0)) * (1.6 if kind == "flat" else 1.0))
    side = float(rng.choice([-1, 1]))
    warm = (1.0, rng.uniform(0.75, 0.95), rng.uniform(0.5, 0.9))
    cool = (rng.uniform(0.78, 0.97), rng.uniform(0.9, 1.0), 1.0)

    def lamp(x: tuple, y: tuple, z: tuple, power: tuple, size: tuple, colour: tuple) -> None:
        at = head + np.array([rng.uniform(*x), rng.uniform(*y), rng.uniform(*z)]) * np.array([side, 1, 1])
        _lamp(at, rng.uniform(*power), rng.uniform(*size), colour, head)

    if kind in ("window", "mixed"):
        lamp((0.8, 1.8), (-1.2, -0.3), (0, 0.8), (15, 45), (0.5, 1.2), cool)
    if kind == "ring":
        lamp((-0.1, 0.1), (-0.9, -0.7), (0.05, 0.25), (5, 12), (0.3, 0.5), cool)
    if kind in ("back", "mixed"):
        lamp((-1.2, -0.3), (0.7, 1.5), (0.2, 1.0), (15, 60), (0.2, 0.8), warm)
    if kind == "back":
        lamp((0.2, 0.4), (-1.0, -0.8), (0, 0.2), (2, 8), (0.5, 0.6), cool)
    if kind == "top":
        lamp((0.1, 0.3), (-0.4, -0.1), (1.1, 1.3), (15, 40), (0.5, 0.7), warm)
        lamp((-0.1, 0.1), (-0.7, -0.5), (-0.4, -0.2), (2, 6), (0.4, 0.5), cool)
    if kind == "flat":
        lamp((0.1, 0.5), (-1.4, -1.0), (0.2, 0.6), (15, 30), (1.2, 2.0), cool)
    if kind == "screen":
        lamp((-0.2, 0.2), (-0.7, -0.5), (-0.25, -0.05), (2, 6), (0.3, 0.5), (rng.uniform(0.6, 0.9), 0.9, 1.0))


def _lamp(at: Floats, power: float, size: float, colour: tuple, target: Floats) -> None:
    """power in watts, size in metres."""
    data = bpy.data.lights.new("lamp", "AREA")
    data.energy, data.size, data.color = float(power), float(size), tuple(map(float, colour))
    lamp = bpy.data.objects.new("lamp", data)
    bpy.context.scene.collection.objects.link(lamp)
    lamp.location = Vector(at)
    lamp.rotation_euler = (Vector(target) - Vector(at)).to_track_quat("-Z", "Y").to_euler()


def _surround(pixels: Floats, strength: float) -> None:
    """pixels: (_HIGH, _WIDE, 3) linear, all directions, the first row below."""
    world = bpy.data.worlds.new("surroundings")
    bpy.context.scene.world = world
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", _WIDE
    world.use_nodes = True
    tree = world.node_tree
    image = bpy.data.images.new("surroundings", _WIDE, _HIGH, float_buffer=True)
    image.pixels.foreach_set(np.dstack([pixels, np.ones((_HIGH, _WIDE))]).astype(np.float32).ravel())
    node = tree.nodes.new("ShaderNodeTexEnvironment")
    node.image = image
    background = tree.nodes["Background"]
    tree.links.new(node.outputs[0], background.inputs[0])
    background.inputs[1].default_value = strength


def _room(rng: Rng) -> Floats:
    """Walls, floor, ceiling and some bright rectangles."""
    pixels = np.empty((_HIGH, _WIDE, 3))
    pixels[:] = any_colour(rng, 0.4) * 0.5 + 0.1
    pixels[: _HIGH // 3] = any_colour(rng, 0.4) * 0.3 + 0.03
    pixels[int(_HIGH * 0.78) :] = np.array([0.6, 0.6, 0.58]) * rng.uniform(0.3, 1)
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(rng.integers(0, _WIDE)), int(rng.integers(int(_HIGH * 0.45), int(_HIGH * 0.95)))
        wide, high = int(rng.integers(8, 50)), int(rng.integers(6, 30))
        colour = np.array([1, rng.uniform(0.75, 1), rng.uniform(0.5, 1.15)]) * rng.uniform(3, 25) * 300 / (wide * high)
        pixels[y : y + high, np.arange(x, x + wide) % _WIDE] = colour
    return pixels


def _from_photograph(path: Path) -> Floats:
    """Behind the person as it is, mirrored to the sides and in front; above and below its edges go on."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise ValueError(
            f"expected a photograph to light with at {path}, got something else; take it out of the folder"
        )
    middle = cv2.resize(picture, (_WIDE // 4, _HIGH // 2), interpolation=cv2.INTER_AREA)[::-1, :, ::-1] / 255.0
    linear = np.where(middle <= 0.04045, middle / 12.92, ((middle + 0.055) / 1.055) ** 2.4)
    linear *= 1 + (_BRIGHTEST - 1) * np.clip((middle.mean(2, keepdims=True) - 0.75) / 0.25, 0, 1) ** 3
    below, above = linear[:4].mean(0), linear[-4:].mean(0)
    quarter = np.concatenate([np.tile(below, (_HIGH // 4, 1, 1)), linear, np.tile(above, (_HIGH // 4, 1, 1))])
    # the quarter turns, from the left edge: -x … +y … +x … -y; +y, where the camera looks, is at 1/4 of the width
    turn = np.concatenate([quarter, quarter[:, ::-1], quarter, quarter[:, ::-1]], 1)
    return np.roll(turn, _WIDE // 8, 1)
