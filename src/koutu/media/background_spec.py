"""From what a user writes for a background, a path, a colour or a word, to the background."""

import os
import re
from pathlib import Path
from typing import TypeAlias, get_args

import numpy as np
from PIL import Image, ImageColor

from koutu.color import to_rgb
from koutu.composite import Fit
from koutu.media.background import Background, Blurred, Moving, Still, Transparent
from koutu.media.given import frame_of
from koutu.media.image import is_animated, is_image, on_white, read_image
from koutu.types import InputError, Rgb

Spec: TypeAlias = str | os.PathLike[str] | Rgb | Image.Image

_GREEN_SCREEN = "#00ff00"  # what "green" means here; CSS's green is darker
_ACCEPTED = (
    'an image or video file, a colour ("#rrggbb", "#rgb", "r,g,b" or its CSS name), "blur", "blur:STRENGTH" (per cent '
    'of the shorter side, above 0, at most 100) or "transparent"'
)


def make_background(spec: Spec, *, fit: Fit = "cover", loop: bool = True, raw: bool = False) -> Background:
    """The background named by `spec`; raises InputError.

    spec: the path of an image or video; a colour, "#rrggbb", "#rgb", "r,g,b" or a CSS name (but "green" is #00ff00);
    "blur" or "blur:STRENGTH", the blur's width in per cent of the picture's shorter side (10 if not given);
    "transparent"; or a picture, Pillow's or an array as `koutu.matte` takes it. A file named as one of these words
    loses: write "./blur".
    fit: as `koutu.composite.fit`. loop: a video starts over at its end; else its last frame stays. Animated images are
    videos. raw: numbers stay as they are, whatever light the frames' mean, as for masks.
    """
    if fit not in get_args(Fit):
        raise InputError(f"expected a fit of {', '.join(get_args(Fit))}, got {fit!r}; name one of them")
    if isinstance(spec, Image.Image) or hasattr(spec, "__array__"):
        try:
            given = frame_of(spec)
        except InputError as error:
            raise InputError(f"background: {error}") from error
        return Still(on_white(to_rgb(given.picture), given.alpha).copy(), fit, raw=raw)
    if isinstance(spec, str):
        word = spec.strip().lower()
        if word == "transparent":
            return Transparent()
        if word == "blur" or word.startswith("blur:"):
            return Blurred(_strength(word)) if ":" in word else Blurred()
        colour = _colour(word)
        if colour is not None:
            return Still(np.array([[colour]], np.uint8), "stretch", raw=raw)
    elif not isinstance(spec, os.PathLike):
        raise InputError(f"expected as background {_ACCEPTED}, got {spec!r}; give one of these")
    return _from_file(Path(spec), fit, loop, raw)


def _from_file(path: Path, how: Fit, loop: bool, raw: bool) -> Background:
    if not os.path.isfile(path):  # unlike pathlib's, False for a name too long to be one
        came = "a folder" if os.path.isdir(path) else "neither a file nor one of these words"
        raise InputError(f"{path}: expected as background {_ACCEPTED}, got {came}; check the spelling and the path")
    if is_image(path) and not is_animated(path):
        return Still(read_image(path), how, raw=raw)
    try:
        return Moving(path, how, loop=loop, raw=raw)
    except InputError as error:
        raise InputError(
            f"{path}: expected an image or a video, got neither ({error}); convert it, for example to JPEG or to MP4"
        ) from error


def _colour(word: str) -> tuple[int, int, int] | None:
    """The colour a word names, or None if it does not look like one."""
    if word in ImageColor.colormap or re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", word):
        red, green, blue = ImageColor.getrgb(_GREEN_SCREEN if word == "green" else word)[:3]
        return red, green, blue
    if re.fullmatch(r"\d+ *, *\d+ *, *\d+", word):
        red, green, blue = (int(part) for part in word.split(","))
        if max(red, green, blue) <= 255:
            return red, green, blue
        raise InputError(f"expected a colour r,g,b of numbers from 0 to 255, got {word!r}; lower them")
    return None


def _strength(word: str) -> float:
    text = word.removeprefix("blur:").strip().removesuffix("%")
    try:
        strength = float(text)
    except ValueError:
        strength = 0.0
    if not 0 < strength <= 100:
        raise InputError(
            f'expected "blur:STRENGTH", per cent of the shorter side, above 0, at most 100, got {word!r}; try "blur:10"'
        )
    return strength
