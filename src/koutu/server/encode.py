"""Results as files in memory: PNG, JPEG, WebP, and a ZIP of colours and alpha."""

import io
import zipfile
from typing import Literal, TypeAlias

from koutu.composite import without_background
from koutu.media.image import Format, write_image
from koutu.server.cut import Cut
from koutu.types import Alpha, Rgb, Yuv

Kind: TypeAlias = Literal["png", "jpg", "webp", "zip"]
MEDIA = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "zip": "application/zip"}
_FORMATS: dict[str, Format] = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
MAX_WEBP = 16383  # pixels a side, of the format


def encode_cut(cut: Cut, kind: Kind) -> bytes:
    """The person alone, in a form that keeps alpha."""
    fgr = without_background(cut.fgr, cut.alpha)
    assert not isinstance(fgr, Yuv)
    return encode(fgr, cut.alpha, kind)


def encode(rgb: Rgb, alpha: Alpha | None, kind: Kind) -> bytes:
    """The file's bytes. JPEG wants alpha None. ZIP: color.jpg and alpha.png, to be put together by the client."""
    if kind != "zip":
        return _file(rgb, alpha, _FORMATS[kind])
    parts = {"color.jpg": _file(rgb, None, "JPEG")}
    if alpha is not None:
        parts["alpha.png"] = _file(alpha[..., None].repeat(3, axis=2), None, "PNG")
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return whole.getvalue()


def as_jpeg(rgb: Rgb) -> bytes:
    """A picture that is to be worked on, as a JPEG that loses hardly anything."""
    file = io.BytesIO()
    write_image(file, rgb, format="JPEG", quality=95)
    return file.getvalue()


def _file(rgb: Rgb, alpha: Alpha | None, kind: Format) -> bytes:
    file = io.BytesIO()
    write_image(file, rgb, alpha, format=kind)
    return file.getvalue()
