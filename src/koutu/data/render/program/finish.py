"""Two passes into a picture: straight sRGB colours, exposed as a camera would, and exact alpha."""

from collections.abc import Sequence

import cv2
import numpy as np
from arrays import Floats, Rng

_LUMA = np.array([0.21, 0.72, 0.07])
_SOLID = 0.9  # alpha from which a pixel's own colour is believed
_FAINT = 0.05  # alpha below which colours come from farther away
_WHITE = 1.1  # what a white turned to the light is exposed to, linear
_ELSE = 0.2  # luminance that people have on the whole, where no face is seen
_BRIGHTEST = 1.2  # linear, that all but the brightest pixels stay below
_SHOULDER = 0.6  # from which highlights are rolled off


def exposure(colour: Floats, faces: Sequence[tuple[float, float, float, float]], rng: Rng) -> float:
    """A factor for linear colours; faces: x, y, radius in shares of the height, and the skin's luminance."""
    height, width = colour.shape[:2]
    rows, columns = np.mgrid[:height, :width] / height
    alpha = colour[..., 3]
    luminance = colour[..., :3] @ _LUMA
    found = []
    for x, y, radius, albedo in faces:
        held = ((columns - x) ** 2 + (rows - y) ** 2 < (0.55 * radius) ** 2) & (alpha > 0.95)
        if held.sum() >= 12:
            found.append(np.median(luminance[held]) / albedo)
    everywhere = alpha > 0.95
    if not found and everywhere.any():
        found.append(np.median(luminance[everywhere]) / _ELSE)
    lit = float(np.mean(found)) if found else 1.0
    gain = _WHITE * float(np.exp(rng.normal(0, 0.28))) / max(lit, 1e-3)
    bright = float(np.quantile(luminance[everywhere], 0.97)) if everywhere.any() else 0.0
    return min(gain, _BRIGHTEST / bright) if bright > 0 else gain


def straight(colour: Floats, alpha: Floats) -> Floats:
    """(H, W, 3) linear colours of the person alone, also where alpha is faint.

    Half-covered pixels of a denoised pass hold too little of a strand's own colour: theirs is the mean of what lies
    around them, weighted by alpha.
    """
    premultiplied, own = colour[..., :3], colour[..., 3:]
    near, far = (_spread(premultiplied, own, sigma) for sigma in (0.9, 4.0))
    solid = np.clip((own - _SOLID) / (1 - _SOLID), 0, 1)
    mixed = premultiplied / np.maximum(own, 1e-3) * solid + near * (1 - solid)
    held = np.clip(cv2.GaussianBlur(own[..., 0], (0, 0), 0.9)[..., None] / _FAINT, 0, 1)
    return np.where(alpha[..., None] > 0, mixed * held + far * (1 - held), far)


def developed(linear: Floats, gain: float, balance: Sequence[float]) -> Floats:
    """Linear colours to sRGB in [0, 1], highlights rolled off; balance: red, green, blue."""
    x = linear * gain * np.asarray(balance)
    x = np.where(x > _SHOULDER, _SHOULDER + 0.4 * np.tanh((x - _SHOULDER) / 0.4), np.maximum(x, 0))
    return np.clip(np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(np.maximum(x, 1e-8), 1 / 2.4) - 0.055), 0, 1)


def rgba(colours: Floats, alpha: Floats) -> Floats:
    """(H, W, 4) uint8; where alpha is 0 so are the colours."""
    levels = np.rint(np.clip(alpha, 0, 1) * 255)
    picture = np.dstack([np.rint(colours * 255) * (levels > 0)[..., None], levels])
    return picture.astype(np.uint8)


def _spread(premultiplied: Floats, alpha: Floats, sigma: float) -> Floats:
    weight = cv2.GaussianBlur(alpha[..., 0], (0, 0), sigma)[..., None]
    return cv2.GaussianBlur(premultiplied, (0, 0), sigma) / np.maximum(weight, 1e-3)
