"""Mattes side by side, to be looked at: image, trimap, alpha and the person on green, the most doubtful first."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from koutu.data.mattes.soft_matte import Solved
from koutu.types import Rgb

SIDE = 300  # pixels of each of the four
_GAP, _LINE, _LETTERS = 8, 20, 190
_PAPER = 32
_GREEN = (0, 200, 60)
_INKS = {"accepted": (200, 220, 200), "rejected": (255, 120, 90)}

Row = tuple[str, str, Rgb]  # verdict, what is written over it, strip


def strip(rgb: Rgb, solved: Solved) -> Rgb:
    """(SIDE, 4 SIDE, 3): the image, its trimap, its alpha, and the person on green."""
    share = solved.alpha[..., None].astype(np.float32) / 255
    green = solved.fgr * share + np.array(_GREEN, np.float32) * (1 - share)
    grey = [np.repeat(x[..., None], 3, axis=2) for x in (solved.trimap, solved.alpha)]
    return np.hstack([_square(x) for x in (rgb, *grey, np.rint(green).astype(np.uint8))])


def sheet(rows: Sequence[Row]) -> Rgb:
    """Strips under each other, (H, W, 3)."""
    height = SIDE + _LINE + _GAP
    page = Image.new("RGB", (4 * SIDE + 2 * _GAP, height * len(rows) + _GAP), (_PAPER,) * 3)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default()
    for at, (verdict, text, picture) in enumerate(rows):
        top = _GAP + at * height
        plain = text.replace("×", "x").encode("ascii", "replace").decode()
        draw.text((_GAP, top + 3), f"{verdict}  {plain}"[:_LETTERS], _INKS[verdict], font)
        page.paste(Image.fromarray(picture), (_GAP, top + _LINE))
    return np.array(page)


def _square(picture: NDArray) -> Rgb:
    scale = SIDE / max(picture.shape[:2])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.full((SIDE, SIDE, 3), _PAPER, np.uint8)
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square
