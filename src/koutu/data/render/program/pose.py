"""A pose in a few numbers and named reaches, and the bones it turns."""

from dataclasses import dataclass, field, replace

import numpy as np
from arms import REACHES, Hand, Reach, arm_turns, between, found
from arrays import Floats, rotation
from skeleton import SIDES, Skeleton, place


@dataclass(frozen=True)
class Leg:
    """Degrees: the thigh forward, the knee bent, the thigh outwards."""

    thigh: float = 0.0
    knee: float = 0.0
    out: float = -3.0


@dataclass(frozen=True)
class Pose:
    """Degrees, but x, y, lift in metres.

    lean forward, sway sideways and twist of the trunk; yaw, pitch and roll of the head; turn of the whole person, who
    stands on (x, y), lift above where the feet touch the floor. reaches: by side; ways: a second reach by side and how
    far the hand has gone to it, 0…1.
    """

    lean: float = 2.0
    sway: float = 0.0
    twist: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    turn: float = 0.0
    x: float = 0.0
    y: float = 0.0
    lift: float = 0.0
    shrug: float = 0.0
    legs: dict[str, Leg] = field(default_factory=lambda: {"l": Leg(), "r": Leg()})
    reaches: dict[str, Reach] = field(default_factory=lambda: {"l": REACHES["hang"], "r": REACHES["hang"]})
    ways: dict[str, tuple[Reach, float]] = field(default_factory=dict)
    grips: dict[str, Hand] = field(default_factory=dict)  # of sides whose place in the world is given


def bones_of(skeleton: Skeleton, pose: Pose) -> dict[str, Floats]:
    """4×4 of each bone from rest; the lower foot stands on the floor."""
    turns = _trunk(pose) | _legs(pose)
    ground = _lowest(skeleton, skeleton.matrices(turns, np.zeros(3)))
    offset = np.array([pose.x, pose.y, pose.lift - ground])
    bones = skeleton.matrices(turns, offset)
    hands = {side: _hand(skeleton, bones, pose, side) for side, _ in SIDES}
    for side, sign in SIDES:
        raised = place(bones[f"clavicle_{side}"], skeleton.heads[f"upperarm_{side}"])
        rise = np.clip((hands[side].wrist[2] - raised[2]) / skeleton.arm, 0, 1)
        turns[f"clavicle_{side}"] = rotation("y", -sign * (22 * rise + pose.shrug))
    bones = skeleton.matrices(turns, offset)
    for side, _ in SIDES:
        turns |= arm_turns(skeleton, bones, hands[side], side)
    return skeleton.matrices(turns, offset)


def blended(first: Pose, second: Pose, share: float) -> Pose:
    """From one pose to another: angles and places; hands go from those of the first to those of the second."""
    names = ("lean", "sway", "twist", "yaw", "pitch", "roll", "turn", "x", "y", "lift", "shrug")
    numbers = {n: getattr(first, n) * (1 - share) + getattr(second, n) * share for n in names}
    legs = {
        side: Leg(*(
            getattr(first.legs[side], n) * (1 - share) + getattr(second.legs[side], n) * share
            for n in ("thigh", "knee", "out")
        ))
        for side, _ in SIDES
    }  # fmt: skip
    return replace(first, **numbers, legs=legs, ways={side: (second.reaches[side], share) for side, _ in SIDES})


def _hand(skeleton: Skeleton, bones: dict[str, Floats], pose: Pose, side: str) -> Hand:
    if side in pose.grips:
        return pose.grips[side]
    hand = found(skeleton, bones, pose.reaches[side], side)
    if side in pose.ways:
        reach, share = pose.ways[side]
        hand = between(hand, found(skeleton, bones, reach, side), share)
    return hand


def _trunk(pose: Pose) -> dict[str, Floats]:
    third = rotation("z", pose.twist / 3)
    neck = rotation("z", 0.4 * pose.yaw) @ rotation("x", 0.5 * pose.pitch) @ rotation("y", 0.5 * pose.roll)
    head = rotation("z", 0.6 * pose.yaw) @ rotation("x", 0.5 * pose.pitch) @ rotation("y", 0.5 * pose.roll)
    half = rotation("x", 0.5 * pose.lean)
    return {
        "Root": rotation("z", pose.turn),
        "spine_01": half @ third @ rotation("y", pose.sway),
        "spine_02": half @ third,
        "spine_03": third,
        "neck_01": neck,
        "head": head,
    }


def _legs(pose: Pose) -> dict[str, Floats]:
    turns = {}
    for side, sign in SIDES:
        leg = pose.legs[side]
        turns[f"thigh_{side}"] = rotation("x", -leg.thigh) @ rotation("y", -sign * leg.out)
        turns[f"calf_{side}"] = rotation("x", leg.knee)
        turns[f"foot_{side}"] = rotation("x", leg.thigh - leg.knee)
    return turns


def _lowest(skeleton: Skeleton, bones: dict[str, Floats]) -> float:
    """How far the lower foot has left its height at rest."""
    return min(
        place(bones[f"foot_{side}"], skeleton.heads[f"foot_{side}"])[2] - skeleton.heads[f"foot_{side}"][2]
        for side, _ in SIDES
    )
