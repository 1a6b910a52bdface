"""How people are shown: stance, hands, camera, light and, in clips, motion; drawn from random numbers alone."""

import math
from random import Random
from typing import Any

from koutu.data.render.people import drawn, rounded

View = dict[str, Any]

FRAMINGS = {"head": 35, "half": 42, "full": 23}
LIGHTS = {"window": 4, "ring": 1.5, "back": 2, "top": 1.5, "mixed": 3, "room": 3, "flat": 2, "screen": 1}
_BEFORE = 60  # degrees turned away at most, for a chair not to hide who sits in it
# What both hands do: the first is of either side.
HANDS = {
    "hang hang": 5, "gesture gesture": 4, "gesture hang": 4, "hip hang": 1.5, "hip hip": 1, "fold fold": 2,
    "wave hang": 2, "up up": 1.5, "up hang": 1, "stretch stretch": 1, "before hang": 1.5, "before before": 1,
    "mouth hang": 1, "chin hang": 1, "chin fold": 1, "cheek hang": 1, "hair hang": 1.5, "hair hair": 0.7,
    "ear hang": 1.5, "hold hang": 3, "hold gesture": 1, "offer hang": 1, "read read": 1, "read hang": 1,
    "sing hang": 0.7, "point hang": 1, "thumb hang": 1, "behind behind": 0.7,
}  # fmt: skip
SEATED = {"desk desk": 6, "knee knee": 4, "knee gesture": 3, "desk gesture": 3, "desk chin": 1.5}
HELD = {
    "hold": ("mug", "bottle", "phone", "ball"), "offer": ("mug", "phone", "paper", "bottle", "ball"),
    "read": ("phone", "book", "tablet", "paper"), "sing": ("microphone",), "ear": ("phone",), "before": ("phone",),
    "hang": ("bottle", "book", "tablet"), "gesture": ("phone", "mug"), "up": ("phone", "paper", "ball"),
}  # fmt: skip
OFTEN_HELD = {"hold": 1.0, "read": 1.0, "sing": 1.0, "ear": 1.0, "offer": 0.8, "before": 0.3, "up": 0.15}
MOTIONS = {
    "talk": 5,
    "gesture": 4,
    "wave": 2,
    "rise": 2,
    "sit": 1,
    "enter": 2,
    "leave": 1.5,
    "turn": 2,
    "nod": 1,
    "sway": 1,
}


def draw_view(rng: Random, kind: str, people: int, size: tuple[int, int]) -> View:
    """Of "still", "group" or "clip": framing, people (stance, hands …, a dictionary each), camera, light, size.

    Degrees, metres, and shares of the picture; photograph: which one to be lit by, as a share of the list.
    """
    motion = drawn(rng, MOTIONS) if kind == "clip" else ""
    framing = _framing(rng, kind, motion)
    wide, high = size
    upright = kind == "still" and framing == "full" and wide > high and rng.random() < 0.6
    turn = rng.gauss(0, 12) if kind == "clip" and rng.random() < 0.7 else _turn(rng)
    view: View = {
        "seed": rng.getrandbits(32),
        "kind": kind,
        "size": [high, wide] if upright else [wide, high],
        "framing": framing,
        "motion": motion,
        "people": [_stance(rng, framing, motion, turn if people == 1 else _turn(rng, 0.75)) for _ in range(people)],
        "fov": rng.uniform(28, 58),
        "zoom": rng.uniform(0.88, 1.35) if framing != "full" else rng.uniform(1.0, 1.5),
        "shift": [rng.gauss(0, 0.1), rng.gauss(0, 0.03)],
        "elevation": _within(rng.gauss(3, 8), -14, 28),
        "azimuth": rng.gauss(0, 5),
        "light": drawn(rng, LIGHTS),
        "photograph": rng.random() if rng.random() < 0.6 else None,
        "defocus": _defocus(rng),
        "shutter": rng.uniform(0.3, 0.8) if kind == "clip" else rng.uniform(0.3, 1.0) * (rng.random() < 0.12),
        "balance": [rng.uniform(0.92, 1.08), 1.0, rng.uniform(0.9, 1.1)],
    }
    _stand_apart(rng, view["people"])
    return rounded(view)


def _framing(rng: Random, kind: str, motion: str) -> str:
    if motion in ("rise", "sit"):
        return rng.choice(["half", "full"])
    if motion in ("enter", "leave"):
        return rng.choice(["head", "half", "half", "full"])
    if kind == "group":
        return rng.choice(["head", "half", "half", "full"])
    return drawn(rng, FRAMINGS)


def _turn(rng: Random, calm: float = 0.66) -> float:
    """Degrees that a person is turned away: mostly facing the camera, else in profile or from behind."""
    draw = rng.random()
    if draw < calm:
        return rng.gauss(0, 18)
    if draw < calm + 0.6 * (1 - calm):
        return rng.choice([-1, 1]) * rng.uniform(40, 115)
    return 180 + rng.gauss(0, 35)


def _stance(rng: Random, framing: str, motion: str, turn: float) -> View:
    """What one person does."""
    seated = motion in ("rise", "sit") or (motion not in ("enter", "leave", "turn") and rng.random() < 0.3)
    hands = drawn(rng, {**HANDS, **SEATED} if seated else HANDS).split()
    if seated and rng.random() < 0.5:
        hands = drawn(rng, SEATED).split()
    if rng.random() < 0.5:
        hands.reverse()
    held = {
        side: rng.choice(HELD[hand])
        for side, hand in zip("lr", hands, strict=True) if hand in HELD and rng.random() < OFTEN_HELD.get(hand, 0.06)
    }  # fmt: skip
    if len(held) == 2:  # one thing in two hands
        held.popitem()
    return {
        "seed": rng.getrandbits(32),
        "stance": "sit" if seated else rng.choices(["stand", "walk"], [8, 1 if framing == "full" else 0.2])[0],
        "chair": seated and abs(turn) < _BEFORE and rng.random() < (0.4 if framing == "full" else 0.2),
        "hands": hands,
        "held": held,
        "turn": turn,
        "yaw": _within(rng.gauss(0, 18), -48, 48),
        "pitch": _within(rng.gauss(0, 8), -20, 24),
        "roll": _within(rng.gauss(0, 6), -16, 16),
        "lean": rng.gauss(4 if seated else 1, 5),
        "sway": rng.gauss(0, 3),
        "twist": rng.gauss(0, 8),
        "x": 0.0,
        "y": 0.0,
    }


def _stand_apart(rng: Random, people: list[View]) -> None:
    """Side by side in places of their own, some half behind others."""
    if len(people) < 2:
        return
    x = 0.0
    for number, person in enumerate(people):
        x += rng.uniform(0.42, 0.7) if number else 0.0
        person["x"], person["y"] = x, rng.uniform(-0.25, 0.35)
    middle = x / 2
    for person in people:
        person["x"] -= middle
        person["turn"] -= 25 * math.tanh(person["x"]) * rng.random()


def _defocus(rng: Random) -> list[float] | None:
    """The blur of the face's plane in heads, and where it is sharp in shares of its distance; or all is sharp."""
    draw = rng.random()
    if draw < 0.6:
        return None
    if draw < 0.9:
        return [rng.uniform(0.004, 0.03), rng.choice([0.88, 0.94, 1.06])]
    return [rng.uniform(0.04, 0.16), rng.choice([0.55, 0.7, 1.4])]


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
