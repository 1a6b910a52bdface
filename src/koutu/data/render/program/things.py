"""Things in hands, and chairs."""

import numpy as np
from arrays import Floats, Rng, frame
from materials import any_colour, plain
from objects import Shape, rigid_shape
from skeleton import Skeleton
from solids import Solid, box, joined, tube, turned


def held_thing(kind: str, skeleton: Skeleton, side: str, rng: Rng) -> list[Shape]:
    """In the palm of a hand at rest; the hand carries it."""
    fingers, palm = skeleton.hands[side]
    wrist, middle = skeleton.heads[f"hand_{side}"], skeleton.heads[f"middle_01_{side}"]
    axes = frame(fingers, palm)
    upright = np.cross(fingers, palm) * (-1.0 if side == "l" else 1.0)  # away from the little finger
    across = np.stack([axes[:, 0], axes[:, 1], upright], 1)
    grip = wrist + (middle - wrist) * 1.05
    solids, material = _thing(kind, grip, across, rng)
    return [
        rigid_shape(
            kind,
            *solids,
            skeleton.bones.index(f"hand_{side}"),
            material,
            smooth=kind not in ("phone", "book", "tablet"),
        )
    ]


def _thing(kind: str, grip: Floats, axes: Floats, rng: Rng) -> tuple[Solid, object]:
    """axes: columns along the fingers, out of the palm, and up along a gripped handle."""
    along, out = axes[:, 0], axes[:, 1]
    standing = np.stack([along, out, axes[:, 2]], 1)
    colour = any_colour(rng)
    if kind == "mug":
        r, h = rng.uniform(0.036, 0.044), rng.uniform(0.08, 0.11)
        at = grip + out * (r + 0.014) - axes[:, 2] * h * 0.5
        cup = turned(at, standing, [(r * 0.9, 0), (r, 0.01), (r, h), (r * 0.93, h), (r * 0.9, 0.02)])
        angle = np.linspace(-1.3, 1.3, 12)[:, None]
        ear = (
            at
            + axes[:, 2] * (h * 0.5)
            + along * (r - 0.004) * -1
            - along * 0.024 * np.cos(angle)
            + axes[:, 2] * 0.03 * np.sin(angle)
        )
        return joined([cup, tube(ear, 0.0055)]), plain(colour, 0.25)
    if kind == "bottle":
        r, h = rng.uniform(0.03, 0.036), rng.uniform(0.2, 0.26)
        at = grip + out * (r + 0.014) - axes[:, 2] * h * 0.42
        profile = [(r * 0.95, 0), (r, 0.01), (r, h * 0.68), (r * 0.4, h * 0.85), (r * 0.4, h * 0.94), (r * 0.45, h)]
        return turned(at, standing, profile), plain(colour * 0.6, 0.15)
    if kind == "microphone":
        at = grip + out * 0.03 - axes[:, 2] * 0.09
        profile = [
            (0.009, 0),
            (0.011, 0.02),
            (0.014, 0.17),
            (0.024, 0.19),
            (0.026, 0.205),
            (0.02, 0.225),
            (0.006, 0.233),
        ]
        return turned(at, standing, profile), plain(colour * 0.15, 0.5, 0.5)
    if kind == "ball":
        r = rng.uniform(0.04, 0.11)
        angle = np.linspace(-np.pi / 2, np.pi / 2, 13)[1:-1]
        return turned(grip + out * (r + 0.012), standing, [(r * np.cos(a), r * np.sin(a)) for a in angle]), plain(
            colour, 0.6
        )
    flat = np.stack([axes[:, 2], along, out], 1)
    sizes = {
        "phone": (0.073, 0.15, 0.008), "tablet": (0.17, 0.25, 0.008), "book": (0.14, 0.21, rng.uniform(0.01, 0.035)),
        "paper": (0.21, 0.297, 0.001),
    }  # fmt: skip
    size = sizes[kind]
    shift = 0.02 if kind == "phone" else 0.05
    at = grip + out * (0.016 + size[2] / 2) + along * shift + axes[:, 2] * (0.0 if kind == "phone" else 0.25 * size[0])
    dark = kind in ("phone", "tablet")
    return box(at, flat, size), plain(colour * 0.15 if dark else np.sqrt(colour), 0.15 if dark else 0.8)


def chair(skeleton: Skeleton, sunk: float, rng: Rng) -> list[Shape]:
    """Behind and under who sits; sunk: metres that sitting has lowered the hips, and the root, which carries it."""
    wide, deep = rng.uniform(0.46, 0.56), rng.uniform(0.44, 0.5)
    hip = skeleton.heads["pelvis"]
    level, back = hip[2] - 0.115, hip[1] + 0.17
    shoulder = skeleton.heads["upperarm_l"][2]
    top = shoulder + rng.uniform(-0.3, 0.28)
    lean = np.array([0, 0.14, 1.0])
    lean /= np.linalg.norm(lean)
    axes = np.stack([np.array([1.0, 0, 0]), np.cross(lean, np.array([1.0, 0, 0])), lean], 1)
    height = top - level
    middle = np.array([0, back + 0.07 * height, level + height / 2 + 0.05])
    soft = [
        box((0, back - deep / 2, level), np.eye(3), (wide, deep, 0.08)),
        box(middle, axes, (wide * rng.uniform(0.75, 1), 0.06, height - 0.1)),
    ]
    hard = [tube([(0, back - deep / 2, level - 0.04), (0, back - deep / 2, sunk + 0.06)], 0.03)]
    for angle in np.arange(5) * 2 * np.pi / 5:
        foot = (0.3 * np.sin(angle), back - deep / 2 + 0.3 * np.cos(angle), sunk + 0.04)
        hard.append(tube([(0, back - deep / 2, sunk + 0.09), foot], 0.018))
    if rng.random() < 0.5:
        for sign in (1.0, -1.0):
            x = sign * (wide / 2 + 0.04)
            hard.append(
                tube([(x, back - 0.1, level), (x, back - 0.12, level + 0.2), (x, back - 0.4, level + 0.2)], 0.018)
            )
    bone = skeleton.bones.index("Root")
    shapes = [rigid_shape("seat", *joined(soft), bone, plain(any_colour(rng) * 0.5, 0.8), smooth=False)]
    for shape in shapes:
        bevel = shape.object.modifiers.new("round", "BEVEL")
        bevel.width, bevel.segments = 0.025, 3
    return [*shapes, rigid_shape("base", *joined(hard), bone, plain(any_colour(rng) * 0.2, 0.4, 0.6))]
