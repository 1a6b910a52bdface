"""Backgrounds: a part of a packed place, perhaps in other colours, out of focus, or with an outline that is nobody."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.packs.pack import Lottery, Pack
from koutu.data.scenes.augment import other_colours
from koutu.data.scenes.camera_effects import random_tone
from koutu.data.scenes.config import SceneConfig
from koutu.data.scenes.cutouts import shrink
from koutu.data.scenes.motion import Track, at_time, chained, moved
from koutu.types import Rgb

_MARGIN = 0.12  # of the shown part's sides, kept around it for a camera that moves


@dataclass(frozen=True)
class SceneBackground:
    """picture (h, w, 3) and the track that brings it onto the sample."""

    picture: Rgb
    track: Track

    def at(self, time: float, size: tuple[int, int]) -> Rgb:
        """(H, W, 3) at a time in frames."""
        return moved(self.picture, at_time(self.track, time), size, border=cv2.BORDER_REFLECT_101)


class BackgroundDraw:
    """Draws places out of packed backgrounds."""

    def __init__(self, backgrounds: Pack, cfg: SceneConfig):
        self.backgrounds, self.cfg = backgrounds, cfg
        self.draw = Lottery(backgrounds, range(len(backgrounds)), cfg.background_weights)

    def __call__(self, rng: np.random.Generator, size: tuple[int, int], track: Track) -> SceneBackground:
        """A place whose shown part moves by `track`, a map of the sample onto itself for each frame."""
        picture, base = self._cut(rng, size)
        if rng.random() < self.cfg.bokeh:
            picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 4) * max(1.0, max(size) / 256))
        return SceneBackground(picture, chained(base, track))

    def texture(self, rng: np.random.Generator, size: tuple[int, int]) -> Rgb:
        """Some place at (H, W), to fill an outline with."""
        picture, base = self._cut(rng, size)
        return moved(picture, base, size, border=cv2.BORDER_REFLECT_101)

    def with_decoy(self, place: SceneBackground, rng: np.random.Generator, outline: NDArray[Any]) -> SceneBackground:
        """An outline (h, w) uint8 somewhere in the place, filled by another place."""
        height, width = place.picture.shape[:2]
        scale = rng.uniform(0.3, 1) * height / outline.shape[0]
        matrix = cv2.getRotationMatrix2D((outline.shape[1] / 2, outline.shape[0] / 2), rng.uniform(-90, 90), scale)
        matrix[:, 2] += np.array([rng.uniform(0, width), rng.uniform(0, height)]) - np.array(outline.shape[::-1]) / 2
        mask = cv2.warpAffine(outline, matrix, (width, height), flags=cv2.INTER_LINEAR)
        other = self.texture(rng, (height, width))
        share = mask.astype(np.float32) / 255
        return SceneBackground(cv2.blendLinear(other, place.picture, share, 1 - share), place.track)

    def _cut(self, rng: np.random.Generator, size: tuple[int, int]) -> tuple[Rgb, NDArray[np.float64]]:
        """A part of an image with a margin, at the sample's scale if it had to be shrunk, and its map."""
        picture = self.backgrounds[self.draw(rng)]
        h, w = picture.shape[:2]
        unit = min(h / size[0], w / size[1]) * rng.uniform(0.4, 0.95)  # source pixels a sample pixel
        height, width = unit * size[0], unit * size[1]
        y, x = rng.uniform(0, h - height), rng.uniform(0, w - width)
        top, bottom = max(0, int(y - _MARGIN * height)), min(h, int(np.ceil(y + (1 + _MARGIN) * height)))
        left, right = max(0, int(x - _MARGIN * width)), min(w, int(np.ceil(x + (1 + _MARGIN) * width)))
        part, _ = shrink(picture[top:bottom, left:right], 1 / unit)
        if rng.random() < 0.15:
            part = other_colours(part, rng)
        part = random_tone(rng)(part, 0.5)
        sx, sy = part.shape[1] / (right - left), part.shape[0] / (bottom - top)
        if rng.random() < 0.5:
            part = np.ascontiguousarray(part[:, ::-1])
            x = left + right - x - width
        base = np.array([[1 / (unit * sx), 0, (left - x) / unit], [0, 1 / (unit * sy), (top - y) / unit]])
        return part, base
