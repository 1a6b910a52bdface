"""Clips of somebody before a bright wall, with coarse masks."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 96, 144
Bytes = NDArray[Any]


def room(seed: int = 2) -> Bytes:
    """A bright wall with things on it."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(90, 255, (8, 12, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(blocks, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)).astype(np.uint8)


def person(x: float) -> tuple[Bytes, Bytes]:
    """Colours and alpha of somebody who stands at column x, drawn four times as large."""
    alpha, rgb = np.zeros((4 * HEIGHT, 4 * WIDTH), np.uint8), np.full((HEIGHT, WIDTH, 3), (30, 25, 60), np.uint8)
    at = round(4 * x)
    cv2.circle(alpha, (at, 4 * 34), 4 * 13, 255, -1)
    cv2.ellipse(alpha, (at, 4 * 100), (4 * 22, 4 * 50), 0, 0, 360, 255, -1)
    cv2.circle(rgb, (round(x), 36), 9, (170, 60, 40), -1)
    for stripe in range(60, HEIGHT, 9):
        cv2.line(rgb, (round(x) - 30, stripe), (round(x) + 30, stripe), (90, 20, 20), 2)
    return rgb, np.asarray(cv2.resize(alpha, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))


def composed(rgb: Bytes, alpha: Bytes, bgr: Bytes, seed: int = 0) -> Bytes:
    share = alpha[..., None] / 255
    noise = np.random.default_rng(seed).normal(0, 1.5, bgr.shape)
    return np.clip(np.rint(rgb * share + bgr * (1 - share) + noise), 0, 255).astype(np.uint8)


def walk(places: list[float | None], bgr: Bytes | None = None) -> list[tuple[Bytes, Bytes]]:
    """Frames and their alphas of somebody at these columns; None: nobody is there."""
    shown = []
    for number, x in enumerate(places):
        rgb, alpha = person(-100.0 if x is None else x)
        shown.append((composed(rgb, alpha, room() if bgr is None else bgr, number), alpha))
    return shown


def write_clip(root: Path, name: str, shown: list[tuple[Bytes, Bytes]]) -> None:
    """Frames to root/clips/name, coarse masks to root/masks/name."""
    for folder in ("clips", "masks"):
        (root / folder / name).mkdir(parents=True)
    for number, (rgb, alpha) in enumerate(shown):
        Image.fromarray(rgb).save(root / "clips" / name / f"{number:03}.png")
        mask = np.where(cv2.GaussianBlur(alpha, (0, 0), 2) > 127, 255, 0).astype(np.uint8)
        Image.fromarray(mask).save(root / "masks" / name / f"{number:03}.png")
