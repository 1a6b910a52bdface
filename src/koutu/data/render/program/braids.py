"""Braided hair: one down the back, two before the shoulders, or some sixty thin ones from partings all over."""

from dataclasses import dataclass

import numpy as np
from arrays import Floats, Ints, Rng, smoothstep, unit
from surface import Surface, resampled, wavering
from ties import SIZE, HeadForm

_GATHERED, _PLAITED, _TUFT = 10, 46, 6  # points of a strand drawn to the knot, within the braid and below its end
_PITCH = 2.6  # widths after which a third of the braid is back where it was
_WISPS = 0.07  # of the strands leave the braid on their way
_FINE_POINTS = 72  # of a strand of a thin braid
_DOWN = np.array([0.0, 0.0, -1.0])


def plaited(axis: Floats, width: Floats, out: Floats, third: Ints, rng: Rng) -> Floats:
    """Strands (N, P, 3) of a braid along axis (P, 3) or (N, P, 3), each of a third (N,) that crosses the others.

    width: metres, at each point (P,); out: from the body, along which thirds pass over each other, (3,) or (N, 3).
    """
    count = len(third)
    axis = np.broadcast_to(axis, (count, *axis.shape[-2:]))
    steps = np.linalg.norm(np.diff(axis, axis=1), axis=2)
    along = np.concatenate([np.zeros((count, 1)), np.cumsum(steps, 1)], 1)
    ahead = unit(np.gradient(axis, axis=1))
    aside = unit(np.cross(ahead, np.broadcast_to(out, (count, 3))[:, None]))
    over = np.cross(aside, ahead)
    phase = 2 * np.pi * (along / (_PITCH * width.max()) + third[:, None] / 3)
    angle, far = rng.uniform(0, 2 * np.pi, count), 0.21 * np.sqrt(rng.random(count))
    sideways = (0.29 * np.sin(phase) + (far * np.cos(angle))[:, None]) * width
    upwards = (0.17 * np.sin(2 * phase) + (far * np.sin(angle))[:, None]) * width
    return axis + aside * sideways[..., None] + over * upwards[..., None]


