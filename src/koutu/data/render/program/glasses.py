"""Glasses that rest on the nose and the ears."""

import numpy as np
from arrays import Floats, Rng
from body import Body
from materials import any_colour, plain
from objects import Shape, rigid_shape
from skeleton import SIDES, Skeleton
from solids import joined, tube


def glasses(body: Body, skeleton: Skeleton, dark: bool, rng: Rng) -> list[Shape]:
    """A frame that rests on the nose and the ears; dark: with black lenses."""
    head, eyes = body.skin[body.head_vertices], skeleton.eyes
    size = skeleton.size / 0.23
    wire, width = rng.uniform(0.0008, 0.0022), rng.uniform(0.023, 0.0275) * size
    height, power = width * rng.uniform(0.62, 1.0), rng.uniform(2, 4)
    bridge = head[(np.abs(head[:, 0]) < 0.006) & (np.abs(head[:, 2] - eyes["l"][2]) < 0.006)]
    front = min(eyes["l"][1] - 0.021 * size, bridge[:, 1].min() - 0.001)
    metal = float(rng.integers(2))
    frame = plain(any_colour(rng) * 0.5, 0.25, metal)
    parts, lenses = [], []
    for side, sign in SIDES:
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        cos, sin = np.cos(angle), np.sin(angle)
        x = np.sign(cos) * np.abs(cos) ** (2 / power) * width
        z = np.sign(sin) * np.abs(sin) ** (2 / power) * height
        rim = np.stack(
            [eyes[side][0] + sign * 0.002 + x, front + 0.0036 * (x / width) ** 2, eyes[side][2] - 0.004 + z], 1
        )
        parts += [tube(rim, wire, closed=True), tube(_temple(head, skeleton, sign, rim), wire * 1.1)]
        lenses.append((np.concatenate([rim.mean(0)[None], rim]), [[0, 1 + k, 1 + (k + 1) % 40] for k in range(40)]))
    inner, level = eyes["l"][0] - width + 0.002, eyes["l"][2]
    parts.append(tube([(inner, front, level), (inner * 0.4, front - 0.002, level + 0.004),
                       (-inner * 0.4, front - 0.002, level + 0.004), (-inner, front, level)], wire))  # fmt: skip
    bone = skeleton.bones.index("head")
    shapes = [rigid_shape("frame", *joined(parts), bone, frame)]
    if dark:
        shapes.append(rigid_shape("lenses", *joined(lenses), bone, plain(any_colour(rng) * 0.04, 0.05)))
    return shapes


def _temple(head: Floats, skeleton: Skeleton, sign: float, rim: Floats) -> Floats:
    """From the hinge along the temple, just off the skin, to behind the ear."""
    hinge = rim[np.argmax(sign * rim[:, 0])]
    level = skeleton.eyes["l"][2] + 0.006
    ear = skeleton.centre[1] + 0.03 * skeleton.size
    points = [hinge]
    for y in np.linspace(hinge[1] + 0.015, ear - 0.02, 4):
        near = head[(np.abs(head[:, 1] - y) < 0.012) & (np.abs(head[:, 2] - level) < 0.02) & (sign * head[:, 0] > 0)]
        x = max(sign * near[:, 0].max() if sign > 0 else -near[:, 0].min(), 0) if len(near) else abs(hinge[0])
        points.append(np.array([sign * (min(abs(x), 1.25 * abs(hinge[0])) + 0.003), y, level]))
    last = points[-1]
    points += [np.array([last[0], ear, level - 0.002]), np.array([last[0] * 0.97, ear + 0.02, level - 0.025])]
    return np.array(points)
