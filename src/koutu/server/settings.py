"""What a server is started with: where it listens, what it runs, and how much anybody may ask of it."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from koutu.defaults import DEVICE, MODEL
from koutu.types import InputError

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Limits:
    """How much one client, and all together, may ask for, in whole numbers."""

    upload_mb: int = 64  # of an image
    megapixels: int = 64  # of an image, as its header says before it is decoded
    requests: int = 64  # images that arrive, wait, are worked on or leave at one time
    fetch_seconds: int = 15  # to get an image from a URL
    video_mb: int = 512
    video_seconds: int = 600
    result_mb: int = 4096  # of a video
    frame_megapixels: int = 9  # of a video, so that 4096×2160 fits
    jobs: int = 16  # videos that wait or are worked on
    job_minutes: int = 60  # of work on one video
    keep_minutes: int = 60  # of a video's result
    viewers: int = 8
    live_megapixels: int = 2  # of a live frame, so that 1920×1080 fits
    idle_seconds: int = 30  # in which a client neither sends what is awaited nor takes what it is sent
    connections: int = 256

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise InputError(f"expected a limit --{name.replace('_', '-')} of at least 1, got {value}; raise it")


@dataclass(frozen=True)
class ServerSettings:
    """How `koutu serve` was called. workers: images and live frames worked on at one time; 0: one a core.

    cluster: of Ray, whose machines work on videos; "" for this machine.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str = MODEL
    engine: str | None = None
    device: str = DEVICE
    token: str = ""
    allow_hosts: tuple[str, ...] = ()  # further names under which the server is reached
    allow_origins: tuple[str, ...] = ()  # further sites whose pages may call it, "https://example.org"
    jobs_folder: Path | None = None  # where finished videos outlive a restart; None: a temporary folder
    workers: int = 0
    cluster: str = ""
    threads: int = 1  # of each; one image a core is more images than each on all cores
    cert: Path | None = None
    key: Path | None = None
    ice_servers: tuple[str, ...] = ()  # stun: and turn: addresses for WebRTC beyond the local network
    trust_proxy: str = ""  # address of a proxy whose X-Forwarded headers count
    insecure: bool = False  # listen beyond this machine without a token
    quiet: bool = False
    limits: Limits = field(default_factory=Limits)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to what listens on `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
