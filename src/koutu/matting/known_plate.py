"""The background of a clip without anybody: a photograph of it, or put together from what the clip shows over time.

Where nobody stands in enough of the frames, a pixel's background is the middle of what they show. Small movements of
the camera are taken back by a homography, changes of exposure by a tone curve of each channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.matting.plate import homography
from koutu.matting.pull_push import extended
from koutu.media.image import is_image, read_image
from koutu.media.reader import open_video
from koutu.types import InputError, Rgb

Floats = NDArray[Any]  # float32, which OpenCV's stubs forget

LOOKED = 48  # frames, spread over the clip, that a plate is found or judged by
QUIETEST = 0.008  # of 1: noise that is always reckoned with
_MARGIN = 0.03  # of the longer side, around a mask where the person may still be
_PERHAPS = 0.25  # of the mask, from which it may be somebody: networks see traces of people in things
_LEAST = 4  # frames that must show the background
_AGREED = 0.6  # of them, that must show the same
_SEEN = 0.35  # of the frame, that a found plate must know
_NEAR = 0.06  # of 1: off a plate by more, a pixel shows something else
_ALIKE = 0.7  # of the background, that a photograph must be near to
_SHIFT = 1.5  # pixels up to which a camera stands still
_SLIP = 0.25  # of the change over two pixels: what a camera moves by, unnoticed
_SHAKE = 0.05  # of the longer side, that it may move
_ASPECT = 0.02
_SAMPLES = 20_000  # pixels that exposure is found by, at most
_FEW = 100  # pixels that say nothing of it
_LEVELS = 16  # of brightness, that may have changed each by its own
_ROWS = 64  # of the frame, whose medians are found at once


@dataclass(frozen=True)
class Plate:
    """The background without anybody.

    colours: (H, W, 3) float32 in [0, 1]. noise: (H, W) float32, of 1, what a frame's pixel differs by. seen: (H, W)
    bool, where it is known; elsewhere its colours are those nearby.
    """

    colours: Floats
    noise: Floats
    seen: NDArray[np.bool_]

    @property
    def rgb(self) -> Rgb:
        """(H, W, 3) uint8."""
        return np.rint(np.clip(self.colours, 0, 1) * 255).astype(np.uint8)

    def resized(self, size: tuple[int, int]) -> "Plate":
        """The same at another size (h, w)."""
        if self.seen.shape == size:
            return self
        smaller = size[0] < self.seen.shape[0]
        planes = [
            np.asarray(cv2.resize(x, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))
            for x in (self.colours, self.noise, self.seen.astype(np.float32))
        ]
        return Plate(planes[0], planes[1], planes[2] > 0.99)


def whole_plate(rgb: Rgb) -> Plate:
    """A picture (H, W, 3) uint8 of which all is known, with the least noise."""
    size = rgb.shape[:2]
    return Plate(rgb.astype(np.float32) / 255, np.full(size, QUIETEST, np.float32), np.ones(size, bool))


def found_plate(frames: Sequence[Rgb], masks: Sequence[Floats], name: str = "the clip") -> Plate:
    """The background behind frames (H, W, 3) uint8 of one shot, whose masks (H, W) in [0, 1] say where people are.

    Raises InputError where the camera moves by more than a shake, or too little of the background is seen.
    """
    free = [free_of(mask) for mask in masks]
    first = int(np.argmax([where.mean() for where in free]))
    held = [_brought(frames[first], rgb, where, name) for rgb, where in zip(frames, free, strict=True)]
    shown = np.stack([rgb for rgb, _ in held])
    open_ = np.stack([where for _, where in held])
    parts = [middle(shown[:, y : y + _ROWS], open_[:, y : y + _ROWS]) for y in range(0, shown.shape[1], _ROWS)]
    colours, noise, seen = (np.concatenate(part) for part in zip(*parts, strict=True))
    if seen.mean() < _SEEN:
        raise InputError(
            f"{name}: expected a camera that stands still and a background that is seen when people move, found only "
            f"{seen.mean():.0%} of it in {len(frames)} frames; give a photograph with --plate FILE, or no --plate"
        )
    filled = extended(np.rint(colours * 255).astype(np.uint8), np.where(seen, 255, 0).astype(np.uint8))
    colours = np.where(seen[..., None], colours, filled.astype(np.float32) / 255)
    return Plate(colours, _spread(noise, colours), seen)


def given_plate(path: Path, frames: Sequence[Rgb], masks: Sequence[Floats], name: str = "the clip") -> Plate:
    """A photograph of the background, or a video's first frame, its noise as frames show it.

    Raises InputError if it is one of another background.
    """
    rgb, size = _photograph(path), frames[0].shape[:2]
    if abs(rgb.shape[1] / rgb.shape[0] / (size[1] / size[0]) - 1) > _ASPECT:
        raise InputError(
            f"{path}: expected sides as {name} has them ({size[1]}×{size[0]}), got {rgb.shape[1]}×{rgb.shape[0]}; "
            "take the plate with the same camera, or crop it alike"
        )
    how = cv2.INTER_AREA if rgb.shape[0] > size[0] else cv2.INTER_LINEAR
    colours = np.asarray(cv2.resize(rgb, size[::-1], interpolation=how)).astype(np.float32) / 255
    plain = replace(whole_plate(frames[0]), colours=colours)
    off, free = [], []
    for frame, mask in zip(frames, masks, strict=True):
        fitted = fitted_plate(plain, frame, mask)
        off.append(np.abs(frame.astype(np.float32) / 255 - fitted.colours).mean(axis=2))
        free.append(free_of(mask))
    alike = float(np.median([(o[f] < _NEAR).mean() if f.any() else 0.0 for o, f in zip(off, free, strict=True)]))
    if alike < _ALIKE:
        raise InputError(
            f"{path}: expected the background of {name} without anybody, got an image that only {alike:.0%} of what is "
            "seen beside the people agrees with; take it from where the clip was taken, under the same light"
        )
    free_all = np.stack(free)
    mean = (np.stack(off) * free_all).sum(axis=0) / np.maximum(free_all.sum(axis=0), 1)
    return replace(plain, noise=_spread(1.25 * mean.astype(np.float32), colours))


def fitted_plate(plate: Plate, rgb: Rgb, mask: Floats) -> Plate:
    """The plate as the camera saw it with this frame: moved along and exposed alike, by what the mask leaves free."""
    free = free_of(mask)
    moved = _movement(plate.rgb, rgb, free)
    if moved is not None:
        size = rgb.shape[1], rgb.shape[0]
        edge = cv2.BORDER_REPLICATE
        seen = cv2.warpPerspective(plate.seen.astype(np.uint8), moved, size, flags=cv2.INTER_NEAREST) > 0
        plate = Plate(
            np.asarray(cv2.warpPerspective(plate.colours, moved, size, borderMode=edge)),
            np.asarray(cv2.warpPerspective(plate.noise, moved, size, borderMode=edge)),
            np.asarray(seen),
        )
    sure = free & plate.seen
    if sure.sum() < _FEW:
        return plate
    return replace(plate, colours=toned(plate.colours, plate.colours[sure], rgb[sure] / np.float32(255)))


def _photograph(path: Path) -> Rgb:
    if is_image(path):
        return read_image(path)
    with open_video(path) as reader:
        frame = next(reader)
        return to_rgb(frame.picture, frame.size)


def free_of(mask: Floats, perhaps: float = _PERHAPS, margin: float = _MARGIN) -> NDArray[np.bool_]:
    """Where surely nobody is: `margin` of the longer side beyond what may be somebody."""
    reach = 2 * max(2, round(margin * max(mask.shape))) + 1
    return cv2.dilate((mask > perhaps).astype(np.uint8), np.ones((reach, reach), np.uint8)) == 0


def _brought(reference: Rgb, rgb: Rgb, free: NDArray[np.bool_], name: str) -> tuple[Rgb, NDArray[np.bool_]]:
    """A frame and where nobody is in it, as seen from where the reference was taken, and exposed like it."""
    moved = _movement(reference, rgb, free)
    if moved is None:
        return _exposed(rgb, reference, free), free
    if _reach(moved, rgb.shape) > _SHAKE * max(rgb.shape):
        raise InputError(
            f"{name}: expected a camera that stands still or shakes a little, got one that moves by "
            f"{_reach(moved, rgb.shape):.0f} pixels; leave --plate out"
        )
    size = rgb.shape[1], rgb.shape[0]
    back = cv2.WARP_INVERSE_MAP
    where = cv2.warpPerspective(free.astype(np.uint8), moved, size, flags=cv2.INTER_NEAREST | back)
    rgb = np.asarray(cv2.warpPerspective(rgb, moved, size, flags=cv2.INTER_LINEAR | back))
    return _exposed(rgb, reference, np.asarray(where) > 0), np.asarray(where) > 0


def _movement(plate: Rgb, rgb: Rgb, free: NDArray[np.bool_]) -> NDArray[Any] | None:
    """The homography from the plate to the frame; None where standing still explains the frame as well."""
    found = homography(plate, rgb, np.where(free, 255, 0).astype(np.uint8))
    if found is None or _reach(found, rgb.shape) <= _SHIFT:
        return None
    warped = cv2.warpPerspective(plate, found, (rgb.shape[1], rgb.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    still, moved = (float(cv2.absdiff(x, rgb)[free].mean()) for x in (plate, warped))
    return found if moved < 0.9 * still else None


def _reach(moved: NDArray[Any], size: tuple[int, ...]) -> float:
    """Pixels that the corner which moves most moves by."""
    height, width = size[:2]
    corners = np.array([[[0, 0]], [[width, 0]], [[width, height]], [[0, height]]], np.float32)
    return float(np.linalg.norm(cv2.perspectiveTransform(corners, moved) - corners, axis=-1).max())


def middle(shown: NDArray[np.uint8], free: NDArray[np.bool_]) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Of frames (N, h, w, 3): the colours of most, their noise, and where enough frames agree."""
    median = _median(shown.astype(np.int16), free)
    off = np.abs(shown.astype(np.int16) - median).max(axis=3)
    spread = _median(off[..., None], free)[..., 0]
    near = free & (off <= np.maximum(4.0 * spread, 8))
    count, total = near.sum(axis=0), np.maximum(near.sum(axis=0), 1)
    colours = (shown * near[..., None]).sum(axis=0, dtype=np.float32) / total[..., None]
    square = (((shown - colours) ** 2).mean(axis=3) * near).sum(axis=0, dtype=np.float32) / total
    free_count = free.sum(axis=0)
    seen = (free_count >= min(_LEAST, len(shown))) & (count >= _AGREED * free_count)
    return (colours / 255).astype(np.float32), np.sqrt(square).astype(np.float32) / 255, seen


