"""Still images in and out, through Pillow: upright, 8 bit, sRGB when read; whole or not at all when written."""

import contextlib
import io
import os
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias, get_args

import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from koutu.color import require_rgb
from koutu.composite import blend, hide, require_alpha
from koutu.files import whole_file
from koutu.media import heif
from koutu.types import Alpha, Frame, InputError, Notes, OutputError, Rgb

Source: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes]
Format: TypeAlias = Literal["PNG", "WEBP", "JPEG", "TIFF"]

MAX_PIXELS = 200_000_000
# What is read; Pillow's other decoders are left alone: some start programs (EPS), some take videos for images (MPEG).
_READ = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB", "GIF", "AVIF", heif.NAME, "JPEG2000", "PPM", "TGA", "ICO")
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF", heif.NAME)  # other formats' further images are pages or views
_SUFFIXES: dict[str, Format] = {
    ".png": "PNG",
    ".webp": "WEBP",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
# What Pillow's decoders raise on damaged files: each has its own way.
BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError,
    struct.error, zlib.error,
)  # fmt: skip
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_ORIENTATION, _EXIF_PART, _MAKER_NOTE, _TIFF_XMP = 0x0112, 0x8769, 0x927C, 700
_UPRIGHT = re.compile(rb"""(tiff:Orientation(?:>|=["']))(\d)(<|["'])""")
_THUMBNAILS = re.compile(rb"<xmp:Thumbnails>.*?</xmp:Thumbnails>", re.DOTALL)
_limit_lock = threading.Lock()


def read_image(source: Source) -> Rgb:
    """(H, W, 3) uint8 of a path, the bytes of a file, or an open binary file; raises InputError.

    EXIF orientation is applied, a colour profile converted to sRGB (a damaged one ignored), 16 bits brought to 8,
    transparent parts put on white, and of an animation the first image taken. At most 200 megapixels.
    """
    return on_white(*_read(source))


def read_frame(source: Source) -> Frame:
    """The image as `read_image` reads it, but with its alpha and notes beside its colours, as a frame to be matted."""
    kept: list[Notes] = []
    rgb, alpha = _read(source, kept)
    return replace(framed(rgb, alpha), notes=kept[0])


def framed(rgb: Rgb, alpha: Alpha | None) -> Frame:
    """Colours and their alpha, if there is one, as a frame without what alpha hides."""
    return Frame(rgb if alpha is None else hide(rgb, alpha), alpha=alpha)


def on_white(rgb: Rgb, alpha: Alpha | None) -> Rgb:
    """Colours with white where their alpha lets through."""
    return rgb if alpha is None else blend(rgb, alpha, np.full_like(rgb, 255))


def _read(source: Source, kept: list[Notes] | None = None) -> tuple[Rgb, Alpha | None]:
    """Colours and alpha; the image's notes are appended to `kept`."""
    with opened(source) as (file, name):
        try:
            image = identified(file, name)
            read = pil_to_rgba(image)
            if kept is not None:
                kept.append(notes_of(image))
            return read
        except UnidentifiedImageError:
            empty = file.seek(0, io.SEEK_END) == 0
            came = "an empty file" if empty else "something else (or its first bytes are damaged)"
            raise InputError(
                f"{name}: expected an image ({', '.join(_READ[:-2])}), got {came}; convert it to PNG or JPEG"
            ) from None
        except InputError:
            raise
        except (*BROKEN, MemoryError) as error:
            raise InputError(
                f"{name}: expected a whole image, got a truncated or damaged one ({error}); fetch or export it again"
            ) from error


def is_image(path: str | os.PathLike[str]) -> bool:
    """Whether the file begins like one of the image formats `read_image` reads; its content may still be broken."""
    with opened(path) as (file, name):
        try:
            identified(file, name)
        except UnidentifiedImageError:
            return False
        except (InputError, *BROKEN):
            return True
        return True


def is_animated(path: str | os.PathLike[str]) -> bool:
    """Whether the file is an image that moves, as GIF, APNG, WebP and AVIF may."""
    with opened(path) as (file, name):
        try:
            image = identified(file, name)
            return image.format in _ANIMATED and getattr(image, "n_frames", 1) > 1
        except (InputError, *BROKEN):
            return False


def image_size(source: Source) -> tuple[int, int]:
    """(H, W) as the header tells, before anything is decoded and without EXIF orientation; raises as `read_image`."""
    with opened(source) as (file, name):
        try:
            image = identified(file, name)
        except UnidentifiedImageError:
            raise InputError(f"{name}: expected an image, got something else; convert it to PNG or JPEG") from None
        except BROKEN as error:
            raise InputError(f"{name}: expected a whole image, got a damaged one ({error}); fetch it again") from error
        return image.height, image.width


def pil_to_rgb(image: Image.Image) -> Rgb:
    """(H, W, 3) uint8 of a Pillow image, treated as `read_image` treats a file."""
    return on_white(*pil_to_rgba(image))


def notes_of(image: Image.Image) -> Notes:
    """What an image's file says beside its pixels, as true of the upright picture.

    Small pictures in it, and makers' own notes, which may hold some, are left out: they would show what is cut away.
    """
    try:
        exif = image.getexif()
        exif.pop(_ORIENTATION, None)
        exif.get_ifd(_EXIF_PART).pop(_MAKER_NOTE, None)
        told = exif.tobytes() if len(exif) else b""
    except BROKEN:
        told = b""
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    dpi = image.info.get("dpi")
    xmp = _THUMBNAILS.sub(b"", _UPRIGHT.sub(rb"\g<1>1\g<3>", xmp))
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(float(dots) > 0 for dots in dpi):
        return Notes(told, xmp, (float(dpi[0]), float(dpi[1])))
    return Notes(told, xmp)


