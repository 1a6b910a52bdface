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

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.sparse import Box, sampled
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
Floats: TypeAlias = NDArray[Any]  # all of them float32


def follow_colours(pha: NDArray[np.float32], rgb: Rgb) -> NDArray[np.float32]:
    """pha (h, w) in [0, 1] of a picture (h, w, 3) uint8 → alpha (h, w) whose outline the picture's colours agree on."""
    height, width = pha.shape
    down, right = -height % SHRUNK, -width % SHRUNK
    if down or right:
        grown = (cv2.copyMakeBorder(x, 0, down, 0, right, cv2.BORDER_REPLICATE) for x in (pha, rgb))
        return follow_colours(*grown)[:height, :width]  # type: ignore[arg-type]
    box = _unsure_box(pha)
    if box is None:
        return pha
    followed = pha.copy()
    _decide(followed, rgb, box)
    _put_on_lines(followed, rgb, box)
    return followed


def _unsure_box(pha: Floats) -> Box | None:
    """A part of the picture, in whole pixels of the smallest, that holds all that is unsure; None if nothing is."""
    small = _shrunk(pha, SHRUNK)
    x, y, width, height = cv2.boundingRect(cv2.inRange(_blurred(small, WINDOW), _UNSURE, 1 - _UNSURE))
    if not width:
        return None
    rows, columns = _reach(y, height, small.shape[0]), _reach(x, width, small.shape[1])
    return rows, columns


def _reach(first: int, count: int, length: int) -> slice:
    return slice(max(0, first - _MARGIN) * SHRUNK, min(length, first + count + _MARGIN) * SHRUNK)


class _Windows:
    """Windows around the unsure pixels of a box of the picture, made `times` smaller, and lines through their colours.

    at: flat indices (N,) of those pixels in the smaller box; pixels: (M,) of what they are in the whole picture.
    """

    def __init__(self, rgb: Rgb, box: Box, times: int, radius: int, unsure: NDArray[np.bool_]):
        self.radius = radius
        self.seen = [np.multiply(x, 1 / 255, dtype=np.float32) for x in cv2.split(_shrunk(rgb[box], times))]
        self.at = np.flatnonzero(unsure)
        y, x = np.divmod(self.at, unsure.shape[1])
        first = (times * y + box[0].start) * rgb.shape[1] + times * x + box[1].start
        down, right = np.divmod(np.arange(times * times), times)
        self.pixels = (first[:, None] + (down * rgb.shape[1] + right)).reshape(-1)
        self._places = [
            (cell.astype(np.float32)[:, None] + np.float32((part + 0.5) / times - 0.5)).reshape(-1)
            for cell, part in ((x, right), (y, down))
        ]
        self._colours = np.ascontiguousarray(rgb.reshape(-1, 3).take(self.pixels, 0).T)

    def mean(self, x: Floats) -> Floats:
        """(h, w) → (N,)."""
        return _blurred(x, self.radius).reshape(-1).take(self.at)

    def means(self, pha: Floats) -> tuple[Floats, Floats, Floats]:
        """Of the colours (3, N), of their products (6, N), of colour × alpha (3, N)."""
        seen = self.seen
        planes = [*seen, *(cv2.multiply(seen[i], seen[j]) for i, j in _PAIRS), *(cv2.multiply(x, pha) for x in seen)]
        means = np.stack([self.mean(x) for x in planes])
        return means[:3], means[3:9], means[9:]

    def whole(self, planes: Floats) -> Floats:
        """Smaller planes (h, w, C), C up to 4, at the whole picture's unsure pixels: (C, M)."""
        return sampled(planes, *self._places)

    def lines(self, planes: Floats) -> Floats:
        """Slope · colour + offset (M,) of smaller planes (h, w, 4), the slopes of colours in 0 … 255."""
        lines = self.whole(planes)
        lines[:3] *= self._colours
        return lines.sum(0)


