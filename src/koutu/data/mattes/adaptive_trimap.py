"""Trimaps from masks whose unknown band is as wide as the image says: wide at hair, narrow at a solid edge."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.mattes.studio_backdrop import Backdrop, off_backdrop
from koutu.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from koutu.types import Rgb

Floats = NDArray[Any]  # float32, which OpenCV's stubs forget

_STEPS = 5  # widths that a band may have
_SURE, _TRACE = 0.9, 0.1
_THIN = 0.05  # mean of thin structures, of 1, that means hair
_SEEN = 5.0  # multiples of a backdrop's noise that are no backdrop


@dataclass(frozen=True)
class Widths:
    """Radii of the unknown band around a mask's edge, in pixels."""

    narrow: int
    wide: int

    @classmethod
    def of(cls, size: tuple[int, ...], mask: Floats | None = None) -> "Widths":
        """Those that suit an image of (H, W): 0.7 % and 3 % of the longer side.

        mask (H, W): of people, who may be small: the wide one is 3 % of their longer side.
        """
        longer = tall = max(size[:2])
        if mask is not None and (mask > 0.5).any():
            tall = max(int(np.ptp(axis)) + 1 for axis in np.nonzero(mask > 0.5))
        narrow = max(2, round(longer * 0.007))
        return cls(narrow, max(5, narrow + 1, round(tall * 0.03)))


def adaptive_trimap(rgb: Rgb, mask: Floats, widths: Widths, backdrop: Backdrop | None = None) -> NDArray[np.uint8]:
    """{0, 128, 255} of an image (H, W, 3) and a mask (H, W) in [0, 1]; the band is as wide as `doubt` says.

    Before a plain backdrop, near the edge, whatever is no backdrop outside the mask, and whatever looks like it inside,
    is unknown as well.
    """
    person = (mask > 0.5).astype(np.uint8)
    edge = cv2.morphologyEx(person, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    unknown = (mask > _TRACE) & (mask < _SURE)
    level = doubt(rgb, mask, widths)
    for share in np.linspace(0, 1, _STEPS):
        lines = edge & (level >= share - 1e-6)
        if lines.any():
            radius = widths.narrow + share * (widths.wide - widths.narrow)
            unknown |= cv2.distanceTransform((~lines).astype(np.uint8), cv2.DIST_L2, 5) <= radius
    if backdrop is not None:
        unknown |= _against(rgb, person > 0, widths, backdrop)
    return np.where(unknown, UNKNOWN, np.where(person > 0, FOREGROUND, BACKGROUND)).astype(np.uint8)


def doubt(rgb: Rgb, mask: Floats, widths: Widths) -> Floats:
    """How wide a band each pixel (H, W) calls for, 0 narrow … 1 wide; it means something at the mask's edge.

    The largest of three: thin structures outside the mask beyond what the background has; how soft the mask is; how
    much stronger the image's edges nearby are than that under the mask's edge.
    """
    person = mask > 0.5
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    thin = _hair(luma, person, widths)
    soft = cv2.blur(((mask > _TRACE) & (mask < _SURE)).astype(np.float32), (2 * widths.narrow + 1,) * 2)
    away = _disagreement(luma, widths)
    level = np.clip(np.maximum(np.maximum(thin, soft), away), 0, 1)
    spread = cv2.dilate(level, _disc(widths.narrow))
    return np.clip(cv2.blur(spread, (4 * widths.narrow + 1,) * 2), 0, 1)


def grown(trimap: NDArray[np.uint8], alpha: Floats, radius: int, *, settled: float = 0.12) -> NDArray[np.uint8] | None:
    """The trimap with a band grown by `radius` where alpha has not come to 0 or 1 at its border; None if it has."""
    unknown = trimap == UNKNOWN
    beside = np.ones((3, 3), np.uint8)
    at_back = unknown & (cv2.dilate((trimap == BACKGROUND).astype(np.uint8), beside) > 0) & (alpha > settled)
    at_front = unknown & (cv2.dilate((trimap == FOREGROUND).astype(np.uint8), beside) > 0) & (alpha < 1 - settled)
    open_ends = cv2.morphologyEx((at_back | at_front).astype(np.uint8), cv2.MORPH_CLOSE, beside)
    if open_ends.sum() < max(4, 0.002 * unknown.sum()):
        return None
    larger = cv2.dilate(open_ends, _disc(radius)) > 0
    return np.where(larger, UNKNOWN, trimap).astype(np.uint8)


def _hair(luma: Floats, person: NDArray[np.bool_], widths: Widths) -> Floats:
    kernel = _disc(max(1, widths.narrow // 2))
    thin = cv2.morphologyEx(luma, cv2.MORPH_BLACKHAT, kernel) + cv2.morphologyEx(luma, cv2.MORPH_TOPHAT, kernel)
    far = cv2.distanceTransform((~person).astype(np.uint8), cv2.DIST_L2, 5)
    around = far > 2 * widths.wide
    usual = float(np.quantile(thin[around], 0.75)) if around.any() else 0.0
    beyond = (~person & (far > widths.narrow)).astype(np.float32)
    window = (2 * widths.narrow + 2 * (widths.wide // 2) + 1,) * 2
    share = cv2.blur(beyond, window)
    mean = cv2.blur(np.maximum(thin - 1.5 * usual, 0) * beyond, window) / np.maximum(share, 0.05)
    return mean / np.float32(_THIN / 2)


def _disagreement(luma: Floats, widths: Widths) -> Floats:
    """1 − the gradient here over the strongest within the wide radius, where that stands out."""
    smooth = cv2.GaussianBlur(luma, (0, 0), max(1.0, widths.narrow / 3))
    slope = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    near = cv2.dilate(slope, _disc(widths.narrow))
    strong = cv2.dilate(slope, _disc(widths.wide // 2))
    away = 1 - near / np.maximum(strong, 1e-4)
    return np.where(strong > 0.1, 0.8 * away, 0.2).astype(np.float32)


def _against(rgb: Rgb, person: NDArray[np.bool_], widths: Widths, backdrop: Backdrop) -> NDArray[np.bool_]:
    """Outside the mask what is no backdrop and hangs together with it; inside what looks like it, near the edge."""
    strange = (off_backdrop(rgb, backdrop) > _SEEN).astype(np.uint8)
    near_edge = cv2.dilate(person.astype(np.uint8), _disc(round(1.6 * widths.wide))) > 0
    _, labels = cv2.connectedComponents(((strange > 0) & near_edge | person).astype(np.uint8))
    touching = np.isin(labels, np.unique(labels[person])) & ~person & (strange > 0)
    inside = person & (cv2.dilate((~person).astype(np.uint8), _disc(widths.wide)) > 0)
    clear = inside & (strange == 0)
    return cv2.dilate((touching | clear).astype(np.uint8), _disc(max(1, widths.narrow // 2))) > 0


def _disc(radius: int) -> NDArray[Any]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
