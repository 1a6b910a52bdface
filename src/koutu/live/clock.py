"""When a stream's moments are due by the run's clock: read ahead and waited for, or taken as they come."""

import time
from collections import deque
from collections.abc import Callable

LATE = 0.5  # seconds that a paced source may fall behind before its clock waits for it
WINDOW = 30.0  # seconds over which the quickest delivery counts as the undelayed one
PLAUSIBLE = 5.0  # seconds that a device's stamp may be old

Clock = Callable[[], float]


class Pace:
    """Maps a stream's seconds to the run's clock for one connection.

    paced: the source gives its frames as fast as they are asked for (files, HLS), and `due` tells when to show them.
    Otherwise they come when they are made: how long one was under way is judged by the quickest of the last
    30 seconds, so that what piles up between the camera and here counts as age. Devices that stamp frames by the
    machine's own clocks say it exactly: `stamped` is the run's clock at their second 0.
    """

    def __init__(self, clock: Clock, *, paced: bool, stamped: float | None = None):
        self.clock, self.paced, self.stamped = clock, paced, stamped
        self.base: float | None = None  # on the run's clock, of the stream's second 0
        self.waited = 0.0  # seconds that the clock of a paced source stood still for it
        self._quickest: deque[tuple[float, float]] = deque()  # (when, base it would give), growing in both

    def start(self, seconds: float, not_before: float = float("-inf")) -> None:
        """The connection's first moment is now, or `not_before`; later calls do nothing."""
        if self.base is None:
            self.base = max(self.clock(), not_before) - seconds

    def place(self, seconds: float) -> float:
        """A moment of the stream on the run's clock, the same for sound and frames."""
        self.start(seconds)
        assert self.base is not None
        return self.base + seconds

    def due(self, seconds: float) -> float:
        """Seconds still to wait before showing that moment of a paced source; 0 if it is late."""
        ahead = self.place(seconds) - self.clock()
        if ahead < -LATE:
            assert self.base is not None
            self.base, self.waited = self.base - ahead, self.waited - ahead
        return max(0.0, ahead)

    def captured(self, seconds: float, arrived: float) -> float:
        """When a frame that arrived at `arrived` was made, as far as can be known from here."""
        if self.paced:
            return self.place(seconds)
        if self.stamped is not None:
            return min(arrived, seconds + self.stamped)
        base = arrived - seconds
        while self._quickest and self._quickest[-1][1] >= base:
            self._quickest.pop()
        self._quickest.append((arrived, base))
        while self._quickest[0][0] < arrived - WINDOW:
            self._quickest.popleft()
        return seconds + self._quickest[0][1]


def stamp_origin(seconds: float, clock: Clock) -> float | None:
    """The run's clock at a device's second 0, if `seconds`, a new stamp, is by a clock of this machine."""
    for own in (time.monotonic, time.time):
        if abs(own() - seconds) < PLAUSIBLE:
            return clock() - own()
    return None