def _decide(pha: Floats, rgb: Rgb, box: Box) -> None:
    """Give each unsure pixel, in place, to the side whose colour it has, as far as the odds say."""
    small = _shrunk(pha[box], SHRUNK)
    share = _blurred(small, WINDOW)
    unsure = (share > _UNSURE) & (share < 1 - _UNSURE)
    windows = _Windows(rgb, box, SHRUNK, WINDOW, unsure)
    person = share[unsure]
    mean, covariance, of_person = windows.means(small)
    mean_person = of_person / person
    mean_behind = (mean - of_person) / (1 - person)
    for k, (i, j) in enumerate(_PAIRS):
        covariance[k] -= person * mean_person[i] * mean_person[j] + (1 - person) * mean_behind[i] * mean_behind[j]
        covariance[k] += NOISE * (i == j)
    slope = _solved(covariance, mean_person - mean_behind)
    offset = -(slope * (mean_person + mean_behind)).sum(0) / 2
    planes = np.zeros((*unsure.shape, 4), np.float32)
    _put_lines(planes, slope, offset, windows.at)
    decided = pha.reshape(-1)
    given = np.clip(decided.take(windows.pixels), _LEAST, 1 - _LEAST)
    total = COLOURS * windows.lines(planes) + PRIOR * np.log(given / (1 - given))
    decided[windows.pixels] = 1 / (1 + np.exp(-np.clip(total, -30, 30)))


def _put_on_lines(pha: Floats, rgb: Rgb, box: Box) -> None:
    """Bring alpha near its outline, in place, to lines through the colours of small windows that explain it."""
    half = _shrunk(pha[box], LINE_SHRUNK)
    share = _blurred(half, 2 * LINE_WINDOW + 1)
    unsure = (share > _UNSURE / 5) & (share < 1 - _UNSURE / 5)
    if not unsure.any():
        return
    windows = _Windows(rgb, box, LINE_SHRUNK, LINE_WINDOW, unsure)
    mean_pha = windows.mean(half)
    mean, covariance, with_pha = windows.means(half)
    for k, (i, j) in enumerate(_PAIRS):
        covariance[k] += LINE_NOISE * (i == j) - mean[i] * mean[j]
    with_pha -= mean * mean_pha
    slope = _solved(covariance, with_pha)
    explained = (slope * with_pha).sum(0) / (windows.mean(cv2.multiply(half, half)) - mean_pha * mean_pha + LINE_NOISE)
    planes = np.zeros((*unsure.shape, 4), np.float32)
    planes[..., 3], trust = half, np.zeros(unsure.shape, np.float32)
    _put_lines(planes, slope, mean_pha - (slope * mean).sum(0), windows.at)
    trust.reshape(-1)[windows.at] = np.clip(TRUST * explained, 0, 1)
    lines = np.clip((windows.lines(_blurred(planes, LINE_WINDOW)) - HAZE) / (1 - 2 * HAZE), 0, 1)
    lined = pha.reshape(-1)
    before, trusted = lined.take(windows.pixels), windows.whole(_blurred(trust, LINE_WINDOW))[0]
    lined[windows.pixels] = before + trusted * (lines - before)


def _shrunk(x: NDArray[Any], times: int) -> NDArray[Any]:
    """Means of squares of `times` × `times` pixels."""
    return np.asarray(cv2.resize(x, (x.shape[1] // times, x.shape[0] // times), interpolation=cv2.INTER_AREA))


def _blurred(x: Floats, radius: int) -> Floats:
    row = np.full(2 * radius + 1, 1 / (2 * radius + 1), np.float32)
    return np.asarray(cv2.sepFilter2D(x, -1, row, row, borderType=cv2.BORDER_REFLECT), np.float32)


def _put_lines(planes: Floats, slope: Floats, offset: Floats, at: NDArray[np.intp]) -> None:
    """Slopes (3, N) of colours in [0, 1], made those of colours in 0 … 255, and offset (N,) into planes (h, w, 4)."""
    planes.reshape(-1, 4)[at] = np.concatenate([slope / 255, offset[None]]).T


def _solved(symmetric: Floats, right: Floats) -> Floats:
    """N systems of three equations at once: the six entries of each (6, N), right-hand sides (3, N) → (3, N)."""
    xx, xy, xz, yy, yz, zz = symmetric
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    x, y, z = right
    solution = np.stack([a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z])
    return solution / (xx * a + xy * b + xz * c)
