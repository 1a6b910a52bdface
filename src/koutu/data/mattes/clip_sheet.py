"""Frames of clips side by side, to be looked at: the frame, its alpha, and the person on green."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from koutu.types import Alpha, Rgb

WIDTH = 170  # pixels of each of the three
ROW = 3  # frames beside each other
_GAP, _LINE = 6, 14
_PAPER = 32
_INK, _GREEN = (220, 220, 200), (0, 200, 60)


def triple(rgb: Rgb, alpha: Alpha, fgr: Rgb) -> Rgb:
    """A frame, its alpha (H, W) and the person's colours on green, each WIDTH wide."""
    share = alpha[..., None].astype(np.float32) / 255
    green = np.rint(fgr * share + np.array(_GREEN, np.float32) * (1 - share)).astype(np.uint8)
    grey = np.repeat(alpha[..., None], 3, axis=2)
    size = WIDTH, max(1, round(WIDTH * rgb.shape[0] / rgb.shape[1]))
    parts: list[NDArray] = [cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (rgb, grey, green)]
    return np.hstack(parts)


def clip_sheet(shown: Sequence[tuple[str, Rgb]]) -> Rgb:
    """Triples of `triple` with what is written over each, (H, W, 3)."""
    height = max(picture.shape[0] for _, picture in shown) + _LINE + _GAP
    rows = -(-len(shown) // ROW)
    page = Image.new("RGB", (ROW * (3 * WIDTH + _GAP) + _GAP, rows * height + _GAP), (_PAPER,) * 3)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(10)
    for at, (text, picture) in enumerate(shown):
        left, top = _GAP + at % ROW * (3 * WIDTH + _GAP), _GAP + at // ROW * height
        plain = text.replace("×", "x").encode("ascii", "replace").decode()
        draw.text((left, top), plain[:95], _INK, font)
        page.paste(Image.fromarray(picture), (left, top + _LINE))
    return np.array(page)
