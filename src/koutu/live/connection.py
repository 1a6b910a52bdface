"""One connection to a source: opened by FFmpeg, read packet by packet, decoded without delay."""

import errno
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from numpy.typing import NDArray

from koutu.live.arrivals import Arrivals
from koutu.live.clock import Clock, Pace, stamp_origin
from koutu.live.flow import SAMPLE_RATE
from koutu.live.source_address import SourceAddress
from koutu.media.clock import Growing
from koutu.media.colours import colours_of, told_of, viewing_of
from koutu.media.containers import HdrLight
from koutu.media.demux import audio_stream, open_input, packets, start_of, video_stream
from koutu.media.fields import Progressive
from koutu.media.hdr import hdr_light_of
from koutu.media.own_alpha import alpha_of, decoder_of, upright
from koutu.media.pictures_reader import is_pillow_s
from koutu.media.planes import depth_of, frame_to_yuv, turn_of
from koutu.types import Alpha, InputError, Viewing, Yuv420

OPEN_SECONDS, READ_SECONDS = 10.0, 5.0  # that a connection may take, and that it may be silent
STALE = 0.15  # seconds that a frame may wait to be decoded when a newer one is there
SELDOM = 0.2  # seconds after which even such a frame is shown, so that a picture that is late does not stand still
BEHIND = 1.0  # seconds that a stream may pile up before frames are skipped as far as the next that stands alone
_PLAYED = {"hls", "dash", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}  # over HTTP: as fast as they are asked for


class Lost(Exception):
    """The connection broke; says why."""


@dataclass(frozen=True, slots=True)
class Still:
    """A frame, its moment by the stream's clock, when it came by the run's, how it is shown, its alpha, its light."""

    picture: Yuv420
    seconds: float
    arrived: float
    viewing: Viewing
    alpha: Alpha | None = None
    hdr: HdrLight = HdrLight()  # noqa: RUF009 — a tuple


@dataclass(frozen=True, slots=True)
class Heard:
    """Sound (2, n) float32 at SAMPLE_RATE and its moment by the stream's clock."""

    samples: NDArray[np.float32]
    seconds: float


