"""A contact sheet: images beside their truths, small, with names under them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from koutu.data.sets.fitting import in_square
from koutu.types import Rgb

_SIDE, _LINE, _GAP = 160, 18, 8  # pixels: of a thumbnail, of a name's line, between cells
_PAPER, _INK = 32, 220
_NONE = 64  # grey of a truth that is not there


@dataclass(frozen=True)
class Cell:
    """An image and its truth as thumbnails of 160×160 on a dark ground."""

    name: str
    picture: Rgb
    truth: NDArray


def make_cell(name: str, picture: Rgb, pha: NDArray | None) -> Cell:
    """The cell of an image (H, W, 3) uint8 and its alpha (H, W) in [0, 1]."""
    truth = np.full(picture.shape[:2], _NONE, np.uint8) if pha is None else np.rint(pha * 255).astype(np.uint8)
    return Cell(name, in_square(picture, _SIDE, _PAPER), in_square(truth, _SIDE, _PAPER))


def contact_sheet(cells: Sequence[Cell], columns: int = 6) -> Rgb:
    """(H, W, 3) uint8, row by row."""
    columns = max(1, min(columns, len(cells)))
    rows = -(-len(cells) // columns)
    width, height = 2 * _SIDE + _GAP, _SIDE + _LINE + _GAP
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), (_PAPER,) * 3)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    for at, cell in enumerate(cells):
        left, top = _GAP + at % columns * width, _GAP + at // columns * height
        sheet.paste(Image.fromarray(cell.picture), (left, top))
        sheet.paste(Image.fromarray(cell.truth), (left + _SIDE, top))
        draw.text((left, top + _SIDE + 3), _shortened(cell.name), (_INK,) * 3, font)
    return np.array(sheet)


def _shortened(name: str, limit: int = 50) -> str:
    """The end of a long name, which tells more than its beginning; only what the built-in font can draw."""
    plain = name.encode("ascii", "replace").decode()
    return plain if len(plain) <= limit else f"...{plain[3 - limit :]}"
