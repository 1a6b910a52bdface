"""From what a user writes for a source, an index, a device, a path or an address, to what FFmpeg is to open."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from koutu.types import InputError

# FFmpeg's input devices; PyAV's wheels have those of their system.
DEVICES = (
    "v4l2", "video4linux2", "avfoundation", "dshow", "gdigrab", "x11grab", "kmsgrab", "fbdev", "decklink",
    "android_camera", "vfwcap", "iec61883", "lavfi",
)  # fmt: skip
SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp", "rtp")
# What a stream may make FFmpeg open: no file of this machine.
_NETWORK = "rtsp,rtsps,rtp,srtp,rtmp,rtmps,rtmpt,rtmpts,ffrtmphttp,http,https,httpproxy,tcp,udp,tls,crypto,data"
_ACCEPTED = (
    "a camera's number, /dev/videoN, FORMAT:DEVICE of FFmpeg, screen, a video file, or an address "
    f"({', '.join(f'{scheme}://' for scheme in SCHEMES[:6])}…)"
)

Kind = Literal["device", "file", "stream"]


@dataclass(frozen=True)
class DeviceRequest:
    """How a device should deliver. size: (W, H); options: FFmpeg's own, also for streams."""

    size: tuple[int, int] | None = None
    rate: float | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceAddress:
    """What to open. name: for people, without passwords and keys; format: FFmpeg's, None to let it find out."""

    kind: Kind
    url: str
    name: str
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def parse_source(word: str, request: DeviceRequest | None = None) -> SourceAddress:
    """The source that `word` names; raises InputError.

    "0", "1", …: cameras; "screen", or "screen:WHICH" with FFmpeg's name for one; "/dev/video2"; "dshow:video=NAME" and
    the like; an address; or the path of a video file, which is played in real time.
    """
    request = request or DeviceRequest()
    if re.fullmatch(r"\d+", word):
        return _device(*_camera(int(word)), f"camera {word}", request)
    if word == "screen" or word.startswith("screen:"):
        return _device(*_screen(word[7:]), "screen", request)
    if re.fullmatch(r"/dev/video\d+", word):
        return _device("v4l2", word, word, request)
    if "://" in word:
        return _stream(word, request)
    before, sign, after = word.partition(":")
    if sign and before in DEVICES:
        return _device(before, after, word, request)
    if not os.path.exists(word):
        raise InputError(f"{word}: expected {_ACCEPTED}, got none of these; check the spelling and the path")
    return SourceAddress("file", word, Path(word).name)


def is_device_format(format: str | None) -> bool:
    """Whether FFmpeg, as it is installed, has the input device of that name."""
    from av.format import ContainerFormat

    try:
        ContainerFormat(format or "", "r")
    except ValueError:
        return False
    return True


def without_secrets(url: str) -> str:
    """An address as it may be shown: stream keys are the last part of a path, passwords stand before the host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}/…"


def _device(format: str, url: str, name: str, request: DeviceRequest) -> SourceAddress:
    options = {}
    if request.size:
        options["video_size"] = f"{request.size[0]}x{request.size[1]}"
    if request.rate:
        options["framerate"] = f"{request.rate:g}"
    if not is_device_format(format):
        raise InputError(
            f"{name}: expected one of FFmpeg's input devices, got {format}, which this FFmpeg was built without; on "
            f"this system try {_usual()}"
        )
    return SourceAddress("device", url, name, format, {**options, **request.options})


def _stream(word: str, request: DeviceRequest) -> SourceAddress:
    scheme = word.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise InputError(f"{scheme}://: expected an address of {', '.join(SCHEMES)}, got {scheme}; use one of these")
    options = {"protocol_whitelist": _NETWORK}
    if scheme in ("rtsp", "rtsps"):
        options |= {"rtsp_transport": "tcp"}  # UDP loses packets, and firewalls keep it out
    return SourceAddress("stream", word, without_secrets(word), None, {**options, **request.options})


def _camera(index: int) -> tuple[str, str]:
    """FFmpeg's device and its name for camera number `index` of this system."""
    if sys.platform == "darwin":
        return "avfoundation", f"{index}:none"
    if sys.platform == "win32":
        from av import enumerate_input_devices

        cameras = [d.description for d in enumerate_input_devices("dshow") if "video" in d.media_types]
        if index >= len(cameras):
            raise InputError(f"camera {index}: expected one of {len(cameras)} cameras, found none; count from 0")
        return "dshow", f"video={cameras[index]}"
    return "v4l2", f"/dev/video{index}"


def _screen(which: str) -> tuple[str, str]:
    if sys.platform == "darwin":
        return "avfoundation", f"{which or 'Capture screen 0'}:none"
    if sys.platform == "win32":
        return "gdigrab", which or "desktop"
    display = which or os.environ.get("DISPLAY", "")
    if not display:
        raise InputError(
            "screen: expected an X display in $DISPLAY, got none; start it in an X session, or name one: screen::0.0"
        )
    return "x11grab", display


def _usual() -> str:
    return {"darwin": "avfoundation:0", "win32": "dshow:video=NAME"}.get(sys.platform, "v4l2:/dev/video0")
