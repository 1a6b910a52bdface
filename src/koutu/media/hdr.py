"""What HDR footage says of the screen it was made on and of its brightest light, read from frames, said to encoders."""

import struct

import av

from koutu.media.containers import HdrLight

_MASTERING = struct.Struct("=20i2i")  # FFmpeg's AVMasteringDisplayMetadata: ten fractions, and which are there
_DISPLAY, _LEVEL = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"
_NAMED = {
    "DOVI_RPU_BUFFER": "Dolby Vision's layer",
    "DOVI_METADATA": "Dolby Vision's layer",
    "DYNAMIC_HDR_PLUS": "HDR10+'s description of each frame",
    "DYNAMIC_HDR_VIVID": "HDR Vivid's description of each frame",
}


def hdr_light_of(frame: av.VideoFrame) -> HdrLight:
    """What lies beside a decoded frame."""
    try:
        beside = {
            name: frame.side_data.get(name) for name in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", *_NAMED)
        }
    except ValueError:  # something that PyAV does not know lies there too
        return HdrLight()
    display, level = beside[_DISPLAY], beside[_LEVEL]
    others = sorted({_NAMED[name] for name in _NAMED if beside[name] is not None})
    return HdrLight(
        _display(bytes(display)) if display is not None else "",
        ",".join(map(str, struct.unpack_from("=2I", bytes(level)))) if level is not None else "",
        tuple(others),
    )


def _display(data: bytes) -> str:
    numbers = _MASTERING.unpack_from(data)
    parts = [n / d if d else 0.0 for n, d in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
    if not all(numbers[20:]):
        return ""
    red, green, blue, white = (tuple(round(x * 50_000) for x in parts[at : at + 2]) for at in (0, 2, 4, 6))
    darkest, brightest = (round(x * 10_000) for x in parts[8:10])
    corners = zip(("G", "B", "R", "WP"), (green, blue, red, white), strict=True)
    places = "".join(f"{name}({x},{y})" for name, (x, y) in corners)
    return f"{places}L({brightest},{darkest})"
