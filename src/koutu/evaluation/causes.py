"""What makes matting hard, one cause at a time, so that a weakness has a name.

Each cause may choose cut-outs and backgrounds, change the layers once or in every frame, light the composed image, or
work on the finished frames. Where light or blur changes the person, the true alpha changes with it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.scenes.camera_effects import h264, jpeg
from koutu.data.scenes.light import GAMMA, add_lamp, line_lamp, point_lamp
from koutu.data.scenes.previous_alpha import warp
from koutu.data.sets.open import Example
from koutu.media.image import read_image
from koutu.types import KoutuError, Rgb


@dataclass(frozen=True)
class Layers:
    """fgr, bgr (H, W, 3), pha (H, W), all uint8: what a frame is composed of. other: a second person's fgr and pha."""

    fgr: Rgb
    pha: NDArray[Any]
    bgr: Rgb
    other: tuple[Rgb, NDArray[Any]] | None = None

    def moved(self, front: NDArray[Any], back: NDArray[Any]) -> "Layers":
        """Both layers moved by (2, 3) matrices; nobody comes in from beyond the image's edge."""
        if np.allclose(front, np.eye(2, 3)) and np.allclose(back, np.eye(2, 3)):
            return self
        front = _grounded(front, self.pha)
        pha = warp(self.pha, front, border=cv2.BORDER_CONSTANT)
        return replace(
            self, fgr=warp(self.fgr, front), pha=pha, bgr=warp(self.bgr, back, border=cv2.BORDER_REFLECT_101)
        )


