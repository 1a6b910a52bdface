"""A few clicks on the person, and beside, into a mask: GrabCut by OpenCV.

After Rother et al., "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts", SIGGRAPH 2004.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import InputError, Rgb

LONGEST = 512  # side of the frame that the cut works on
ROUNDS = 6
_DISC = 0.02  # radius of a click, of the shorter side: surely what was clicked
_REACH = 0.35  # radius around a click on the person that may be the person, of the shorter side


@dataclass(frozen=True)
class Click:
    """A point in pixels of the full-size frame, on the person or, with `person` False, beside."""

    x: float
    y: float
    person: bool = True


def parse_clicks(text: str) -> list[Click]:
    """ "320,200 300,400 -20,20": points x,y divided by spaces; a minus before the point marks the background."""
    clicks = []
    for word in text.replace(";", " ").split():
        try:
            x, y = (float(part) for part in word.lstrip("+-").split(","))
        except ValueError:
            raise InputError(
                f'expected clicks like "320,200 -20,20" (x,y in pixels, - before a background point), got {word!r}'
            ) from None
        clicks.append(Click(x, y, not word.startswith("-")))
    return clicks


def mask_from_clicks(rgb: Rgb, clicks: Sequence[Click]) -> NDArray[np.uint8]:
    """Mask (H, W) of 0 and 255 for a frame (H, W, 3). Raises InputError without a click on the person."""
    height, width = rgb.shape[:2]
    if not any(click.person for click in clicks):
        raise InputError("expected a click on the person, got none; give at least one point without a minus")
    for click in clicks:
        if not (0 <= click.x < width and 0 <= click.y < height):
            raise InputError(
                f"expected clicks within {width}×{height}, got {click.x:g},{click.y:g}; count from top left"
            )
    scale = min(1.0, LONGEST / max(height, width))
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    label = _seeded(small.shape[:2], clicks, scale)
    if not (label == cv2.GC_BGD).any():
        label[0] = cv2.GC_BGD  # with nothing beside the person, the top row is taken for the room
    models = np.zeros((2, 1, 65), np.float64)
    cv2.grabCut(np.ascontiguousarray(small[..., ::-1]), label, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    mask = np.where((label == cv2.GC_FGD) | (label == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    mask = _touched(mask, clicks, scale)
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) > 127).astype(np.uint8) * 255


def _seeded(size: tuple[int, int], clicks: Sequence[Click], scale: float) -> NDArray[np.uint8]:
    label = np.full(size, cv2.GC_PR_BGD, np.uint8)
    shorter = min(size)
    for person, radius, value in (
        (True, _REACH, cv2.GC_PR_FGD), (False, _DISC, cv2.GC_BGD), (True, _DISC, cv2.GC_FGD)
    ):  # fmt: skip
        for click in clicks:
            if click.person == person:
                centre = round(click.x * scale), round(click.y * scale)
                cv2.circle(label, centre, max(1, round(radius * shorter)), int(value), -1)
    return label


def _touched(mask: NDArray[np.uint8], clicks: Sequence[Click], scale: float) -> NDArray[np.uint8]:
    """Only the parts of the mask that somebody clicked on."""
    _, parts = cv2.connectedComponents(mask)
    height, width = mask.shape
    points = [(min(height - 1, round(c.y * scale)), min(width - 1, round(c.x * scale))) for c in clicks if c.person]
    kept = {int(parts[point]) for point in points} - {0}
    return np.where(np.isin(parts, list(kept)), mask, 0).astype(np.uint8)
