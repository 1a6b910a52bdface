"""How people and cameras move over a clip: tracks, arrays (T, 2, 3) of affine maps in pixels, one a frame."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Track = NDArray[np.float64]
_MARGIN = 2.0  # pixels by which a cut edge must lie outside

EASINGS: tuple[Callable[[NDArray], NDArray], ...] = (
    lambda t: t,
    lambda t: t * t,
    lambda t: 1 - (1 - t) ** 2,
    lambda t: t * t * (3 - 2 * t),
    lambda t: t**3,
    lambda t: 1 - (1 - t) ** 3,
    lambda t: (1 - np.cos(2 * np.pi * t)) / 2,  # there and back
    lambda t: t - np.sin(4 * np.pi * t) / (6 * np.pi),  # hesitating
)


def still(frames: int) -> Track:
    """The identity in every frame."""
    return np.tile(np.eye(2, 3), (frames, 1, 1))


def chained(*tracks: Track) -> Track:
    """The maps one after another, the first first; a single (2, 3) map stands for all frames."""
    whole = np.eye(3)
    for track in tracks:
        last = np.broadcast_to([[0.0, 0.0, 1.0]], (*track.shape[:-2], 1, 3))
        whole = np.concatenate([track, last], axis=-2) @ whole
    return whole[..., :2, :]


def shifts(offsets: NDArray[np.float64]) -> Track:
    """(T, 2) offsets x, y as a track."""
    track = still(len(offsets))
    track[:, :, 2] = offsets
    return track


def about(x: float, y: float, turned: NDArray[np.float64]) -> Track:
    """(T, 2, 2) matrices as maps that leave the point (x, y) where it is."""
    centre = np.array([x, y])
    return np.concatenate([turned, (centre - turned @ centre)[..., None]], axis=-1)


def smooth_walk(rng: np.random.Generator, frames: int, knots: float, width: int = 1) -> NDArray[np.float64]:
    """(T, width) smooth random curves about 0, standard deviation about 1, a new direction every `knots` frames."""
    count = int(np.ceil(frames / knots)) + 3
    values = rng.standard_normal((count, width))
    at = rng.uniform(0.5, 1.5) + np.arange(frames) / knots
    i = np.minimum(at.astype(int), count - 2)
    t = (at - i)[:, None]
    t = t * t * (3 - 2 * t)
    return values[i] * (1 - t) + values[i + 1] * t


def timing(rng: np.random.Generator, frames: int, *, pause: float = 0.0) -> NDArray[np.float64]:
    """(T,) places in [0, 1] on a path: the whole of it or a part, eased, sped up here and there, perhaps halting.

    pause: probability that a part of the clip stands still.
    """
    speed = np.exp(0.5 * smooth_walk(rng, frames, max(2.0, frames / 3))[:, 0])
    if rng.random() < pause and frames > 2:
        first = int(rng.integers(frames))
        speed[first : first + max(1, int(rng.uniform(0.2, 0.6) * frames))] = 0
    steps = np.concatenate([[0.0], np.cumsum(speed[1:])])
    part = rng.uniform(0.25, 1)  # of the path that fits into the clip
    begin = rng.uniform(0, 1 - part)
    ease = EASINGS[int(rng.integers(len(EASINGS)))]
    return ease(begin + part * steps / max(steps[-1], 1e-6))


def random_affine(
    size: tuple[int, int], rng: np.random.Generator, *, turn: float, shift: float, zoom: float, shear: float = 0.0
) -> np.ndarray:
    """A (2, 3) matrix about the centre: ±`turn`, ±`shear` degrees, ±`shift` of the side, scale in 1 ± `zoom`."""
    h, w = size
    angle, skew = np.deg2rad(rng.uniform(-turn, turn)), np.tan(np.deg2rad(rng.uniform(-shear, shear)))
    scale = 1 + rng.uniform(-zoom, zoom)
    turned = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [[1, skew], [0, 1]]
    centre = np.array([w / 2, h / 2])
    moved = centre + rng.uniform(-shift, shift, 2) * (w, h)
    return np.hstack([turned, (moved - turned @ centre)[:, None]])


def glide(rng: np.random.Generator, size: tuple[int, int], at: NDArray[np.float64], *, strength: float = 1.0) -> Track:
    """Between two random affine maps about the middle of (H, W), `at` in [0, 1]; after RVM (Lin et al., WACV 2022).

    At strength 1: ±10°, a tenth of the side, 0.9 … 1.1, shear ±5°.
    """
    ends = [
        random_affine(
            size, rng, turn=10 * strength, shift=0.1 * strength, zoom=0.1 * strength, shear=5 * strength
        )
        for _ in range(2)
    ]  # fmt: skip
    share = at[:, None, None]
    return ends[0] * (1 - share) + ends[1] * share


def shake(rng: np.random.Generator, size: tuple[int, int], frames: int, strength: float) -> Track:
    """A camera held in the hand: slow drift and quick tremor of place, angle and distance, by a share of a side."""
    slow, quick = smooth_walk(rng, frames, 12, 4), 0.25 * smooth_walk(rng, frames, 2.5, 4)
    x, y, angle, zoom = (strength * (slow + quick)).T
    turned = (1 + 0.5 * zoom)[:, None, None] * rotations(0.5 * angle)
    moved = about(size[1] / 2, size[0] / 2, turned)
    moved[:, :, 2] += np.stack([x * size[1], y * size[0]], axis=1)
    return moved


def rotations(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) radians → (T, 2, 2)."""
    c, s = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([c, -s], axis=-1), np.stack([s, c], axis=-1)], axis=-2)


