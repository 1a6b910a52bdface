"""A network's alpha before a known plate: what is as the plate is, is nobody.

No weights: the network says who is a person, the plate says where. Its evidence is a ratio of likelihoods, measured
in the frame itself: how often somebody's pixels, and how often the background's, look like the plate nearby. It is
added to the network's log-odds; a whole neighbourhood that is the plate all over outweighs them. Shadows are smooth
darkenings of the same tint and belong to the plate. In the rim alpha is I − B projected on F − B.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.matting.pull_push import extended
from koutu.types import Rgb

Floats = NDArray[Any]  # float32, which OpenCV's stubs forget
Bools = NDArray[np.bool_]

AGREED = 0.7  # of what is free of people, that must look like the plate
_NOISIEST = 0.02  # of 1: up to which more noise lets frame and plate differ by more
_LEAST = 400  # pixels that tell whether it does
_CERTAIN = 0.01  # that the network's alpha is from 0 and 1 when its odds are taken
_QUIETEST = 0.004  # of 1: noise that is always reckoned with
_SLIP = 0.25  # of the change over two pixels: what an alignment is off by
_SAME, _OTHER = 1.5, 5.0  # multiples of the noise up to which a pixel is the plate, and from which it is not
_CERTAINTY = 1.5  # what the evidence of one pixel counts, since neighbours differ alike
_NEAR = 0.08  # of the longer side: windows in which the likelihoods are measured
_CHANCE = 0.02  # likelihood that is always reckoned with
_DARKEST, _BRIGHTEST = 0.45, 1.1  # light left in a shadow, light in a reflection
_SHADE = 0.015  # of the longer side: windows in which shadows are smooth
_JUMP = 0.08  # of the light, by which a pixel is no part of a smooth shadow
_TINT, _LEAST_TINT = 3.0, 0.015  # multiples of the noise, and of 1, that a shadow's tint may be off
_AREA, _DISC = 3, 4  # radii of means in which noise goes, and of what must be the plate all over
_OFF, _OFF_STEP, _OFF_NOISE = 0.012, 0.05, 1.5  # that such a mean may be off: of 1, of the plate's steps, of its noise
_RESTLESS = 1.5  # multiples of the noise that differences around it may have
_PROVEN = 7.0  # log-odds of a neighbourhood that is the plate
_BLACK, _DIM, _UNPROVEN = (
    0.06,
    0.18,
    1.0,
)  # brightness at which black before black proves so little, and none too little
_RIM, _CORE = 5, 2  # pixels around the outline that are projected; beyond the outline from which F is taken
_ALIKE, _APART = 0.005, 0.03  # squares of F − B at which projecting says nothing, and beyond that half


@dataclass(frozen=True)
class Seen:
    """What a frame (h, w, 3) shows beside its plate.

    off: I − B (h, w, 3), B with the shadows on it; behind: that B. distance (h, w): in multiples of what noise and the
    plate's own steps, step (h, w), let them differ by. noise: of 1.
    """

    off: Floats
    behind: Floats
    distance: Floats
    noise: float
    step: Floats


def agreement(found: Seen, known: Bools, free: Bools) -> float | None:
    """The share of what is free of people that looks like the plate; None if too little is free."""
    where = known & free
    if np.count_nonzero(where) < _LEAST:
        return None
    allowed = 2 * np.sqrt(min(found.noise, _NOISIEST) ** 2 + (_SLIP * found.step) ** 2)
    return float((_length(found.off) < allowed)[where].mean())


def seen_before(rgb: Rgb, pha: Floats, colours: Floats, known: Bools, free: Bools) -> Seen:
    """A frame (h, w, 3) uint8 with alpha (h, w) compared with the plate's colours (h, w, 3) in [0, 1]."""
    now = rgb.astype(np.float32) / 255
    where = known & free
    off = np.abs(now - colours)[where] if where.any() else np.abs(now - colours)
    noise = max(1.4826 * float(np.median(off)), _QUIETEST)
    kernel = np.ones((3, 3), np.uint8)
    step = _dot(cv2.dilate(colours, kernel) - cv2.erode(colours, kernel), np.full(3, 1 / 3, np.float32))
    slack = np.sqrt(noise**2 + (_SLIP * step) ** 2)
    behind = colours * _shade(_mean(now, 1), _mean(colours, 1), pha, slack)[..., None]
    off = now - behind
    distance = _length(_mean(off, 1)) / (0.6 * slack)  # of means over 3×3, whose noise is less
    return Seen(off, behind, distance, noise, step)


def alpha_before(
    rgb: Rgb, pha: Floats, colours: Floats, known: Bools, free: Bools
) -> tuple[NDArray[np.float32] | None, float]:
    """Alpha (h, w) before a plate, None if too little of what is free looks like it; and how much of it does."""
    found = seen_before(rgb, pha, colours, known, free)
    agreed = agreement(found, known, free)
    if agreed is None or agreed < AGREED:
        return None, agreed or 0.0
    return projected(joined(pha, found, known), rgb, found, known), agreed


