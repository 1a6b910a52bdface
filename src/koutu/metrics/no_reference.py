"""How a matte looks without a truth to compare it with: what flickers, is unsure, has holes, leaks or leaves a rim.

All tell that something deserves a look; none proves an error. pha: (H, W), unsigned integers or floats in [0, 1].
src: (H, W, 3) uint8 RGB. Flow: (H, W, 2) float32, pixels to the right and down from a pixel of the current frame to
its place in the previous one. docs/review.md says what each can and cannot tell.
"""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.metrics.regions import Region, band, level
from koutu.types import InputError

SIDE = 512  # longer side at which flow is found
_LEAST = 16  # pixels that the search for flow needs along each side
COLOUR = 16.0  # mean difference of the channels, of 255, up to which two pixels are taken for the same thing
_EDGE_LOW, _EDGE_HIGH = 20, 60  # of Canny, on luma smoothed with σ 1
_CONTRAST = 30.0  # distance of two colours, of 441, below which an alpha says nothing of them


class Flicker(NamedTuple):
    """Mean change of alpha along the motion, 0 … 1: of the whole image and of the transition band; NaN: unknown."""

    whole: float
    band: float


class Motion(NamedTuple):
    """How a frame moved: backward flow (H, W, 2) to the previous frame, and where it is known (H, W)."""

    backward: NDArray[np.float32]
    known: Region


def flow(previous: NDArray[Any], current: NDArray[Any], *, side: int = SIDE) -> NDArray[np.float32]:
    """Where each pixel of `current` was in `previous`, both RGB (H, W, 3) uint8 → (H, W, 2) float32.

    Dense inverse search (Kroeger et al., ECCV 2016, OpenCV's) on luma, at most `side` pixels long, scaled back.
    Without texture it is a guess; `consistent` says where it holds. Raises InputError for images of two sizes.
    """
    _require_pictures(previous, current)
    height, width = current.shape[:2]
    scale = max(min(1.0, side / max(height, width)), _LEAST / min(height, width))
    size = max(_LEAST, round(width * scale)), max(_LEAST, round(height * scale))
    before, after = (_luma(cv2.resize(x, size, interpolation=cv2.INTER_AREA)) for x in (previous, current))
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = search.calc(after, before, np.zeros((*after.shape, 2), np.float32))
    found = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(found * np.array([width / size[0], height / size[1]], np.float32), np.float32)


def warp(alpha: NDArray[Any], flow: NDArray[Any]) -> NDArray[Any]:
    """The previous frame's values (H, W[, C]) at the current frame's pixels: bilinear, the border repeated, float32."""
    return _lookup(np.asarray(alpha, np.float32), flow)