def pil_to_rgba(image: Image.Image) -> tuple[Rgb, Alpha | None]:
    """Its colours (H, W, 3) uint8, and its alpha (H, W), which is not multiplied into them; None if it is opaque."""
    image.load()
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise InputError("expected an image of whole numbers, got floating point; convert it to 8 or 16 bits")
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        levels = np.clip(np.asarray(image), 0, 65535).astype(np.float32)
        image = Image.fromarray(np.rint(levels / 257).astype(np.uint8))
    alpha = None
    if image.mode == "La":  # multiplied
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.array(image.getchannel("A"))
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    if profile:
        image = _to_srgb(image, profile)
    return np.array(image.convert("RGB")), None if alpha is None or alpha.min() == 255 else alpha


def write_image(
    target: str | os.PathLike[str] | IO[bytes],
    rgb: Rgb,
    alpha: Alpha | None = None,
    *,
    format: Format | None = None,
    quality: int = 92,
    notes: Notes | None = None,
) -> None:
    """Write PNG, WebP or TIFF (RGBA if alpha is given) or JPEG; raises OutputError.

    format: by the file's ending if not given. quality: 1…100, of JPEG and WebP. notes: kept beside the pixels. A path
    appears only when complete.
    """
    require_rgb(rgb)
    name = str(target) if isinstance(target, str | os.PathLike) else "the open file"
    kind = format or _format_of(target)
    if kind not in get_args(Format):
        raise OutputError(f"{name}: expected a format of {', '.join(get_args(Format))}, got {kind!r}; name one of them")
    if alpha is not None:
        if kind == "JPEG":
            raise OutputError(f"{name}: expected an image without alpha, as JPEG has none; write .png or .webp")
        require_alpha(rgb, alpha)
        rgb = np.dstack([rgb, alpha])
    options = {
        "PNG": {"compress_level": 1},
        "WEBP": {"quality": quality, "method": 2},
        "JPEG": {"quality": quality},
        "TIFF": {"compression": "tiff_lzw"},
    }
    whole = io.BytesIO()  # first: libtiff would write past Python, and pipes cannot seek
    try:
        Image.fromarray(rgb).save(whole, format=kind, **options[kind] | _saved(notes, kind))
        with whole_file(target) as file:
            file.write(whole.getbuffer())
    except (OSError, ValueError, RuntimeError) as error:
        raise OutputError(
            f"{name}: expected to write a {rgb.shape[1]}×{rgb.shape[0]} {kind}, got {error}; "
            "check that the folder exists, may be written to and has room, and that the format holds this size"
        ) from error


def _saved(notes: Notes | None, kind: str) -> dict[str, Any]:
    """Pillow's options that write them."""
    if notes is None:
        return {}
    options: dict[str, Any] = {}
    if kind == "TIFF":
        exif = Image.Exif()
        exif.load(notes.exif)
        if notes.xmp:
            exif[_TIFF_XMP] = notes.xmp
        if len(exif):
            options = {"exif": exif, "compression": None}  # libtiff, which would compress, cannot write EXIF's parts
    elif notes.exif:
        options["exif"] = notes.exif
    if notes.dpi and kind != "WEBP":
        options["dpi"] = notes.dpi
    if notes.xmp and kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", notes.xmp.decode("utf-8", "replace"))
    elif notes.xmp and kind != "TIFF":
        options["xmp"] = notes.xmp
    return options


@contextlib.contextmanager
def opened(source: Source) -> Iterator[tuple[IO[bytes], str]]:
    """The source as a seekable binary file, and its name for messages."""
    if isinstance(source, bytes):
        yield io.BytesIO(source), "the given bytes"
    elif isinstance(source, str | os.PathLike):
        try:
            file = open(source, "rb")  # noqa: SIM115 - closed below; only opening is guarded here
        except (OSError, ValueError) as error:  # ValueError: a null character in the name
            raise InputError(
                f"{source}: expected an image file that can be read, got {error}; check the path and its permissions"
            ) from error
        with file:
            yield file, str(source)
    else:
        yield io.BytesIO(source.read()), str(getattr(source, "name", "the open file"))


def identified(file: IO[bytes], name: str) -> Image.Image:
    """The image, not decoded yet, unless it is too large."""
    Image.init()
    head = file.read(heif.HEAD)
    file.seek(0)
    if heif.is_heif(head):
        heif.require_decoder(name)
    with _limit_lock:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_PIXELS
        try:
            image = Image.open(file, formats=[kind for kind in _READ if kind in Image.OPEN])
        except _BOMBS as error:
            raise InputError(_too_large(name, str(error))) from error
        finally:
            Image.MAX_IMAGE_PIXELS = before
    if image.width * image.height > MAX_PIXELS:
        raise InputError(_too_large(name, f"{image.width}×{image.height}"))
    return image


def _too_large(name: str, came: str) -> str:
    return f"{name}: expected an image of at most {MAX_PIXELS // 10**6} megapixels, got {came}; make it smaller first"


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # damaged, or meant for another kind of image: every viewer shows the numbers as they are
    return converted or image


def _format_of(target: str | os.PathLike[str] | IO[bytes]) -> str:
    if not isinstance(target, str | os.PathLike):
        raise OutputError('expected a format for an open file, got none; give format="PNG"')
    suffix = Path(target).suffix.lower()
    return _SUFFIXES.get(suffix, suffix)
