"""Where hands go: named places about the body, and the two-bone arm that reaches them."""

from dataclasses import dataclass, replace

import numpy as np
from arrays import Floats, Rng, about, frame, turning, unit
from skeleton import FINGERS, Skeleton, place

_FIST = 68.0


@dataclass(frozen=True)
class Reach:
    """A place for a left hand; a right one's is mirrored.

    anchor: "shoulder", "head", "hip" or "knee". at: from the anchor in arm lengths, or in heads if that is the head.
    fingers, palm: where they point, in the anchor's axes. elbow: the side it goes to. curl: of the fingers, degrees.
    """

    anchor: str
    at: tuple[float, float, float]
    fingers: tuple[float, float, float]
    palm: tuple[float, float, float]
    elbow: tuple[float, float, float] = (0.4, 1.0, -0.4)
    curl: float = 18.0
    pointing: bool = False  # the index stays straight


REACHES = {
    "hang": Reach("shoulder", (0.13, -0.06, -0.93), (0, -0.2, -1), (-1, 0.1, 0), (0.25, 1, 0), 25),
    "hip": Reach("hip", (0.17, -0.02, 0.12), (-0.55, -0.6, -0.6), (-0.75, 0.3, 0.2), (1, 0.55, 0), 22),
    "behind": Reach("hip", (0.02, 0.24, 0.1), (-1, 0.1, -0.3), (0, 1, 0), (1, 0.3, 0), 30),
    "desk": Reach("shoulder", (-0.08, -0.6, -0.55), (-0.3, -1, -0.1), (-0.1, -0.1, -1), (0.7, 0.3, -0.8), 25),
    "wave": Reach("shoulder", (0.42, -0.32, 0.3), (0.1, 0, 1), (0, -1, 0), (0.9, 0.2, -1), 6),
    "up": Reach("shoulder", (0.14, -0.06, 0.93), (0, 0, 1), (-0.2, -1, 0), (1, 0.1, 0), 8),
    "stretch": Reach("head", (0.1, 0.35, 0.75), (-1, 0.1, 0.2), (0, -0.6, -0.8), (1, -0.1, 0.6), 15),
    "before": Reach("head", (0.05, -1.0, -0.1), (-0.25, -0.1, 1), (0, -1, 0.1), (1, 0, -1), 8),
    "mouth": Reach("head", (0.12, -0.62, -0.42), (-0.75, 0.2, 0.6), (-0.3, 0.95, 0), (0.8, -0.2, -1), 15),
    "chin": Reach("head", (0.14, -0.56, -0.86), (-0.35, 0.25, 0.9), (-0.4, 0.75, 0.4), (0.6, -0.3, -1), 50),
    "cheek": Reach("head", (0.5, -0.32, -0.55), (-0.25, 0.25, 1), (-1, 0.1, 0), (0.9, -0.4, -1), 20),
    "hair": Reach("head", (0.52, 0.02, 0.28), (-0.7, 0.3, 0.75), (-0.8, 0, -0.5), (1, -0.2, 0.1), 12),
    "ear": Reach("head", (0.5, -0.16, -0.78), (-0.12, 0.2, 1), (-1, 0.1, 0.1), (0.9, -0.3, -1), 38),
    "fold": Reach("shoulder", (-0.34, -0.36, -0.42), (-1, 0.12, 0.16), (-0.1, 1, -0.1), (0.9, -0.5, -0.6), 20),
    "hold": Reach("shoulder", (-0.16, -0.5, -0.38), (-0.45, -0.85, 0.15), (-0.88, 0.45, 0), (0.6, 0.3, -1), 58),
    "offer": Reach("shoulder", (0.02, -0.86, -0.12), (-0.3, -1, 0.1), (-0.9, 0.3, 0.1), (0.7, 0.2, -1), 50),
    "read": Reach("shoulder", (-0.12, -0.52, -0.3), (-0.4, -0.35, 0.85), (-0.15, 0.95, 0.35), (0.6, 0.3, -1), 45),
    "sing": Reach("head", (0.1, -0.74, -1.3), (-0.6, -0.55, 0.5), (-0.75, 0.6, 0.3), (0.8, 0, -1), 62),
    "point": Reach("shoulder", (-0.05, -0.95, 0.02), (-0.1, -1, 0), (-0.3, 0, -1), (0.8, 0.3, -1), _FIST, True),
    "thumb": Reach("shoulder", (0.05, -0.62, -0.18), (-0.75, -0.65, 0), (-0.6, 0.75, 0), (0.7, 0.2, -1), _FIST),
    "knee": Reach("knee", (0.0, -0.06, 0.14), (-0.2, -1, -0.15), (0, 0, -1), (0.8, 0.4, 0), 15),
}


@dataclass(frozen=True)
class Hand:
    """A reach found in the world: wrist (3,), directions of fingers and palm, the elbow's side, curl in degrees."""

    wrist: Floats
    fingers: Floats
    palm: Floats
    elbow: Floats
    curl: float
    pointing: bool = False


def gesture(rng: Rng) -> Reach:
    """Somewhere in front, as when speaking."""
    at = (rng.uniform(-0.15, 0.45), rng.uniform(-0.72, -0.38), rng.uniform(-0.55, 0.08))
    fingers = (rng.uniform(-0.6, 0.3), -1.0, rng.uniform(-0.3, 0.9))
    palm = (rng.uniform(-1, 0), rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.8))
    return Reach("shoulder", at, fingers, palm, (0.7, 0.35, -1), float(rng.uniform(8, 40)))


