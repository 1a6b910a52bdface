"""Training samples of every network, made on the fly: people on another place, or an image as it is, over T frames.

One seed makes one scene, to the bit. What is drawn once a clip stays or glides; only noise is new in each frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.packs.pack import Pack
from koutu.data.scenes.actors import STUDIO, Actor, Casting, adapted
from koutu.data.scenes.backgrounds import BackgroundDraw, SceneBackground
from koutu.data.scenes.camera_and_light import Finish, Light
from koutu.data.scenes.config import SceneConfig
from koutu.data.scenes.cutouts import shrink
from koutu.data.scenes.layers import composed, thing_shape
from koutu.data.scenes.motion import Track, chained, glide, random_affine, shake, still, timing
from koutu.data.scenes.previous_alpha import previous_alpha
from koutu.data.scenes.staging import AsIs, Staged, Staging, exposed
from koutu.foreground import decontaminate
from koutu.matting.pull_push import extended

_NOW = 1  # tracks begin a frame before the clip and end a frame after it

__all__ = ["Scene", "SceneConfig", "Scenes"]


@dataclass(frozen=True)
class Scene:
    """T frames of one place; all uint8. coloured: fgr and bgr are the true colours of src (a composed scene).

    src, fgr, bgr (T, H, W, 3), pha (T, H, W). prev (H, W): what might be remembered of the frame before the first.
    plate (T, H, W, 3): the place without people and their shadows, where it is not bgr.
    """

    src: NDArray
    pha: NDArray
    fgr: NDArray
    bgr: NDArray
    prev: NDArray
    coloured: bool
    plate: NDArray | None = None


class Scenes:
    """Draws scenes from packed people (RGBA; those of `indices`) and packed backgrounds (RGB)."""

    def __init__(self, people: Pack, backgrounds: Pack, indices: Sequence[int], cfg: SceneConfig | None = None):
        self.cfg = cfg or SceneConfig()
        self.casting, self.places = Casting(people, indices, self.cfg), BackgroundDraw(backgrounds, self.cfg)

    def __call__(self, rng: np.random.Generator, size: int | tuple[int, int], frames: int = 1) -> Scene:
        """A scene of T = `frames` and a side, or (H, W), of `size`."""
        size = (size, size) if isinstance(size, int) else size
        finish = Finish.drawn(rng, self.cfg, frames)
        moves = frames > 1 or finish.shutter > 0 or self.cfg.previous_moves
        shot = self._shot(rng, size, frames + 2, moves=moves)
        layers = [exposed(shot, i + _NOW, size, finish.shutter) for i in range(frames)]
        light = Light.drawn(rng, self.cfg, max(size))
        layers = [light(x, i / max(1, frames - 1)) for i, x in enumerate(layers)]
        src = finish([composed(x) for x in layers], rng)
        prev = self._previous(rng, shot, layers[0].pha, size, moves=moves)
        flip = rng.random() < 0.5
        plates = [x.plate for x in layers if x.plate is not None]
        return Scene(
            _stacked(src, flip), _stacked([x.pha for x in layers], flip), _stacked([x.fgr for x in layers], flip),
            _stacked([x.bgr for x in layers], flip), _stacked([prev], flip)[0], layers[0].src is None,
            _stacked(plates, flip) if plates else None,
        )  # fmt: skip

    def _shot(self, rng: np.random.Generator, size: tuple[int, int], length: int, *, moves: bool) -> Staging:
        kind, cfg = rng.random(), self.cfg
        view = still(length)
        if moves and rng.random() < cfg.shake:
            view = shake(rng, size, length, rng.uniform(0.002, 0.015))
        if not cfg.exact and cfg.empty <= kind < cfg.empty + cfg.as_is:
            index = self.casting.draw(rng)
            entry = self.casting.people.entries[index]
            if not entry.alone and (entry.source not in STUDIO or rng.random() > 0.85):
                return self._as_is(rng, index, size, view, moves=moves)
        return self._staged(rng, size, view, empty=kind < cfg.empty, moves=moves)

    def _staged(
        self, rng: np.random.Generator, size: tuple[int, int], view: Track, *, empty: bool, moves: bool
    ) -> Staged:
        cfg, far = self.cfg, still(len(view))
        back = far + rng.uniform(0.5, 1) * (view - far)  # parallax: what is farther away moves less
        if moves and rng.random() < cfg.pan:
            at = timing(rng, max(len(view), 12), pause=cfg.pause)[: len(view)]
            back = chained(glide(rng, size, at, strength=rng.uniform(0.2, 0.8)), back)
        place = self.places(rng, size, back)
        if rng.random() < cfg.decoy:
            outline = self.casting.people[self.casting.draw(rng)][..., 3]
            place = self.places.with_decoy(place, rng, np.ascontiguousarray(outline))
        spots = [] if empty else self._spots(rng)
        cast = [self.casting(rng, size, view, moves=moves, side=side, share=share) for side, share in spots]
        cast = [self._adapted(rng, actor, place) for actor in cast if actor is not None]
        cast.sort(key=lambda actor: -actor.nearness)
        shadow = self._shadow(rng, size) if rng.random() < cfg.shadow else None
        thing = self._thing(rng, size, view) if rng.random() < cfg.occluder else None
        return Staged(place, cast, shadow, thing)

    def _spots(self, rng: np.random.Generator) -> list[tuple[float, float]]:
        """For everybody the side and the share of the height, as `placed` has them."""
        kind = rng.random()
        if kind < 1 - self.cfg.crowd:
            return [(-1, 0), (1, 0)] if kind < self.cfg.second else [(0, 0)]
        count, tall = int(rng.integers(3, 6)), rng.uniform(0.35, 0.85)
        places = np.linspace(-1.2, 1.2, count) + rng.normal(0, 0.12, count)
        return [(float(place), float(tall * rng.uniform(0.8, 1.2))) for place in places]

    def _adapted(self, rng: np.random.Generator, actor: Actor, place: SceneBackground) -> Actor:
        texture = self.places.texture(rng, (64, 64)) if rng.random() < self.cfg.props else None
        share = rng.uniform(0.2, 0.7) if rng.random() < self.cfg.harmonise else 0.0
        return adapted(actor, rng, place.picture, texture, share)

    def _thing(self, rng: np.random.Generator, size: tuple[int, int], view: Track) -> Actor:
        """Something before everybody, at the lower border or a side, that the camera passes faster."""
        sides = rng.uniform(0.12, 0.5, 2) * size
        edge = rng.random()
        x = rng.uniform(0, 1) if edge < 0.6 else float(rng.random() < 0.5)
        y = rng.uniform(0.75, 1.05) if edge < 0.6 else rng.uniform(0.3, 1)
        shape = thing_shape(rng, size, (x * size[1], y * size[0]), sides)
        rgba = np.dstack([self.places.texture(rng, size), shape])
        return Actor(rgba, still(len(view)) + 1.3 * (view - still(len(view))))

    def _shadow(self, rng: np.random.Generator, size: tuple[int, int]) -> tuple[NDArray[np.float64], float, float]:
        matrix = random_affine(size, rng, turn=5, shift=0.2, zoom=0.3, shear=5)
        return matrix, rng.uniform(0.1, 0.5), rng.uniform(0.01, 0.06) * max(size)

    def _as_is(self, rng: np.random.Generator, index: int, size: tuple[int, int], view: Track, *, moves: bool) -> AsIs:
        """A part of the image, or nearly all of it a little squeezed, never beyond its border at rest."""
        rgba = self.casting.people[index]
        h, w = rgba.shape[:2]
        unit = min(h / size[0], w / size[1]) * (rng.uniform(0.7, 1.0) if rng.random() < 0.7 else 1.0)
        height, width = unit * size[0], unit * size[1]
        if rng.random() < 0.5:
            height, width = min(h, height * rng.uniform(1, 1.3)), min(w, width * rng.uniform(1, 1.3))
        y, x = rng.uniform(0, h - height), rng.uniform(0, w - width)
        rgba, shrunk = shrink(rgba, max(size[0] / height, size[1] / width))
        base = np.array([
            [size[1] / (width * shrunk[0, 0]), 0, -x * size[1] / width],
            [0, size[0] / (height * shrunk[1, 1]), -y * size[0] / height],
        ])  # fmt: skip
        zoom = 1 + rng.uniform(0, 0.05)
        turn = np.array(cv2.getRotationMatrix2D((size[1] / 2, size[0] / 2), float(rng.normal(0, 3)), zoom), np.float64)
        track = chained(base, turn, view)
        if moves and rng.random() < self.cfg.pan:
            at = timing(rng, max(len(view), 12), pause=self.cfg.pause)[: len(view)]
            track = chained(track, glide(rng, size, at, strength=0.4))
        rgb, pha = np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
        fgr = extended(np.asarray(decontaminate(rgb, pha)), pha)
        return AsIs(np.ascontiguousarray(rgba), fgr, extended(rgb, cv2.bitwise_not(pha)), track)

    def _previous(
        self, rng: np.random.Generator, shot: Staging, pha: NDArray, size: tuple[int, int], *, moves: bool
    ) -> NDArray:
        """What might be remembered of the frame before the first."""
        kind, cfg = rng.random(), self.cfg
        if kind < cfg.previous_blank:
            return np.zeros_like(pha)
        if moves and kind < cfg.previous_blank + cfg.previous_true:
            return shot.at(_NOW - 1, size).pha
        other = self.casting.people[self.casting.draw(rng)][..., 3]
        other = cv2.resize(np.ascontiguousarray(other), size[::-1], interpolation=cv2.INTER_LINEAR)
        if not pha.any() and rng.random() < 0.5:
            return other  # nobody is here any more
        return previous_alpha(pha, other, rng, cases=dict(cfg.previous_cases))


def _stacked(pictures: Sequence[NDArray], flip: bool) -> NDArray:
    whole = np.stack(pictures)
    return np.ascontiguousarray(whole[:, :, ::-1]) if flip else whole
