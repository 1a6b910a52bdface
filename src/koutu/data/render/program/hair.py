"""Hair grown as strands: some hundred guides feel gravity, comb and skin; thousands follow them in clumps and curls."""

from dataclasses import dataclass, field

import numpy as np
from arrays import Floats, Ints, Rng, unit
from braids import Braids, braid_width, spread, thin_braids
from scipy.spatial import cKDTree
from styles import Style
from surface import Surface, scattered, wavering
from ties import SIZE, HeadForm, Tie

_GUIDES = 420
_POINTS = 24  # of a strand
_THIN_BRAIDS = 64
_DOWN = np.array([0.0, 0.0, -1.0])


@dataclass
class Groom:
    """One head of hair in the making: roots on the skin, guides that lead."""

    rng: Rng
    style: Style
    head: HeadForm
    surface: Surface
    vertices: Floats
    corners: Ints
    weights: Floats
    length: float = field(init=False, default=0.0)  # of this head's hair, metres
    points: int = field(init=False, default=_POINTS)
    side: float = field(init=False, default=1.0)  # to which it is combed
    parting: float = field(init=False, default=0.0)  # x

    def grown(self, count: int, wild: float) -> Floats:
        """(count, points, 3) strands at rest; wild: how many stray, times the style's own."""
        self.length = self.style.length * self.head.size / SIZE * self.rng.uniform(0.85, 1.15)
        self.points = 10 if self.length < 0.05 else _POINTS
        self.side = float(np.sign(self.rng.normal()) or 1.0)
        reach = 1.0 if self.style.part else 0.6
        self.parting = self.head.centre[0] + self.side * self.rng.uniform(0, 0.3) * self.head.size * 0.35 * reach
        if self.style.braided:
            return self._braided(count, wild)
        roots, out = scattered(self.rng, self.vertices, self.corners, self.weights, _GUIDES)
        guides = self._tied(roots) if self.style.tied else self._loose(roots, out)
        return self._followers(roots, guides, count, wild)

    def _braided(self, count: int, wild: float) -> Floats:
        style, rng, head = self.style, self.rng, self.head
        roots, out = scattered(rng, self.vertices, self.corners, self.weights, count)
        if style.braided == "all over":
            apart = spread(roots, _THIN_BRAIDS)
            _, section = cKDTree(roots[apart]).query(roots)
            width = 0.0085 * head.size / SIZE * rng.uniform(0.8, 1.3)
            axes = self._off_face(self._loose(roots[apart], out[apart]), roots[apart])
            strands = thin_braids(axes, section, roots, width, rng)
        else:
            pair = style.braided == "pair"
            width = braid_width(head, rng, pair=pair)
            strands = Braids(head, self.surface, self.length, width, self.parting, pair).strands(roots, rng)
        self.points = strands.shape[1]
        t = np.linspace(0, 1, self.points)[None, :, None]
        strands += style.frizz * np.minimum(6 * t, 1) * wavering(rng, count, self.points, 14)
        self._stray(strands, t, min(style.fly * wild, 0.5))
        strands[:, 1:] = self.surface.outside(strands[:, 1:], 0.0012, 0.03)
        return strands

    def _combed(self, points: Floats, out: Floats) -> Floats:
        """Which way a comb has laid the hair at these roots."""
        x, y = points[:, 0] - self.parting, (points[:, 1] - self.head.centre[1]) / self.head.size
        lean = np.clip(x / (self.head.size * 0.4), -1, 1)
        if self.style.part:
            way = np.stack([np.sign(x), np.full_like(x, 0.35), np.full_like(x, -0.3)], 1)
        elif self.style.back:
            way = np.stack([0.35 * lean, np.full_like(x, 1.0), np.full_like(x, -0.1)], 1)
        else:
            aside = 0.8 * self.side if self.style.cling > 0.2 else 0.0
            way = np.stack([aside + 0.7 * lean, np.full_like(x, 0.5), np.full_like(x, -0.25)], 1)
        if self.style.fringe:
            front = y < -0.1
            way[front] = np.stack([0.5 * lean, np.full_like(x, -1.0), np.full_like(x, -0.3)], 1)[front]
        return unit(way - out * (way * out).sum(1, keepdims=True) * 0.8)

    def _lengths(self, points: Floats) -> Floats:
        up = (points[:, 2] - self.head.centre[2]) / self.head.size
        y = (points[:, 1] - self.head.centre[1]) / self.head.size
        lengths = self.length * np.exp(self.rng.normal(0, self.style.varied, len(points)))
        if self.style.fringe:
            short = (0.27 + 0.45 * np.maximum(up - 0.2, 0)) * self.head.size
            short *= np.exp(self.rng.normal(0, 0.08, len(points)))
            lengths = np.where(y < -0.13, np.minimum(lengths, short), lengths)
        if self.style.sides < 1:
            lengths *= np.clip(self.style.sides + 1.65 * (up + 0.15), 0.7 * self.style.sides, 1)
        if self.style.level:
            drop = np.clip(0.35 - up, 0, 0.8) * self.head.size * 0.75 * self.style.level
            lengths = np.maximum(lengths - drop, 0.05)
        return lengths

    def _loose(self, roots: Floats, out: Floats) -> Floats:
        """Guides (G, points, 3) grown step by step; each step is bent, then kept out of the skin."""
        style, count, points = self.style, len(roots), self.points
        combed = self._combed(roots, out)
        step = (self._lengths(roots) / (points - 1))[:, None]
        rough = 0.08 if self.length > 0.1 or style.lift < 0.2 else 0.15
        way = unit(out * style.lift + combed * style.comb + self.rng.normal(0, rough, (count, 3)))
        gap = 0.0025 + 0.004 * self.rng.random(count) * (2 if style.lift > 0.2 else 1)
        sway = wavering(self.rng, count, points, 3)
        limp = min(1.0, self.length / 0.10)
        guides = np.empty((count, points, 3))
        guides[:, 0] = roots
        for i in range(1, points):
            t = i / (points - 1)
            pull = style.weight * (0.35 + t) * limp * np.minimum(step / 0.022, 1)
            comb = combed * style.comb * 0.12 * (1 - t) * np.minimum(step / 0.008, 1)
            way = unit(way + _DOWN * pull + comb + sway[:, i] * 0.05)
            ahead = guides[:, i - 1] + way * step
            least = gap * (1 + 1.5 * t) if self.length > 0.05 else gap * 0.4 + 0.02 * t * self.length
            height, normal = self.surface.height(ahead)
            if style.cling:
                sink = style.cling * np.clip((height - least) / 0.008, 0, 1) * np.isfinite(height)
                way = unit(way - normal * sink[:, None])
            low = height < least
            lifted = ahead + normal * np.where(low, least - height, 0)[:, None]
            along = unit(lifted - guides[:, i - 1]) * step
            guides[:, i] = guides[:, i - 1] + np.where(low[:, None], along, way * step)
            way = np.where(low[:, None], unit(along), way)
        return guides

    def _tied(self, roots: Floats) -> Floats:
        radius = 0.033 * self.head.size / SIZE * self.rng.uniform(0.8, 1.2)
        gap = 0.0025 + 0.004 * self.rng.random(len(roots))
        tie = Tie(self.style.tied, self.head, radius, self.length, self.parting)
        return tie.guides(roots, self.points, gap, self.surface)

    def _followers(self, guide_roots: Floats, guides: Floats, count: int, wild: float) -> Floats:
        """Strands between the guides, drawn into clumps, curled, frizzed, some astray."""
        rng, style = self.rng, self.style
        roots, _ = scattered(rng, self.vertices, self.corners, self.weights, count)
        nearest, share = self._leaders(roots, guide_roots)
        strands = np.zeros((count, self.points, 3))
        for k in range(nearest.shape[1]):
            strands += (guides[nearest[:, k]] - guide_roots[nearest[:, k], None]) * share[:, k, None, None]
        length = np.clip(np.exp(rng.normal(0, style.varied * 0.6, count)), 0.4, 1.25)
        length = np.where(rng.random(count) < 0.18, length * rng.uniform(0.35, 0.9, count), length)
        strands = roots[:, None] + strands * length[:, None, None]
        strands, clump = self._clumped(strands, roots)
        if style.curl:
            strands = self._curled(strands, clump)
        t = np.linspace(0, 1, self.points)[None, :, None]
        strands += (
            style.frizz * t * (0.5 * wavering(rng, count, self.points, 4) + 0.25 * wavering(rng, count, self.points, 9))
        )
        self._stray(strands, t, min(style.fly * wild, 0.5))
        strands[:, 1:] = self._off_face(self.surface.outside(strands[:, 1:], 0.0012, 0.03), roots)
        return strands

    def _leaders(self, roots: Floats, guide_roots: Floats) -> tuple[Ints, Floats]:
        """Three guides of each strand and their shares; the parting is not crossed."""
        far = ((roots[:, None] - guide_roots[None]) ** 2).sum(-1)
        if self.style.part or self.style.tied == "tails":
            across = (roots[:, 0] < self.parting)[:, None] != (guide_roots[:, 0] < self.parting)[None]
            far += (across & (roots[:, 2] > self.head.centre[2] + 0.12 * self.head.size)[:, None]) * 0.02
        nearest = np.argsort(far, 1)[:, :3]
        share = 1 / (np.take_along_axis(far, nearest, 1) + 1e-5) ** 1.2
        return nearest, share / share.sum(1, keepdims=True)

    def _clumped(self, strands: Floats, roots: Floats) -> tuple[Floats, Ints]:
        """Towards the middle of a large clump, then of a small one; the number of each strand's large clump."""
        count, large = len(strands), max(len(strands) // 45, 60)
        t = np.linspace(0, 1, self.points)[None, :, None]
        clump = np.zeros(count, int)
        for level, (clumps, amount) in enumerate(((large, self.style.clump), (large * 6, self.style.clump * 0.8))):
            leaders = self.rng.choice(count, min(clumps, count), replace=False)
            _, own = cKDTree(roots[leaders]).query(roots)
            spread = 1.0 if self.style.clump > 0.9 else np.clip(self.rng.normal(1, 0.3, (count, 1, 1)), 0, 1.3)
            drawn = amount * spread * np.clip(t * (4 if self.style.clump > 0.9 else 1.15), 0, 1) ** 0.8
            strands = strands + (strands[leaders][own] - strands) * np.clip(drawn, 0, 0.95)
            clump = own if level == 0 else clump
            if self.style.clump > 0.9:
                break
        return strands, clump

    def _curled(self, strands: Floats, clump: Ints) -> Floats:
        rng, style, count, clumps = self.rng, self.style, len(strands), int(clump.max()) + 1
        loose = 1.0 if style.lift > 0.9 else 0.5
        phase = (rng.random(clumps) * 2 * np.pi)[clump] + rng.normal(0, loose, count)
        turns = np.exp(rng.normal(0, 0.2, clumps))[clump] * np.exp(rng.normal(0, 0.08, count)) * style.turns * 0.35
        radius = style.curl * np.exp(rng.normal(0, 0.3, clumps))[clump] * np.exp(rng.normal(0, 0.15, count))
        steps = np.linalg.norm(np.diff(strands, axis=1), axis=2)
        along = np.concatenate([np.zeros((count, 1)), np.cumsum(steps, 1)], 1)
        tangent = unit(np.gradient(strands, axis=1))
        first = unit(np.cross(tangent, np.array([0.3, 0.9, 0.2])))
        second = np.cross(tangent, first)
        angle = along * turns[:, None] * 2 * np.pi + phase[:, None]
        size = np.clip(along / 0.04, 0, 1) * radius[:, None]
        return strands + first * (np.cos(angle) * size)[..., None] + second * (np.sin(angle) * size)[..., None]

    def _stray(self, strands: Floats, t: Floats, share: float) -> None:
        """Some strands leave the others, in place."""
        rng = self.rng
        chosen = rng.random(len(strands)) < share
        count, size = int(chosen.sum()), float(np.clip(self.length / 0.12, 0.3, 1.2))
        if not count:
            return
        away = unit(strands[chosen] - self.head.centre) * t**1.3 * np.abs(rng.normal(0, 0.015, (count, 1, 1)))
        bent = 0.012 * wavering(rng, count, self.points, 3) * t + 0.004 * wavering(rng, count, self.points, 8) * t
        strands[chosen] += (away + bent) * size

    def _off_face(self, points: Floats, roots: Floats) -> Floats:
        """What hangs before the face is drawn aside, to the side its root is on; a fringe stays above the brows."""
        head = self.head
        face = (points[..., 1] < head.centre[1] - 0.12 * head.size) & (points[..., 2] > head.chin - 0.1 * head.size)
        face &= points[..., 2] < head.brow + (0.0 if self.style.fringe else 0.06 * head.size)
        side = np.where(roots[:, 0] < self.parting, -1.0, 1.0)[:, None]
        inwards = np.clip(0.86 * head.width - side * (points[..., 0] - head.centre[0]), 0, None)
        aside = np.maximum.accumulate(np.where(face, inwards, 0), axis=1)  # what hangs on from there goes along
        return points + (side * aside)[..., None] * np.array([1.0, 0, 0])
