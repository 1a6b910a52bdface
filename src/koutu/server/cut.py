"""A person cut out of a picture: alpha, their own colours, and what may go behind them."""

from dataclasses import dataclass

import cv2
import numpy as np

from koutu.color import to_rgb
from koutu.composite import replace
from koutu.engines.backend import Backend
from koutu.engines.opinion import Opinion
from koutu.matting.matter import Matter
from koutu.media.background import Background
from koutu.pipeline.convert import own_colours
from koutu.types import Alpha, Frame, InputError, Rgb

SEEN = 8  # of 255: fainter alpha is not counted as part of the person
SURE = 128
LEAST = 2e-4  # of the image's pixels that must be sure for it to show anybody

Box = tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True)
class Cut:
    """fgr: the person's colours (H, W, 3), freed of the old background; alpha (H, W)."""

    fgr: Rgb
    alpha: Alpha

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.alpha.shape[0], self.alpha.shape[1]

    @property
    def box(self) -> Box | None:
        """Where the person is; None if there is nobody."""
        left, top, width, height = cv2.boundingRect(cv2.inRange(self.alpha, SEEN, 255))
        return (top, left, top + height, left + width) if width else None

    @property
    def shows_somebody(self) -> bool:
        """Whether enough of the image is surely a person."""
        return cv2.countNonZero(cv2.inRange(self.alpha, SURE, 255)) > LEAST * self.alpha.size


def cut_out(frame: Frame, backend: Backend, roi: Box | None = None, *, opinion: Opinion | None = None) -> Cut:
    """The person in the image, or in the part of it that `roi` names; all else is background. opinion: of `Matter`."""
    matte = Matter(backend, solve=True, opinion=opinion)(frame if roi is None else _part(frame, roi))
    cut = Cut(to_rgb(own_colours(matte)), matte.alpha)
    return cut if roi is None else pasted(cut, frame.size, (roi[0], roi[1]))


def _part(frame: Frame, box: Box) -> Frame:
    rows, columns = slice(box[0], box[2]), slice(box[1], box[3])
    alpha = None if frame.alpha is None else np.ascontiguousarray(frame.alpha[rows, columns])
    return Frame(np.ascontiguousarray(to_rgb(frame.picture)[rows, columns]), alpha=alpha)


def pasted(cut: Cut, size: tuple[int, int], corner: tuple[int, int]) -> Cut:
    """On an empty image of `size` (H, W), its upper left at `corner` (top, left); what lies outside is lost."""
    fgr, alpha = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)
    (top, left), (height, width) = corner, cut.size
    rows = slice(max(0, top), min(size[0], top + height))
    columns = slice(max(0, left), min(size[1], left + width))
    if rows.start < rows.stop and columns.start < columns.stop:
        source = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
        fgr[rows, columns], alpha[rows, columns] = cut.fgr[source], cut.alpha[source]
    return Cut(fgr, alpha)


def before(cut: Cut, background: Background) -> Rgb:
    """The person before it."""
    behind = background(Frame(cut.fgr), cut.alpha)
    if behind is None:
        raise InputError("expected a background that can be seen, got transparent; leave it out")
    return replace(cut.fgr, cut.alpha, behind)  # type: ignore[return-value]


def tinted(cut: Cut, colour: tuple[int, int, int], opacity: int) -> tuple[Rgb, Alpha]:
    """The person before a colour that lets through: colours and alpha. opacity: 0…255 of the colour."""
    front = cut.alpha.astype(np.float32)
    behind = (255 - front) * np.float32(opacity / 255)
    total = front + behind
    share = np.divide(front, total, out=np.zeros_like(total), where=total > 0)[..., None]
    rgb = cut.fgr * share + np.array(colour, np.float32) * (1 - share)
    return np.rint(rgb).astype(np.uint8), np.rint(total).astype(np.uint8)


def alpha_picture(alpha: Alpha) -> Rgb:
    """Alpha in grey."""
    return np.asarray(cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB))
