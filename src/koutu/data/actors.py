"""People for a scene: drawn from packed cut-outs, put where they could be, and moved so that no cut edge shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.augment import recolour_pale
from koutu.data.camera import random_tone
from koutu.data.cutouts import Body, Lottery, cut_out, find_body
from koutu.data.layers import harmonised, held
from koutu.data.motion import Track, at_time, bends, chained, glide, grounded, moved, passage, shifts, sway, timing
from koutu.data.pack import Pack
from koutu.data.scene_config import SceneConfig
from koutu.types import Rgb

STUDIO = ("london", "canada")
_LARGEST = 1.8  # times its packed size, beyond which somebody would be all blur
_TRIES, _GROWN = 5, 1.5


@dataclass(frozen=True)
class Actor:
    """rgba (h, w, 4) and the track that brings it onto the sample; bend (T, K, K, 2): what is not stiff about it.

    nearness: who has more of it stands before the others.
    """

    rgba: NDArray[Any]
    track: Track
    bend: NDArray[np.float64] | None = None
    nearness: float = 0.0

    def at(self, time: float, size: tuple[int, int]) -> NDArray[Any]:
        """(H, W, 4) at a time in frames."""
        bend = None if self.bend is None else at_time(self.bend, time)
        return moved(self.rgba, at_time(self.track, time), size, border=cv2.BORDER_REPLICATE, bend=bend)

    def corners(self) -> NDArray[np.float64]:
        """(4, 2) corners x, y of the cut-out."""
        height, width = self.rgba.shape[:2]
        return np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)


@dataclass(frozen=True)
class Stand:
    """Where somebody stands: base (2, 3), packed pixels → sample; outside: points that must stay out of the sample."""

    base: NDArray[np.float64]
    outside: Mapping[str, NDArray[np.float64]]
    foot: tuple[float, float]


class Casting:
    """Draws people out of a pack, by the indices that are theirs."""

    def __init__(self, people: Pack, indices: Sequence[int], cfg: SceneConfig):
        self.people, self.cfg = people, cfg
        self.draw = Lottery(people, indices, cfg.weights)
        self._bodies: dict[int, Body | None] = {}

    def body(self, index: int) -> Body | None:
        """Where somebody is in their picture; remembered."""
        if index not in self._bodies:
            self._bodies[index] = find_body(self.people[index][..., 3])
        return self._bodies[index]

    def __call__(
        self, rng: np.random.Generator, size: tuple[int, int], view: Track, *, moves: bool, side: int = 0
    ) -> Actor | None:
        """Somebody on (H, W), seen by a camera that moves by `view`; None if nobody was found who can be there.

        side: -1 for the left, 1 for the right, 0 for anywhere.
        """
        for _ in range(_TRIES):
            index = self.draw(rng)
            body = self.body(index)
            if body is None:
                continue
            stand = placed(body, size, rng, side)
            path, bend = self._path(rng, stand, size, view) if moves else (view, None)
            track = grounded(chained(stand.base, path), stand.outside, size)
            if _scale(track) > _GROWN * max(_scale(stand.base[None]), size[0] / body.size[0]):
                continue  # a face that fills its picture would have to fill the sample
            if moves and rng.random() < self.cfg.enter:
                track = chained(track, shifts(_passage(rng, track, body, stand, size)))
            return self._made(rng, index, track, bend, _nearness(body, stand, size))
        return None

    def _made(
        self, rng: np.random.Generator, index: int, track: Track, bend: NDArray[Any] | None, nearness: float
    ) -> Actor:
        """The cut-out for a track of maps of its packed picture."""
        body = self.body(index)
        assert body is not None
        rgba, taken = cut_out(self.people[index], body, _scale(track))
        if bend is not None:
            bend = bend * np.array(rgba.shape[1::-1])
        back = np.asarray(cv2.invertAffineTransform(taken), np.float64)
        return Actor(self._dressed(rng, rgba, index), chained(back, track), bend, nearness)

    def _path(
        self, rng: np.random.Generator, stand: Stand, size: tuple[int, int], view: Track
    ) -> tuple[Track, NDArray[np.float64] | None]:
        """How somebody moves on the sample over the frames of `view`, and bends, as a share of their picture."""
        frames, cfg, tracks = len(view), self.cfg, []
        if rng.random() < cfg.sway:
            tracks.append(sway(rng, frames, stand.foot, rng.uniform(0.3, 1.3)))
        if rng.random() < cfg.motion:
            at = timing(rng, max(frames, 12), pause=cfg.pause)[:frames]
            tracks.append(glide(rng, size, at, strength=rng.uniform(0.3, 1.5)))
        bend = bends(rng, frames, rng.uniform(0.004, 0.02)) if rng.random() < cfg.bend else None
        return chained(*tracks, view), bend

    def _dressed(self, rng: np.random.Generator, rgba: NDArray[Any], index: int) -> NDArray[Any]:
        """In other colours."""
        rgb = np.ascontiguousarray(rgba[..., :3])
        if self.people.entries[index].source in STUDIO and rng.random() < self.cfg.dye:
            rgb = recolour_pale(rgb, rng, below=0.8)  # not the face
        rgb = random_tone(rng)(rgb, 0.5)
        return cv2.merge([rgb, np.ascontiguousarray(rgba[..., 3])])


def _scale(track: Track) -> float:
    """The largest of its maps' scales."""
    return float(np.sqrt(np.abs(np.linalg.det(track[:, :, :2])).max()))


