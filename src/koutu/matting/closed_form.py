"""Closed-form matting of the unknown pixels alone, from a guess that is near, in a tenth of a second.

In every window of 3×3 pixels alpha is taken for a straight line of colour (Levin, Lischinski and Weiss, "A closed-form
solution to natural image matting", TPAMI 2008). Windows without an unknown pixel say nothing new and are left out. What
is left is solved by conjugate gradients, scaled by each pixel's own weight; the picture at half its size is solved
first, since it carries what is known over twice the distance.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Rgb

Floats = NDArray[np.float32]
STEPS = 30  # of conjugate gradients, at either size
_NEAR = 1e-3  # of the error at the beginning: no step is taken beyond
_PLAIN = 1e-6  # variance of colours in [0, 1] below which a window is taken for plain
_PULL = 0.02  # weight of the guess, which what has no colour of its own keeps to
_SMALLEST = 16  # pixels a side of what is halved


def solved_unknown(
    rgb: Rgb, unknown: NDArray[np.bool_], guess: Floats, steps: int = STEPS, *, fully: bool = True
) -> Floats:
    """Alpha (h, w) of a picture (h, w, 3) uint8, at least 3×3: `guess` where it is known, solved where `unknown`.

    fully: at its own size too, not only at half of it. Solved alpha may leave [0, 1] a little.
    """
    if not unknown.any():
        return guess
    height, width = unknown.shape
    half = width // 2, height // 2
    if min(half) >= _SMALLEST:
        small = np.asarray(cv2.resize(guess, half, interpolation=cv2.INTER_AREA), np.float32)
        seen = cv2.resize(rgb, half, interpolation=cv2.INTER_AREA)
        part = cv2.resize(unknown.astype(np.uint8), half, interpolation=cv2.INTER_AREA) > 0
        change = _Windows(seen, part).solved(small, steps) - small
        guess = guess + np.where(unknown, cv2.resize(change, (width, height), interpolation=cv2.INTER_LINEAR), 0)
        if not fully:
            return np.asarray(guess, np.float32)
    return _Windows(rgb, unknown).solved(np.asarray(guess, np.float32), steps)


class _Windows:
    """All K windows that hold an unknown pixel, and how much each pair of pixels in one has to say to the other.

    Arrays have their windows last. What a window says, I − EᵀE of its E (4, 9), is never multiplied out.
    """

    def __init__(self, rgb: Rgb, unknown: NDArray[np.bool_]):
        width = unknown.shape[1]
        centres = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8))
        centres[[0, -1]] = centres[:, [0, -1]] = 0
        down, right = np.divmod(np.arange(9), 3)
        self.pixels = np.flatnonzero(centres) + ((down - 1) * width + right - 1)[:, None]
        self.unknown = np.flatnonzero(unknown)
        numbers = np.full(unknown.size, len(self.unknown))  # the last one takes what is known
        numbers[self.unknown] = np.arange(len(self.unknown))
        self.numbers = numbers.take(self.pixels)
        self.explained = _explained(rgb.reshape(-1, 3).T.take(self.pixels, 1).astype(np.float32) / np.float32(255))

    def solved(self, guess: Floats, steps: int) -> Floats:
        """Alpha (h, w), solved where it is unknown from where the guess is."""
        flat = guess.reshape(-1).copy()
        found = flat.take(self.unknown)
        own = self._sums(1 - np.square(self.explained).sum(0)) + np.float32(_PULL)
        left = -self._sums(self._applied(flat.take(self.pixels)))
        scaled = left / own
        way, size = scaled, float(left @ scaled)
        enough = size * _NEAR**2
        known = np.zeros(1, np.float32)
        for _ in range(steps):
            if size <= enough:
                break
            against = self._sums(self._applied(np.concatenate([way, known]).take(self.numbers))) + _PULL * way
            length = size / float(way @ against)
            found += np.float32(length) * way
            left -= np.float32(length) * against
            scaled = left / own
            last, size = size, float(left @ scaled)
            way = scaled + np.float32(size / last) * way
        flat[self.unknown] = found
        return flat.reshape(guess.shape)

    def _applied(self, x: Floats) -> Floats:
        """What each window says of its pixels' alpha x (9, K): how far they are from its line."""
        out = x.copy()
        for line in self.explained:
            out -= line * np.einsum("ik,ik->k", line, x)
        return out

    def _sums(self, x: Floats) -> Floats:
        """(9, K) → what all windows together say of each unknown pixel (N,)."""
        return np.bincount(self.numbers.reshape(-1), x.reshape(-1), len(self.unknown) + 1)[:-1].astype(np.float32)


def _explained(colours: Floats) -> Floats:
    """Colours of windows (3, 9, K) → E (4, 9, K): what a line of colour can follow, in steps at right angles."""
    colours = colours - colours.mean(1, keepdims=True)
    least = np.float32(_PLAIN / 9)
    own = [(channel * channel).mean(0) + least for channel in colours]
    # Cholesky's factor of the covariance, by which the colours are divided
    red = np.sqrt(own[0])
    first = colours[0] / red
    green_red, blue_red = ((channel * first).mean(0) for channel in colours[1:])
    green = np.sqrt(np.maximum(own[1] - green_red**2, least))
    second = (colours[1] - green_red * first) / green
    blue_green = (colours[2] * second).mean(0)
    blue = np.sqrt(np.maximum(own[2] - blue_red**2 - blue_green**2, least))
    third = (colours[2] - blue_red * first - blue_green * second) / blue
    return np.asarray(np.stack([first, second, third, np.ones_like(first)]) / 3, np.float32)
