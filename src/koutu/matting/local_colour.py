"""An outline brought to where the colours on both sides of it say it is.

Networks find people, and put their outline some pixels beside where it is. Around every unsure pixel the person and
what is behind have colours of their own, which the network's alpha tells apart well enough on average:

1. *Discriminant.* Of the colours of a window, weighted by alpha and by 1 − alpha, come two means and one covariance
   about them. The log-odds that a pixel belongs to the person are then linear in its colour (Fisher, "The use of
   multiple measurements in taxonomic problems", 1936); they are added to the network's own.
2. *Colour lines.* Alpha as the straight line of colour that fits a small window best (Levin, Lischinski and Weiss, "A
   closed-form solution to natural image matting", CVPR 2006; solved window by window as He, Sun and Tang, "Guided image
   filtering", ECCV 2010), which gives back the half covered pixels of hair that the first step decided.

The coefficients of the first are found at a quarter of the picture's size, of the second at half, as in "Fast Guided
Filter", arXiv 1505.00996. Nothing is changed where alpha is sure all around.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Rgb

SHRUNK, LINE_SHRUNK = 4, 2  # how many times smaller the picture is that the coefficients of either step are found on
WINDOW = 2  # radius in which person and background are told apart, in pixels of the picture made so small
LINE_WINDOW = 2  # radius in which alpha is a straight line of colour, likewise
_MARGIN = 8  # around all that is unsure, in pixels of the smallest picture
COLOURS, PRIOR = 1.5, 1.5  # what the log-odds of the colours, and of the network's alpha, count
NOISE = 1e-3  # variance of colours in [0, 1] that two means must stand out of
LINE_NOISE = 1e-4  # variance of colours below which a small window is taken for plain
TRUST = 2.0  # share of a small window's alpha that colour must explain is 1 / this, for the lines to count in full
HAZE = 0.02  # alpha within this of 0 or 1 is what the lines leave of a side that is sure
_UNSURE = 0.02  # of a window: less of either is noise
_LEAST = 0.01  # that the network's alpha is from 0 and 1 when its odds are taken
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))

Floats = NDArray[Any]  # all of them float32


def follow_colours(pha: NDArray[np.float32], rgb: Rgb) -> NDArray[np.float32]:
    """pha (h, w) in [0, 1] of a picture (h, w, 3) uint8 → alpha (h, w) whose outline the picture's colours agree on."""
    box = _unsure_box(pha)
    if box is None:
        return pha
    followed = pha.copy()
    followed[box] = _on_lines(_decided(pha[box], rgb[box]), rgb[box])
    return followed


def _unsure_box(pha: Floats) -> tuple[slice, slice] | None:
    """A part of the picture, in whole pixels of the smallest, that holds all that is unsure; None if nothing is."""
    small = _shrunk(pha, SHRUNK)
    x, y, width, height = cv2.boundingRect(cv2.inRange(_blurred(small, WINDOW), _UNSURE, 1 - _UNSURE))
    if not width:
        return None
    return _reach(y, height), _reach(x, width)


def _reach(first: int, count: int) -> slice:
    return slice(max(0, first - _MARGIN) * SHRUNK, (first + count + _MARGIN) * SHRUNK)


class _Colours:
    """A picture made smaller so many times, in [0, 1], and what its windows are made of."""

    def __init__(self, rgb: Rgb, times: int):
        self.whole = rgb
        self.seen = _shrunk(rgb, times).astype(np.float32) / 255
        self.size = self.seen.shape[:2]
        self.products = np.stack([self.seen[..., i] * self.seen[..., j] for i, j in _PAIRS], axis=-1)


@dataclass
class _Windows:
    """Means over the windows of this radius around the pixels `at`, flat indices of the smaller picture."""

    radius: int
    at: NDArray[np.intp]

    def mean(self, x: Floats) -> Floats:
        """(h, w, C) → (C, N), or (h, w) → (N,)."""
        means = _blurred(x, self.radius)
        return np.asarray(_columns(means, self.at) if x.ndim == 3 else means.reshape(-1)[self.at])


def _decided(pha: Floats, rgb: Rgb) -> Floats:
    """Each unsure pixel given to the side whose colour it has, as far as the odds say."""
    colours, small = _Colours(rgb, SHRUNK), _shrunk(pha, SHRUNK)
    share = _blurred(small, WINDOW)
    unsure = (share > _UNSURE) & (share < 1 - _UNSURE)
    windows = _Windows(WINDOW, np.flatnonzero(unsure))
    person = share[unsure]
    of_person = windows.mean(colours.seen * small[..., None])
    mean_person = of_person / person
    mean_behind = (windows.mean(colours.seen) - of_person) / (1 - person)
    covariance = windows.mean(colours.products)
    for k, (i, j) in enumerate(_PAIRS):
        covariance[k] -= person * mean_person[i] * mean_person[j] + (1 - person) * mean_behind[i] * mean_behind[j]
        covariance[k] += NOISE * (i == j)
    slope = _solved(covariance, mean_person - mean_behind)
    offset = -(slope * (mean_person + mean_behind)).sum(0) / 2
    where = _whole(unsure, pha)
    odds = _lines_at(where, colours, _planes(slope, offset, windows.at, colours.size))
    decided = pha.copy().reshape(-1)
    given = np.clip(decided[where], _LEAST, 1 - _LEAST)
    total = COLOURS * odds + PRIOR * np.log(given / (1 - given))
    decided[where] = 1 / (1 + np.exp(-np.clip(total, -30, 30)))
    return decided.reshape(pha.shape)


