"""The foreground's own colour in a matte's soft rim, where the picture still holds the old background's light.

After Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021: local means F̂ and B̂ weighted by alpha, then
F = F̂ + α(I − αF̂ − (1 − α)B̂).
Ours differs: F̂ and B̂ are read on a coarse grid, from a narrow window backed by a wide one, and pixels count with a
power of their alpha, so that mixed pixels hardly colour the means; the result is written only where the rim is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import halve
from koutu.composite import blend, mixed, replace, require_alike, require_alpha, weight_like
from koutu.sparse import STRIP, At, Box, Rim, rim_of, sampled
from koutu.types import Alpha, Picture, Yuv

# How much a pixel of each alpha says about the foreground; below 0.7 nothing, where products would round too coarsely.
_FOREGROUND = np.rint(255 * np.linspace(0, 1, 256) ** 6).astype(np.uint8)
_FOREGROUND[_FOREGROUND < 32] = 0
_BACKGROUND = np.ascontiguousarray(_FOREGROUND[::-1])


def decontaminate(picture: Picture, alpha: Alpha) -> Picture:
    """F of I = αF + (1 − α)B: the picture with the old background's light taken out where 0 < alpha < 255.

    Elsewhere, alpha 0 included, the picture is returned as it came, to the bit. 4:2:0's chroma goes by the mean alpha
    of 2×2 pixels.
    """
    require_alpha(picture, alpha)
    found = _found(picture, alpha)
    if not found:
        return picture
    return _like(picture, [_cleaned(plane, part) for plane, part in zip(_planes(picture), found, strict=True)])


def put_over(picture: Picture, alpha: Alpha, background: Picture) -> Picture:
    """`koutu.composite.replace` of the decontaminated picture, to the bit, which is never made."""
    require_alike(picture, alpha, background)
    found = _found(picture, alpha)
    if not found:
        return replace(picture, alpha, background)
    planes = [
        blend(_cleaned(front, part), part.alpha, back)
        if part.rim is None
        else mixed(front, part.alpha, back, part.rim, _own_colours(front, part, part.rim))
        for front, back, part in zip(_planes(picture), _planes(background), found, strict=True)
    ]
    return _like(picture, planes)


@dataclass(frozen=True, slots=True)
class _Part:
    """A plane's alpha, the rim of it, None if that is most of it, and F̂ and B̂ of the part `box` on a grid."""

    alpha: Alpha
    rim: Rim | None
    box: Box
    grid: NDArray


def _planes(picture: Picture) -> list[NDArray]:
    return [picture.y, picture.u, picture.v] if isinstance(picture, Yuv) else [*cv2.split(picture)]


def _like(picture: Picture, planes: list[NDArray]) -> Picture:
    return picture.with_planes(*planes) if isinstance(picture, Yuv) else np.asarray(cv2.merge(planes))


def _found(picture: Picture, alpha: Alpha) -> list[_Part]:
    """What is known of each of three planes; nothing if the matte has no rim."""
    rim, planes, half = rim_of(alpha), _planes(picture), halve(alpha)
    if rim is not None and not len(rim.at):
        return []
    shared = planes[1].shape != alpha.shape  # 4:2:0
    half_rim = rim_of(half) if shared else rim
    box = _reach([_bounds(alpha, rim, 1), *([_bounds(half, half_rim, 2)] if shared else [])], alpha.shape)
    half_box = _halved(box[0]), _halved(box[1])
    small = [halve(planes[0][box]), *(plane[half_box] if shared else halve(plane[box]) for plane in planes[1:])]
    halvings = max(0, int(np.log2(min(alpha.shape) / 300)))  # beyond the first: 1/4 at 720 and 1080 rows
    grids = _local_colours(
        cv2.merge(small), half[half_box], halvings, [(rim, box), (half_rim, half_box if shared else box)]
    )
    chroma = (half, half_rim, half_box) if shared else (alpha, rim, box)
    return [_Part(alpha, rim, box, grids[0]), *(_Part(*chroma, grid) for grid in grids[1:])]


def _bounds(alpha: Alpha, rim: Rim | None, times: int) -> Box:
    """Of the rim, on a plane so many times larger."""
    return (slice(0, times * alpha.shape[0]), slice(0, times * alpha.shape[1])) if rim is None else rim.box(times)


def _reach(boxes: list[Box], size: tuple[int, ...]) -> Box:
    """The part of the picture around its rims, with as much beside them as the wide window sees."""
    reach = min(size) // 8  # from multiples of 32, so that the coarse grids stand still while the person moves
    rows, columns = (
        slice(
            max(0, min(part.start for part in parts) - reach) & -32,
            min(length, (max(part.stop for part in parts) + reach + 1) & -2),
        )
        for parts, length in zip(zip(*boxes, strict=True), size, strict=True)
    )
    return rows, columns


