"""Backgrounds of our own, drawn by tools/make_scenery.py: nothing to fetch, nothing whose licence must be asked."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from koutu.media.image import read_image
from koutu.types import Rgb

THUMB = (180, 320)
PICTURES = {path.stem: path for path in sorted((Path(__file__).parent / "pictures").glob("*.jpg"))}


@lru_cache
def picture(name: str) -> Rgb:
    """The background (1080, 1920, 3) of that name, a key of PICTURES; not to be written into."""
    return read_image(PICTURES[name])


@lru_cache
def thumb(name: str) -> bytes:
    """320×180 of it as JPEG."""
    small = np.asarray(cv2.resize(picture(name), THUMB[::-1], interpolation=cv2.INTER_AREA))
    return cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
