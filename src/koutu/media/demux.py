"""Opening any video file that is one, and reading its packets past damage."""

import os
from collections.abc import Callable, Generator
from fractions import Fraction

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream

from koutu.types import InputError

# Things FFmpeg would show as video: text files, and lists that name other files, perhaps not the caller's own.
_NOT_A_FILE = {"tty", "bin", "xbin", "adf", "idf", "concat", "hls", "dash", "sdp", "imf", "lavfi"}
_ATTEMPTS = 100  # failed reads in a row before the rest of a file is given up


def open_input(path: str | os.PathLike[str], called: str | os.PathLike[str] = "") -> InputContainer:
    """The opened file, which has a video stream; raises InputError. called: its name for messages, if another."""
    name, called = os.fspath(path), os.fspath(called or path)
    if os.path.isdir(name):
        raise InputError(f"{called}: expected a video file, got a folder; name a file in it")
    try:
        with open(name, "rb") as file:
            empty = not file.read(1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{called}: expected a video file that can be read, got {reason}; check the path and its permissions"
        ) from error
    if empty:
        raise InputError(f"{called}: expected a video file, got an empty file; fetch or export it again")
    try:
        # "file:" and the whitelist: neither a name nor what is in the file makes FFmpeg open anything else.
        container = av.open(
            f"file:{name}", "r", container_options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except (FFmpegError, ValueError, OSError) as error:
        raise InputError(
            f"{called}: expected a video file, got something FFmpeg cannot read ({_reason(error)}); "
            "check that it plays, and fetch or export it again"
        ) from error
    _require_video(container, called)
    return container


def video_stream(container: InputContainer) -> av.VideoStream | None:
    """The stream a player would show, no cover picture."""
    best = container.streams.best("video")
    streams = [best, *container.streams.video] if isinstance(best, av.VideoStream) else container.streams.video
    return next((s for s in streams if not s.disposition & Disposition.attached_pic and s.codec_context), None)


def audio_stream(container: InputContainer) -> av.AudioStream | None:
    """The first stream of sound that this FFmpeg can decode."""
    return next((s for s in container.streams.audio if s.codec_context), None)


def packets(
    container: InputContainer, streams: list[Stream], lost: Callable[[FFmpegError], None]
) -> Generator[av.Packet, None, None]:
    """The packets of `streams`, and for each stream an empty one at the end; damage is noted in `lost` and skipped."""
    failures = 0
    while streams:
        try:
            for packet in container.demux(*streams):
                failures = 0
                yield packet
            return
        except FFmpegError as error:
            failures += 1
            if failures == 1:
                lost(error)
            if failures < _ATTEMPTS:
                continue
        for stream in streams:
            end = av.Packet()
            end.stream = stream
            yield end
        return


class Joints:
    """Tells damage from the joint of two transport streams put one after the other, where their counters disagree too.

    A joint is followed by a picture that stands alone. The packet that FFmpeg marks may be the one before the last.
    """

    def __init__(self) -> None:
        self._marked: list[tuple[av.Packet, int]] = []  # and how many came after

    def broken(self, packet: av.Packet) -> list[av.Packet]:
        """The packets that came before this one and are damaged, as is known now; the empty last packet ends it."""
        if packet.size and packet.is_keyframe:
            self._marked = []
        over = [marked for marked, age in self._marked if age >= 1 or not packet.size]
        self._marked = [(marked, age + 1) for marked, age in self._marked if age < 1 and packet.size]
        if packet.is_corrupt and packet.size:
            self._marked.append((packet, 0))
        return over


def start_of(container: InputContainer) -> Fraction:
    """When the earliest stream of sound or pictures starts, in seconds, exactly."""
    if container.start_time is None:
        return Fraction(0)
    rounded = Fraction(container.start_time, av.time_base)
    for stream in container.streams:
        if stream.start_time is not None and stream.time_base:
            exact = stream.start_time * stream.time_base
            if abs(exact - rounded) <= Fraction(1, av.time_base):
                return exact
    return rounded


def _require_video(container: InputContainer, name: str) -> None:
    kinds = set(container.format.name.split(","))
    found = video_stream(container)
    if found is not None and not kinds & _NOT_A_FILE:
        return
    streams = container.streams
    came = f"{container.format.long_name or container.format.name}"
    if not kinds & _NOT_A_FILE and streams.audio:
        came = "sound only"
    elif streams.video:
        came = f"{came} with a codec this FFmpeg does not know" if not kinds & _NOT_A_FILE else came
    container.close()
    raise InputError(f"{name}: expected a file with a video stream, got {came}; name a file that plays as video")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