class Feed:
    """A source that is open; raises InputError if it cannot be opened. Iterated once, from one thread.

    pace: its clock. size: (H, W) as stored; rate: frames a second, if known; finite: it has an end that is no loss;
    progressive: what takes the combs out of interlaced frames.
    """

    def __init__(self, place: SourceAddress, *, clock: Clock = monotonic, audio: bool = True):
        self.place, self._clock = place, clock
        self._container = opened(place)
        self.damaged = self._left_out = 0
        self._arrivals: Arrivals | None = None
        try:
            self._begin(audio)
        except BaseException:
            self._container.close()
            raise

    def _begin(self, audio: bool) -> None:
        stream = video_stream(self._container)
        if stream is None:
            raise InputError(f"{self.place.name}: expected frames, got none; name a source that plays as video")
        self._video, self._audio = stream, audio_stream(self._container) if audio else None
        self.has_audio = self._audio is not None
        finite = self._container.duration is not None
        web = self.place.url.startswith(("http://", "https://"))
        self.finite = self.place.kind == "file" or (web and finite)
        paced = self.place.kind == "file" or (web and (finite or self._container.format.name in _PLAYED))
        self.pace = Pace(self._clock, paced=paced)
        if not paced:  # threads that decode whole frames hand each out when others have come
            stream.thread_type = "SLICE"
            stream.codec_context.flags |= Flags.low_delay
        else:
            stream.thread_type = "AUTO"
        self._aspect = Fraction(stream.sample_aspect_ratio or 1)
        self.progressive = Progressive()
        self._hdr: HdrLight | None = None
        self._told, self._decoder = told_of(stream), decoder_of(stream)
        rate = stream.average_rate or stream.guessed_rate
        self.rate = float(rate) if rate else None
        self.size = stream.codec_context.height, stream.codec_context.width
        self._start = float(start_of(self._container)) if paced else 0.0
        self._tick = Fraction(stream.time_base or Fraction(1, 90_000))
        self._growing, self._length = Growing(self._tick), max(1, round(1 / (rate or 25) / self._tick))
        self._resampler = resampler()
        self._heard = Growing(Fraction(1, SAMPLE_RATE))
        self._waits_for_key = self._skipping = self._stamped = False
        self._shown_at = float("-inf")
        if not paced:  # from now on: what comes while outputs connect must not pile up
            self._arrivals = Arrivals(self._packets(), self._clock, BEHIND)

    @property
    def skipped(self) -> int:
        """Packets of frames that were left out because too many had piled up."""
        return self._left_out + (self._arrivals.skipped if self._arrivals else 0)

    def __iter__(self) -> Iterator[Still | Heard]:
        try:
            for packet, arrived in self._arriving():
                if packet.stream.type == "audio":
                    yield from self._sounds(packet)
                else:
                    yield from self._stills(packet, arrived)
        except FFmpegError as error:
            raise Lost(reason(error)) from error
        if not self.finite:
            raise Lost("it ended")

    def close(self) -> None:
        """Close the connection; called when nobody iterates any more."""
        if self._arrivals is not None:
            self._arrivals.close(READ_SECONDS + 1)
        self._container.close()

    def _arriving(self) -> Iterator[tuple[av.Packet, float]]:
        """Packets, and when each came."""
        if self._arrivals is None:
            yield from ((packet, self._clock()) for packet in self._packets())
        else:
            for arrival in self._arrivals:
                self._skipping = self._skipping or arrival.gap
                yield arrival.packet, arrival.arrived

    def _packets(self) -> Iterator[av.Packet]:
        streams: list[Any] = [self._video, *([self._audio] if self._audio else [])]
        if self.place.kind == "file":
            return packets(self._container, streams, lambda _: None)
        return self._container.demux(*streams)

    def _stills(self, packet: av.Packet, arrived: float) -> Iterator[Still]:
        if self._skips(packet, arrived):
            self._left_out += 1
            return
        try:
            frames = self._decoder.decode(packet if packet.size else None)
        except (FFmpegError, EOFError):
            self.damaged += 1
            return
        ended = [] if packet.size else [None]
        made = [one for frame in (*frames, *ended) for one, _ in self.progressive(frame)]
        if self._is_stale(arrived):  # it had to be decoded for those after it, and nobody would see it
            self._left_out += 1
            return
        self._skipping = False
        self._shown_at = self._clock()
        for frame in made:
            seconds = float(self._growing.place(frame.pts, frame.duration or self._length) * self._tick)
            if self.place.kind == "device" and not self._stamped:
                self.pace.stamped, self._stamped = stamp_origin(seconds, self._clock), True
            tags, space = colours_of(frame, self._told)
            turn = turn_of(frame)
            viewing = viewing_of(tags, 1 / self._aspect if turn.transpose else self._aspect)
            if self._hdr is None:
                self._hdr = hdr_light_of(frame)
            depth = 8 if viewing.transfer == "sdr" else depth_of(frame)
            picture = frame_to_yuv(frame, space, depth, (frame.height, frame.width))
            picture, alpha = upright(picture, alpha_of(frame), turn)
            yield Still(picture, seconds - self._start, arrived, viewing, alpha, self._hdr)

    def _is_stale(self, arrived: float) -> bool:
        """Whether a packet waited for long, a newer one is here, and something was shown a moment ago."""
        if self._arrivals is None or self._skipping:  # the first that stands alone after a gap is shown, old or not
            return False
        now = self._clock()
        return now - arrived > STALE and now - self._shown_at < SELDOM and self._arrivals.frame_waits

    def _skips(self, packet: av.Packet, arrived: float) -> bool:
        """Whether to leave a packet out, because too much has piled up behind it."""
        if self.pace.paced or packet.pts is None:
            return False
        if packet.is_keyframe:
            self._waits_for_key = False
        elif max(arrived, self._clock()) - self.pace.captured(float(packet.pts * self._tick), arrived) > BEHIND:
            self._waits_for_key = self._skipping = True  # what waited here counts as well
        return self._waits_for_key

    def _sounds(self, packet: av.Packet) -> Iterator[Heard]:
        assert self._audio is not None
        try:
            heard = self._audio.codec_context.decode(packet if packet.size else None)
            parts = [part for frame in heard for part in self._resampler.resample(frame)]
        except (FFmpegError, ValueError, EOFError):  # ValueError: its rate or channels changed
            self._resampler = resampler()
            self.damaged += 1
            return
        for part in parts:
            yield heard_in(part, self._heard, self._start)


