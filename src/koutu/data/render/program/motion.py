"""How people move in clips: a pose for every moment, smooth in time."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from arms import REACHES, gesture, shaken
from arrays import Rng, smoothstep
from pose import Leg, Pose, blended
from stances import legs_of, stride

FPS = 24.0
_WALK = 1.15  # metres a second
_FEET = 0.4  # metres that the feet of who sits are before the hips
_STEP = 2 * np.pi * 0.95  # radians a second

Moving = Callable[[float], Pose]


@dataclass(frozen=True)
class Motion:
    """pose: of a second; mouth, lids: how far open and closed the expression is then, 0…1."""

    pose: Moving
    mouth: Callable[[float], float]
    lids: Callable[[float], float]


def motion_of(kind: str, start: Pose, seconds: float, rng: Rng) -> Motion:
    """A clip's motion of so many seconds; kind as views.py of the package names it."""
    sway = _swaying(rng, 1.6 if kind in ("talk", "nod", "sway") else 1.0)
    base = _KINDS[kind](start, seconds, rng)
    blink = rng.uniform(-0.3, seconds)
    beat, phase = rng.uniform(2.6, 3.6), rng.uniform(0, 2 * np.pi)
    loud = 0.16 if kind in ("talk", "gesture") else 0.0

    def mouth(t: float) -> float:
        return loud * max(0.0, np.sin(2 * np.pi * beat * t + phase) * np.sin(2 * np.pi * 0.9 * t + phase / 2))

    def lids(t: float) -> float:
        return float(max(0.0, 1 - abs(t - blink - 0.08) / 0.08))

    return Motion(lambda t: sway(base(t), t), mouth, lids)


def _swaying(rng: Rng, amount: float) -> Callable[[Pose, float], Pose]:
    """Nobody stands still: slow waves on the angles of trunk and head."""
    sizes = {"yaw": 9.0, "pitch": 4.0, "roll": 3.0, "sway": 1.6, "twist": 3.0, "lean": 1.2}
    slow, fast = (1.0, 0.2, 0.7), (0.35, 0.9, 2.0)  # share of the size, and hertz from and to
    waves = {
        name: [(size * share, rng.uniform(a, b), rng.uniform(0, 2 * np.pi)) for share, a, b in (slow, fast)]
        for name, size in sizes.items()
    }

    def moved(pose: Pose, t: float) -> Pose:
        added = {n: amount * sum(a * np.sin(2 * np.pi * f * t + p) for a, f, p in held) for n, held in waves.items()}
        return replace(pose, **{name: getattr(pose, name) + value for name, value in added.items()})

    return moved


def _still(start: Pose, seconds: float, rng: Rng) -> Moving:
    return lambda t: start


def _gestures(start: Pose, seconds: float, rng: Rng) -> Moving:
    """Hands go from one place in front to the next, three times a second and a half."""
    stops = [gesture(rng) for _ in range(2 + int(seconds / 0.4))]
    other = rng.choice(["l", "r", "both"])
    places = {side: [start.reaches[side], *(stops if other in (side, "both") else [])] for side in "lr"}

    def pose(t: float) -> Pose:
        at = t / 0.42
        reaches, ways = {}, {}
        for side, held in places.items():
            now = min(int(at), len(held) - 1)
            reaches[side] = held[now]
            ways[side] = held[min(now + 1, len(held) - 1)], float(smoothstep(at - int(at)))
        return replace(start, reaches=reaches, ways=ways)

    return pose