def adapted(actor: Actor, rng: np.random.Generator, place: Rgb, texture: Rgb | None, harmonise: float) -> Actor:
    """With something in hand, of the colours of `texture`, and tones drawn towards the place's; each if given."""
    rgba = actor.rgba if texture is None else held(actor.rgba, rng, texture)
    if harmonise > 0:
        rgba = harmonised(rgba, place, harmonise)
    return replace(actor, rgba=rgba)


def placed(body: Body, size: tuple[int, int], rng: np.random.Generator, side: int = 0) -> Stand:
    """Somewhere sensible: a body cut by its picture's border will be cut by the sample's.

    Where a side of the picture cuts only the lower body, what lies below that may go under the sample's lower edge.
    """
    width, (left, top, right, bottom) = body.size[1], body.box
    outside = _cut_points(body)
    sides = [body.cut[side][0] for side in ("left", "right") if side in body.cut]
    lowest = min(sides, default=bottom)
    if sides and lowest > top + 0.65 * (bottom - top) and rng.random() < 0.7:
        bottom = lowest
        outside = {side: points for side, points in outside.items() if side == "top"}
        outside["bottom"] = np.array([[0, bottom], [width, bottom]], np.float64)
    cut, beheaded = "bottom" in outside, "top" in outside
    share = rng.uniform(0.35, 1.2)  # of the sample's height that the body takes
    if cut and beheaded:
        share = max(share, 1.02)
    scale = min(share * size[0] / max(1, bottom - top), _LARGEST)
    tall = scale * (bottom - top)
    if beheaded:
        y = 0.0
    elif cut:
        y = size[0] - tall * rng.uniform(0.85, 1)
    else:
        y = rng.uniform(0.7, 1.2) * size[0] - tall if rng.random() < 0.85 else rng.uniform(-0.3, 0.6) * size[0]
    off = rng.uniform(0.1, 0.38) * side if side else rng.uniform(-0.35, 0.35)
    x = size[1] / 2 + off * size[1] - scale * (left + right) / 2
    stretched = scale * np.exp(rng.normal(0, 0.05))
    base = np.array([[stretched, 0, x], [0, scale, y - scale * top]])
    middle = (left + right) / 2
    if not cut and not beheaded:
        turn = np.deg2rad(rng.normal(0, 4))
        base[:, :2] = base[:, :2] @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return Stand(base, outside, tuple(base @ (middle, bottom, 1)))  # type: ignore[arg-type]


def _nearness(body: Body, stand: Stand, size: tuple[int, int]) -> float:
    """Feet lower in the picture are nearer; of those who are cut off, who is larger."""
    left, _, right, _ = body.box
    if "bottom" in stand.outside:
        return 10 + float(stand.base[1, 1]) * (right - left)
    return stand.foot[1] / size[0]


def _cut_points(body: Body) -> dict[str, NDArray[np.float64]]:
    height, width = body.size
    ends = {"left": (0, None), "right": (width, None), "top": (None, 0), "bottom": (None, height)}
    points = {}
    for side, span in body.cut.items():
        x, y = ends[side]
        points[side] = np.array([(x if x is not None else s, y if y is not None else s) for s in span], np.float64)
    return points


def _passage(
    rng: np.random.Generator, track: Track, body: Body, stand: Stand, size: tuple[int, int]
) -> NDArray[np.float64]:
    """Offsets of somebody who comes or goes through a side, or from below if a side cuts them; none if it must show."""
    frames = len(track)
    left, top, right, bottom = body.box
    seen = track[frames // 2] @ np.array([[left, right, left, right], [top, top, bottom, bottom], [1, 1, 1, 1]])
    if "left" not in stand.outside and "right" not in stand.outside:
        away = (size[1] - seen[0].min(), 0.0) if rng.random() < 0.5 else (-seen[0].max(), 0.0)
    elif "top" not in stand.outside:
        away = (0.0, size[0] - seen[1].min())
    else:
        return np.zeros((frames, 2))
    at = np.linspace(0, 1, frames)
    return passage(rng, at, (1.1 * away[0], 1.1 * away[1]))