def _median(values: NDArray[np.int16], free: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Of what is free along the first axis; anything where nothing is."""
    ordered = np.sort(np.where(free[..., None], values, np.int16(999)), axis=0)
    at = np.maximum(free.sum(axis=0) - 1, 0) // 2
    return np.take_along_axis(ordered, at[None, ..., None], axis=0)[0]


def _spread(noise: Floats, colours: Floats) -> Floats:
    """What neighbours have a pixel may have too, and what a camera that moved by a part of a pixel makes of an edge."""
    kernel = np.ones((3, 3), np.uint8)
    step = (cv2.dilate(colours, kernel) - cv2.erode(colours, kernel)).mean(axis=2)
    return np.maximum.reduce([cv2.blur(noise, (5, 5)), noise, _SLIP * step, np.full_like(noise, QUIETEST)])


def _exposed(rgb: Rgb, reference: Rgb, free: NDArray[np.bool_]) -> Rgb:
    """A frame (H, W, 3) uint8 as bright and as tinted as the reference, where nobody is."""
    if free.sum() < _FEW:
        return rgb
    exposed = toned(rgb / np.float32(255), rgb[free] / np.float32(255), reference[free] / np.float32(255))
    return np.rint(255 * exposed).astype(np.uint8)


def toned(colours: Floats, before: Floats, now: Floats) -> Floats:
    """Colours (H, W, 3) changed as those of the same places (N, 3) have changed from before to now."""
    step = max(1, len(before) // _SAMPLES)
    curves = [_curve(before[::step, c], now[::step, c]) for c in range(3)]
    changed = [np.interp(colours[..., c], *curve) for c, curve in enumerate(curves)]
    return np.clip(np.stack(changed, axis=-1), 0, 1).astype(np.float32)


def _curve(before: Floats, now: Floats) -> tuple[Floats, Floats]:
    """Points of a tone curve, of each level that is seen often the middle of what it is now; a line at either end."""
    at = np.minimum((before * _LEVELS).astype(int), _LEVELS - 1)
    held = [at == level for level in range(_LEVELS)]
    points = [(np.median(before[h]), np.median(now[h])) for h in held if h.sum() >= _FEW // 4]
    if not points:
        points = [(np.median(before), np.median(now))]
    x, y = np.array(points).T
    ends = [0.0, 1.0]
    lifts = np.interp(ends, x, y - x)
    return np.concatenate([[-1e-3], x, [1 + 1e-3]]), np.concatenate([ends[:1] + lifts[:1], y, ends[1:] + lifts[1:]])