def _waves(start: Pose, seconds: float, rng: Rng) -> Moving:
    side, begin = str(rng.choice(["l", "r"])), rng.uniform(0, 0.25)
    wave = shaken(REACHES["wave"], rng)
    left = replace(wave, at=(wave.at[0] - 0.1, wave.at[1], wave.at[2]), fingers=(-0.35, 0, 1))
    right = replace(wave, at=(wave.at[0] + 0.1, wave.at[1], wave.at[2]), fingers=(0.5, 0, 1))

    def pose(t: float) -> Pose:
        rise = float(smoothstep((t - begin) / 0.4))
        if rise < 1:
            return replace(start, ways={side: (left, rise)})
        share = 0.5 - 0.5 * np.cos(2 * np.pi * 1.8 * (t - begin - 0.4))
        return replace(start, reaches={**start.reaches, side: left}, ways={side: (right, float(share))})

    return pose


def _rising(start: Pose, seconds: float, rng: Rng) -> Moving:
    """From seated to standing, leaning forward on the way."""
    facing = np.deg2rad(start.turn)
    ahead = {"x": start.x + _FEET * np.sin(facing), "y": start.y - _FEET * np.cos(facing)}  # over the feet
    hang = {side: REACHES["hang"] for side in "lr"}
    up = replace(start, lean=0.0, legs=legs_of("stand", rng), reaches=hang, **ahead)

    def pose(t: float) -> Pose:
        share = float(smoothstep((t - 0.12) / (seconds - 0.25)))
        between = blended(start, up, share)
        return replace(between, lean=between.lean + 28 * np.sin(np.pi * share))

    return pose


def _sitting_down(start: Pose, seconds: float, rng: Rng) -> Moving:
    rise = _rising(start, seconds, rng)
    return lambda t: rise(seconds - t)


def _entering(start: Pose, seconds: float, rng: Rng) -> Moving:
    """Walks in from a side and turns to the camera."""
    side, stop = float(rng.choice([-1, 1])), seconds * rng.uniform(0.6, 0.8)
    walking = {s: REACHES["hang"] for s in "lr"}

    def pose(t: float) -> Pose:
        left = max(0.0, stop - t)
        slow = float(smoothstep((stop - t) / 0.35))
        x = start.x + side * _WALK * (left - 0.12 * (1 - np.exp(-left / 0.12)))
        turned = start.turn + (-side * 75 - start.turn) * float(smoothstep((stop + 0.2 - t) / 0.45))
        legs = stride(_STEP * t, slow) if slow > 0 else {s: Leg() for s in "lr"}
        ways = {s: (start.reaches[s], 1 - slow) for s in "lr"}
        swing = 7 * slow * np.sin(_STEP * t)
        return replace(start, x=x, turn=turned, legs=legs, reaches=walking, ways=ways, twist=start.twist + swing)

    return pose


def _leaving(start: Pose, seconds: float, rng: Rng) -> Moving:
    enter = _entering(start, seconds, rng)
    return lambda t: enter(seconds - t)


def _turning(start: Pose, seconds: float, rng: Rng) -> Moving:
    """Round, the head first."""
    angle = float(rng.choice([-1, 1]) * rng.uniform(90, 220))

    def pose(t: float) -> Pose:
        body, head = (float(smoothstep((t - delay) / (seconds * 0.85))) for delay in (0.12, 0.0))
        yaw = np.clip(angle * (head - body), -50, 50)
        step = np.sin(np.pi * body)
        return replace(
            start, turn=start.turn + angle * body, yaw=start.yaw + yaw, legs=stride(_STEP * 1.4 * t, 0.35 * step)
        )

    return pose


def _nodding(start: Pose, seconds: float, rng: Rng) -> Moving:
    name, rate, size = str(rng.choice(["pitch", "yaw"])), rng.uniform(1.2, 2.4), rng.uniform(8, 18)
    return lambda t: replace(start, **{name: getattr(start, name) + size * np.sin(2 * np.pi * rate * t)})


_KINDS: dict[str, Callable[[Pose, float, Rng], Moving]] = {
    "talk": _still,
    "gesture": _gestures,
    "wave": _waves,
    "rise": _rising,
    "sit": _sitting_down,
    "enter": _entering,
    "leave": _leaving,
    "turn": _turning,
    "nod": _nodding,
    "sway": _still,
}
