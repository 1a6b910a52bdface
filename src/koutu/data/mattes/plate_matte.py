"""Soft mattes before a known plate: what differs from it beyond its noise, and is no shadow on it, is the person.

A mask says which of the differences are people; the plate says where they end. With it the mixing equation
I = αF + (1 − α)B loses three of its seven unknowns, as before a plain backdrop.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.classical import Method, solve_foreground
from koutu.data.mattes.adaptive_trimap import Widths
from koutu.data.mattes.soft_matte import Solved, joined
from koutu.data.mattes.studio_backdrop import Backdrop, least_alpha, unmixed
from koutu.matting.known_plate import Plate
from koutu.matting.tiled_solver import solve
from koutu.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from koutu.types import Alpha, InputError, Rgb

Floats = NDArray[Any]  # float32, which OpenCV's stubs forget
Bools = NDArray[np.bool_]

_STRANGE, _FAR = 5.0, 0.035  # multiples of the noise, and of 1, beyond both of which a pixel is not the plate
_SAME = 2.5  # multiples of the noise within which it is
_UNSTEADY = 0.06  # of 1: a plate with more noise proves nothing
_DARKEST, _BRIGHTEST = 0.45, 1.2  # light left in a shadow, light in a reflection
_QUIET = 0.02  # of 1: up to this noise a plate can contradict a mask
_TINT = 0.025  # of 1: what a shadow's colour may be off the plate's
_BACKED = 0.15  # mean of the mask over a difference that is a person
_PROVEN = 0.3  # of a part, that must differ from the plate where that is known
_SPECK = 0.0005  # of the frame: differences smaller than this are nobody's


@dataclass(frozen=True)
class Difference:
    """person: what the mask calls one and the plate confirms. other: differences that the mask knows nothing of.

    shadow: the background, darker or brighter only, outside the mask. same: as the plate is. like: as the plate is
    within a pixel. All (H, W) bool.
    """

    person: Bools
    other: Bools
    shadow: Bools
    same: Bools
    like: Bools


def difference(rgb: Rgb, mask: Floats, plate: Plate) -> Difference:
    """What of a frame (H, W, 3) is not the plate, of which a mask (H, W) in [0, 1] tells what is people."""
    now = cv2.blur(rgb.astype(np.float32) / 255, (3, 3))
    clean = cv2.blur(plate.colours, (3, 3))
    proves = plate.seen & (plate.noise < _UNSTEADY)
    off = _length(now - clean)
    strange = proves & (off > _STRANGE * plate.noise) & (off > _FAR)
    light = (now * clean).sum(axis=2) / np.maximum((clean * clean).sum(axis=2), 1e-3)
    tint = _length(now - light[..., None] * clean)
    dimmed = (light > _DARKEST) & (light < _BRIGHTEST) & (tint < np.maximum(_TINT, 3 * plate.noise))
    shadow = strange & dimmed & (mask < 0.5)
    like = _like(rgb, plate)
    solid = cv2.morphologyEx((strange & ~shadow & ~like).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3))) > 0
    same = proves & (off < _SAME * plate.noise)
    quiet = plate.seen & (plate.noise < _QUIET)
    together = _together(solid, mask > 0.5, like, same & quiet)
    person = _backed(together, mask) & _held(solid | ~quiet, together)
    return Difference(person, (together > 0) & ~person & solid, shadow, same, like)


def matte_before_plate(rgb: Rgb, found: Difference, plate: Plate, method: Method = "closed-form") -> Solved:
    """The soft matte and clean colours of a frame (H, W, 3) uint8 before its plate; raises InputError without a person.

    noise of what is solved: the middle of the plate's.
    """
    trimap = plate_trimap(found)
    if not (trimap == FOREGROUND).any() or not (trimap == BACKGROUND).any():
        raise InputError(
            "expected a person and background beside them, got a frame without one of the two; is it the right plate?"
        )
    noise = float(np.median(plate.noise))
    backdrop = Backdrop(plate.colours, noise)
    proves = plate.seen & (plate.noise < min(_UNSTEADY, 4 * noise)) & ~found.shadow & ~found.like
    guess = cv2.blur(found.person.astype(np.float32), (5, 5))
    alpha = _alpha(rgb, trimap, backdrop, proves, guess, method)
    levels = np.clip((alpha - 0.02) / 0.96 * 255 + 0.5, 0, 255).astype(np.uint8)
    levels = joined(levels, trimap == FOREGROUND)
    return Solved(trimap, levels, own_colours(rgb, levels, plate), noise)


def own_colours(rgb: Rgb, alpha: Alpha, plate: Plate) -> Rgb:
    """The person's own colours (H, W, 3) uint8, unmixed where the plate is seen."""
    soft = (alpha > 0) & (alpha < 255)
    fgr = unmixed(rgb, alpha, Backdrop(plate.colours, float(np.median(plate.noise))))
    if plate.seen[soft].all():
        return fgr
    return np.where(plate.seen[..., None], fgr, solve_foreground(rgb, alpha))


