"""A camera that holds the people it is to show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from arrays import Floats
from mathutils import Vector

_SENSOR = 24.0  # millimetres, vertical
_LOW = {"head": 0.9, "half": 2.6, "full": math.inf}  # head sizes below the chin that are shown
_WIDE = {"head": 1.6, "half": 2.4, "full": 2.8}  # head sizes that a person takes sideways


@dataclass(frozen=True)
class Head:
    """Where a posed head is, and its size from chin to crown in metres."""

    centre: Floats
    size: float


@dataclass(frozen=True)
class View:
    """The camera, and each head in the picture: x and y from the top left and radius, in shares of its height."""

    camera: "bpy.types.Object"
    distance: float
    heads: tuple[tuple[float, float, float], ...]


def aim(heads: Sequence[Head], view: dict, size: tuple[int, int]) -> View:
    """view: framing, fov (vertical), elevation and azimuth in degrees, zoom, shift (2) in shares of the span."""
    top = max(head.centre[2] + 0.85 * head.size for head in heads)
    lows = [head.centre[2] - (0.55 + _LOW[view["framing"]]) * head.size for head in heads]
    low = max(min(lows), -0.06)
    left = min(head.centre[0] - _WIDE[view["framing"]] / 2 * head.size for head in heads)
    right = max(head.centre[0] + _WIDE[view["framing"]] / 2 * head.size for head in heads)
    aspect = size[0] / size[1]
    span = max(top - low, (right - left) / aspect) * view["zoom"]
    target = np.array([(left + right) / 2, np.mean([head.centre[1] for head in heads]), top - (top - low) / 2])
    if span > top - low and view["framing"] != "full":  # a group: heads stay above the middle
        target[2] = top + 0.05 * span - span / 2
    target += np.array([view["shift"][0] * span * (aspect if len(heads) == 1 else 0.2), 0, view["shift"][1] * span])
    distance = span / 2 / math.tan(math.radians(view["fov"]) / 2)
    up, around = math.radians(view["elevation"]), math.radians(view["azimuth"])
    away = np.array([math.sin(around) * math.cos(up), -math.cos(around) * math.cos(up), math.sin(up)])
    camera = _camera(target + away * distance, target, view["fov"])
    return View(camera, distance, tuple(_seen(camera, head, view["fov"], size) for head in heads))


def defocus(view: View, heads: Sequence[Head], blur: float, focus: float) -> None:
    """blur: of the first head, diameter in head sizes; focus: where it is sharp, in shares of the head's distance."""
    data = view.camera.data
    far = float(np.linalg.norm(np.array(view.camera.location) - heads[0].centre))
    lens = _SENSOR / 2 / math.tan(data.angle / 2)
    opening = blur * heads[0].size * focus / max(abs(1 - focus), 0.02)  # metres
    data.dof.use_dof = True
    data.dof.focus_distance = far * focus
    data.dof.aperture_fstop = lens / 1000 / max(opening, 1e-5)


def _camera(at: Floats, target: Floats, fov: float) -> "bpy.types.Object":
    data = bpy.data.cameras.new("camera")
    data.sensor_fit, data.sensor_height, data.clip_start = "VERTICAL", _SENSOR, 0.02
    data.angle = math.radians(fov)
    made = bpy.data.objects.new("camera", data)
    bpy.context.scene.collection.objects.link(made)
    bpy.context.scene.camera = made
    made.location = Vector(at)
    made.rotation_euler = (Vector(target) - Vector(at)).to_track_quat("-Z", "Y").to_euler()
    return made


def _seen(camera: "bpy.types.Object", head: Head, fov: float, size: tuple[int, int]) -> tuple[float, float, float]:
    x, y, z = camera.rotation_euler.to_matrix().transposed() @ (Vector(head.centre) - camera.location)
    scale = 0.5 / math.tan(math.radians(fov) / 2) / max(-z, 1e-3)
    return 0.5 * size[0] / size[1] + x * scale, 0.5 - y * scale, 0.5 * head.size * scale
