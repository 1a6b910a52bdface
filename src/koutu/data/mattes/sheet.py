"""Mattes side by side, to be looked at: image, trimap, alpha and the person on green, the most doubtful first."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from koutu.data.mattes.soft_matte import Solved
from koutu.data.sets.fitting import in_square
from koutu.types import Rgb

SIDE = 300  # pixels of each of the four
_GAP, _LINE, _LETTERS = 8, 20, 190
_PAPER = 32
_GREEN = (0, 200, 60)
_COLOURS = ((255, 60, 60), (60, 160, 255), (255, 220, 0), (60, 230, 90), (255, 90, 255), (0, 230, 230))
_STRIPE = 5  # pixels
_CROSS = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
_INKS = {"accepted": (200, 220, 200), "rejected": (255, 120, 90)}

Row = tuple[str, str, Rgb]  # verdict, what is written over it, strip


def strip(rgb: Rgb, solved: Solved, answers: Mapping[str, NDArray[np.float32]] | None = None) -> Rgb:
    """(SIDE, 4 SIDE, 3): the image, its trimap, its alpha, and the person on green.

    answers: of several teachers (H, W), whose outlines are drawn on the image, each in its colour.
    """
    share = solved.alpha[..., None].astype(np.float32) / 255
    green = solved.fgr * share + np.array(_GREEN, np.float32) * (1 - share)
    grey = [np.repeat(x[..., None], 3, axis=2) for x in (solved.trimap, solved.alpha)]
    squares = [_square(x) for x in (rgb, *grey, np.rint(green).astype(np.uint8))]
    if answers and len(answers) > 1:
        _draw(squares[0], list(answers.values()))
    return np.hstack(squares)


def sheet(rows: Sequence[Row], teachers: Sequence[str] = ()) -> Rgb:
    """Strips under each other, (H, W, 3), under the names of several teachers in the colours of their outlines."""
    height, head = SIDE + _LINE + _GAP, _GAP + (_LINE if len(teachers) > 1 else 0)
    page = Image.new("RGB", (4 * SIDE + 2 * _GAP, height * len(rows) + head), (_PAPER,) * 3)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default()
    if len(teachers) > 1:
        left = float(_GAP)
        for name, colour in zip(teachers, cycle(_COLOURS), strict=False):
            draw.text((left, _GAP), name, colour, font)
            left += draw.textlength(name + "   ", font)
    for at, (verdict, text, picture) in enumerate(rows):
        top = head + at * height
        plain = text.replace("×", "x").encode("ascii", "replace").decode()
        draw.text((_GAP, top + 3), f"{verdict}  {plain}"[:_LETTERS], _INKS[verdict], font)
        page.paste(Image.fromarray(picture), (_GAP, top + _LINE))
    return np.array(page)


def _draw(square: Rgb, answers: Sequence[NDArray[np.float32]]) -> None:
    """The outline of each answer in its colour; in stripes of all where they run together."""
    y, x = np.indices(square.shape[:2])
    stripe = (x + y) // _STRIPE % len(answers)
    outlines = []
    for answer in answers:
        person = _square(np.where(answer > 0.5, 255, 0).astype(np.uint8)[..., None].repeat(3, axis=2))[..., 0] > 127
        outlines.append(cv2.dilate(person.astype(np.uint8), _CROSS) > person)
    for own in (False, True):
        for at, (outline, colour) in enumerate(zip(outlines, cycle(_COLOURS), strict=False)):
            square[outline & (stripe == at) if own else outline] = colour


def _square(picture: NDArray) -> Rgb:
    return in_square(picture, SIDE, _PAPER)