def _on_lines(pha: Floats, rgb: Rgb) -> Floats:
    """Alpha near its outline as lines through the colours of small windows have it, as far as they explain it."""
    colours, half = _Colours(rgb, LINE_SHRUNK), _shrunk(pha, LINE_SHRUNK)
    share = _blurred(half, 2 * LINE_WINDOW + 1)
    unsure = (share > _UNSURE / 5) & (share < 1 - _UNSURE / 5)
    windows = _Windows(LINE_WINDOW, np.flatnonzero(unsure))
    mean, mean_pha = windows.mean(colours.seen), windows.mean(half)
    covariance = windows.mean(colours.products)
    for k, (i, j) in enumerate(_PAIRS):
        covariance[k] += LINE_NOISE * (i == j) - mean[i] * mean[j]
    with_pha = windows.mean(colours.seen * half[..., None]) - mean * mean_pha
    slope = _solved(covariance, with_pha)
    explained = (slope * with_pha).sum(0) / (windows.mean(half * half) - mean_pha * mean_pha + LINE_NOISE)
    planes = _planes(slope, mean_pha - (slope * mean).sum(0), windows.at, colours.size)
    planes[~unsure, 3] = half[~unsure]
    trust = np.zeros(colours.size, np.float32)
    trust[unsure] = np.clip(TRUST * explained, 0, 1)
    where = _whole(unsure, pha)
    lines = np.clip((_lines_at(where, colours, _blurred(planes, LINE_WINDOW)) - HAZE) / (1 - 2 * HAZE), 0, 1)
    trusted = _enlarged(_blurred(trust, LINE_WINDOW), pha).reshape(-1)[where]
    lined = pha.copy().reshape(-1)
    lined[where] += trusted * (lines - lined[where])
    return lined.reshape(pha.shape)


def _shrunk(x: NDArray[Any], times: int) -> NDArray[Any]:
    size = -(-x.shape[1] // times), -(-x.shape[0] // times)
    return np.asarray(cv2.resize(x, size, interpolation=cv2.INTER_AREA))


def _columns(x: NDArray[Any], at: NDArray[np.intp]) -> NDArray[Any]:
    """(h, w, C) at flat indices → (C, N), each channel in one piece."""
    return np.ascontiguousarray(x.reshape(-1, x.shape[2])[at].T)


def _blurred(x: Floats, radius: int) -> Floats:
    side = 2 * radius + 1
    return np.asarray(cv2.blur(x, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)


def _planes(slope: Floats, offset: Floats, at: NDArray[np.intp], size: tuple[int, int]) -> Floats:
    """Coefficients (3, N) and (N,) in their places: (h, w, 4), 0 elsewhere."""
    planes = np.zeros((size[0] * size[1], 4), np.float32)
    planes[at, :3], planes[at, 3] = slope.T, offset
    return planes.reshape(*size, 4)


def _whole(mask: NDArray[np.bool_], like: NDArray[Any]) -> NDArray[np.intp]:
    """Where (flat indices) the whole picture's pixels are that a mask of the smaller one marks."""
    return np.flatnonzero(cv2.resize(mask.view(np.uint8), like.shape[1::-1], interpolation=cv2.INTER_NEAREST))


def _enlarged(small: Floats, like: NDArray[Any]) -> Floats:
    return np.asarray(cv2.resize(small, like.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _lines_at(where: NDArray[np.intp], colours: _Colours, planes: Floats) -> Floats:
    """Slope · colour + offset at these pixels of the whole picture, of smaller planes (·, ·, 4); (N,)."""
    lines = _columns(_enlarged(planes, colours.whole), where)
    red, green, blue = _columns(colours.whole, where).astype(np.float32) / 255
    return lines[0] * red + lines[1] * green + lines[2] * blue + lines[3]


def _solved(symmetric: Floats, right: Floats) -> Floats:
    """N systems of three equations at once: the six entries of each (6, N), right-hand sides (3, N) → (3, N)."""
    xx, xy, xz, yy, yz, zz = symmetric
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    x, y, z = right
    solution = np.stack([a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z])
    return solution / (xx * a + xy * b + xz * c)
