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


def solved_unknown(rgb: Rgb, unknown: NDArray[np.bool_], guess: Floats, steps: int = STEPS) -> Floats:
    """Alpha (h, w) of a picture (h, w, 3) uint8, at least 3×3: `guess` where it is known, solved where `unknown`.

    Solved alpha may leave [0, 1] a little.
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
    return _Windows(rgb, unknown).solved(np.asarray(guess, np.float32), steps)


class _Windows:
    """All windows that hold an unknown pixel, and how much each pair of pixels in one has to say to the other."""

    def __init__(self, rgb: Rgb, unknown: NDArray[np.bool_]):
        width = unknown.shape[1]
        centres = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8))
        centres[[0, -1]] = centres[:, [0, -1]] = 0
        down, right = np.divmod(np.arange(9), 3)
        self.pixels = np.flatnonzero(centres)[:, None] + ((down - 1) * width + right - 1)
        self.unknown = np.flatnonzero(unknown)
        numbers = np.full(unknown.size, len(self.unknown))  # the last one takes what is known
        numbers[self.unknown] = np.arange(len(self.unknown))
        self.numbers = numbers.take(self.pixels)
        colours = rgb.reshape(-1, 3).take(self.pixels, 0).astype(np.float32) / np.float32(255)
        colours -= colours.mean(1, keepdims=True)
        covariance = np.matmul(colours.transpose(0, 2, 1), colours) / 9
        covariance += np.float32(_PLAIN / 9) * np.eye(3, dtype=np.float32)
        explained = np.matmul(np.matmul(colours, np.linalg.inv(covariance)), colours.transpose(0, 2, 1))
        self.weights = np.eye(9, dtype=np.float32) - (explained + 1) / 9

    def solved(self, guess: Floats, steps: int) -> Floats:
        """Alpha (h, w), solved where it is unknown from where the guess is."""
        flat = guess.reshape(-1).copy()
        found = flat.take(self.unknown)
        own = self._sums(np.einsum("kii->ki", self.weights)) + np.float32(_PULL)
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
        """What each window says of its pixels' alpha x (K, 9): how far they are from its line."""
        return np.matmul(self.weights, x[..., None])[..., 0]

    def _sums(self, x: Floats) -> Floats:
        """(K, 9) → what all windows together say of each unknown pixel (N,)."""
        return np.bincount(self.numbers.reshape(-1), x.reshape(-1), len(self.unknown) + 1)[:-1].astype(np.float32)
