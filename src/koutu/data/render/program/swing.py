"""Loose cloth lags behind what it hangs on, and swings past it: the answer of a damped spring to a bone's motion."""

from collections.abc import Callable

import numpy as np
from arrays import Floats
from skeleton import place

_RATE, _DAMPING = 1.6, 0.35  # hertz, and share of what damps all swinging
_STEP, _STEPS = 1 / 24, 15  # seconds between moments that are looked back at, and how many
_CARRIED = 0.85  # of the whole person's way that cloth goes along with at once


def _answer() -> tuple[Floats, Floats]:
    """Seconds ago, and what each counts: a spring's answer to a push, their sum 1."""
    ago = np.arange(_STEPS) * _STEP
    speed = 2 * np.pi * _RATE
    weights = np.exp(-_DAMPING * speed * ago) * np.sin(np.sqrt(1 - _DAMPING**2) * speed * ago)
    return ago, weights / weights.sum()


_AGO, _WEIGHTS = _answer()


def swung(
    points: Floats, share: Floats, bones: Callable[[float], Floats], bone: int, joint: Floats, second: float
) -> Floats:
    """The points (V, 3) of a moment, moved by their share (V,) to where the spring has them.

    bones: matrices (all, 4, 4) of a second; bone: what they hang on; joint: its place at rest.
    """
    now = bones(second)[bone]
    late = np.sum([weight * bones(second - ago)[bone] for ago, weight in zip(_AGO, _WEIGHTS, strict=True)], axis=0)
    change = late @ np.linalg.inv(now)
    carried = _CARRIED * (place(now, joint) - place(late, joint))
    moved = points @ change[:3, :3].T + change[:3, 3] + carried
    return points + share[:, None] * (moved - points)