def _halved(part: slice) -> slice:
    return slice(part.start // 2, (part.stop + 1) // 2)


def _local_colours(picture: NDArray, alpha: Alpha, halvings: int, rims: list[tuple[Rim | None, Box]]) -> list[NDArray]:
    """A grid (h, w, 4) for each channel of a picture (·, ·, 3), halved so often: F̂ and B̂, found where rims are; 0, 0.

    rims: of its planes, each with the part of them that the picture shows.
    """
    prior = picture
    for _ in range(halvings + 2):
        prior = halve(prior)
    height, width = (-(-side >> halvings) for side in alpha.shape)
    touched = np.zeros((height, width), np.uint8)
    for rim, box in rims:
        for run in rim.runs() if rim is not None else ():
            x, y = run.inside(box, touched.shape)
            touched.reshape(-1)[y.astype(np.int32) * width + x.astype(np.int32)] = 1
        touched |= rim is None
    cells = np.flatnonzero(cv2.dilate(touched, np.ones((3, 3), np.uint8)).view(np.bool_))
    grids = [np.zeros((height * width, 4), picture.dtype) for _ in range(3)]
    for side, table in enumerate((_FOREGROUND, _BACKGROUND)):
        found = _local_colour(picture, cv2.LUT(alpha, table), halvings, prior.astype(np.float32), cells)
        for grid, colour in zip(grids, found, strict=True):
            grid[cells, side] = np.rint(colour)
    return [grid.reshape(height, width, 4) for grid in grids]


def _local_colour(picture: NDArray, weight: NDArray, halvings: int, prior: NDArray, cells: At) -> NDArray[np.float32]:
    """The weighted mean (3, N) in a narrow window, drawn to that in a wide one and this to `prior` where little counts.

    cells: flat indices (N,) into the picture halved so often.
    """
    product = np.concatenate(
        [_weighted(*strip, halvings) for strip in zip(_strips(picture), _strips(weight), strict=True)]
    )
    for _ in range(halvings):
        weight = halve(weight)
    wide, wide_weight = halve(halve(product)), halve(halve(weight))
    span = 2 * (min(wide_weight.shape) // 6) + 1
    total, count = _mean(wide, span), _mean(wide_weight, span)
    far = (total + 0.001 * prior) / (count[..., None] / 255 + 0.001)
    y, x = np.divmod(cells, weight.shape[1])
    scale = [np.float32(n / m) for n, m in zip(wide_weight.shape, weight.shape, strict=True)]
    places = ((i.astype(np.float32) + 0.5) * k - 0.5 for i, k in ((x, scale[1]), (y, scale[0])))
    far = sampled(far, *places)
    total, count = _mean(product, 3).reshape(-1, 3).take(cells, 0).T, _mean(weight, 3).reshape(-1).take(cells)
    return np.asarray((total + 0.03 * far) / (count / 255 + 0.03), np.float32)


def _strips(plane: NDArray) -> Iterator[NDArray]:
    return (plane[top : top + STRIP] for top in range(0, len(plane), STRIP))


def _weighted(picture: NDArray, weight: NDArray, halvings: int) -> NDArray:
    """Picture (h, w, 3) × weight / 255, halved so often."""
    product = cv2.multiply(picture, cv2.merge([weight.astype(picture.dtype, copy=False)] * 3), scale=1 / 255)
    for _ in range(halvings):
        product = halve(product)
    return np.asarray(product)


def _mean(plane: NDArray, span: int) -> NDArray[np.float32]:
    """In a square window."""
    return np.asarray(cv2.boxFilter(plane, cv2.CV_32F, (span, span), borderType=cv2.BORDER_REPLICATE), np.float32)


def _cleaned(plane: NDArray, part: _Part) -> NDArray:
    """The plane with F in its rim."""
    clean = plane.copy()
    if part.rim is not None:
        clean.reshape(-1)[part.rim.at] = _own_colours(plane, part, part.rim)
        return clean
    seen, alpha = clean[part.box], part.alpha[part.box]
    front, back = (
        cv2.resize(np.ascontiguousarray(part.grid[..., i]), alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for i in range(2)
    )
    weight, rest = weight_like(alpha, plane), weight_like(cv2.bitwise_not(alpha), plane)
    expected = cv2.add(cv2.multiply(front, weight, scale=1 / 255), cv2.multiply(back, rest, scale=1 / 255))
    brighter = cv2.multiply(cv2.subtract(seen, expected), weight, scale=1 / 255)  # unsigned: a side stops at 0 …
    darker = cv2.multiply(cv2.subtract(expected, seen), weight, scale=1 / 255)
    colour = cv2.subtract(cv2.add(front, brighter), darker)  # … so one of the two is always nothing
    if plane.dtype == np.uint16:
        colour = np.minimum(colour, 1023)
    cv2.copyTo(colour, cv2.inRange(alpha, 1, 254), dst=seen)
    return clean


def _own_colours(plane: NDArray, part: _Part, rim: Rim) -> NDArray:
    """F in a plane's rim (N,)."""
    top, own = 255 if plane.dtype == np.uint8 else 1023, [np.zeros(0, plane.dtype)]
    for run in rim.runs():
        front, back = sampled(part.grid, *run.inside(part.box, part.grid.shape))[:2].astype(np.float32)
        weight = run.alpha * np.float32(1 / 255)
        seen = plane.reshape(-1).take(run.at)
        colour = front + weight * (seen - back - weight * (front - back))
        own.append(np.clip(np.rint(colour), 0, top).astype(plane.dtype))
    return np.concatenate(own)
