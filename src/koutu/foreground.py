"""The foreground's own colour in a matte's soft rim, where the picture still holds the old background's light.

After Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021: local means F̂ and B̂ weighted by alpha, then
F = F̂ + α(I − αF̂ − (1 − α)B̂).
Ours differs: F̂ and B̂ are read on a coarse grid, from a narrow window backed by a wide one, and pixels count with a
power of their alpha, so that mixed pixels hardly colour the means; the result is written only where the rim is.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import halve
from koutu.composite import require_alpha, weight_like
from koutu.types import Alpha, Picture, Yuv, Yuv444, picture_size

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
    box = _rim_box(alpha)
    if box is None:
        return picture
    alpha = np.ascontiguousarray(alpha[box])
    half_alpha = halve(alpha)
    halvings = max(0, int(np.log2(min(picture_size(picture)) / 300)))  # beyond the first: 1/4 at 720 and 1080 rows
    if not isinstance(picture, Yuv):
        clean = picture.copy()
        _clean(clean[box], alpha, *_local_colours(halve(picture[box]), half_alpha, halvings))
        return clean
    whole = isinstance(picture, Yuv444)
    chroma_box = box if whole else tuple(slice(part.start // 2, (part.stop + 1) // 2) for part in box)
    planes = picture.y.copy(), picture.u.copy(), picture.v.copy()
    parts = planes[0][box], planes[1][chroma_box], planes[2][chroma_box]
    small = [halve(parts[0]), *((halve(part) for part in parts[1:]) if whole else parts[1:])]
    front, back = _local_colours(cv2.merge(small), half_alpha, halvings)
    alphas = (alpha,) * 3 if whole else (alpha, half_alpha, half_alpha)
    for part, weight, f, b in zip(parts, alphas, cv2.split(front), cv2.split(back), strict=True):
        _clean(part, weight, f, b)
    return picture.with_planes(*planes)


def _rim_box(alpha: Alpha) -> tuple[slice, slice] | None:
    """The part of the picture around the rim, with as much beside it as the wide window sees; None if there is none."""
    left, top, width, height = cv2.boundingRect(cv2.inRange(alpha, 1, 254))
    if not width:
        return None
    reach = min(alpha.shape) // 8  # from multiples of 32, so that the coarse grids stand still while the person moves
    rows = slice(max(0, top - reach) & -32, min(alpha.shape[0], (top + height + reach + 1) & -2))
    return rows, slice(max(0, left - reach) & -32, min(alpha.shape[1], (left + width + reach + 1) & -2))


def _local_colours(picture: NDArray, alpha: Alpha, halvings: int) -> tuple[NDArray, NDArray]:
    """F̂ and B̂ of a three-channel picture and its alpha, on a grid halved so often."""
    prior = picture
    for _ in range(halvings + 2):
        prior = halve(prior)
    tables = _FOREGROUND, _BACKGROUND
    front, back = (_local_colour(picture, cv2.LUT(alpha, table), halvings, prior) for table in tables)
    return front, back


def _local_colour(picture: NDArray, weight: NDArray, halvings: int, prior: NDArray) -> NDArray:
    """The weighted mean in a narrow window, drawn to that in a wide one and this to the picture where little counts."""
    product = cv2.multiply(picture, weight_like(weight, picture), scale=1 / 255)
    for _ in range(halvings):
        product, weight = halve(product), halve(weight)
    wide, wide_weight = halve(halve(product)), halve(halve(weight))
    span = 2 * (min(wide_weight.shape) // 6) + 1
    far = _mean(wide, wide_weight, span, prior.astype(np.float32), 0.001)
    far = cv2.resize(far, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.rint(_mean(product, weight, 3, far, 0.03)).astype(picture.dtype)


def _mean(product: NDArray, weight: NDArray, span: int, prior: NDArray, prior_weight: float) -> NDArray:
    """Float mean in a square window; `prior` counts with a weight of its own, the pixels with 0…1."""
    total = cv2.blur(product.astype(np.float32), (span, span), borderType=cv2.BORDER_REPLICATE)
    count = cv2.blur(weight.astype(np.float32), (span, span), borderType=cv2.BORDER_REPLICATE)
    total = cv2.scaleAdd(prior, prior_weight, total)
    return cv2.divide(total, cv2.merge([cv2.addWeighted(count, 1 / 255, count, 0, prior_weight)] * 3))


def _clean(plane: NDArray, alpha: Alpha, front: NDArray, back: NDArray) -> None:
    """Write F in place of I in the plane's rim; front and back are F̂ and B̂ on any coarser grid."""
    f, b = (cv2.resize(colour, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR) for colour in (front, back))
    weight, rest = weight_like(alpha, plane), weight_like(cv2.bitwise_not(alpha), plane)
    expected = cv2.add(cv2.multiply(f, weight, scale=1 / 255), cv2.multiply(b, rest, scale=1 / 255))
    brighter = cv2.multiply(cv2.subtract(plane, expected), weight, scale=1 / 255)  # unsigned: a side stops at 0 …
    darker = cv2.multiply(cv2.subtract(expected, plane), weight, scale=1 / 255)
    colour = cv2.subtract(cv2.add(f, brighter), darker)  # … so one of the two is always nothing
    if plane.dtype == np.uint16:
        colour = np.minimum(colour, 1023)
    cv2.copyTo(colour, cv2.inRange(alpha, 1, 254), dst=plane)