class Cause:
    """No cause: the plain set. relights: the composed image no longer shows the foreground's own colours."""

    relights = False

    def __init__(self, rng: np.random.Generator, frames: int):
        self.rng, self.frames = rng, frames

    def begin(self, layers: Layers) -> None:
        """With the first frame's layers: draw what stays for the clip."""

    def apply(self, layers: Layers) -> Layers:
        """Every frame, before it is moved."""
        return layers

    def frame(self, layers: Layers, at: int) -> Layers:
        """Every frame, after it moved."""
        return layers

    def light(self, src: Rgb, layers: Layers, at: int) -> Rgb:
        """The composed image of every frame."""
        return src

    def finish(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The frames in order."""
        yield from examples


class Backlight(Cause):
    """A lamp or a bright window behind the person, who is dark; its glare spills over the edges."""

    relights = True

    def begin(self, layers: Layers) -> None:
        h, w = layers.pha.shape
        columns = np.flatnonzero(layers.pha.max(axis=0) > 127)
        middle = float(columns.mean()) if len(columns) else w / 2
        at = middle + self.rng.uniform(-0.3, 0.3) * w, self.rng.uniform(0.05, 0.5) * h
        radius = self.rng.uniform(0.15, 0.35) * max(h, w)
        if self.rng.random() < 0.5:
            self._lamp = point_lamp((h, w), at, radius)
        else:
            self._lamp = line_lamp((h, w), at, self.rng.uniform(0, np.pi), radius / 2)
        self._strength = self.rng.uniform(0.8, 1.5)
        self._dark = self.rng.uniform(0.15, 0.4) ** (1 / GAMMA)  # of the light that fell on the person

    def apply(self, layers: Layers) -> Layers:
        bgr = add_lamp(layers.bgr, self._lamp, np.full(3, self._strength, np.float32))
        return replace(layers, fgr=np.rint(layers.fgr * self._dark).astype(np.uint8), bgr=bgr)

    def light(self, src: Rgb, layers: Layers, at: int) -> Rgb:
        open_share = self._lamp * (255 - layers.pha) / 255
        glare = cv2.GaussianBlur(open_share, (0, 0), 0.03 * max(src.shape[:2])).astype(np.float32)
        return add_lamp(src, glare, np.full(3, 0.3 * self._strength, np.float32))


class LowLight(Cause):
    """A twelfth to a quarter of the light, with the noise of a sensor at high gain."""

    relights = True

    def begin(self, layers: Layers) -> None:
        self._share = self.rng.uniform(0.08, 0.25) ** (1 / GAMMA)
        self._noise = self.rng.uniform(4, 9)

    def light(self, src: Rgb, layers: Layers, at: int) -> Rgb:
        shot = self.rng.standard_normal(src.shape, np.float32) * self._noise
        return np.clip(src * self._share + shot, 0, 255).astype(np.uint8)


class Entering(Cause):
    """An empty scene, the person comes in from a side, stays, and leaves on the other."""

    def begin(self, layers: Layers) -> None:
        self._side = 1 if self.rng.random() < 0.5 else -1

    def frame(self, layers: Layers, at: int) -> Layers:
        t = at / max(1, self.frames - 1)
        if t < 0.15 or t > 0.85:
            return replace(layers, pha=np.zeros_like(layers.pha))
        away = max(0.0, (0.35 - t) / 0.2, (t - 0.65) / 0.2) * (1 if t < 0.5 else -1) * self._side
        matrix = np.array([[1, 0, 1.05 * away * layers.pha.shape[1]], [0, 1, 0]])
        pha = warp(layers.pha, matrix, border=cv2.BORDER_CONSTANT)
        return replace(layers, fgr=warp(layers.fgr, matrix), pha=pha)


class Props(Cause):
    """Something held before the body, a textured box or disc, that belongs to the person."""

    def begin(self, layers: Layers) -> None:
        h, w = layers.pha.shape
        self._mask = mask = np.zeros((h, w), np.uint8)
        self._texture = np.roll(layers.bgr, int(self.rng.integers(w)), axis=1)[..., self.rng.permutation(3)]
        rows, columns = np.nonzero(layers.pha > 200)
        if not len(rows):
            return
        low = rows > np.quantile(rows, 0.6)
        pick = int(self.rng.integers(int(low.sum())))
        x, y = float(columns[low][pick]), float(rows[low][pick])
        sides = self.rng.uniform(0.1, 0.22, 2) * min(h, w)
        if self.rng.random() < 0.5:
            box = cv2.boxPoints(((x, y), (float(sides[0]), float(sides[1])), float(self.rng.uniform(0, 90))))
            cv2.fillConvexPoly(mask, box.astype(np.int32), 255, cv2.LINE_AA)
        else:
            half = (int(sides[0] / 2), int(sides[1] / 2))
            cv2.ellipse(mask, (int(x), int(y)), half, 0, 0, 360, 255, -1, cv2.LINE_AA)

    def apply(self, layers: Layers) -> Layers:
        share = self._mask[..., None].astype(np.float32) / 255
        fgr = np.rint(layers.fgr * (1 - share) + self._texture * share).astype(np.uint8)
        return replace(layers, fgr=fgr, pha=np.maximum(layers.pha, self._mask))


class TwoPeople(Cause):
    """A second person beside the first and a little behind."""

    def begin(self, layers: Layers) -> None:
        self._side = 1 if self.rng.random() < 0.5 else -1
        self._scale = self.rng.uniform(0.7, 0.9)

    def apply(self, layers: Layers) -> Layers:
        if layers.other is None:
            return layers
        (h, w), side, scale = layers.pha.shape, self._side, self._scale
        fgr, pha = (
            warp(x, _about(scale, (w, h), side * 0.28 * w), border=border)
            for x, border in zip(layers.other, (cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT), strict=True)
        )
        own = _about(1.0, (w, h), -side * 0.2 * w)
        front = warp(layers.pha, own, border=cv2.BORDER_CONSTANT)
        a, b = front[..., None] / 255.0, pha[..., None] / 255.0
        union = a + b * (1 - a)
        colours = (warp(layers.fgr, own) * a + fgr * b * (1 - a)) / np.maximum(union, 1e-6)
        colours = np.where(union > 0, colours, warp(layers.fgr, own))
        return replace(layers, fgr=np.rint(colours).astype(np.uint8), pha=np.rint(union[..., 0] * 255).astype(np.uint8))


class MotionBlur(Cause):
    """The person smeared along a line, colours weighted by alpha, and the alpha with them."""

    def begin(self, layers: Layers) -> None:
        length = int(self.rng.uniform(0.02, 0.06) * max(layers.pha.shape)) | 1
        kernel = np.zeros((length, length), np.float32)
        angle, half = self.rng.uniform(0, np.pi), length // 2
        dx, dy = np.cos(angle) * half, np.sin(angle) * half
        cv2.line(kernel, (round(half - dx), round(half - dy)), (round(half + dx), round(half + dy)), 1.0)
        self._kernel = kernel / kernel.sum()

    def apply(self, layers: Layers) -> Layers:
        kernel = self._kernel
        alpha = layers.pha.astype(np.float32)[..., None] / 255
        product = cv2.filter2D(layers.fgr * alpha, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        smeared = cv2.filter2D(alpha, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        plain = cv2.filter2D(layers.fgr.astype(np.float32), -1, kernel, borderType=cv2.BORDER_REPLICATE)
        colours = np.where(smeared[..., None] > 0.01, product / np.maximum(smeared[..., None], 0.01), plain)
        pha = np.rint(smeared * 255).astype(np.uint8)
        return replace(layers, fgr=np.clip(np.rint(colours), 0, 255).astype(np.uint8), pha=pha)


class Compression(Cause):
    """Stills: JPEG at quality 10. Clips: H.264 at a constant rate factor of 40."""

    relights = True

    def finish(self, examples: Iterable[Example]) -> Iterator[Example]:
        frames = list(examples)  # an encoder looks ahead; a clip's frames fit in memory
        pictures = [frame.src for frame in frames if frame.src is not None]
        coded = [jpeg(picture, 10) for picture in pictures] if self.frames == 1 else h264(pictures, 40)
        for frame, src in zip(frames, coded, strict=True):
            yield replace(frame, src=src)


CAUSES: dict[str, type[Cause]] = {
    "plain": Cause, "backlight": Backlight, "low-light": LowLight, "entering": Entering, "hair": Cause, "props": Props,
    "two-people": TwoPeople, "motion-blur": MotionBlur, "compression": Compression,
}  # fmt: skip
MOVING = frozenset({"entering"})  # needs clips


def chosen(cause: str, sources: list[Any], backgrounds: list[Path]) -> tuple[list[Any], list[Path]]:
    """For "hair" the quarter of the cut-outs with most soft alpha, on the busiest half of the backgrounds."""
    if cause != "hair":
        return sources, backgrounds
    softest = sorted(sources, key=lambda source: -_softness(source))[: max(1, len(sources) // 4)]
    busiest = set(sorted(backgrounds, key=lambda path: -_business(path))[: max(1, len(backgrounds) // 2)])
    return [s for s in sources if s in softest], [path for path in backgrounds if path in busiest]


def _softness(source: Any) -> float:
    first = next(source.examples(), None)
    if not isinstance(first, Example) or first.pha is None:
        return 0.0
    return float(((first.pha > 0.05) & (first.pha < 0.95)).mean())


def _business(path: Path) -> float:
    try:
        grey = cv2.resize(cv2.cvtColor(read_image(path), cv2.COLOR_RGB2GRAY), (128, 128), interpolation=cv2.INTER_AREA)
    except KoutuError:
        return 0.0
    return float(np.abs(cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F)).mean())


def _grounded(matrix: NDArray[Any], pha: NDArray[Any]) -> NDArray[np.float64]:
    """The map, moved down until a body that the lower border cuts off is cut off by it again."""
    h = len(pha)
    columns = np.flatnonzero(pha[-1] > 0)
    if not len(columns):
        return matrix
    lowest = [matrix[1] @ (x, h - 1, 1) for x in (columns[0], columns[-1])]
    lifted = matrix.astype(np.float64)
    lifted[1, 2] += max(0.0, h - 1 - min(lowest))
    return lifted


def _about(scale: float, size: tuple[int, int], shift: float) -> NDArray[np.float64]:
    """Scaled about the middle of the lower edge of (W, H), then moved to the right."""
    w, h = size
    return np.array([[scale, 0, w / 2 * (1 - scale) + shift], [0, scale, h * (1 - scale)]])
