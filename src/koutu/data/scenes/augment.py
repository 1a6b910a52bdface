"""What cameras and codecs do to a picture: exposure, colour cast, blur, noise, compression. RGB uint8 in and out."""

import cv2
import numpy as np

from koutu.types import Rgb


def jitter_colour(rgb: Rgb, rng: np.random.Generator, strength: float = 1.0) -> Rgb:
    """Random exposure, contrast, gamma, saturation and white balance, through one table and one matrix."""
    gain = np.exp(rng.normal(0, 0.16 * strength)) * np.exp(rng.normal(0, 0.06 * strength, 3))
    gamma, lift = np.exp(rng.normal(0, 0.18 * strength)), rng.normal(0, 0.04 * strength)
    ramp = np.linspace(0, 1, 256)[:, None] ** gamma * gain + lift
    table = np.clip(ramp * 255 + 0.5, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    rgb = np.asarray(cv2.LUT(rgb, table))
    saturation = 0.0 if rng.random() < 0.04 * strength else float(np.exp(rng.normal(0, 0.25 * strength)))
    grey = np.full((3, 3), 1 / 3) * (1 - saturation) + np.eye(3) * saturation
    return np.asarray(cv2.transform(rgb, grey))


def recolour_pale(rgb: Rgb, rng: np.random.Generator, below: float = 0.5) -> Rgb:
    """Dye what is pale and colourless in the lower part of the picture: studio sitters all wear white T-shirts."""
    top = int(rgb.shape[0] * below)
    part = rgb[top:]
    high, low = part.max(axis=2).astype(np.int16), part.min(axis=2).astype(np.int16)
    pale = np.clip((low - 110) / 40, 0, 1) * np.clip((60 - (high - low)) / 25, 0, 1)
    dye = rng.uniform(0.05, 1, 3)
    mixed = part * (1 + cv2.GaussianBlur(pale, (5, 5), 0)[..., None] * (dye - 1))
    return np.vstack([rgb[:top], mixed.astype(np.uint8)])


def other_colours(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """The same place in colours that it never had: channels permuted, each perhaps inverted."""
    permuted = rgb[..., rng.permutation(3)]
    return np.ascontiguousarray(permuted ^ np.where(rng.random(3) < 0.15, 255, 0).astype(np.uint8))


def motion_blur(rgb: Rgb, rng: np.random.Generator, longest: int = 9) -> Rgb:
    """Smear along a random direction over 3 … `longest` pixels."""
    n = int(rng.integers(3, longest + 1)) | 1
    kernel = np.zeros((n, n), np.float32)
    dx, dy = np.cos(angle := rng.uniform(0, np.pi)) * (n // 2), np.sin(angle) * (n // 2)
    c = n // 2
    cv2.line(kernel, (round(c - dx), round(c - dy)), (round(c + dx), round(c + dy)), 1.0)
    return np.asarray(cv2.filter2D(rgb, -1, kernel / kernel.sum()))


def degrade(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """Defocus or motion blur, low resolution, noise and JPEG, each now and then."""
    h, w = rgb.shape[:2]
    kind = rng.random()
    if kind < 0.12:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.3, 1.5)))
    elif kind < 0.2:
        rgb = motion_blur(rgb, rng)
    elif kind < 0.28:
        scale = rng.uniform(0.4, 0.9)
        small = cv2.resize(rgb, (max(1, int(w * scale)), max(1, int(h * scale))), interpolation=cv2.INTER_AREA)
        rgb = np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR))
    if rng.random() < 0.35:
        noise = rng.standard_normal((h, w, 3), np.float32) * rng.uniform(1, 10)
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))]
        rgb = np.asarray(cv2.imdecode(cv2.imencode(".jpg", rgb, quality)[1], cv2.IMREAD_COLOR))
    return rgb
