"""A stream's time: everything gets an exact moment, later than the one before, whatever the file tells."""

from fractions import Fraction
from math import gcd

import av

_FINEST = 10_000_000  # ticks a second; a time base finer than this is not worth an exact shift


class Growing:
    """Makes a stream's timestamps, `tick` seconds each, grow: fills gaps, and goes on where they are set back."""

    def __init__(self, tick: Fraction):
        self.next = 0  # where the next one is expected
        self._second = round(1 / tick)
        self._last: int | None = None
        self._jump = 0  # added since the stream's own were set back

    def place(self, stamp: int | None, length: int) -> int:
        """The timestamp to use instead of `stamp`, for something `length` ticks long; call it in order."""
        if self._last is None:
            placed = stamp or 0
        elif stamp is None:
            placed = self.next
        else:
            if stamp + self._jump < self._last - 3 * length:  # two recordings in one file
                self._jump = self.next - stamp
            elif self._jump and self.next - self._second < stamp < self.next + self._second < stamp + self._jump:
                self._jump = 0  # it was a single false one
            placed = max(stamp + self._jump, self._last + 1)
        self._last, self.next = placed, placed + length
        return placed


class Clock:
    """Turns the stream's timestamps, in units of `tick` seconds, into pts of `time_base` seconds that begin at ≥ 0.

    start: seconds taken off, the moment the file's earliest stream starts. end: when the latest frame is over.
    """

    def __init__(self, tick: Fraction, start: Fraction, rate: Fraction | None):
        self.tick, self.start, self.time_base, self.end = tick, start, tick, Fraction(0)
        self._length = max(1, round(1 / (rate or 25) / tick))  # of a frame, if it does not tell
        self._scale, self._offset = 1, 0
        self._growing, self._begun = Growing(tick), False

    def begin(self, first: av.VideoFrame) -> None:
        """Choose a time base in which the stream's ticks and the shift to zero are whole numbers."""
        self.start = min(self.start, (_stamp(first, first.dts) or 0) * self.tick)
        tick, start = self.tick, self.start
        shared = Fraction(
            gcd(tick.numerator * start.denominator, start.numerator * tick.denominator),
            tick.denominator * start.denominator,
        )
        self.time_base = shared if shared.denominator <= _FINEST else tick
        self._scale, self._offset = int(tick / self.time_base), round(start / self.time_base)

    def restart(self) -> None:
        """The next frame is another than that after the last; its own timestamp counts."""
        self._growing, self.end = Growing(self.tick), Fraction(0)

    def pts(self, frame: av.VideoFrame) -> int:
        """The frame's pts; call it once a frame, in order."""
        length = frame.duration or self._length
        # Decoding times are early, but better than nothing to begin with.
        raw = self._growing.place(_stamp(frame, None if self._begun else frame.dts), length)
        self._begun = True
        pts = raw * self._scale - self._offset
        self.end = (pts + length * self._scale) * self.time_base
        return pts

    def seconds(self, stamp: int | None) -> float:
        """About when a timestamp of the stream is; None: now."""
        return max(0.0, float((self._growing.next if stamp is None else stamp) * self.tick - self.start))


def _stamp(frame: av.VideoFrame, otherwise: int | None) -> int | None:
    return frame.pts if frame.pts is not None else otherwise