def plate_trimap(found: Difference) -> NDArray[np.uint8]:
    """{0, 128, 255}: unknown is the rim of the person, and what there looks like the plate or its shadow."""
    widths = Widths.of(found.person.shape)
    person = _filled(found.person, widths.wide**2)
    inside = cv2.distanceTransform(person.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~person).astype(np.uint8), cv2.DIST_L2, 5)
    rim = (inside <= widths.narrow) & (outside <= widths.narrow)
    near = outside <= 2 * widths.narrow
    unknown = rim | (near & found.shadow) | (person & found.like & (inside <= 2 * widths.narrow))
    unknown |= person & ~found.person  # holes that look like the plate
    unknown &= ~((outside > 2) & found.same)
    return np.where(unknown, UNKNOWN, np.where(person, FOREGROUND, BACKGROUND)).astype(np.uint8)


def _alpha(
    rgb: Rgb, trimap: NDArray[np.uint8], backdrop: Backdrop, proves: Bools, guess: Floats, method: Method
) -> Floats:
    """The method's, never less than what differs from the plate needs."""
    alpha = solve(rgb, trimap, guess, method)
    least = least_alpha(rgb, backdrop)
    return np.where((trimap == UNKNOWN) & proves & (least > 0.1), np.maximum(alpha, least), alpha)


def _together(solid: Bools, said: Bools, like: Bools, same: Bools) -> NDArray[Any]:
    """What differs, and what the mask says and the plate does not contradict, without cracks.

    It contradicts at the mask's rim what is like it, for masks take in a table's edge; deep inside, where clothes are
    like many a background by chance, only what is the same all around.
    """
    narrow = Widths.of(said.shape).narrow
    depth = cv2.distanceTransform(said.astype(np.uint8), cv2.DIST_L2, 5)
    alike = cv2.morphologyEx(same.astype(np.uint8), cv2.MORPH_OPEN, _disc(narrow)) > 0
    together = (solid | (said & ~alike & ~(like & (depth <= 2 * narrow)))).astype(np.uint8)
    return np.where(said, cv2.morphologyEx(together, cv2.MORPH_CLOSE, _disc(narrow)), together)


def _backed(together: NDArray[Any], mask: Floats) -> Bools:
    """The parts, no specks, that the mask calls people."""
    labels, stats = (np.asarray(x) for x in cv2.connectedComponentsWithStats(together)[1:3])
    areas = np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    mean = np.bincount(labels.ravel(), mask.ravel(), len(areas)) / areas
    kept = (mean >= _BACKED) & (areas >= _SPECK * mask.size)
    kept[0] = False
    return kept[labels.astype(np.intp)]


def _held(evidence: Bools, together: NDArray[Any]) -> Bools:
    """The parts of which enough is proven: a mask alone makes no person where the plate is known."""
    labels = np.asarray(cv2.connectedComponents(together)[1])
    areas = np.maximum(np.bincount(labels.ravel()), 1)
    share = np.bincount(labels.ravel(), evidence.ravel(), len(areas)) / areas
    return np.asarray(share >= _PROVEN)[labels.astype(np.intp)]


def _like(rgb: Rgb, plate: Plate) -> Bools:
    """Where a colour is one that the plate has within a pixel of it: an edge that moved is no person."""
    kernel = np.ones((3, 3), np.uint8)
    slack = (_SAME * plate.noise)[..., None]
    now = rgb.astype(np.float32) / 255
    low, high = cv2.erode(plate.colours, kernel) - slack, cv2.dilate(plate.colours, kernel) + slack
    return plate.seen & ((now >= low) & (now <= high)).all(axis=2)


def _filled(person: Bools, most: int) -> Bools:
    """Without holes of up to `most` pixels."""
    labels, stats = (
        np.asarray(x) for x in cv2.connectedComponentsWithStats((~person).astype(np.uint8), connectivity=4)[1:3]
    )
    holes = stats[:, cv2.CC_STAT_AREA] <= most
    holes[0] = False
    return np.asarray(person | holes[labels.astype(np.intp)])


def _length(off: Floats) -> Floats:
    """Root mean square over the channels, (H, W)."""
    return np.sqrt((off * off).mean(axis=2))


def _disc(radius: int) -> NDArray[Any]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