def consistent(
    backward: NDArray[Any],
    forward: NDArray[Any],
    previous: NDArray[Any] | None = None,
    current: NDArray[Any] | None = None,
    *,
    colour: float = COLOUR,
) -> Region:
    """Pixels (H, W) of the current frame whose motion is known: there and back again, and of one colour at both ends.

    |b + f(x + b)|² < 0.01 (|b|² + |f|²) + 0.5, after Sundaram et al., ECCV 2010, with backward flow b = flow(previous,
    current) and forward flow f = flow(current, previous); x + b within the image; and, with both frames given, a
    mean difference of their channels ≤ `colour`, of 255. What was hidden before, or moves too fast, is left out.
    """
    there = _lookup(np.asarray(forward, np.float32), backward)
    mask = _dot(backward + there) < 0.01 * (_dot(backward) + _dot(there)) + 0.5
    height, width = mask.shape
    x, y = _places(backward)
    mask &= (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    if previous is not None and current is not None:
        difference = cv2.absdiff(warp(previous, backward), current.astype(np.float32))
        mask &= cv2.transform(difference, np.full((1, 3), 1 / 3, np.float32)) <= colour
    return np.asarray(mask)


def motion(previous: NDArray[Any], current: NDArray[Any], *, side: int = SIDE) -> Motion:
    """The motion between two frames, RGB (H, W, 3) uint8, found both ways by `flow`."""
    backward, forward = flow(previous, current, side=side), flow(current, previous, side=side)
    return Motion(backward, consistent(backward, forward, previous, current))


def flicker(
    pha: NDArray[Any],
    previous_pha: NDArray[Any],
    src: NDArray[Any],
    previous_src: NDArray[Any],
    *,
    side: int = SIDE,
    moved: Motion | None = None,
) -> Flicker:
    """Mean |α_t − warp(α_{t−1})| over consistent pixels, of the image and of the band; NaN where none is consistent.

    The band is `regions.band` of either alpha, so that it does not thin out with the size of the image. Alpha that
    changes where the image does not is unsteady; that it is wrong does not follow, nor that a still error is right.
    moved: `motion` of the two frames, where it is known already.
    """
    backward, known = moved or motion(previous_src, src, side=side)
    alpha, before = level(pha), np.clip(warp(level(previous_pha), backward), 0, 1)
    change = np.abs(alpha - before)
    return Flicker(_mean(change, known), _mean(change, known & (band(alpha) | band(before))))


def uncertain_share(pha: NDArray[Any], low: float = 0.05, high: float = 0.95) -> float:
    """Share of pixels, 0 … 1, with low < α < high. Hair and blur are rightly unsure; a whole arm is not."""
    alpha = level(pha)
    return float(((alpha > low) & (alpha < high)).mean())


def edge_disagreement(src: NDArray[Any], pha: NDArray[Any], *, reach: float = 0.05) -> float:
    """How far alpha's edge (α = ½) lies from edges of the picture: 0 on them, 1 `reach` of the diagonal away or more.

    Mean over the contour of min(max(d − 1, 0), r) / r; d: pixels to the nearest Canny edge, r = reach · diagonal. NaN
    without a contour. Before a smooth wall it tells a matte that clings to nothing; in a busy image every place is
    near some edge, and it tells little.
    """
    if src.shape[:2] != pha.shape:
        raise InputError(f"expected alpha {src.shape[:2]} like the image, got {pha.shape}; resize neither")
    contour = contour_of(level(pha) >= 0.5)
    if not contour.any():
        return math.nan
    limit = max(1.0, reach * math.hypot(*pha.shape))
    distance = np.clip(edge_distance(src) - 1, 0, limit) / limit
    return float(distance[contour].mean())


def edge_distance(src: NDArray[Any]) -> NDArray[np.float32]:
    """Pixels (H, W) from each pixel of an image to its nearest Canny edge; without edges, the diagonal."""
    smooth = cv2.GaussianBlur(_luma(src), (0, 0), 1)
    edges = np.asarray(cv2.Canny(smooth, _EDGE_LOW, _EDGE_HIGH))
    if not edges.any():
        return np.full(edges.shape, math.hypot(*edges.shape), np.float32)
    return np.asarray(cv2.distanceTransform((edges == 0).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def contour_of(mask: NDArray[np.bool_]) -> Region:
    """The pixels of a mask (H, W) that touch what is outside of it; the image's border is no edge."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(mask & (inner == 0))


def hole_mask(pha: NDArray[Any]) -> Region:
    """Background (α < ½) that α ≥ ½ encloses: 4-connected parts that do not reach the image's border; (H, W)."""
    outside = (level(pha) < 0.5).astype(np.uint8)
    _, parts = cv2.connectedComponents(outside, connectivity=4)
    border = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    return np.asarray((outside > 0) & ~np.isin(parts, border))


def holes(pha: NDArray[Any]) -> float:
    """Area of holes / area of the person (α ≥ ½); 0 without a person. A ring that arms make counts as a hole."""
    person = np.count_nonzero(level(pha) >= 0.5)
    return np.count_nonzero(hole_mask(pha)) / person if person else 0.0


def islands(pha: NDArray[Any]) -> float:
    """Share of the person (α ≥ ½) outside of its largest 8-connected part, 0 … 1. Two people are two parts."""
    person = (level(pha) >= 0.5).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(person, connectivity=8)
    if count <= 2:
        return 0.0
    areas = stats[1:, cv2.CC_STAT_AREA]
    return float(1 - areas.max() / areas.sum())


def area(pha: NDArray[Any]) -> float:
    """Σα / pixels, 0 … 1."""
    return float(level(pha).mean())


def area_change(pha: NDArray[Any], previous_pha: NDArray[Any]) -> float:
    """|A_t − A_{t−1}| / the larger of both, 0 … 1; 0 if both are empty. A person who comes in changes it too."""
    now, before = area(pha), area(previous_pha)
    return abs(now - before) / max(now, before) if max(now, before) > 0 else 0.0


def halo(src: NDArray[Any], pha: NDArray[Any], *, radius: int = 4) -> float:
    """How much of the old background alpha takes for the person along its edge, 0 … 1: mean of max(0, α − α̂).

    Within `radius` pixels of the edge α̂ = (C − B)·(F − B) / |F − B|², clipped: the alpha that the pixel's colour C has
    between the mean colours F and B nearby, of the person and the background farther than `radius` from the edge.
    Where F and B are alike (< 30 of 441 apart) nothing is measured, NaN if everywhere. Texture makes it too high.
    """
    alpha, colours = level(pha), np.asarray(src, np.float32)
    rim, fgr, bgr = _local_colours(colours, alpha, radius)
    axis = fgr - bgr
    strength = _dot(axis)
    measurable = rim & (strength > _CONTRAST**2)
    if not measurable.any():
        return math.nan
    guess = np.clip(_dot(colours - bgr, axis) / np.maximum(strength, 1), 0, 1)
    return float(np.maximum(0, alpha - guess)[measurable].mean())


def _local_colours(
    colours: NDArray[Any], alpha: NDArray[Any], radius: int
) -> tuple[Region, NDArray[Any], NDArray[Any]]:
    """The rim with something sure on both sides, and the mean colours there of the person and of the background."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    person = (alpha >= 0.5).astype(np.uint8)
    wide, narrow = cv2.dilate(person, disc), cv2.erode(person, disc)
    rim, window = (wide > 0) & (narrow == 0), (6 * radius + 1, 6 * radius + 1)
    means = []
    for mask in (narrow, 1 - wide):
        weight = cv2.blur(mask.astype(np.float32), window)
        rim = rim & (weight > 0.02)
        total = cv2.blur(colours * mask[..., None], window)
        means.append(total / np.maximum(weight, 1e-6)[..., None])
    return np.asarray(rim), means[0], means[1]


def _luma(src: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(cv2.cvtColor(src, cv2.COLOR_RGB2GRAY))


def _dot(a: NDArray[Any], b: NDArray[Any] | None = None) -> NDArray[Any]:
    """Σ over the last axis of a · b, of a · a without b; several times as fast as summing products."""
    return np.einsum("...c,...c", a, a if b is None else b)


def _places(flow: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    height, width = flow.shape[:2]
    x = np.arange(width, dtype=np.float32)[None] + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    return x, y


def _lookup(values: NDArray[Any], flow: NDArray[Any]) -> NDArray[Any]:
    if flow.shape != (*values.shape[:2], 2):
        raise InputError(f"expected flow {(*values.shape[:2], 2)}, got {flow.shape}; find it at the alpha's size")
    x, y = (c.astype(np.float32) for c in _places(flow))
    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _mean(values: NDArray[Any], region: Region) -> float:
    return float(values[region].mean()) if region.any() else math.nan


def _require_pictures(*pictures: NDArray[Any]) -> None:
    shapes = {x.shape for x in pictures}
    if len(shapes) > 1 or any(x.ndim != 3 or x.shape[2] != 3 or x.dtype != np.uint8 or 0 in x.shape for x in pictures):
        came = " and ".join(f"{x.shape} {x.dtype}" for x in pictures)
        raise InputError(f"expected two RGB images (H, W, 3) uint8 of one size, got {came}; convert them first")