def sway(rng: np.random.Generator, frames: int, foot: tuple[float, float], strength: float = 1.0) -> Track:
    """Somebody who stands or sits: leaning and rocking about the point (x, y) of `foot`, and breathing."""
    lean, turn, breath = (smooth_walk(rng, frames, rng.uniform(6, 16), 3) * strength * [0.05, 0.025, 0.006]).T
    turned = rotations(turn)
    turned[:, 0, 1] += lean  # upper parts go further
    turned[:, 1, 1] += breath
    return about(*foot, turned)


def passage(rng: np.random.Generator, at: NDArray[np.float64], reach: tuple[float, float]) -> NDArray[np.float64]:
    """(T, 2) offsets of somebody who comes in or leaves, or both, as `at` goes from 0 to 1; `reach`: x, y when away."""
    kind, edge = rng.random(), rng.uniform(0.3, 1.2)
    if kind < 0.45:
        away = np.clip(1 - at / edge, 0, 1)
    elif kind < 0.9:
        away = np.clip((at - 1 + edge) / edge, 0, 1)
    else:
        away = np.clip(1.3 * np.abs(2 * at - 1) - 0.3, 0, 1) * np.sign(2 * at - 1)
    return (away * np.abs(away))[:, None] * np.array(reach)


def grounded(track: Track, outside: Mapping[str, NDArray[np.float64]], size: tuple[int, int]) -> Track:
    """The track, enlarged and moved as a whole until what a border cut stays out of (H, W) in every frame.

    outside: side → (N, 2) points x, y, before the map, that must lie beyond that side of the sample.
    """
    ends = (("left", "right"), ("top", "bottom"))
    for _ in range(8):
        limits = [_limits(track, outside, axis, low, high) for axis, (low, high) in enumerate(ends)]
        need = [
            (length + 2 * _MARGIN) / max(high - low, 1.0)
            for (low, high), length in zip(limits, size[::-1], strict=True)
            if low is not None and high is not None
        ]
        if not need or max(need) <= 1.0001:
            break
        grown = np.eye(2) * min(4.0, max(need)) * 1.001
        track = chained(track, about(size[1] / 2, size[0] / 2, grown[None])[0])
    track = track.copy()
    for axis, (low, high) in enumerate(ends):
        first, last = _limits(track, outside, axis, low, high)
        if last is not None:
            track[:, axis, 2] += max(0.0, size[1 - axis] + _MARGIN - last)
        if first is not None and last is None:
            track[:, axis, 2] -= max(0.0, first + _MARGIN)
        elif first is not None and last is not None:
            track[:, axis, 2] -= max(0.0, first + max(0.0, size[1 - axis] + _MARGIN - last) + _MARGIN)
    return track


def _limits(
    track: Track, outside: Mapping[str, NDArray[np.float64]], axis: int, low: str, high: str
) -> tuple[float | None, float | None]:
    """The farthest in that the lower and the upper side's points come on an axis."""

    def places(side: str) -> NDArray[np.float64]:
        return track[:, axis, :2] @ outside[side].T + track[:, axis, 2:]

    return (
        float(places(low).max()) if low in outside else None,
        float(places(high).min()) if high in outside else None,
    )


def at_time(track: NDArray[np.float64], time: float) -> NDArray[np.float64]:
    """A track, or anything given frame by frame, between its frames."""
    frame = min(int(time), len(track) - 2)
    return track[frame] + (track[frame + 1] - track[frame]) * (time - frame)


def travel(track: Track, frame: int, corners: NDArray[np.float64]) -> float:
    """Pixels that the fastest of the points (P, 2) moves from a frame to the next."""
    step = track[frame + 1] - track[frame]
    return float(np.linalg.norm(corners @ step[:, :2].T + step[:, 2], axis=1).max())


def moved(
    picture: NDArray, matrix: NDArray, size: tuple[int, int], *, border: int, bend: NDArray | None = None
) -> NDArray:
    """`picture` by a (2, 3) map, bilinear, onto (H, W); bend: (K, K, 2) offsets spread over it, in its pixels."""
    if bend is None:
        return cv2.warpAffine(picture, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderMode=border)
    inverse = cv2.invertAffineTransform(matrix)
    x, y = np.arange(size[1]), np.arange(size[0])[:, None]
    places = [(inverse[i, 0] * x + inverse[i, 1] * y + inverse[i, 2]).astype(np.float32) for i in range(2)]
    height, width = picture.shape[:2]
    step = (bend.shape[1] - 1) / max(1, width - 1), (bend.shape[0] - 1) / max(1, height - 1)
    grid = np.diag(1 / np.array(step)) @ np.eye(2, 3)
    spread = cv2.warpAffine(
        bend.astype(np.float32),
        chained(grid, matrix),
        size[::-1],
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return cv2.remap(
        picture, places[0] + spread[..., 0], places[1] + spread[..., 1], cv2.INTER_LINEAR, borderMode=border
    )


def bends(rng: np.random.Generator, frames: int, strength: float) -> NDArray[np.float64]:
    """(T, 5, 5, 2) offsets of a body that is not stiff, 0 on its image's border, of about `strength`."""
    offsets = np.zeros((frames, 5, 5, 2))
    waves = smooth_walk(rng, frames, rng.uniform(5, 12), 18).reshape(frames, 3, 3, 2)
    offsets[:, 1:4, 1:4] = waves * strength
    return offsets
