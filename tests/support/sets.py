"""Data sets of a few tiny pictures, grown from a line that says which file holds what."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 24, 32
SOFT = np.linspace(0, 255, SIZE[1]).astype(np.uint8)[None].repeat(SIZE[0], 0)
HARD = np.where(SOFT > 127, 255, 0).astype(np.uint8)
COLOUR = np.dstack([SOFT, SOFT[::-1, ::-1], np.full(SIZE, 90, np.uint8)])
KINDS = {
    "c": COLOUR, "a": SOFT, "m": HARD, "t": np.where(SOFT < 80, 0, np.where(SOFT > 170, 255, 128)).astype(np.uint8),
    "r": np.dstack([COLOUR, SOFT]), "d": np.where(SOFT > 200, 9, 0).astype(np.uint8), "b": COLOUR[:, ::-1],
}  # fmt: skip


def grow(root: Path, files: str) -> Path:
    for item in files.split(", "):
        path, kind = item.rsplit(" ", 1)
        save(root / path, KINDS[kind])
    return root


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, lossless=True)
    return path
