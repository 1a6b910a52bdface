"""HEIC and HEIF, as phones save photographs: read by libheif, since Pillow has no decoder for them."""

from importlib.util import find_spec

from koutu.types import InputError

NAME = "HEIF"  # as Pillow calls the format
HEAD = 12  # bytes that tell
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_state = {"registered": False}


def is_heif(head: bytes) -> bool:
    """Whether a file that begins so is HEIF with HEVC inside; AVIF, which begins alike, is not."""
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


def require_decoder(name: str) -> None:
    """Make Pillow read HEIF; raises InputError where its decoder is not installed."""
    if _state["registered"]:
        return
    if find_spec("pillow_heif") is None:
        raise InputError(
            f"{name}: expected pillow-heif to read a HEIC photograph, which is not installed; pip install pillow-heif, "
            "or send the photograph as JPEG"
        )
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)
    _state["registered"] = True
