"""Sinks that encode: a file that appears whole, an HLS folder, a stream sent over the network."""

import errno
import os
import secrets
from collections import deque
from dataclasses import replace
from fractions import Fraction
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from koutu.color import halved_chroma
from koutu.live.flow import Shown, Sound, sdr
from koutu.live.options import Encoding
from koutu.live.output_thread import Sink, SinkLost
from koutu.live.recorder import Form, Pictures, Recorder, pictures_like
from koutu.live.relay import Relay
from koutu.live.source_address import without_secrets
from koutu.media.containers import CONTAINERS, NOT_COPIED, EncodeOptions, Encoder
from koutu.media.demux import open_input
from koutu.media.destination import checked_target, move, remove
from koutu.media.picture_stream import encoder_like
from koutu.types import OutputError, Viewing, Yuv420

# FFmpeg's format and options by an address's scheme.
_SENT: dict[str, tuple[str, dict[str, str]]] = {
    "rtmp": ("flv", {"flvflags": "no_duration_filesize"}),
    "rtmps": ("flv", {"flvflags": "no_duration_filesize"}),
    "rtsp": ("rtsp", {"rtsp_transport": "tcp", "timeout": "10000000"}),
    "udp": ("mpegts", {}),
    "tcp": ("mpegts", {}),
}
SCHEMES = tuple(_SENT)
UNDER_WAY = 3  # pictures that were encoded and not sent yet: pipes and sockets would hold seconds of small ones
# Frames between others come out late, by as much as a slow moment lasts, and sound would wait for them.
_AT_ONCE: dict[str, dict[str, str]] = {
    "libx264": {"forced-idr": "1", "bf": "0"},
    "libx265": {"forced-idr": "1", "tune": "zerolatency"},
    "libvpx-vp9": {"deadline": "realtime"},
}
_SEGMENT_SECONDS, _TS_PACKET = 2, 188
FILE_WAITING = 2  # pictures: a disk has slow moments