@dataclass(frozen=True)
class Braids:
    """pair: two before the shoulders, else one behind; length below the knot and width in metres; parting: x."""

    head: HeadForm
    surface: Surface
    length: float
    width: float
    parting: float
    pair: bool

    def strands(self, roots: Floats, rng: Rng) -> Floats:
        """(N, P, 3): drawn over the skin to the knot, braided from there, loose below."""
        found = np.empty((len(roots), _GATHERED + _PLAITED + _TUFT, 3))
        left = roots[:, 0] >= self.parting
        sides = ((left, 1.0), (~left, -1.0)) if self.pair else ((np.ones(len(roots), bool), 0.0),)
        for held, side in sides:
            if held.any():
                found[held] = self._one(roots[held], side, rng)
        return found

    def _one(self, roots: Floats, side: float, rng: Rng) -> Floats:
        axis, out = self._axis(side)
        count = len(roots)
        around = unit(roots - axis[0]) @ (np.array([0, 0.3, 1.0]) if side else np.array([1.0, 0, 0]))
        third = np.digitize(around + rng.normal(0, 0.08, count), np.quantile(around, (1 / 3, 2 / 3)))
        t = np.linspace(0, 1, _PLAITED)
        width = self.width * (1 - 0.35 * t) * smoothstep(0.35 + 6 * t) * (1 - 0.6 * smoothstep((t - 0.93) / 0.07))
        braid = plaited(axis, width, out, third, rng)
        way = self._gathered(roots, braid[:, 0], rng)
        fall = np.linspace(0, 1, _TUFT + 1)[1:, None] * rng.uniform(0.02, 0.07, (count, 1, 1))
        ends = unit(_DOWN + rng.normal(0, 0.16, (count, 3)) + 0.15 * out)
        tuft = braid[:, -1:] + ends[:, None] * fall
        strands = np.concatenate([way, braid, tuft], 1)
        return self._wisps(strands, axis, rng)

    def _gathered(self, roots: Floats, ends: Floats, rng: Rng) -> Floats:
        """(N, _GATHERED, 3) from roots to ends (N, 3), which are left out, round the skull and off it."""
        count, centre = len(roots), self.head.centre
        start, end = roots - centre, ends - centre
        near, far = np.linalg.norm(start, axis=1), np.linalg.norm(end, axis=1)
        angle = np.arccos(np.clip((unit(start) * unit(end)).sum(1), -0.999, 0.999))[:, None]
        t = np.linspace(0, 1, _GATHERED, endpoint=False)[None]
        shares = np.sin((1 - t) * angle) / np.sin(angle), np.sin(t * angle) / np.sin(angle)
        way = shares[0][..., None] * unit(start)[:, None] + shares[1][..., None] * unit(end)[:, None]
        way = centre + way * ((near[:, None] * (1 - t) + far[:, None] * t) * (1 - 0.1 * np.sin(np.pi * t)))[..., None]
        way[:, 1:] += wavering(rng, count, _GATHERED, 2)[:, 1:] * 0.0025 * np.sin(np.pi * t[..., None])[:, 1:]
        gap = (0.002 + 0.006 * rng.random(count))[:, None] + 0.002 * np.sin(np.pi * t)
        way[:, 1:] = self.surface.outside(way[:, 1:], gap[:, 1:])
        return way

    def _axis(self, side: float) -> tuple[Floats, Floats]:
        """(_PLAITED, 3) from the knot down, off the clothes, and the way from the body."""
        head = self.head
        if side:
            out = unit(np.array([0.35 * side, -1.0, 0.15]))
            ear = head.centre + np.array([side * 1.0 * head.width, 0.1 * head.size, -0.42 * head.size])
            neck = np.array([side * 0.95 * head.width, head.centre[1] + 0.02 * head.size, head.chin - 0.08 * head.size])
            chest = np.array([side * 0.85 * head.width, head.centre[1] - 0.2 * head.size, head.chin - 0.55 * head.size])
            corners = np.array([ear, neck, chest])
        else:
            out = np.array([0.0, 1.0, 0.1])
            nape = np.array([0.0, head.knot[1] + 0.01, min(head.knot[2], head.centre[2] - 0.15 * head.size)])
            corners = np.array([nape, nape + np.array([0, 0.02, -0.05]), nape + np.array([0, 0.0, -0.14])])
        reach = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
        at = np.linspace(0, self.length, _PLAITED)
        axis = np.stack([np.interp(at, reach, corners[:, k]) for k in range(3)], 1)
        axis[:, 2] -= np.maximum(at - reach[-1], 0)
        for _ in range(4):
            axis = self.surface.outside(axis, 0.42 * self.width, 0.12)
            axis[1:-1] = (axis[:-2] + 2 * axis[1:-1] + axis[2:]) / 4
        return axis, unit(out)

    def _wisps(self, strands: Floats, axis: Floats, rng: Rng) -> Floats:
        """Some strands are too short for the braid and stand off where they end."""
        chosen = np.flatnonzero(rng.random(len(strands)) < _WISPS)
        if not len(chosen):
            return strands
        points = strands.shape[1]
        last = rng.integers(_GATHERED // 2, points - _TUFT, len(chosen))
        beyond = np.maximum(np.arange(points)[None] - last[:, None], 0) / (points - last[:, None])
        ends = strands[chosen, last]
        _, away = self.surface.height(ends, 0.2)
        away = unit(away + rng.normal(0, 0.6, (len(chosen), 3)) + 0.6 * _DOWN)
        curl = wavering(rng, len(chosen), points, 2) * 0.006 * beyond[..., None]
        free = ends[:, None] + away[:, None] * (beyond * rng.uniform(0.01, 0.05, (len(chosen), 1)))[..., None] + curl
        strands[chosen] = np.where((beyond > 0)[..., None], free, strands[chosen])
        return strands


def thin_braids(axes: Floats, section: Ints, roots: Floats, width: float, rng: Rng) -> Floats:
    """(N, P, 3) strands of braids along axes (B, P', 3); section: which one each of the roots (N, 3) belongs to."""
    axis = resampled(axes, _FINE_POINTS)[section]
    t = np.linspace(0, 1, _FINE_POINTS)
    out = unit((axis[:, 4] - axis[:, 0]) * np.array([1.0, 1.0, 0.0]) + np.array([0, 1e-6, 0]))
    strands = plaited(axis, width * (1 - 0.3 * t), out, rng.integers(0, 3, len(roots)), rng)
    gathered = smoothstep(t / 0.05)[None, :, None]
    return roots[:, None] * (1 - gathered) + strands * gathered


def braid_width(head: HeadForm, rng: Rng, *, pair: bool) -> float:
    """Metres, of hair that thick."""
    return (0.027 if pair else 0.037) * head.size / SIZE * float(rng.uniform(0.85, 1.2))


def spread(points: Floats, count: int) -> Ints:
    """So many of the points (N, 3), far from each other."""
    chosen = [0]
    far = ((points - points[0]) ** 2).sum(1)
    while len(chosen) < count:
        chosen.append(int(far.argmax()))
        far = np.minimum(far, ((points - points[chosen[-1]]) ** 2).sum(1))
    return np.array(chosen)
