"""What an image is composed of: people over a place, all in 8 bits, with everything that keeps I = αF + (1 − α)B."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Alpha, Rgb


@dataclass(frozen=True)
class Layers:
    """fgr, bgr (H, W, 3) and pha (H, W), uint8.

    plate: the place as it would be photographed without anybody, where that is not bgr. src: the image itself, where
    it was never composed and fgr and bgr are guessed.
    """

    fgr: Rgb
    pha: Alpha
    bgr: Rgb
    plate: Rgb | None = None
    src: Rgb | None = None


def composed(layers: Layers) -> Rgb:
    """The picture: αF + (1 − α)B to within half a level, unless it was never composed."""
    return blend(layers.fgr, layers.bgr, layers.pha) if layers.src is None else layers.src


def painted(layers: Layers, change: Callable[[Rgb], Rgb]) -> Layers:
    """The same change of colour, one that looks at each pixel alone, to every layer, so that they still compose."""
    plate, src = (None if x is None else change(x) for x in (layers.plate, layers.src))
    return Layers(change(layers.fgr), layers.pha, change(layers.bgr), plate, src)


def blend(front: Rgb, back: Rgb, alpha: Alpha) -> Rgb:
    """(H, W, 3) `front` where alpha (H, W) is 255, `back` where it is 0."""
    share = alpha.astype(np.float32) * np.float32(1 / 255)
    return cv2.blendLinear(front, back, share, 1 - share)


def over(front: NDArray, back: NDArray) -> NDArray:
    """One RGBA (H, W, 4) before another, as one: alpha is 1 − (1 − α₁)(1 − α₂), colours by what is seen of each."""
    a = front[..., 3:].astype(np.float32) / 255
    b = back[..., 3:].astype(np.float32) / 255 * (1 - a)
    union = a + b
    near = front[..., :3].astype(np.float32)
    colours = np.where(union > 1e-3, (near * a + back[..., :3] * b) / np.maximum(union, 1e-3), near)
    return np.rint(np.concatenate([colours, 255 * union], axis=2)).astype(np.uint8)


def occluded(layers: Layers, rgba: NDArray) -> Layers:
    """With a thing (H, W, 4) before the people: cut out of alpha, part of the background."""
    thing = rgba[..., 3:].astype(np.float32) / 255
    front = layers.pha[..., None].astype(np.float32) / 255
    pha = front * (1 - thing)
    place = np.where(thing > 0, rgba[..., :3] * thing + layers.bgr * (1 - thing), layers.bgr)
    seen = rgba[..., :3] * thing + layers.bgr * ((1 - thing) * (1 - front))
    bgr = np.where(pha < 0.996, seen / np.maximum(1 - pha, 0.004), place)
    plate = None if layers.plate is None else blend(np.ascontiguousarray(rgba[..., :3]), layers.plate, rgba[..., 3])
    bgr, pha = np.rint(np.clip(bgr, 0, 255)).astype(np.uint8), np.rint(255 * pha[..., 0]).astype(np.uint8)
    return replace(layers, pha=pha, bgr=bgr, plate=plate)


def held(rgba: NDArray, rng: np.random.Generator, texture: Rgb) -> NDArray:
    """A cut-out (H, W, 4) with a thing in hand, a box, a disc or a bottle before the lower body, that belongs to it."""
    rows, columns = np.nonzero(rgba[..., 3] > 200)
    if len(rows) < 50:
        return rgba
    low = np.flatnonzero(rows > np.quantile(rows, 0.45))
    pick = low[int(rng.integers(len(low)))]
    sides = rng.uniform(0.08, 0.3, 2) * np.sqrt(float(np.ptp(rows)) * float(np.ptp(columns)))
    shape = thing_shape(rng, rgba.shape[:2], (float(columns[pick]), float(rows[pick])), sides)
    share = cv2.merge([shape] * 3)
    skin = cv2.resize(texture, rgba.shape[1::-1], interpolation=cv2.INTER_AREA)
    colours = blend(skin, np.ascontiguousarray(rgba[..., :3]), share[..., 0])
    return cv2.merge([colours, np.maximum(rgba[..., 3], shape)])


def thing_shape(
    rng: np.random.Generator, size: tuple[int, int], at: tuple[float, float], sides: NDArray[np.float64]
) -> Alpha:
    """The alpha (H, W) of a thing at (x, y): a turned box, an ellipse, or a ragged lump, with a soft rim."""
    mask, kind = np.zeros(size, np.uint8), rng.random()
    angle, fine = float(rng.uniform(0, 180)), 16
    if kind < 0.45:
        corners = cv2.boxPoints((at, (max(2.0, float(sides[0])), max(2.0, float(sides[1]))), angle))
    else:
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        wobble = 1 + (0.25 * rng.standard_normal(24) if kind > 0.75 else 0)
        corners = np.stack([np.cos(angles) * sides[0], np.sin(angles) * sides[1]], axis=1) / 2
        turn = np.deg2rad(angle)
        spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        corners = (corners * np.reshape(wobble, (-1, 1))) @ spin + np.array(at)
    cv2.fillPoly(mask, [np.rint(corners * fine).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (3, 3), 0)


def shadowed(layers: Layers, matrix: NDArray, *, strength: float, blur: float) -> Layers:
    """With the people's shadow on the place: their alpha moved by a (2, 3) map, soft, taking light away.

    After Background Matting V2 (Lin et al., CVPR 2021); plate keeps the place without it.
    """
    size = layers.pha.shape
    small = cv2.resize(layers.pha, (max(1, size[1] // 4), max(1, size[0] // 4)), interpolation=cv2.INTER_AREA)
    coarse = np.array([[1, 1, 0.25], [1, 1, 0.25]]) * matrix
    dark = cv2.warpAffine(small, coarse, small.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    dark = cv2.resize(cv2.GaussianBlur(dark, (0, 0), max(0.5, blur / 4)), size[::-1], interpolation=cv2.INTER_LINEAR)
    left = cv2.merge([cv2.convertScaleAbs(dark, alpha=-strength, beta=255)] * 3)
    plate = layers.bgr if layers.plate is None else layers.plate
    return replace(layers, bgr=cv2.multiply(layers.bgr, left, scale=1 / 255), plate=plate)


def smeared(shots: list[Layers]) -> Layers:
    """The mean of what was seen while the shutter was open; colours of each layer by how much of it was seen."""
    if len(shots) == 1:
        return shots[0]
    front = [s.pha[..., None].astype(np.float32) / 255 for s in shots]
    pha = np.mean(front, axis=0)
    fgr = _weighted([s.fgr for s in shots], front, pha)
    bgr = _weighted([s.bgr for s in shots], [1 - f for f in front], 1 - pha)
    plate, src = _mean([s.plate for s in shots]), _mean([s.src for s in shots])
    return Layers(fgr, np.rint(255 * pha[..., 0]).astype(np.uint8), bgr, plate, src)


def defocused(layers: Layers, sigma: float) -> Layers:
    """The whole image out of focus: a Gaussian of `sigma` pixels over what was seen of each layer, and the alpha."""

    def soft(x: NDArray) -> NDArray:
        return cv2.GaussianBlur(x, (0, 0), sigma)

    front = layers.pha.astype(np.float32) / 255
    pha = soft(front)
    fgr = _ratio(soft(layers.fgr * front[..., None]), pha[..., None], soft(layers.fgr))
    bgr = _ratio(soft(layers.bgr * (1 - front)[..., None]), 1 - pha[..., None], soft(layers.bgr))
    plate, src = (None if x is None else soft(x) for x in (layers.plate, layers.src))
    return Layers(fgr, np.rint(255 * pha).astype(np.uint8), bgr, plate, src)


def harmonised(rgba: NDArray, place: Rgb, share: float) -> NDArray:
    """A cut-out (H, W, 4) with its mean and spread drawn towards the place's by `share` of the way."""
    weight = np.ascontiguousarray(rgba[..., 3])
    own_mean, own_spread = (x.ravel() for x in cv2.meanStdDev(np.ascontiguousarray(rgba[..., :3]), mask=weight))
    mean, spread = (x.ravel() for x in cv2.meanStdDev(place))
    gain = np.clip(spread / np.maximum(own_spread, 8), 0.5, 1.6) ** share
    away = mean - own_mean
    away *= share * min(1.0, 70 / max(1.0, float(np.abs(away).max())))
    lift = own_mean + away - own_mean * gain
    table = np.clip(np.arange(256)[:, None] * gain + lift + 0.5, 0, 255).astype(np.uint8)
    return cv2.merge([cv2.LUT(np.ascontiguousarray(rgba[..., :3]), table.reshape(1, 256, 3)), weight])


def _mean(pictures: Sequence[Rgb | None]) -> Rgb | None:
    known = [p for p in pictures if p is not None]
    return np.rint(np.mean(known, axis=0)).astype(np.uint8) if known else None


def _weighted(pictures: list[Rgb], weights: list[NDArray], total: NDArray) -> Rgb:
    seen = sum(p * (w / len(pictures)) for p, w in zip(pictures, weights, strict=True))
    return _ratio(np.asarray(seen), total, np.mean(pictures, axis=0))


def _ratio(seen: NDArray, total: NDArray, plain: NDArray) -> Rgb:
    """seen / total, where total is nearly nothing `plain`."""
    colours = np.where(total > 0.004, seen / np.maximum(total, 0.004), plain)
    return np.rint(np.clip(colours, 0, 255)).astype(np.uint8)
