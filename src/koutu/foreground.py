"""The foreground's own colour in a matte's soft rim, where the picture still holds the old background's light.

After Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021: local means F̂ and B̂ weighted by alpha, then
F = F̂ + α(I − αF̂ − (1 − α)B̂).
Ours differs: F̂ and B̂ are read on a coarse grid, from a narrow window backed by a wide one, and pixels count with a
power of their alpha, so that mixed pixels hardly colour the means; the result is written only where the rim is.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import halve
from koutu.composite import mixed, replace, require_alike, require_alpha
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
    found = _own_colours(picture, alpha)
    if not found:
        return picture
    planes = [plane.copy() for plane in _planes(picture)]
    for plane, (_, rim, own) in zip(planes, found, strict=True):
        plane.reshape(-1)[rim.at] = own
    return _like(picture, planes)


def put_over(picture: Picture, alpha: Alpha, background: Picture) -> Picture:
    """`koutu.composite.replace` of the decontaminated picture, to the bit, which is never made."""
    require_alike(picture, alpha, background)
    found = _own_colours(picture, alpha)
    if not found:
        return replace(picture, alpha, background)
    planes = zip(_planes(picture), _planes(background), found, strict=True)
    return _like(picture, [mixed(front, weight, back, rim, own) for front, back, (weight, rim, own) in planes])


def _planes(picture: Picture) -> list[NDArray]:
    return [picture.y, picture.u, picture.v] if isinstance(picture, Yuv) else [*cv2.split(picture)]


def _like(picture: Picture, planes: list[NDArray]) -> Picture:
    return picture.with_planes(*planes) if isinstance(picture, Yuv) else np.asarray(cv2.merge(planes))


def _own_colours(picture: Picture, alpha: Alpha) -> list[tuple[Alpha, Rim, NDArray]]:
    """For each of three planes its alpha, the rim of it and F there; nothing if the matte has no rim."""
    rim = rim_of(alpha)
    if not len(rim.at):
        return []
    planes, half = _planes(picture), halve(alpha)
    shared = planes[1].shape != alpha.shape  # 4:2:0
    half_rim = rim_of(half) if shared else rim
    box = _reach([rim.box(), half_rim.box(2 if shared else 1)], alpha.shape)
    half_box = _halved(box[0]), _halved(box[1])
    rims = [(alpha, rim, box), *[(half, half_rim, half_box) if shared else (alpha, rim, box)] * 2]
    small = [halve(planes[0][box]), *(plane[half_box] if shared else halve(plane[box]) for plane in planes[1:])]
    halvings = max(0, int(np.log2(min(alpha.shape) / 300)))  # beyond the first: 1/4 at 720 and 1080 rows
    grids = _local_colours(cv2.merge(small), half[half_box], halvings, [(rim, part) for _, rim, part in rims[:2]])
    return [
        (weight, rim, _clean(plane, rim, part, grid))
        for plane, (weight, rim, part), grid in zip(planes, rims, grids, strict=True)
    ]


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


def _local_colours(picture: NDArray, alpha: Alpha, halvings: int, rims: list[tuple[Rim, Box]]) -> list[NDArray]:
    """A grid (h, w, 4) for each channel of a picture (·, ·, 3), halved so often: F̂ and B̂, found where rims are; 0, 0.

    rims: of its planes, each with the part of them that the picture shows.
    """
    prior = picture
    for _ in range(halvings + 2):
        prior = halve(prior)
    height, width = (-(-side >> halvings) for side in alpha.shape)
    touched = np.zeros((height, width), np.uint8)
    for rim, box in rims:
        for run in rim.runs():
            x, y = run.inside(box, touched.shape)
            touched[y.astype(np.intp), x.astype(np.intp)] = 1
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


def _clean(plane: NDArray, rim: Rim, box: Box, grid: NDArray) -> NDArray:
    """F in a plane's rim (N,); the grid has F̂ and B̂ of that part of the plane."""
    top, own = 255 if plane.dtype == np.uint8 else 1023, [np.zeros(0, plane.dtype)]
    for run in rim.runs():
        front, back = sampled(grid, *run.inside(box, grid.shape))[:2].astype(np.float32)
        weight = run.alpha * np.float32(1 / 255)
        seen = plane.reshape(-1).take(run.at)
        colour = front + weight * (seen - back - weight * (front - back))
        own.append(np.clip(np.rint(colour), 0, top).astype(plane.dtype))
    return np.concatenate(own)
