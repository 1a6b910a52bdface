"""Training samples made on the fly: a cut-out on another background, or a picture as it is, with a made-up past."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.augment import degrade, jitter_colour, other_colours, recolour_pale
from koutu.data.history import previous_alpha
from koutu.data.light import random_lamps
from koutu.data.pack import Pack
from koutu.types import Alpha, Rgb


@dataclass(frozen=True)
class Sample:
    """rgb (S, S, 3), pha and prev (S, S), all uint8: a picture, its alpha, what is remembered of the frame before."""

    rgb: Rgb
    pha: Alpha
    prev: Alpha


@dataclass(frozen=True)
class Mix:
    """How often each kind of sample is made, and how often each set is drawn per packed picture."""

    as_is: float = 0.36  # the picture with its own background; studio portraits nearly always get another
    empty: float = 0.04  # nobody in it
    second: float = 0.12  # another person behind
    dye: float = 0.5  # recolour white clothes of studio portraits
    decoy: float = 0.15  # backgrounds with somebody's outline filled by another background: shape alone is nobody
    weights: tuple[tuple[str, float], ...] = (
        ("eg1800", 1.0), ("ccp", 0.6), ("mixed", 0.7), ("london", 4.0), ("canada", 3.0), ("generated", 2.0),
        ("official", 1.2), ("rgba", 12.0),
    )  # fmt: skip
    background_weights: tuple[tuple[str, float], ...] = (("rooms", 1.0), ("places", 3.0), ("scenery", 8.0))


STUDIO = ("london", "canada")


class Synthesis:
    """Draws samples of side `size` from packed people (RGBA) and backgrounds (RGB)."""

    def __init__(self, people: Pack, backgrounds: Pack, indices: list[int], size: int, mix: Mix | None = None):
        self.people, self.backgrounds, self.indices = people, backgrounds, indices
        self.size, self.mix = size, mix or Mix()
        self.p = _shares(people, indices, self.mix.weights)
        self.background_p = _shares(backgrounds, range(len(backgrounds)), self.mix.background_weights)

    def __call__(self, rng: np.random.Generator) -> Sample:
        kind = rng.random()
        if kind < self.mix.empty:
            rgb, pha = self._background(rng), np.zeros((self.size, self.size), np.uint8)
        elif kind < self.mix.empty + self.mix.as_is:
            rgb, pha = self._as_is(rng)
        else:
            rgb, pha = self._composed(rng)
        if rng.random() < 0.5:
            rgb, pha = np.ascontiguousarray(rgb[:, ::-1]), np.ascontiguousarray(pha[:, ::-1])
        rgb = degrade(random_lamps(jitter_colour(rgb, rng), rng), rng)
        prev = previous_alpha(pha, self._placed(rng)[..., 3] if rng.random() < 0.2 else pha[::-1, ::-1], rng)
        return Sample(rgb, pha, np.ascontiguousarray(prev))

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        i = self.indices[rng.choice(len(self.indices), p=self.p)]
        return self.people[i], self.people.entries[i].source

    def _background(self, rng: np.random.Generator) -> Rgb:
        """A place without people, now and then with a decoy: somebody's outline filled by another place."""
        rgb = self._scene(rng)
        if rng.random() < self.mix.decoy:
            person = self._draw(rng)[0]
            h, w = person.shape[:2]
            scale = rng.uniform(0.3, 1) * self.size / h
            outline = self._warp(person, rng, scale, (rng.uniform(0, w), rng.uniform(0, h)), turn=90)[..., 3:] > 127
            rgb = np.where(outline, self._scene(rng), rgb)
        return rgb

    def _scene(self, rng: np.random.Generator) -> Rgb:
        picture = self.backgrounds[int(rng.choice(len(self.backgrounds), p=self.background_p))]
        h, w = picture.shape[:2]
        side = int(min(h, w) * rng.uniform(0.4, 0.95))
        y, x = int(rng.integers(h - side + 1)), int(rng.integers(w - side + 1))
        crop = cv2.resize(picture[y : y + side, x : x + side], (self.size, self.size), interpolation=cv2.INTER_AREA)
        if rng.random() < 0.25:
            crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 4))
        if rng.random() < 0.25:
            crop = other_colours(crop, rng)
        return jitter_colour(np.asarray(crop), rng)

    def _as_is(self, rng: np.random.Generator) -> tuple[Rgb, Alpha]:
        rgba, source = self._draw(rng)
        if source in STUDIO and rng.random() < 0.85:
            return self._composed(rng)
        h, w = rgba.shape[:2]
        side = min(h, w) * rng.uniform(0.65, 1.15) if rng.random() < 0.7 else max(h, w) * rng.uniform(0.8, 1.1)
        x = (w - side) / 2 + rng.uniform(-0.5, 0.5) * max(0.2 * side, abs(w - side))
        y = (h - side) / 2 + rng.uniform(-0.5, 0.5) * max(0.2 * side, abs(h - side))
        crop = self._warp(rgba, rng, self.size / side, (x + side / 2, y + side / 2), turn=8)
        return np.ascontiguousarray(crop[..., :3]), np.ascontiguousarray(crop[..., 3])

    def _warp(
        self, rgba: np.ndarray, rng: np.random.Generator, scale: float, centre: tuple[float, float], turn: float
    ) -> np.ndarray:
        """`centre` (x, y) of the source goes to the middle of the sample, at `scale`, turned by up to ±`turn`°."""
        matrix = cv2.getRotationMatrix2D(centre, rng.uniform(-turn, turn), scale)
        matrix[0, 0] *= (stretch := np.exp(rng.normal(0, 0.06)))
        matrix[0, 1] *= stretch
        matrix[:, 2] = np.array([self.size / 2, self.size / 2]) - matrix[:, :2] @ np.array(centre)
        if scale < 0.5:  # bilinear warping would skip pixels
            rgba, matrix = cv2.resize(rgba, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), matrix * [2, 2, 1]
        return cv2.warpAffine(
            rgba, matrix, (self.size, self.size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )

    def _placed(self, rng: np.random.Generator) -> np.ndarray:
        """A person put somewhere sensible in the sample: (S, S, 4), standing on the lower border if cut there."""
        rgba, source = self._draw(rng)
        h, w = rgba.shape[:2]
        columns, rows = np.flatnonzero(rgba[..., 3].max(axis=0) > 64), np.flatnonzero(rgba[..., 3].max(axis=1) > 64)
        if not len(columns):
            return np.zeros((self.size, self.size, 4), np.uint8)
        left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
        share = rng.uniform(0.35, 1.2)  # of the sample's side that the person's height takes
        cut = bottom >= h - 2
        if top <= 1:  # a head cut by its picture's border is shown cut by the sample's
            share = max(share, 1.02) if cut else share
        scale = share * self.size / max(1, bottom - top)
        y = bottom - (0.5 - rng.uniform(0, 0.15) * share) * self.size / scale if cut else (top + bottom) / 2
        if top <= 1:
            y = top + 0.5 * self.size / scale
        elif not cut:
            y += rng.uniform(-0.3, 0.3) * self.size / scale
        x = (left + right) / 2 + rng.uniform(-0.35, 0.35) * self.size / scale
        inside = (left > 1, right < w - 2)
        if not all(inside) and share < 1:  # a body cut by its picture's side may not end in the middle of the sample
            reach = 0.5 * self.size / scale
            x = w / 2 if not any(inside) else right - reach if inside[0] else left + reach
        placed = self._warp(rgba, rng, scale, (float(x), float(y)), turn=0 if cut else 10)
        if source in STUDIO and rng.random() < self.mix.dye:
            placed[..., :3] = recolour_pale(placed[..., :3], rng)
        placed[..., :3] = jitter_colour(np.ascontiguousarray(placed[..., :3]), rng)
        return placed

    def _composed(self, rng: np.random.Generator) -> tuple[Rgb, Alpha]:
        rgb, pha = self._background(rng).astype(np.float32), np.zeros((self.size, self.size), np.float32)
        for _ in range(2 if rng.random() < self.mix.second else 1):
            placed = self._placed(rng)
            alpha = placed[..., 3].astype(np.float32) / 255
            rgb += alpha[..., None] * (placed[..., :3] - rgb)
            pha += alpha * (1 - pha)
        return rgb.astype(np.uint8), (pha * 255 + 0.5).astype(np.uint8)


def _shares(pack: Pack, indices: Sequence[int], weights: tuple[tuple[str, float], ...]) -> NDArray[np.float64]:
    """Probability of each picture: its set's weight, normalised; a set not named counts 1."""
    rate = dict(weights)
    p = np.array([rate.get(pack.entries[i].source, 1.0) for i in indices])
    return p / p.sum()
