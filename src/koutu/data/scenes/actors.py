"""People for a scene: drawn from packed cut-outs, put where they could be, and moved so that no cut edge shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.packs.pack import Lottery, Pack
from koutu.data.scenes.augment import recolour_pale
from koutu.data.scenes.camera_effects import random_tone
from koutu.data.scenes.config import SceneConfig
from koutu.data.scenes.cutouts import Body, cut_out, find_body
from koutu.data.scenes.hair import Hair, find_hair
from koutu.data.scenes.layers import harmonised, held
from koutu.data.scenes.motion import Track, at_time, bends, chained, glide, grounded, moved, shifts, sway, timing
from koutu.data.scenes.placement import Stand, nearness_of, placed, walk
from koutu.data.scenes.strands import with_strands
from koutu.types import Rgb

STUDIO = ("london", "canada")
_TRIES, _GROWN = 5, 1.5
_REMEMBERED = 2000  # cut-outs whose hair is kept in memory


@dataclass(frozen=True)
class Actor:
    """rgba (h, w, 4) and the track that brings it onto the sample; bend (T, K, K, 2): what is not stiff about it.

    nearness: who has more of it stands before the others. frames: of somebody out of a clip, one like rgba for each T.
    """

    rgba: NDArray[Any]
    track: Track
    bend: NDArray[np.float64] | None = None
    nearness: float = 0.0
    frames: tuple[NDArray[Any], ...] = ()

    def at(self, time: float, size: tuple[int, int]) -> NDArray[Any]:
        """(H, W, 4) at a time in frames."""
        bend = None if self.bend is None else at_time(self.bend, time)
        rgba = self.frames[min(max(0, round(time)), len(self.frames) - 1)] if self.frames else self.rgba
        return moved(rgba, at_time(self.track, time), size, border=cv2.BORDER_REPLICATE, bend=bend)

    def corners(self) -> NDArray[np.float64]:
        """(4, 2) corners x, y of the cut-out."""
        height, width = self.rgba.shape[:2]
        return np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)


class Casting:
    """Draws people out of a pack, by the indices that are theirs."""

    def __init__(self, people: Pack, indices: Sequence[int], cfg: SceneConfig):
        self.people, self.cfg = people, cfg
        self.draw = Lottery(people, indices, cfg.weights)
        self._bodies: dict[int, Body | None] = {}
        self._hair: dict[int, tuple[Hair, ...]] = {}

    def body(self, index: int) -> Body | None:
        """Where somebody is in their image; remembered."""
        if index not in self._bodies:
            self._bodies[index] = find_body(self.people[index][..., 3])
        return self._bodies[index]

    def hair(self, index: int) -> tuple[Hair, ...]:
        """Where the hair of those in an image is, as far as that is sure; remembered, the last found 2000."""
        if index not in self._hair:
            if len(self._hair) == _REMEMBERED:
                del self._hair[next(iter(self._hair))]
            self._hair[index] = find_hair(self.people[index])
        return self._hair[index]

    def __call__(
        self, rng: np.random.Generator, size: tuple[int, int], view: Track, *, moves: bool, side: float = 0.0,
        share: float = 0.0,
    ) -> Actor | None:  # fmt: skip
        """Somebody on (H, W), seen by a camera that moves by `view`; None if nobody was found who can be there.

        side: from -1, left, to 1, right; 0 for anywhere. share: of the sample's height that they take; 0 for any.
        """
        for _ in range(_TRIES):
            index = self.draw(rng)
            frames = played(self.people.clip(index), rng, len(view)) if moves else []
            body = self.body(index) if not frames else self._reached(frames)
            if body is None:
                continue
            stand = placed(body, size, rng, side, share)
            path, bend = self._path(rng, stand, size, view) if moves else (view, None)
            track = grounded(chained(stand.base, path), stand.outside, size)
            if _scale(track) > _GROWN * max(_scale(stand.base[None]), size[0] / body.size[0]):
                continue  # a face that fills its image would have to fill the sample
            if moves and rng.random() < self.cfg.enter:
                track = chained(track, shifts(walk(rng, track, body, stand, size)))
            return self._made(rng, frames or [index], track, body, bend, nearness_of(body, stand, size))
        return None

    def _made(
        self, rng: np.random.Generator, indices: Sequence[int], track: Track, body: Body, bend: NDArray[Any] | None,
        nearness: float,
    ) -> Actor:  # fmt: skip
        """The cut-outs of packed images, one or one for each time, for a track of maps of them."""
        cuts = {i: cut_out(self.people[i], body, _scale(track)) for i in set(indices)}
        first, taken = cuts[indices[0]]
        if len(indices) == 1:
            first, taken = cuts[indices[0]] = self._stranded(rng, indices[0], first, taken, _scale(track))
        if bend is not None:
            bend = bend * np.array(first.shape[1::-1])
        back = np.asarray(cv2.invertAffineTransform(taken), np.float64)
        dressed = self._dressed(rng, {i: rgba for i, (rgba, _) in cuts.items()}, indices[0])
        frames = tuple(dressed[i] for i in indices) if len(indices) > 1 else ()
        return Actor(dressed[indices[0]], chained(back, track), bend, nearness, frames)

    def _stranded(
        self, rng: np.random.Generator, index: int, rgba: NDArray[Any], taken: NDArray[np.float64], scale: float
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """With strands now and then, where hair is sure, out of a generator of their own: all else stays as it was."""
        own = rng.spawn(1)[0]
        if own.random() >= self.cfg.strands or self.people.entries[index].source in self.cfg.whole_hair:
            return rgba, taken
        heads = [hair.placed(taken, rgba.shape[:2]) for hair in self.hair(index)]
        grown, moved_by = with_strands(rgba, heads, own, scale / float(taken[1, 1]))
        return grown, chained(taken, moved_by)

    def _reached(self, frames: Sequence[int]) -> Body | None:
        """The body of all frames of a clip together."""
        pictures = [np.ascontiguousarray(self.people[i][..., 3]) for i in set(frames)]
        return find_body(np.max(pictures, axis=0))

    def _path(
        self, rng: np.random.Generator, stand: Stand, size: tuple[int, int], view: Track
    ) -> tuple[Track, NDArray[np.float64] | None]:
        """How somebody moves on the sample over the frames of `view`, and bends, as a share of their image."""
        frames, cfg, tracks = len(view), self.cfg, []
        if rng.random() < cfg.sway:
            tracks.append(sway(rng, frames, stand.foot, rng.uniform(0.3, 1.3)))
        if rng.random() < cfg.motion:
            at = timing(rng, max(frames, 12), pause=cfg.pause)[:frames]
            tracks.append(glide(rng, size, at, strength=rng.uniform(0.3, 1.5)))
        bend = bends(rng, frames, rng.uniform(0.004, 0.02)) if rng.random() < cfg.bend else None
        return chained(*tracks, view), bend

    def _dressed(
        self, rng: np.random.Generator, cuts: Mapping[int, NDArray[Any]], index: int
    ) -> dict[int, NDArray[Any]]:
        """In other colours, all frames of a clip in the same."""
        rgbs = {i: np.ascontiguousarray(rgba[..., :3]) for i, rgba in cuts.items()}
        if self.people.entries[index].source in STUDIO and rng.random() < self.cfg.dye:
            rgbs = {i: recolour_pale(rgb, rng, below=0.8) for i, rgb in rgbs.items()}  # not the face
        tone = random_tone(rng)
        return {i: cv2.merge([tone(rgb, 0.5), np.ascontiguousarray(cuts[i][..., 3])]) for i, rgb in rgbs.items()}


def _scale(track: Track) -> float:
    """The largest of its maps' scales."""
    return float(np.sqrt(np.abs(np.linalg.det(track[:, :, :2])).max()))


def adapted(actor: Actor, rng: np.random.Generator, place: Rgb, texture: Rgb | None, harmonise: float) -> Actor:
    """With something in hand, of the colours of `texture`, and tones drawn towards the place's; each if given.

    Who is out of a clip stays as they are: both would change from frame to frame.
    """
    if actor.frames:
        return actor
    rgba = actor.rgba if texture is None else held(actor.rgba, rng, texture)
    if harmonise > 0:
        rgba = harmonised(rgba, place, harmonise)
    return replace(actor, rgba=rgba)


def played(clip: range, rng: np.random.Generator, length: int) -> list[int]:
    """Pictures of a clip for `length` times: from anywhere, at one to three times its pace, to and fro if it is short.

    None for a still.
    """
    if len(clip) < 2:
        return []
    pace, start = int(rng.integers(1, 4)), int(rng.integers(len(clip)))
    turned = [*clip, *clip[-2:0:-1]]
    return [turned[(start + pace * t) % len(turned)] for t in range(length)]
