"""The README's picture, before | alpha | after, from `koutu demo`: python tools/make_picture.py koutu-demo."""

import sys
from pathlib import Path

import cv2
import numpy as np

from koutu.color import to_rgb
from koutu.media.reader import open_video

FRAME = 60


def frame(path: Path) -> np.ndarray:
    """RGB of one frame."""
    with open_video(path) as reader:
        return next(to_rgb(f.picture) for i, f in enumerate(reader) if i == FRAME)


def main() -> None:
    folder = Path(sys.argv[1])
    both = frame(folder / "side-by-side.mp4")
    middle = both.shape[1] // 2
    row = np.hstack([both[:, :middle], frame(folder / "alpha.mp4"), both[:, middle:]])
    picture = cv2.resize(row, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    out = Path(__file__).parent.parent / "docs" / "picture.jpg"
    cv2.imwrite(str(out), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
