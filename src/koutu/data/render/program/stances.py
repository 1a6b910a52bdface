"""A person's pose from the words and numbers of a view."""

import numpy as np
from arms import REACHES, Reach, gesture, shaken
from arrays import Rng
from pose import Leg, Pose

_ANGLES = ("lean", "sway", "twist", "yaw", "pitch", "roll", "turn", "x", "y")


def pose_of(stance: dict) -> Pose:
    """Of one person of a view; the same from the same."""
    rng = np.random.default_rng(stance["seed"])
    reaches = {side: _reach(word, rng) for side, word in zip("lr", stance["hands"], strict=True)}
    for side in stance["held"]:
        reaches[side] = _steady(reaches[side])
    legs = legs_of(stance["stance"], rng)
    return Pose(**{name: stance[name] for name in _ANGLES}, shrug=float(rng.uniform(-2, 4)), legs=legs, reaches=reaches)


def legs_of(word: str, rng: Rng) -> dict[str, Leg]:
    """Standing at ease, seated, or within a step."""
    if word == "sit":
        thigh, out = rng.uniform(78, 92), rng.uniform(2, 14)
        return {side: Leg(thigh + rng.normal(0, 2), thigh + rng.uniform(-12, 6), out) for side in "lr"}
    if word == "walk":
        return stride(rng.uniform(0, 2 * np.pi))
    rest = rng.choice(["l", "r"])
    bent = rng.uniform(0, 14)
    return {side: Leg(bent * 0.6, bent, -1.0) if side == rest else Leg(out=rng.uniform(-5, 0)) for side in "lr"}


def stride(phase: float, amount: float = 1.0) -> dict[str, Leg]:
    """Legs within a step; the phase in radians."""
    legs = {}
    for side, shift in (("l", 0.0), ("r", np.pi)):
        swing = np.sin(phase + shift)
        lifted = max(0.0, np.cos(phase + shift))
        legs[side] = Leg(amount * (24 * swing + 6 * lifted), amount * (8 + 42 * lifted), -4.0)
    return legs


def _reach(word: str, rng: Rng) -> Reach:
    if word == "gesture":
        return gesture(rng)
    return shaken(REACHES[word], rng, 0.012 if REACHES[word].anchor == "head" else 0.03)


def _steady(reach: Reach) -> Reach:
    """A hand that holds something is closed."""
    return Reach(reach.anchor, reach.at, reach.fingers, reach.palm, reach.elbow, max(reach.curl, 48.0))