def resampler() -> av.AudioResampler:
    """To what sound is inside: float32 planes of two channels at SAMPLE_RATE."""
    return av.AudioResampler("fltp", "stereo", SAMPLE_RATE)


def heard_in(part: av.AudioFrame, growing: Growing, start: float = 0.0) -> Heard:
    """What a resampled frame holds, placed by `growing`, whose ticks are samples; start: seconds taken off."""
    at = None if part.pts is None else round(part.pts * Fraction(part.time_base or 1) * SAMPLE_RATE)
    return Heard(np.asarray(part.to_ndarray(), np.float32), growing.place(at, part.samples) / SAMPLE_RATE - start)


def opened(place: SourceAddress) -> Any:
    """FFmpeg's container for a place; raises InputError that says what to do."""
    if place.kind == "file":
        if is_pillow_s(place.url):  # FFmpeg reads them without their alpha, or not at all
            raise InputError(
                f"{place.name}: expected a video, got a WebP, AVIF or HEIF image; make a video of it first, such as "
                "ProRes 4444, which keeps its alpha"
            )
        return open_input(place.url)
    try:
        return av.open(
            place.url, "r", format=place.format, container_options=dict(place.options), metadata_errors="replace",
            timeout=(OPEN_SECONDS, READ_SECONDS),
        )  # fmt: skip
    except (FFmpegError, ValueError, OSError) as error:
        what = "a camera or screen" if place.kind == "device" else "a stream"
        raise InputError(
            f"{place.name}: expected {what} that can be opened, got {reason(error)}; {_remedy(place, error)}"
        ) from error


def reason(error: BaseException) -> str:
    """FFmpeg's words for an error, without the address that it happened at."""
    if getattr(error, "errno", None) == _EXIT:
        return f"silence for {READ_SECONDS:g} s"
    return str(getattr(error, "strerror", None) or error).lower()


_EXIT = 0x54495845  # AVERROR_EXIT: a read took too long and was broken off


def _remedy(place: SourceAddress, error: BaseException) -> str:
    code = getattr(error, "errno", None)
    if place.kind == "stream":
        return {
            errno.ECONNREFUSED: "start the server, or check the port",
            errno.ETIMEDOUT: "check that the host can be reached",
            _EXIT: "check that somebody sends",
        }.get(code or 0, "check the address, and that somebody sends")
    linux = {
        errno.ENOENT: "plug it in, or choose another: `ls /dev/video*` lists them",
        errno.ENODEV: "plug it in, or choose another: `ls /dev/video*` lists them",
        errno.EBUSY: "close the program that uses it",
        errno.EACCES: "join the group that may use it: `sudo usermod -aG video $USER`, then log in again",
        errno.EPERM: "join the group that may use it: `sudo usermod -aG video $USER`, then log in again",
        errno.EINVAL: "leave out --size and --fps, or give those it can do: `v4l2-ctl --list-formats-ext`",
    }
    if place.format == "x11grab":
        return "check $DISPLAY, and that this user may read the screen (xauth)"
    if sys.platform == "darwin":
        return "allow the camera for this program under Privacy & Security, and close others that use it"
    return linux.get(code or 0, "check that it is plugged in, free, and yours to use")
