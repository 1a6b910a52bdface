"""When the network gets fewer pixels because the machine is too slow, and when it gets them back."""

from dataclasses import dataclass

from koutu.live.resizable_backend import SHARES

WINDOW, LEAST = 1.0, 5  # seconds and frames that are judged together
LONG = 3.0  # seconds after which fewer frames must do
FULL = 0.95  # of the time between two frames: what matting may take
ROOM = 0.75  # of it: what a larger size must be expected to take at most before it is tried
TRIES = 2  # windows in a row that are too slow before the size is lowered
CALM = 3.0  # seconds with room before it is raised; doubled each time that proved too much, up to
LONGEST_CALM = 60.0


@dataclass(frozen=True)
class Change:
    """From one share of the network's pixels to another; made: frames a second there were, wanted: there should be."""

    before: float
    after: float
    made: float
    wanted: float


class Sizer:
    """Chooses among SHARES by what matting a frame takes. `hold`: frames a second to keep, if the source has as many.

    Lowered after two seconds in a row in which matting took more than the time between two frames, straight to the
    share that is expected to fit; raised by one when a larger one has been expected to fit for three seconds, and
    later after each time that it did not.
    """

    def __init__(self, hold: float = 25.0):
        self.hold = hold
        self.share = SHARES[0]
        self._calm, self._raised = CALM, float("-inf")
        self._begin(None)

    def note(self, now: float, busy: float, rate: float | None) -> Change | None:
        """Tell of a frame that took `busy` seconds, of a source of `rate` frames a second; a change to be made, if any.

        After a change the next frames are judged anew, but for the first, which finds nothing in the caches.
        """
        if self._began is None:
            self._began = now
            return None
        self._busy += busy
        self._frames += 1
        passed = now - self._began
        if passed < WINDOW or (self._frames < LEAST and passed < LONG):
            return None
        wanted = min(self.hold, rate or self.hold)
        load = self._busy / self._frames * wanted  # of the time there is
        self._began, self._busy, self._frames = now, 0.0, 0
        return self._judged(now, load, wanted)

    def _judged(self, now: float, load: float, wanted: float) -> Change | None:
        self._slow = self._slow + 1 if load > FULL else 0
        if self._slow >= TRIES:
            return self._lowered(now, load, wanted)
        larger = next((share for share in reversed(SHARES) if share > self.share), None)
        if larger is None or load * larger / self.share > ROOM:
            self._room_since = None
            return None
        if self._room_since is None:
            self._room_since = now
        if now - self._room_since < self._calm:
            return None
        if now - self._raised > LONGEST_CALM:  # the last one proved right
            self._calm = CALM
        self._raised = now
        return self._changed(larger, load, wanted)

    def _lowered(self, now: float, load: float, wanted: float) -> Change | None:
        smaller = [share for share in SHARES if share < self.share]
        if not smaller:
            return None
        if now - self._raised < 2 * self._calm:  # raising it was a mistake
            self._calm = min(LONGEST_CALM, 2 * self._calm)
        fitting = [share for share in smaller if share <= self.share * FULL / load]
        return self._changed(fitting[0] if fitting else smaller[-1], load, wanted)

    def _changed(self, share: float, load: float, wanted: float) -> Change:
        change = Change(self.share, share, min(1.0, 1 / load) * wanted, wanted)
        self.share = share
        self._begin(None)
        return change

    def _begin(self, now: float | None) -> None:
        self._began, self._busy, self._frames = now, 0.0, 0
        self._slow, self._room_since = 0, None
