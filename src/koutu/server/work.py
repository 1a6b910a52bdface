"""One video in a process of its own, which may crash, hang or be ended without harm: python -m koutu.server.work.

Reads an order as JSON from standard input, which stays open: when it ends, whoever ordered is gone, and so is the
work. Tells how far it is on standard output, a JSON object a line.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any

TELL_SECONDS = 0.25
# FFmpeg's readers that keep to the file they are given; playlists name others.
READERS = {"mov", "mp4", "matroska", "webm", "avi", "flv", "mpegts", "mpeg", "ogg", "gif", "asf"}


@dataclass(frozen=True)
class Order:
    """What is to be made. background: a path or a word of `make_background`; only_mask: a grey video of alpha."""

    source: str
    output: str
    background: str
    only_mask: bool
    audio: bool
    model: str
    engine: str | None
    device: str
    seconds: int  # of video at most
    frame_megapixels: int
    result_mb: int
    touches: tuple[tuple[float, str], ...] = ()  # seconds and files of corrections' masks

    def text(self) -> str:
        """As `main` reads it."""
        return json.dumps(asdict(self)) + "\n"


def main() -> None:
    """Do it; the last line is {"done": …} or {"error": …}."""
    order = Order(**json.loads(sys.stdin.readline()))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # unwind: what is half-written goes
    threading.Thread(target=_leave_with_client, daemon=True).start()
    _limit_file(order.result_mb)
    try:
        tell(done=make(order))
    except Exception as error:
        from koutu.types import KoutuError

        known = isinstance(error, KoutuError)
        # Paths are the server's own and nobody else's business.
        text = str(error).replace(order.source, "the video").replace(order.output, "the result")
        tell(error=text if known else f"{type(error).__name__}: the video could not be worked on")


def make(order: Order) -> dict[str, Any]:
    """Convert, and say what came of it; raises KoutuError."""
    require_plain(order.source, order)  # first: what is no video costs no time
    from koutu.api import convert
    from koutu.media.containers import EncodeOptions
    from koutu.media.image import is_image, read_image

    if os.path.isfile(order.background) and not is_image(order.background):
        require_plain(order.background, order)
    outputs: dict[str, Any] = {"alpha" if order.only_mask else "output": order.output}
    report = convert(
        order.source, **outputs, background=order.background, model=order.model, engine=order.engine,
        device=order.device, encode=EncodeOptions(audio=order.audio), progress=_progress(order),
        corrections={seconds: read_image(path)[..., 1] for seconds, path in order.touches},
    )  # fmt: skip
    notes = [*report.notes, *([f"lost: {report.lost}"] if report.lost else [])]
    return {"frames": report.frames, "seconds": report.seconds, "model": report.model, "notes": notes}


def require_plain(path: str, order: Order) -> None:
    """Raise InputError unless it is a video file that keeps to itself, within the limits."""
    import av
    from av.error import FFmpegError

    from koutu.types import InputError

    try:
        with av.open(path, options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
            readers = set(container.format.name.split(","))
            video = container.streams.video[0] if container.streams.video else None
            size = (video.codec_context.height, video.codec_context.width) if video else (0, 0)
            seconds = (container.duration or 0) / av.time_base
    except (FFmpegError, ValueError) as error:
        raise InputError(f"expected a video, got something that is none ({type(error).__name__})") from error
    if not readers & READERS:
        raise InputError(f"expected a video file such as MP4 or WebM, got {'/'.join(sorted(readers))}; convert it")
    if size[0] * size[1] > order.frame_megapixels * 1_000_000:
        raise InputError(
            f"expected frames of at most {order.frame_megapixels} megapixels, got {size[1]}×{size[0]}; shrink the video"
        )
    if seconds > order.seconds:
        raise InputError(f"expected a video of at most {order.seconds} s, got {seconds:.0f}; cut it")


def tell(**message: Any) -> None:
    """One line to whoever ordered."""
    print(json.dumps(message), flush=True)


def _progress(order: Order) -> Callable[[int, Any], None]:
    last = [0.0]

    def progress(frames: int, reader: Any) -> None:
        from koutu.types import InputError

        if reader.end > order.seconds:  # files may tell a shorter one
            raise InputError(f"expected a video of at most {order.seconds} s, got more; cut it")
        if monotonic() - last[0] >= TELL_SECONDS:
            last[0] = monotonic()
            tell(frames=frames, total=reader.frame_count)

    return progress


def _limit_file(megabytes: int) -> None:
    """No file may grow beyond; beyond it, writing fails as on a full disk."""
    try:
        import resource
    except ImportError:  # Windows
        return
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (megabytes * 1_000_000, megabytes * 1_000_000))


def _leave_with_client() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


class Worker:
    """The same begun on another machine, and asked there how far it is; it ends with whoever holds this."""

    def __init__(self, order: str, folder: str):
        self._process = subprocess.Popen(
            python(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin
        self._process.stdin.write(order)
        self._process.stdin.flush()
        self._line = ""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def said(self) -> tuple[str, bool]:
        """Its last line, and whether it has ended."""
        over = not self._listener.is_alive()
        return self._line, over

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._line = line


def python() -> list[str]:
    """The command that starts this."""
    return [sys.executable, "-m", "koutu.server.work"]


if __name__ == "__main__":
    main()
