"""Point and line lamps added to an image in linear light, so that a network meets backlight in training."""

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Rgb

GAMMA = 2.2
_TO_LINEAR = ((np.arange(256) / 255) ** GAMMA).astype(np.float32)
_STEPS = 4095
_FROM_LINEAR = np.clip((np.arange(_STEPS + 1) / _STEPS) ** (1 / GAMMA) * 255 + 0.5, 0, 255).astype(np.uint8)


def point_lamp(size: tuple[int, int], centre: tuple[float, float], radius: float) -> NDArray[np.float32]:
    """Gaussian fall-off in [0, 1] over (H, W); centre (x, y) and radius (one standard deviation) in pixels."""
    y, x = np.ogrid[: size[0], : size[1]]
    return np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius**2)).astype(np.float32)


def line_lamp(size: tuple[int, int], through: tuple[float, float], angle: float, radius: float) -> NDArray[np.float32]:
    """A tube of light: Gaussian fall-off with the distance to the line through (x, y) at `angle` radians."""
    y, x = np.ogrid[: size[0], : size[1]]
    distance = (x - through[0]) * np.sin(angle) - (y - through[1]) * np.cos(angle)
    return np.exp(-(distance**2) / (2 * radius**2)).astype(np.float32)


def add_lamp(rgb: Rgb, lamp: NDArray[np.float32], colour: NDArray[np.float32]) -> Rgb:
    """rgb (H, W, 3) plus lamp (H, W) times a linear RGB colour, whose sign may be negative for a stripe of shadow."""
    linear = cv2.LUT(rgb, _TO_LINEAR) + lamp[..., None] * colour
    return np.take(_FROM_LINEAR, (np.clip(linear, 0, 1) * _STEPS).astype(np.int32))


def random_lamp(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """One lamp, point or line, anywhere on or just outside the image, from a glow to a glare."""
    h, w = rgb.shape[:2]
    at = rng.uniform(-0.1, 1.1) * w, rng.uniform(-0.1, 1.1) * h
    radius = rng.uniform(0.05, 0.5) * max(h, w)
    if rng.random() < 0.5:
        lamp = point_lamp((h, w), at, radius)
    else:
        lamp = line_lamp((h, w), at, rng.uniform(0, np.pi), radius / 2)
    warmth = rng.uniform(-0.3, 0.3)
    strength = rng.uniform(0.1, 0.8) if rng.random() < 0.85 else -rng.uniform(0.05, 0.3)
    return add_lamp(rgb, lamp, (strength * np.array([1 + warmth, 1, 1 - warmth])).astype(np.float32))


def random_lamps(rgb: Rgb, rng: np.random.Generator, p: float = 0.25) -> Rgb:
    """Up to two lamps, each with probability `p`."""
    for _ in range(2):
        if rng.random() < p:
            rgb = random_lamp(rgb, rng)
    return cv2.GaussianBlur(rgb, (3, 3), 0) if rng.random() < 0.05 else rgb
