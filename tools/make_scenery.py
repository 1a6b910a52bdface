"""Draw the backgrounds that the page offers: python tools/make_scenery.py src/koutu/server/pictures"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (1080, 1920)


def draw(name: str) -> NDArray[Any]:
    """The background (1080, 1920, 3) of that name, a key of PICTURES."""
    light = PICTURES[name](np.random.default_rng(7))
    # Smooth gradients show bands in 8 bits: half a level of noise hides them.
    grain = np.random.default_rng(8).normal(0, 1.2, (*SIZE, 1)).astype(np.float32)
    return np.clip(np.rint(light + grain), 0, 255).astype(np.uint8)


def main(folder: Path) -> None:
    """Write every background as a JPEG."""
    folder.mkdir(exist_ok=True)
    for name in PICTURES:
        bgr = cv2.cvtColor(draw(name), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{name}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])


def _grid() -> tuple[NDArray[Any], NDArray[Any]]:
    """Columns and rows from 0 to 1."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    return x / SIZE[1], y / SIZE[0]


def _ramp(t: NDArray[Any], stops: list[tuple[float, tuple[int, int, int]]]) -> NDArray[Any]:
    """Colours at the places `t` of a gradient."""
    at = [place for place, _ in stops]
    channels = [np.interp(t, at, [colour[i] for _, colour in stops]) for i in range(3)]
    return np.stack(channels, -1).astype(np.float32)


def _studio(rng: np.random.Generator) -> NDArray[Any]:
    """A plaster wall with a lamp on it from the upper left."""
    x, y = _grid()
    distance = np.hypot((x - 0.36) * 1.5, y - 0.34)
    wall = _ramp(distance, [(0, (226, 218, 208)), (0.45, (190, 182, 174)), (1.3, (104, 100, 100))])
    rough = rng.normal(0, 1, (SIZE[0] // 6, SIZE[1] // 6)).astype(np.float32)
    plaster = sum(cv2.GaussianBlur(rough, (0, 0), s) * s for s in (1.0, 3.0, 9.0))
    wide = cv2.resize(np.asarray(plaster, np.float32), SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    return wall + 2.2 * wide[..., None]


def _dusk(rng: np.random.Generator) -> NDArray[Any]:
    """An evening sky behind two ridges."""
    x, y = _grid()
    stops = [(0, (38, 46, 92)), (0.35, (116, 92, 142)), (0.55, (228, 142, 128)), (0.68, (252, 206, 152))]
    scene = _ramp(y + 0.05 * (x - 0.5), stops)
    scene += 60 * np.exp(-(((x - 0.7) / 0.16) ** 2 + ((y - 0.62) / 0.12) ** 2))[..., None] * np.array([1, 0.75, 0.4])
    for base, height, colour in ((0.70, 0.10, (96, 78, 112)), (0.82, 0.07, (46, 42, 72))):
        steps = np.cumsum(rng.normal(0, 1, SIZE[1])).astype(np.float32)
        steps = cv2.GaussianBlur(steps[None], (0, 0), 40)[0]
        ridge = base - height * (steps - steps.min()) / (np.ptp(steps) + 1e-6)
        inside = np.clip((y - ridge) * SIZE[0] / 3, 0, 1)[..., None]
        scene = scene * (1 - inside) + np.array(colour) * inside
    return cv2.GaussianBlur(scene, (0, 0), 3)


def _lights(rng: np.random.Generator) -> NDArray[Any]:
    """A town at night, out of focus."""
    _, y = _grid()
    scene = _ramp(y, [(0, (14, 16, 34)), (0.6, (40, 32, 52)), (1, (22, 18, 30))])
    colours = [(255, 190, 110), (255, 150, 90), (250, 220, 170), (120, 170, 255), (255, 110, 120)]
    for _ in range(90):
        centre = int(rng.uniform(0, SIZE[1])), int(np.clip(rng.normal(0.55, 0.2), 0, 1) * SIZE[0])
        radius, colour = int(rng.uniform(22, 86)), np.array(colours[rng.integers(len(colours))])
        disc = np.zeros(SIZE, np.float32)
        cv2.circle(disc, centre, radius, 1.0, -1, cv2.LINE_AA)
        cv2.circle(disc, centre, radius, 1.35, 3, cv2.LINE_AA)
        scene += disc[..., None] * colour * rng.uniform(0.08, 0.34)
    return 255 * (1 - np.exp(-cv2.GaussianBlur(scene, (0, 0), 3.5) / 190))


def _window(rng: np.random.Generator) -> NDArray[Any]:
    """A green wall with the sun through a window on it."""
    x, y = _grid()
    wall = _ramp(np.hypot(x - 0.6, y - 0.4), [(0, (128, 150, 134)), (0.9, (70, 92, 84))])
    across, down = (x - 0.30) + 0.32 * (y - 0.5), (y - 0.16) - 0.10 * x
    sun = np.zeros(SIZE, np.float32)
    for column in range(3):
        for row in range(2):
            left, top = 0.16 + 0.125 * column, 0.05 + 0.36 * row
            sun += ((across > left) & (across < left + 0.11) & (down > top) & (down < top + 0.335)).astype(np.float32)
    leaves = cv2.GaussianBlur(rng.normal(0, 1, (SIZE[0] // 8, SIZE[1] // 8)).astype(np.float32), (0, 0), 7)
    leaves = cv2.resize(leaves, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    shade = 1 / (1 + np.exp(-(leaves / leaves.std() + 0.7) * 3))
    sun = cv2.GaussianBlur(sun * np.asarray(shade, np.float32), (0, 0), 9)
    return wall + sun[..., None] * np.array([96, 84, 50])


PICTURES: dict[str, Callable[[np.random.Generator], NDArray[Any]]] = {
    "studio": _studio,
    "dusk": _dusk,
    "lights": _lights,
    "window": _window,
}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