def joined(pha: Floats, found: Seen, known: Bools) -> Floats:
    """Alpha (h, w) of the network's and the plate's odds together."""
    different = _mean(np.clip((found.distance - _SAME) / (_OTHER - _SAME), 0, 1).astype(np.float32), 1)
    person, nobody = (np.asarray(cv2.erode(x.astype(np.float32), np.ones((7, 7)))) for x in (pha > 0.9, pha < 0.1))
    same = (different < 0.5).astype(np.float32)
    radius = max(8, round(_NEAR * max(pha.shape)))
    of_person, of_nobody = _share(same, person, radius, 0.1), _share(same, nobody, radius, 0.97)
    for_nobody = np.log((of_person + _CHANCE) / (of_nobody + _CHANCE))
    for_person = np.log((1 - of_person + _CHANCE) / (1 - of_nobody + _CHANCE))
    rim = cv2.erode((pha > 0.95).astype(np.uint8), _disc(2 * _RIM)) == 0  # inside, single pixels are alike by chance
    odds = different * np.maximum(for_person, 0) + rim * (1 - different) * np.minimum(for_nobody, 0)
    odds = np.minimum(_CERTAINTY * odds, -_proof(found))
    given = np.clip(pha, _CERTAIN, 1 - _CERTAIN)
    total = np.log(given / (1 - given)) + np.where(known, odds, 0)
    both = 1 / (1 + np.exp(-np.clip(total, -30, 30)))
    return np.clip((both - _CERTAIN) / (1 - 2 * _CERTAIN), 0, 1).astype(np.float32)


def projected(pha: Floats, rgb: Rgb, found: Seen, known: Bools) -> Floats:
    """Alpha (h, w) with its rim as the mixing equation has it, where person and plate differ."""
    outline = (pha > 0.5).astype(np.uint8)
    kernel = np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
    rim = np.flatnonzero((cv2.dilate(outline, kernel) > 0) & (cv2.erode(outline, kernel) == 0) & known)
    core = cv2.erode((pha > 0.9).astype(np.uint8), np.ones((2 * _CORE + 1, 2 * _CORE + 1), np.uint8))
    own = extended(rgb, core * np.uint8(255)).reshape(-1, 3)[rim].astype(np.float32) / 255
    off, behind = (x.reshape(-1, 3)[rim] for x in (found.off, found.behind))
    length = _dot(own - behind, own - behind)
    alpha = np.clip(_dot(off, own - behind) / np.maximum(length, 1e-4), 0, 1)
    beyond = np.maximum(length - _ALIKE, 0)
    ended = pha.reshape(-1).copy()
    ended[rim] += beyond / (beyond + _APART) * (alpha - ended[rim])
    return ended.reshape(pha.shape)


def _proof(found: Seen) -> Floats:
    """Log-odds (h, w) that a pixel is nobody's because all around it is the plate; where it is not, −∞."""
    window = 2 * _AREA + 1
    step = _mean(found.step, _AREA)
    off = _length(_mean(found.off, _AREA))
    restless = np.sqrt(np.maximum(_mean(_dot(found.off, found.off) / 3, _AREA), 0))  # running sums err below 0
    quiet = restless < _RESTLESS * np.sqrt(found.noise**2 + _mean((_SLIP * found.step) ** 2, _AREA))
    near = off < _OFF + _OFF_STEP * step + _OFF_NOISE * found.noise / window
    all_over = cv2.morphologyEx((quiet & near).astype(np.uint8), cv2.MORPH_OPEN, _disc(_DISC))
    plate = (cv2.dilate(all_over, _disc(_AREA)) > 0) & (found.distance < _OTHER)
    bright = cv2.max(cv2.max(*cv2.split(found.behind)[:2]), cv2.split(found.behind)[2])
    bright = _mean(bright, _AREA)
    certain = np.clip((bright - _BLACK) / (_DIM - _BLACK), 0, 1)
    return np.where(plate, _UNPROVEN + (_PROVEN - _UNPROVEN) * certain, -np.inf).astype(np.float32)


def _shade(now: Floats, clean: Floats, pha: Floats, slack: Floats) -> Floats:
    """How much light is left on the plate (h, w): 1, or less in a shadow, smooth."""
    light = _dot(now, clean) / np.maximum(_dot(clean, clean), 1e-3)
    tint = _length(now - light[..., None] * clean)
    dimmed = (light > _DARKEST) & (light < _BRIGHTEST + 0.05) & (tint < np.maximum(_TINT * slack, _LEAST_TINT))
    weight = dimmed * np.clip(1 - 0.9 * pha, 0, 1)
    radius = max(3, round(_SHADE * max(pha.shape)))
    weight = weight * np.exp(-(((light - _weighed(light, weight, radius)[0]) / _JUMP) ** 2))
    mean, known = _weighed(light, weight, radius)
    shade = (known * mean + 0.02) / (known + 0.02)
    return np.clip(shade, _DARKEST, _BRIGHTEST).astype(np.float32)


def _share(same: Floats, where: Floats, radius: int, otherwise: float) -> Floats:
    """Of the pixels `where`, how many nearby look like the plate; `otherwise` without any."""
    share, known = _weighed(same, where, radius)
    return (share * known + 0.01 * otherwise) / (known + 0.01)


def _weighed(x: Floats, weight: Floats, radius: int) -> tuple[Floats, Floats]:
    """The weighted mean of windows, and their mean weight."""
    known = _mean(weight.astype(np.float32), radius)
    return _mean((x * weight).astype(np.float32), radius) / np.maximum(known, 1e-6), known


def _mean(x: Floats, radius: int) -> Floats:
    side = 2 * radius + 1
    return np.asarray(cv2.blur(x, (side, side), borderType=cv2.BORDER_REFLECT))


def _length(off: Floats) -> Floats:
    """Root mean square over the channels, (h, w)."""
    return np.sqrt(_dot(off, off) / 3)


def _dot(a: Floats, b: Floats) -> Floats:
    """Σ over the channels of a · b."""
    return np.einsum("...c,...c", a, b)


def _disc(radius: int) -> NDArray[Any]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
