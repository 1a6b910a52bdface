"""One file of a data set into arrays, strictly: what is no alpha, trimap or flow is an error and never guessed at."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from koutu.data.sets.example import Broken, Example
from koutu.media.image import read_image
from koutu.trimap import FOREGROUND, UNKNOWN, snapped
from koutu.types import InputError, KoutuError, Rgb

_FLOW_UNITS = 100  # steps a pixel
_TINT, _TINTED = 16, 1e-3  # levels between channels, and the share of pixels, that JPEG does not make of grey
_CLEAR, _SOFT = 16, 1e-3  # levels next to black and white, and the share of others, that a mask may have
_LOSSY = (".jpg", ".jpeg", ".webp")
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError, MemoryError)

Found = dict[str, Any]


def example_or_broken(name: str, parts: Mapping[str, Path]) -> Example | Broken:
    """The example whose parts lie in these files, by role; or why it cannot be used.

    Roles: src, fgr, bgr: colours. pha: a matte. mask: a mask. truth: whichever it looks like. rgba: colours and alpha
    of a cut-out. channel3: the alpha of an image that has one. trimap. detail: where details are measured. flow: as
    VideoMatting108 stores it. Without src, but with fgr, pha and bgr, src is composed.
    """
    try:
        found: Found = {"src": None, "pha": None, "binary": False}
        for role, path in parts.items():
            found.update(READERS[role](path))
        return assembled(name, found)
    except KoutuError as e:
        return Broken(name, str(e))


def assembled(name: str, found: Found) -> Example:
    """The example of its parts, all of one size; raises InputError."""
    sizes = {part: np.shape(x)[:2] for part, x in found.items() if isinstance(x, np.ndarray)}
    first = next(iter(sizes))
    for part, size in sizes.items():
        if size != sizes[first]:
            raise InputError(
                f"{name}: expected {part} of {_size(sizes[first])} like {first}, got {_size(size)}; "
                "make them fit, or leave the pair out"
            )
    if found["src"] is None and found["pha"] is not None and found.get("bgr") is not None:
        found["src"] = composed(found["fgr"], found["pha"], found["bgr"])
    detail = found.pop("detail", None)
    if detail is not None:
        sure = np.where(found["pha"] >= 0.5, FOREGROUND, 0) if found["pha"] is not None else 0
        found["trimap"] = np.where(detail, UNKNOWN, sure).astype(np.uint8)
    return Example(name, **found)


def composed(fgr: Rgb, pha: NDArray[np.float32], bgr: Rgb) -> Rgb:
    """αF + (1 − α)B, rounded to the nearest level."""
    alpha = pha[..., None]
    return np.rint(fgr * alpha + bgr * (1 - alpha)).astype(np.uint8)


def _colours(role: str) -> Callable[[Path], Found]:
    return lambda path: {role: read_image(path)}


def _foreground(path: Path) -> Found:
    """Colours as they are under an alpha channel too, which `read_image` would put on white."""
    if not has_alpha_channel(path):
        return {"fgr": read_image(path)}
    return {"fgr": np.ascontiguousarray(np.asarray(_open(path).convert("RGBA"))[..., :3])}


def _matte(path: Path) -> Found:
    return {"pha": _alpha(_open(path), path)}


def _alpha(image: Image.Image, path: Path) -> NDArray[np.float32]:
    """The alpha channel if it says anything, else the grey levels, of 8 or 16 bits."""
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        if alpha.min() < 255:
            return _unit(alpha, 255)
        image = image.convert("RGB")
    if image.mode == "1":
        return np.asarray(image).astype(np.float32)
    if image.mode.startswith("I"):
        levels = np.asarray(image)
        if levels.size and (levels.min() < 0 or levels.max() > 65535):
            raise InputError(f"{path}: expected alpha of 8 or 16 bits, got levels up to {levels.max()}; convert it")
        return _unit(levels, 65535)
    if image.mode != "L":
        rgb = np.asarray(image.convert("RGB"))
        spread = rgb.max(2).astype(np.int16) - rgb.min(2)
        if (spread > _TINT).mean() > _TINTED:
            raise InputError(f"{path}: expected alpha in grey, got an image in colour; is it the right folder?")
        image = image.convert("RGB").convert("L")
    return _unit(np.asarray(image), 255)


def _mask(path: Path) -> Found:
    """Person or not: above half of white; anything but 0 where levels are numbers of classes (a palette, 0 and 1)."""
    image = _open(path)
    if image.mode == "P" and not image.has_transparency_data:
        levels = np.asarray(image)
        return {"pha": (levels > 0).astype(np.float32), "binary": True}
    pha = _alpha(image, path)
    few = path.suffix.lower() not in _LOSSY and pha.max(initial=0) <= 1 / 255
    return {"pha": (pha > (0 if few else 0.5)).astype(np.float32), "binary": True}


def _truth(path: Path) -> Found:
    """A mask if hardly any pixel lies between black and white, else a matte."""
    image = _open(path)
    if image.mode == "P" and not image.has_transparency_data:
        return _mask(path)
    pha = _alpha(image, path)
    margin = _CLEAR / 255
    soft = ((pha > margin) & (pha < 1 - margin)).mean()
    return {"pha": pha} if soft > _SOFT else _mask(path)


def _cutout(path: Path) -> Found:
    image = _open(path)
    if not image.has_transparency_data:
        raise InputError(f"{path}: expected a cut-out with an alpha channel, got {image.mode}; keep only cut-outs here")
    rgba = np.asarray(image.convert("RGBA"))
    return {"fgr": np.ascontiguousarray(rgba[..., :3]), "pha": _unit(rgba[..., 3], 255)}


def _fourth(path: Path) -> Found:
    image = _open(path)
    if not image.has_transparency_data:
        raise InputError(f"{path}: expected alpha in a fourth channel, got {image.mode}; fetch the original file")
    return {"pha": _unit(np.asarray(image.convert("RGBA"))[..., 3], 255)}


def _trimap(path: Path) -> Found:
    return {"trimap": snapped(np.rint(_alpha(_open(path), path) * 255).astype(np.uint8))}


def _detail(path: Path) -> Found:
    return {"detail": _alpha(_open(path), path) > 0}  # anything but black counts in the published measure


def _flow(path: Path) -> Found:
    """16-bit PNG: red marks valid pixels, blue is dx and green dy, as two's complement of hundredths."""
    try:
        stored = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error) as e:
        raise InputError(f"{path}: expected flow as a 16-bit PNG, got {e}; fetch it again") from e
    if stored is None or stored.dtype != np.uint16 or stored.ndim != 3 or stored.shape[2] != 3:
        came = "none" if stored is None else f"{stored.dtype} of shape {stored.shape}"
        raise InputError(f"{path}: expected flow as a PNG of three 16-bit channels, got {came}; fetch it again")
    flow = np.ascontiguousarray(stored[..., :2]).view(np.int16).astype(np.float32) / _FLOW_UNITS
    flow[stored[..., 2] == 0] = np.nan
    return {"flow": flow}