class Written(Sink):
    """A sink with a recorder that begins with the first frame."""

    hears = True

    def __init__(self, name: str, encoding: Encoding):
        self.name, self._encoding = name, encoding
        self._recorder: Recorder | None = None

    def show(self, shown: Shown, sounds: list[Sound]) -> None:
        try:
            if self._recorder is None:
                self._recorder = self._begin(shown)
            self._recorder.put(self._picture_of(shown), float(shown.shot.frame.seconds), sounds)
        except (FFmpegError, OSError, ValueError) as error:
            raise self._failed(error) from error

    def abort(self) -> None:
        if self._recorder is not None:
            self._recorder.discard()
            self._recorder = None

    def _begin(self, shown: Shown) -> Recorder:
        return self._recorder_of(self._target(), shown)

    def _recorder_of(self, target: Any, shown: Shown) -> Recorder:
        viewing, picture = shown.shot.frame.viewing, self._picture_of(shown)
        if picture is not shown.picture:
            viewing = Viewing(pixel_aspect=viewing.pixel_aspect, codes=(1, 1))
        first = replace(shown.shot.frame, picture=picture, viewing=viewing)
        like = pictures_like(first, self._encoding.rate, shown.shot.hdr)
        return Recorder(target, self._form_of(like), first.size, like, audio=self._encoding.audio)

    def _picture_of(self, shown: Shown) -> Yuv420:
        """The picture as it is written: streams are SDR."""
        return halved_chroma(sdr(shown.picture, shown.shot.frame.viewing))

    def _form_of(self, like: Pictures) -> Form:
        raise NotImplementedError

    def _target(self) -> Any:
        raise NotImplementedError

    def _finish(self, sounds: list[Sound]) -> bool:
        """Complete it; False if it never began."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return False
        try:
            recorder.finish(sounds)
        except (FFmpegError, OSError, ValueError) as error:
            recorder.discard()
            raise self._failed(error) from error
        return True

    def _failed(self, error: Exception) -> Exception:
        if isinstance(error, OutputError):
            return error
        reason = getattr(error, "strerror", None) or str(error)
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space, or write to another disk" if full else "choose another place"
        return OutputError(f"{self.name}: expected to write the video, got: {reason}; {remedy}")


class FileSink(Written):
    """A video file, written beside its destination and moved there at the end."""

    waiting = FILE_WAITING

    def __init__(self, path: Path, encoding: Encoding, *, source: Path | None = None):
        super().__init__(path.name, encoding)
        self.path, self._titles = path, _titles(source)
        self._notes: list[str] = []
        self._real = checked_target(path, path, source, folder=False)
        self._part = self._real.with_name(f".{secrets.token_hex(4)}.part")  # kept after a power cut: it plays

    def close(self, sounds: list[Sound]) -> list[str]:
        if not self._finish(sounds):
            raise OutputError(f"{self.path}: expected at least one frame to write, got none; check the source")
        try:
            move(self._part, self._real)
        except OSError as error:
            raise self._failed(error) from error
        return [f"wrote {self.path}", *self._notes]

    def abort(self) -> None:
        super().abort()
        remove(self._part)

    def _begin(self, shown: Shown) -> Recorder:
        recorder = super()._begin(shown)
        self._notes = recorder.notes
        return recorder

    def _picture_of(self, shown: Shown) -> Yuv420:
        return shown.picture

    def _form_of(self, like: Pictures) -> Form:
        container = CONTAINERS[self.path.suffix.lower()]
        options = EncodeOptions(preset=self._encoding.preset, crf=self._encoding.crf)
        encoder = encoder_like(container, like, options, False)
        encoder = encoder._replace(options=encoder.options | _AT_ONCE[encoder.name])
        # Written in fragments until it is complete: what is there after a power cut plays.
        more = {"movflags": "hybrid_fragmented"} if container.format in ("mp4", "mov") else {}
        return Form(container.format, encoder, container.audio_encoder, more, self._titles)

    def _target(self) -> str:
        return f"file:{self._part}"


class HlsSink(Written):
    """A playlist and its segments in a folder, for any web server; the last twelve seconds are kept."""

    def __init__(self, path: Path, encoding: Encoding):
        self._more = {
            "hls_time": str(_SEGMENT_SECONDS), "hls_list_size": "6",
            "hls_flags": "delete_segments+independent_segments+temp_file",
            "hls_segment_filename": f"file:{str(path.with_suffix('')).replace('%', '%%')}-%d.ts",
        }  # fmt: skip
        super().__init__(path.name, encoding)
        self.path, self._checked = path, Fraction(0)
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise OutputError(f"{path}: expected a folder that can be written to, got {path.parent}; make it first")

    def close(self, sounds: list[Sound]) -> list[str]:
        if not self._finish(sounds):
            return []
        self._require_whole(over=True)
        return [f"wrote {self.path}"]

    def show(self, shown: Shown, sounds: list[Sound]) -> None:
        super().show(shown, sounds)
        at = shown.shot.frame.seconds
        if at - self._checked >= _SEGMENT_SECONDS:
            self._checked = at
            self._require_whole(over=False)

    def _require_whole(self, *, over: bool) -> None:
        """Raise OutputError unless all that the playlist names is there, of which the muxer does not tell.

        over: there must be a playlist by now. What is broken does not stay.
        """
        try:
            lines = self.path.read_text().splitlines() if over or self.path.exists() else []
            for line in lines:
                if line and not line.startswith("#"):
                    size = (self.path.parent / line).stat().st_size
                    if not size or size % _TS_PACKET:
                        raise OSError(errno.ENOSPC, f"{line} with {size} bytes, which is not all of it")
            if not self.path.parent.is_dir():
                raise FileNotFoundError(errno.ENOENT, f"no folder {self.path.parent}")
        except OSError as error:
            for path in [self.path, *self.path.parent.glob(f"{escape(self.path.stem)}-*.ts*")]:
                remove(path)
            raise self._failed(error) from error

    def _form_of(self, like: Pictures) -> Form:
        return Form("hls", streamed(self._encoding), "aac", self._more)

    def _target(self) -> str:
        return f"file:{self.path}"


class StreamSink(Written):
    """A stream sent to an address by a process of its own; a frame counts as shown when the network has taken it."""

    comes_back = True
    acknowledges = True

    def __init__(self, url: str, encoding: Encoding):
        self._url = url
        self._format, self._options = _SENT[url.partition("://")[0].lower()]
        super().__init__(without_secrets(url), encoding)
        self._relay: Relay | None = None
        self._reached = False
        self._under_way: deque[tuple[float, int]] = deque()  # (captured, number) of frames that are not sent yet

    def show(self, shown: Shown, sounds: list[Sound]) -> None:
        try:
            if self._relay is not None:
                self._relay.wait(lambda: len(self._under_way) < UNDER_WAY)
            self._under_way.append((shown.shot.captured, shown.shot.number))
            super().show(shown, sounds)
        except SinkLost as lost:
            if not self._was_reached():
                raise self._refused(lost) from lost
            raise

    def drop(self) -> None:
        self._under_way = deque()
        self._was_reached()
        if self._relay is not None:
            self._relay.kill()
            self._relay = None
        if self._recorder is not None:
            self._recorder.discard()
            self._recorder = None

    def abort(self) -> None:
        self.drop()

    def close(self, sounds: list[Sound]) -> list[str]:
        relay, self._relay = self._relay, None
        try:
            if self._finish(sounds) and relay is not None:
                relay.finish()
        except SinkLost as lost:
            raise self._refused(lost) from lost
        return []

    def _sent(self, under_way: deque[tuple[float, int]]) -> None:
        """The oldest frame that was given to a relay is sent."""
        if under_way:
            self.seen(*under_way.popleft())

    def _was_reached(self) -> bool:
        """Whether the receiver was there once: then it may come back."""
        self._reached = self._reached or (self._relay is not None and self._relay.connected)
        return self._reached

    def _form_of(self, like: Pictures) -> Form:
        return Form("nut", streamed(self._encoding), "aac", {"flush_packets": "1"})

    def _begin(self, shown: Shown) -> Recorder:
        self._relay = Relay(self._url, self._format, self._options, partial(self._sent, self._under_way))
        return self._recorder_of(self._relay, shown)

    def _failed(self, error: Exception) -> Exception:
        return error if isinstance(error, OutputError) else SinkLost(getattr(error, "strerror", None) or str(error))

    def _refused(self, lost: SinkLost) -> OutputError:
        return OutputError(
            f"{self.name}: expected a receiver that takes the stream, got {lost}; start it, or check the address"
        )


def _titles(source: Path | None) -> dict[str, str]:
    """What a file that is played says of itself, as true of the new one."""
    if source is None:
        return {}
    with open_input(source) as container:
        return {name: text for name, text in container.metadata.items() if name not in NOT_COPIED}


def streamed(encoding: Encoding) -> Encoder:
    """x264 for frames that are to be seen at once, at a steady rate."""
    rate = f"{encoding.bitrate}k"
    options = {
        "preset": encoding.preset, "tune": "zerolatency", "b": rate, "maxrate": rate, "bufsize": rate,
        "forced-idr": "1",
    }  # fmt: skip
    return Encoder("libx264", "yuv420p", options, even=True)
