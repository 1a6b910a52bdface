"""Hair that is tied: drawn over the skin to a knot, and from there a bun, a tail or two."""

from dataclasses import dataclass

import numpy as np
from arrays import Floats, unit
from surface import Surface

SIZE = 0.23  # metres from chin to crown of the head that styles are measured on


@dataclass(frozen=True)
class HeadForm:
    """centre, and size from chin to crown; width of half the head; brow, chin: heights; knot: where hair is tied."""

    centre: Floats
    size: float
    width: float
    brow: float
    chin: float
    knot: Floats


@dataclass(frozen=True)
class Tie:
    """kind: bun, tail or tails; radius of a bun and length of tails in metres; parting: x between two tails."""

    kind: str
    head: HeadForm
    radius: float
    length: float
    parting: float

    def guides(self, roots: Floats, points: int, gap: Floats, surface: Surface) -> Floats:
        """(N, points, 3) from roots (N, 3), which lie `gap` metres (N,) off the skin on their way to the knot."""
        knots, radius = self._knots(roots), self.radius
        towards = unit(roots - knots)
        guides = np.empty((len(roots), points, 3))
        guides[:, 0] = roots
        for i in range(1, points):
            t = i / (points - 1)
            drawn = min(t / 0.55, 1.0)
            at = roots * (1 - drawn) + (knots + towards * radius * 0.4) * drawn
            if t <= 0.55:
                guides[:, i] = surface.outside(at, gap + 0.004 * np.sin(np.pi * drawn))
            elif self.kind == "bun":
                guides[:, i] = knots + self._coil(towards, radius, (t - 0.55) / 0.45)
            else:
                guides[:, i] = knots + self._tail(roots, (t - 0.55) / 0.45)
        return guides

    def _knots(self, roots: Floats) -> Floats:
        knot = np.tile(self.head.knot, (len(roots), 1))
        if self.kind == "tails":
            knot[:, 0] = np.where(roots[:, 0] < self.parting, -1, 1) * 1.02 * self.head.width
            knot[:, 1] = self.head.centre[1] + 0.12 * self.head.size
            knot[:, 2] = min(self.head.knot[2], self.head.centre[2])
        return knot

    def _coil(self, towards: Floats, radius: float, t: float) -> Floats:
        spread = radius * (0.55 + 0.45 * np.abs(np.sin(np.arange(len(towards)) * 1.7)))[:, None]
        back, angle = np.array([[0, 1.0, 0.35]]), 4.6 * t
        return towards * spread * np.cos(angle) + back * spread * np.sin(angle) * 0.9

    def _tail(self, roots: Floats, t: float) -> Floats:
        numbers = np.arange(len(roots))
        width = (0.006 + 0.012 * t) * np.sqrt((numbers % 37) / 37)
        side = np.where(roots[:, 0] < self.parting, -1.0, 1.0)[:, None]
        out = side * np.array([0.03, 0, 0]) if self.kind == "tails" else np.array([0, 0.05, 0])
        lifted = (out + np.array([0, 0, 0.012])) * min(3 * t, 1)
        fall = np.full(len(roots), -self.length * 0.62 * t**1.15)
        round_about = np.cos(numbers * 2.4) * width, 0.8 * np.sin(numbers * 2.4) * width + 0.01 * t
        return lifted + np.stack([*round_about, fall], 1)
