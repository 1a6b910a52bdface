"""Hard cases at a glance, before | alpha | after: python tools/make_gallery.py OUT.jpg hair=a.png glasses=b.jpg …"""

import sys
from pathlib import Path

import cv2
import numpy as np

import koutu
from koutu import composite
from koutu.foreground import decontaminate
from koutu.media.image import read_image
from koutu.types import Rgb

HEIGHT, WIDTH, COLUMNS = 300, 300, 2
SKY, SEA = (196, 220, 236), (72, 118, 140)  # of a background that shows halos of dark and of bright ones


def backdrop(size: tuple[int, int]) -> Rgb:
    """A soft bright-to-dark blue (H, W, 3)."""
    share = np.linspace(0, 1, size[0], dtype=np.float32)[:, None, None]
    colours = (1 - share) * np.array(SKY) + share * np.array(SEA)
    return np.broadcast_to(colours.round().astype(np.uint8), (*size, 3)).copy()


def fitted(rgb: Rgb) -> Rgb:
    """The picture's middle (HEIGHT, WIDTH, 3)."""
    scale = max(HEIGHT / rgb.shape[0], WIDTH / rgb.shape[1])
    rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    left = (rgb.shape[1] - WIDTH) // 2
    return rgb[:HEIGHT, left : left + WIDTH]


def row(name: str, path: Path) -> Rgb:
    """A picture, its alpha, and the person before the backdrop, with the name in a corner."""
    rgb = read_image(path)
    alpha = koutu.matte(rgb).alpha
    fgr = decontaminate(rgb, alpha)
    after = composite.replace(fgr, alpha, backdrop(alpha.shape[:2]))
    assert isinstance(after, np.ndarray)
    shown = np.hstack([fitted(x) for x in (rgb, np.repeat(alpha[..., None], 3, axis=2), after)])
    cv2.rectangle(shown, (0, 0), (12 + 11 * len(name), 26), (0, 0, 0), -1)
    cv2.putText(shown, name, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    return shown


def main() -> None:
    out, *given = sys.argv[1:]
    rows = [row(*((name, Path(file)))) for name, _, file in (item.partition("=") for item in given)]
    rows += [np.zeros_like(rows[0])] * (-len(rows) % COLUMNS)
    lines = [np.hstack(rows[i : i + COLUMNS]) for i in range(0, len(rows), COLUMNS)]
    cv2.imwrite(out, np.vstack(lines)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86])


if __name__ == "__main__":
    main()