def shaken(reach: Reach, rng: Rng, amount: float = 0.03) -> Reach:
    """The same place, never twice exactly."""
    at = np.array(reach.at) + rng.normal(0, amount, 3)
    fingers = np.array(reach.fingers) + rng.normal(0, 3 * amount, 3)
    return replace(reach, at=tuple(at), fingers=tuple(fingers), curl=max(2.0, reach.curl + rng.normal(0, 5)))


def found(skeleton: Skeleton, bones: dict[str, Floats], reach: Reach, side: str) -> Hand:
    """The reach where the body's bones are now."""
    sign = 1.0 if side == "l" else -1.0
    mirror = np.array([sign, 1.0, 1.0])
    bone, point, scale = {
        "shoulder": ("spine_03", skeleton.heads[f"upperarm_{side}"], skeleton.arm),
        "head": ("head", skeleton.centre, skeleton.size),
        "hip": ("pelvis", skeleton.heads[f"thigh_{side}"], skeleton.arm),
        "knee": (f"thigh_{side}", (2 * skeleton.heads[f"calf_{side}"] + skeleton.heads[f"thigh_{side}"]) / 3, 1.0),
    }[reach.anchor]
    offset = np.array(reach.at) * scale
    if reach.anchor == "knee":  # thighs are turned forward: their front is up
        offset = np.array([reach.at[0], -reach.at[2], reach.at[1]])
    if reach.anchor == "shoulder" and reach.at[1] < -0.2:  # in front of the trunk, however thick
        offset[1] = min(offset[1], skeleton.front - point[1] - 0.22 * skeleton.arm)
    axes = bones["pelvis" if reach.anchor == "knee" else bone][:3, :3]
    wrist = place(bones[bone], point + offset * mirror)
    fingers, palm, elbow = (unit(axes @ (np.array(way) * mirror)) for way in (reach.fingers, reach.palm, reach.elbow))
    return Hand(wrist, fingers, palm, elbow, reach.curl, reach.pointing)


def between(first: Hand, second: Hand, share: float) -> Hand:
    """On the way from one place to another, 0…1."""

    def mixed(a: Floats, b: Floats) -> Floats:
        return a * (1 - share) + b * share

    return Hand(
        mixed(first.wrist, second.wrist), unit(mixed(first.fingers, second.fingers)),
        unit(mixed(first.palm, second.palm)), unit(mixed(first.elbow, second.elbow)),
        first.curl * (1 - share) + second.curl * share, second.pointing and share > 0.5,
    )  # fmt: skip


def arm_turns(skeleton: Skeleton, bones: dict[str, Floats], hand: Hand, side: str) -> dict[str, Floats]:
    """Turns of the arm's bones that bring the hand there, or as near as the arm is long."""
    heads, parent = skeleton.heads, bones[f"clavicle_{side}"]
    shoulder = place(parent, heads[f"upperarm_{side}"])
    elbow = _elbow(skeleton, shoulder, hand)
    wrist = elbow + unit(hand.wrist - elbow) * skeleton.lower
    start = parent[:3, :3]
    upper_rest = start @ unit(heads[f"lowerarm_{side}"] - heads[f"upperarm_{side}"])
    upper = turning(upper_rest, unit(elbow - shoulder)) @ start
    lower_rest = upper @ unit(heads[f"hand_{side}"] - heads[f"lowerarm_{side}"])
    along = unit(wrist - elbow)
    lower = turning(lower_rest, along) @ upper
    fingers, palm = skeleton.hands[side]
    palm_wanted = frame(hand.fingers, hand.palm)
    final = palm_wanted @ frame(fingers, palm).T
    lower = about(along, 0.6 * _twist(lower @ palm, final @ palm, along)) @ lower
    return {
        f"upperarm_{side}": start.T @ upper,
        f"lowerarm_{side}": upper.T @ lower,
        f"hand_{side}": lower.T @ final,
        **_curls(skeleton, side, hand),
    }


def _elbow(skeleton: Skeleton, shoulder: Floats, hand: Hand) -> Floats:
    a, b = skeleton.upper, skeleton.lower
    way = hand.wrist - shoulder
    distance = float(np.clip(np.linalg.norm(way), abs(a - b) + 0.04, 0.995 * (a + b)))
    way = unit(way)
    aside = unit(hand.elbow - way * (way @ hand.elbow))
    along = (a * a - b * b + distance * distance) / (2 * distance)
    return shoulder + way * along + aside * np.sqrt(max(a * a - along * along, 0.0))


def _twist(start: Floats, end: Floats, axis: Floats) -> float:
    """Degrees about the axis from one direction to another, a half turn and a bit at most."""
    a, b = unit(start - axis * (axis @ start)), unit(end - axis * (axis @ end))
    return float(np.clip(np.rad2deg(np.arctan2(axis @ np.cross(a, b), a @ b)), -150, 150))


def _curls(skeleton: Skeleton, side: str, hand: Hand) -> dict[str, Floats]:
    fingers, palm = skeleton.hands[side]
    axis = unit(np.cross(fingers, palm))
    turns = {}
    for number, finger in enumerate(FINGERS):
        bend = hand.curl * (0.85 + 0.1 * number)
        if finger == "index" and hand.pointing:
            bend = 4.0
        turns |= {
            f"{finger}_{k}_{side}": about(axis, bend * share) for k, share in (("01", 0.8), ("02", 1.0), ("03", 0.7))
        }
    if hand.curl > 40:
        turns[f"thumb_02_{side}"] = about(axis, 0.35 * hand.curl)
    return turns
