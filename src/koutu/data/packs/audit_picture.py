"""One image of a pack as a strip that a matte can be judged by: the person elsewhere, alpha, the worst of the edge."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from koutu.composite import blend
from koutu.data.packs.audit_draw import Drawn
from koutu.data.sets.fitting import in_square
from koutu.foreground import decontaminate
from koutu.matting.pull_push import extended
from koutu.types import Alpha, Rgb

TALL, WIDE = 242, 788  # pixels of a strip
PER_SHEET = 12
_COLUMNS = 2
_SEAM = 2  # between parts of a strip
_SMALL = (TALL - _SEAM) // 2
_WINDOW = (_SMALL, (WIDE - TALL - _SMALL - 4 * _SEAM) // 3)  # of a zoom, (H, W)
_ZOOM, _SIDE = 3, 448  # times that a window enlarges an image of this long side
_LINE, _GAP, _LETTERS = 16, 8, 110
_PAPER, _INK = 32, 225
_COLOURS = ((0, 177, 64), (255, 255, 255), (16, 16, 16), (200, 30, 160), (40, 90, 230), (250, 200, 40))


def strip(rgba: NDArray[np.uint8], alone: bool) -> Rgb:
    """(TALL, WIDE, 3) of an image (H, W, 4): the person on a plain colour, as trainings see them; the image over alpha;
    three windows on the edge, enlarged: the person over what they are cut out of, or over alpha if `alone`, a cut-out.
    """  # fmt: skip
    rgb, alpha = np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
    person = extended(np.asarray(decontaminate(rgb, alpha)), alpha)
    placed = blend(person, alpha, np.full_like(rgb, _contrast(rgb, alpha)))
    grey = np.repeat(alpha[..., None], 3, axis=2)
    below = grey if alone else rgb
    height, width = _window_size(alpha)
    windows = [
        [_enlarged(picture[top : top + height, left : left + width]) for picture in (placed, below)]
        for top, left in hardest(rgb, alpha, (height, width))
    ]
    columns = [[_fitted(placed[_near(alpha)], TALL)], [_fitted(rgb, _SMALL), _fitted(grey, _SMALL)], *windows]
    page = np.full((TALL, WIDE, 3), _PAPER, np.uint8)
    left = 0
    for column in columns:
        for place, picture in enumerate(column):
            top = place * (_SMALL + _SEAM)
            page[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        left += column[0].shape[1] + _SEAM
    return page


def sheet(drawn: Sequence[Drawn], strips: Sequence[Rgb]) -> Rgb:
    """(H, W, 3): strips under the numbers and names of their images, two beside each other."""
    rows = -(-len(strips) // _COLUMNS)
    height = TALL + _LINE + _GAP
    page = Image.new("RGB", (_COLUMNS * (WIDE + _GAP) + _GAP, rows * height + _GAP), (_PAPER,) * 3)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for at, (one, picture) in enumerate(zip(drawn, strips, strict=True)):
        left, top = _GAP + at % _COLUMNS * (WIDE + _GAP), _GAP + at // _COLUMNS * height
        plain = one.name.encode("ascii", "replace").decode()
        draw.text((left, top - 2), f"{one.number}   {plain}"[:_LETTERS], (_INK,) * 3, font)
        page.paste(Image.fromarray(picture), (left, top + _LINE))
    return np.array(page)


def hardest(rgb: Rgb, alpha: Alpha, size: tuple[int, int], count: int = 3) -> list[tuple[int, int]]:
    """Corners (top, left) of `count` windows of (H, W) on the edge, or fewer: one at the hair, then where it is worst.

    Worst is where much is soft, and where alpha rises without the image or the image without alpha.
    """
    score = cv2.blur(_doubt(rgb, alpha), size[::-1], borderType=cv2.BORDER_CONSTANT)
    head = np.zeros_like(score)
    left, top, across, down = cv2.boundingRect((alpha > 127).astype(np.uint8))
    head[top : top + max(1, down // 3), left : left + across] = 1
    corners: list[tuple[int, int]] = []
    for weight in (head, *[np.ones_like(score)] * count)[: count + 1]:
        _, most, _, (x, y) = cv2.minMaxLoc(score * weight)
        if most <= 1e-4 or len(corners) == count:
            continue
        y, x = (
            int(np.clip(c - n // 2, 0, max(0, whole - n)))
            for c, n, whole in zip((y, x), size, alpha.shape, strict=True)
        )
        corners.append((y, x))
        height, width = size
        score[max(0, y - height // 3) : y + height * 4 // 3, max(0, x - width // 3) : x + width * 4 // 3] = 0
    return corners


def _doubt(rgb: Rgb, alpha: Alpha) -> NDArray[Any]:
    """(H, W): how much each pixel of the edge asks to be looked at."""
    share = alpha.astype(np.float32) / 255
    luma = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (0, 0), 1).astype(np.float32) / 255
    edge = cv2.dilate(((alpha > 12) & (alpha < 243)).astype(np.uint8), np.ones((5, 5), np.uint8))
    outline = cv2.morphologyEx((alpha > 127).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    own, seen = (np.minimum(_slope(plane) * scale, 1) for plane, scale in ((share, 0.5), (luma, 2.0)))
    return 4 * share * (1 - share) + np.abs(own - seen) * np.maximum(edge, outline)


def _slope(plane: NDArray[Any]) -> NDArray[Any]:
    return cv2.magnitude(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1))


def _contrast(rgb: Rgb, alpha: Alpha) -> tuple[int, int, int]:
    """The plain colour that the fewest of the colours at the edge come near, on either side of it."""
    edge = cv2.morphologyEx((alpha > 127).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((9, 9), np.uint8)) > 0
    colours = rgb[edge].astype(np.float32) if edge.any() else np.full((1, 3), 128, np.float32)
    away = [float(np.quantile(np.abs(colours - np.array(c, np.float32)).max(axis=1), 0.1)) for c in _COLOURS]
    return _COLOURS[int(np.argmax(away))]


def _near(alpha: Alpha) -> tuple[slice, slice]:
    """Rows and columns of the person with some room around."""
    left, top, width, height = cv2.boundingRect((alpha > 12).astype(np.uint8))
    if not width:
        return slice(None), slice(None)
    room = max(width, height) // 8
    return slice(max(0, top - room), top + height + room), slice(max(0, left - room), left + width + room)


def _window_size(alpha: Alpha) -> tuple[int, int]:
    """(H, W) of what a window shows of an image, never more than there is."""
    scale = max(max(alpha.shape) / _SIDE, 0.25) / _ZOOM
    height, width = (max(4, round(n * scale)) for n in _WINDOW)
    return min(height, alpha.shape[0]), min(width, alpha.shape[1])


def _enlarged(picture: Rgb) -> Rgb:
    return np.asarray(cv2.resize(picture, _WINDOW[::-1], interpolation=cv2.INTER_CUBIC))


def _fitted(picture: Rgb, side: int) -> Rgb:
    return in_square(picture, side, _PAPER, cv2.INTER_CUBIC)
