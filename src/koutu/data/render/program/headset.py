"""Headphones, with or without a microphone on a boom."""

import numpy as np
from arrays import Rng
from body import Body
from materials import any_colour, plain
from objects import Shape, rigid_shape
from skeleton import Skeleton
from solids import joined, tube, turned


def headset(body: Body, skeleton: Skeleton, microphone: bool, rng: Rng) -> list[Shape]:
    """Two cushions and a band; microphone: on a boom before the mouth."""
    head, size = body.skin[body.head_vertices], skeleton.size / 0.23
    half = np.ptp(head[:, 0]) / 2 + 0.008
    y, z, top = skeleton.centre[1] + 0.012, skeleton.eyes["l"][2] - 0.014 * size, skeleton.crown + 0.016
    angle = np.linspace(-0.2, np.pi + 0.2, 30)
    band = np.stack([half * np.cos(angle), np.full(30, y), z + np.maximum(np.sin(angle), -0.1) * (top - z)], 1)
    hard, soft = [tube(band, 0.0085, flat=0.4)], []
    for sign in (1.0, -1.0):
        axes = np.stack([np.array([0, 1.0, 0]), np.array([0, 0, 1.0]), np.array([sign, 0, 0])], 1)
        r = rng.uniform(0.03, 0.038) * size
        at = np.array([sign * (half - 0.012), y, z])
        soft.append(turned(at, axes, [(r, 0), (r * 1.05, 0.008), (r, 0.017)]))
        hard.append(turned(at, axes, [(r * 0.9, 0.015), (r * 0.95, 0.024), (r * 0.6, 0.031)]))
    if microphone:
        mouth = body.joint("joint-mouth")
        foam = np.array([half * 0.5, mouth[1] - 0.03, mouth[2] - 0.008])
        bend = (half * 1.05, y - 0.05, z - 0.05 * size)
        boom = [(half, y - 0.01, z - 0.02), bend, (half * 0.75, mouth[1] - 0.015, mouth[2]), foam]
        hard.append(tube(boom, 0.0025))
        soft.append(turned(foam, np.eye(3), [(0.004, 0), (0.009, 0.006), (0.009, 0.012), (0.004, 0.017)]))
    bone = skeleton.bones.index("head")
    return [
        rigid_shape("headset", *joined(hard), bone, plain(any_colour(rng) * 0.3, 0.4)),
        rigid_shape("cushions", *joined(soft), bone, plain(any_colour(rng) * 0.12, 0.75)),
    ]