READERS: dict[str, Callable[[Path], Found]] = {
    "src": _colours("src"), "fgr": _foreground, "bgr": _colours("bgr"), "pha": _matte, "mask": _mask,
    "truth": _truth, "rgba": _cutout, "channel3": _fourth, "trimap": _trimap, "detail": _detail, "flow": _flow,
}  # fmt: skip


def has_alpha_channel(path: Path) -> bool:
    """Whether an image says in its first bytes that it has one; False for what is no image."""
    try:
        with Image.open(path) as image:
            return image.has_transparency_data
    except _BROKEN:
        return False


def _open(path: Path) -> Image.Image:
    """Decoded and upright; raises InputError."""
    try:
        with Image.open(path) as image:
            image.load()
            image = ImageOps.exif_transpose(image)
    except (*_BROKEN, Image.DecompressionBombError, Image.DecompressionBombWarning) as e:
        came = "an empty file" if path.exists() and not path.stat().st_size else f"one that cannot be read ({e})"
        raise InputError(f"{path}: expected a whole image, got {came}; fetch it again") from e
    if image.mode == "F":
        raise InputError(f"{path}: expected whole numbers of 8 or 16 bits, got floating point; convert it")
    return image


def _unit(levels: NDArray[Any], white: int) -> NDArray[np.float32]:
    return levels.astype(np.float32) / np.float32(white)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}×{shape[0]}"
