"""Sound from a device of its own, for cameras and screens that bring none."""

import os
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import av
from av.error import FFmpegError

from koutu.live.clock import Clock, Pace, stamp_origin
from koutu.live.connection import OPEN_SECONDS, READ_SECONDS, Heard, Lost, heard_in, reason, resampler
from koutu.live.flow import SAMPLE_RATE, Sound
from koutu.live.options import Reading
from koutu.live.source import LONGEST_WAIT
from koutu.live.source_address import SourceAddress, is_device_format
from koutu.media.clock import Growing
from koutu.media.demux import audio_stream
from koutu.types import InputError

# FFmpeg's input devices that hear.
DEVICES = ("alsa", "pulse", "jack", "oss", "sndio", "openal", "avfoundation", "dshow", "lavfi")
ALSA = Path("/usr/share/alsa/alsa.conf")  # the library in PyAV's wheels looks where it was built
SETTLE = 0.3  # seconds not passed on: what lay in the device's buffer, and how quick it is at its best
DRIFT = 0.2  # seconds that a device's clock may part from the run's before its sound is placed anew


def microphone_of(word: str) -> SourceAddress:
    """The device that `word` names, FFmpeg's FORMAT:DEVICE, or "default" where there is one; raises InputError."""
    usual = {"darwin": "avfoundation::default", "win32": "dshow:audio=NAME"}.get(sys.platform, "alsa:default")
    format, sign, url = (usual if word == "default" and "NAME" not in usual else word).partition(":")
    if not sign or not url or format not in DEVICES:
        raise InputError(
            f"{word}: expected a microphone as FORMAT:DEVICE with a format of {', '.join(DEVICES)}, got "
            f"{repr(format) if sign and url else 'no such pair'}; for example {usual}"
        )
    if not is_device_format(format):
        here = [name for name in DEVICES if is_device_format(name)]
        raise InputError(
            f"{word}: expected one of FFmpeg's input devices, got {format}, which this FFmpeg was built without; use "
            f"{', '.join(here)}, or another build of PyAV"
        )
    return SourceAddress("device", url, word, format)


class Microphone:
    """A device that is open; raises InputError if it cannot be. A lost one is opened again for as long as the run goes.

    hear: gets the sound, with moments of the run's clock less `epoch`; tell: what people should know.
    """

    def __init__(
        self, place: SourceAddress, *, hear: Callable[[Sound], None], tell: Callable[[str], None], stop: Event,
        wait: float = Reading.wait, clock: Clock = monotonic,
    ):  # fmt: skip
        self.place, self._hear, self._tell, self._stop = place, hear, tell, stop
        self._first_wait, self._clock, self._epoch = wait, clock, 0.0
        self._container = opened(place)
        self._thread = Thread(target=self._listen, name="koutu-microphone", daemon=True)

    def start(self, epoch: float) -> None:
        """Begin to listen; epoch: when the run began."""
        self._epoch = epoch
        self._thread.start()

    def join(self) -> None:
        """Wait until it is closed, after `stop` was set; a device that keeps silent is left to itself."""
        if self._thread.ident is None:
            self._container.close()
        else:
            self._thread.join(READ_SECONDS)

    def _listen(self) -> None:
        wait = self._first_wait
        try:
            while not self._stop.is_set():
                began = self._clock()
                try:
                    self._pass_on()
                    return
                except Lost as lost:
                    self._tell(f"the microphone {self.place.name} is lost: {lost}; connecting again")
                self._container.close()
                wait = self._first_wait if self._clock() - began > 1 else min(LONGEST_WAIT, 2 * wait)
                while not self._stop.wait(wait):
                    try:
                        self._container = opened(self.place)
                    except InputError:
                        wait = min(LONGEST_WAIT, 2 * wait)
                        continue
                    self._tell(f"the microphone {self.place.name} is there again")
                    break
        finally:
            self._container.close()

    def _pass_on(self) -> None:
        """Hand on what is heard until the run stops; raises Lost."""
        pace, first, base = Pace(self._clock, paced=False), self._clock(), None
        for part, arrived in self._parts():
            if self._stop.is_set():
                return
            length = part.samples.shape[1] / SAMPLE_RATE
            if base is None and pace.stamped is None:
                pace.stamped = stamp_origin(part.seconds, self._clock)
            captured = pace.captured(part.seconds + length, arrived) - length
            if arrived - first < SETTLE:
                continue
            if base is None or abs(captured - part.seconds - base) > DRIFT:
                base = captured - part.seconds
            self._hear(Sound(base + part.seconds - self._epoch, part.samples))
        if not self._stop.is_set():
            raise Lost("it ended")

    def _parts(self) -> Iterator[tuple[Heard, float]]:
        """Sound by the device's clock, and when it arrived."""
        stream = audio_stream(self._container)
        assert stream is not None
        resample, growing = resampler().resample, Growing(Fraction(1, SAMPLE_RATE))
        try:
            for packet in self._container.demux(stream):
                arrived = self._clock()
                for frame in packet.decode():
                    for part in resample(frame):
                        yield heard_in(part, growing), arrived
        except (FFmpegError, ValueError) as error:
            raise Lost(reason(error)) from error


def opened(place: SourceAddress) -> Any:
    """FFmpeg's container for a microphone; raises InputError that says what to do."""
    if place.format == "alsa" and ALSA.is_file():
        os.environ.setdefault("ALSA_CONFIG_PATH", str(ALSA))
    lists = "`arecord -L` lists them" if sys.platform == "linux" else "`ffmpeg -list_devices true` lists them"
    try:
        container = av.open(place.url, "r", format=place.format, timeout=(OPEN_SECONDS, READ_SECONDS))
    except (FFmpegError, ValueError, OSError) as error:
        raise InputError(
            f"{place.name}: expected a microphone that can be opened, got {reason(error)}; plug it in, close "
            f"the program that uses it, or choose another: {lists}"
        ) from error
    if audio_stream(container) is None:
        container.close()
        raise InputError(f"{place.name}: expected sound, got none; choose another device: {lists}")
    return container
