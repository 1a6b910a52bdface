"""A video stream's time: every frame gets an exact and later moment than the one before, whatever the file tells."""

from fractions import Fraction
from math import gcd

import av

_FINEST = 10_000_000  # ticks a second; a time base finer than this is not worth an exact shift


class Clock:
    """Turns the stream's timestamps, in units of `tick` seconds, into pts of `time_base` seconds that begin at ≥ 0.

    start: seconds taken off, the moment the file's earliest stream starts. length: ticks a frame is shown if untold.
    """

    def __init__(self, tick: Fraction, start: Fraction, rate: Fraction | None):
        self.tick, self.start, self.time_base = tick, start, tick
        self.length = max(1, round(1 / (rate or 25) / tick))
        self.end = Fraction(0)  # seconds: when the last frame stops being shown
        self._scale, self._offset = 1, 0
        self._last: int | None = None  # the latest frame's timestamp
        self._next = 0  # where the one after it is expected
        self._jump = 0  # ticks added since the stream's timestamps were set back

    def begin(self, first: av.VideoFrame) -> None:
        """Choose a time base in which the stream's ticks and the shift to zero are whole numbers."""
        self.start = min(self.start, self._raw(first) * self.tick)
        tick, start = self.tick, self.start
        shared = Fraction(
            gcd(tick.numerator * start.denominator, start.numerator * tick.denominator),
            tick.denominator * start.denominator,
        )
        self.time_base = shared if shared.denominator <= _FINEST else tick
        self._scale, self._offset = int(tick / self.time_base), round(start / self.time_base)

    def pts(self, frame: av.VideoFrame) -> int:
        """The frame's pts; call it once a frame, in order."""
        raw = self._raw(frame)
        length = frame.duration or self.length
        self._last, self._next = raw, raw + length
        pts = raw * self._scale - self._offset
        self.end = (pts + length * self._scale) * self.time_base
        return pts

    def seconds(self, stamp: int | None) -> float:
        """About when a timestamp of the stream is; None: now."""
        return max(0.0, float((self._next if stamp is None else stamp) * self.tick - self.start))

    def _raw(self, frame: av.VideoFrame) -> int:
        """The frame's timestamp, made up if it has none, and later than the one before."""
        if self._last is None:
            return next((stamp for stamp in (frame.pts, frame.dts) if stamp is not None), 0)
        if frame.pts is None:
            return self._next
        if frame.pts + self._jump <= self._last - 1 / self.tick:  # set back: two recordings in one file
            self._jump = self._next - frame.pts
        return max(frame.pts + self._jump, self._last + 1)
