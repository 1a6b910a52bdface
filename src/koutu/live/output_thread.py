"""One output in a thread of its own: the newest frame, all the sound, and what happens when it is lost."""

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from time import monotonic

from koutu.live.clock import Clock
from koutu.live.figures import Record
from koutu.live.flow import Shown, Sound
from koutu.live.options import Patience
from koutu.pipeline.mailbox import Closed, Mailbox
from koutu.types import KoutuError, OutputError

SOUNDS = 1500  # parts of sound, some 20 ms each, that may wait for a frame
LONGEST_WAIT = 8.0  # seconds between two attempts to connect


class SinkLost(Exception):
    """The other end is gone; another attempt may find it."""


class Sink:
    """Where frames go. Used by one thread, but for `close` and `abort` after it has ended.

    name: for people; waiting: frames that may wait for it; comes_back: whether a lost one is tried again;
    acknowledges: it tells itself when a frame is seen, by `seen`; hears: it takes sound; url: where people see it.
    """

    name = ""
    waiting = 1
    comes_back = False
    acknowledges = False
    hears = False
    url = ""
    seen: Callable[[float, int], None] = staticmethod(lambda captured, number: None)

    def show(self, shown: Shown, sounds: list[Sound]) -> None:
        """Show a frame, and take the sound that came since the last one; raises SinkLost or OutputError."""
        raise NotImplementedError

    def drop(self) -> None:
        """Let go of a connection that is lost; the next `show` makes a new one."""

    def close(self, sounds: list[Sound]) -> list[str]:
        """All is shown: complete what is written, with the last sound. Lines tell what there is now; OutputError."""
        return []

    def abort(self) -> None:
        """Leave nothing half-written."""


class Outlet(Thread):
    """Feeds one sink. record: what was shown; error: why it ended early; closing: what it left, in lines."""

    def __init__(
        self, sink: Sink, *, tell: Callable[[str], None], patience: Patience | None = None, clock: Clock = monotonic
    ):
        super().__init__(name=f"koutu-out-{sink.name}", daemon=True)
        self.sink, self.record, self._tell, self._clock = sink, Record(clock), tell, clock
        self.pictures, self.sounds = Mailbox[Shown](sink.waiting, live=True), Mailbox[Sound](SOUNDS, live=True)
        self.error: BaseException | None = None
        self.closing: list[str] = []
        self.done = Event()
        self._patience = patience or Patience()
        self._lost_since: float | None = None
        self._wait, self._not_before = self._patience.wait, clock()
        if sink.acknowledges:
            sink.seen = self.record.note

    def run(self) -> None:
        while self.step(None):
            pass

    def step(self, seconds: float | None) -> bool:
        """Show the next frame if one comes within `seconds`; False when the outlet has ended."""
        if self.done.is_set():
            return False
        try:
            self._show(self.pictures.get(seconds))
        except TimeoutError:
            return True
        except Closed:
            self._end(None)
            return False
        except BaseException as error:
            self._end(error)
            return False
        return True

    def hear(self, sound: Sound) -> None:
        """Sound for the next frame."""
        with suppress(Closed):
            self.sounds.put(sound)

    def _show(self, shown: Shown) -> None:
        if self._lost_since is not None and self._clock() < self._not_before:
            return
        try:
            self.sink.show(shown, self.sounds.drain())
        except SinkLost as lost:
            self._note_lost(lost)
            return
        if self._lost_since is not None:
            self._lost_since, self._wait = None, self._patience.wait
            self._tell(f"{self.sink.name} is connected again")
        if not self.sink.acknowledges:
            self.record.note(shown.shot.captured, shown.shot.number)

    def _note_lost(self, lost: SinkLost) -> None:
        """Wait before the next attempt; raises OutputError when there is none."""
        self.sink.drop()
        now = self._clock()
        if not self.sink.comes_back:
            raise OutputError(f"{self.sink.name}: expected to show the frame, got {lost}; start it again")
        if self._lost_since is None:
            self._lost_since = now
            self._tell(f"{self.sink.name} is lost: {lost}; connecting again")
        if now - self._lost_since > self._patience.seconds:
            raise OutputError(
                f"{self.sink.name}: expected the receiver to come back within {self._patience.seconds:g} s, got "
                f"{lost}; check it, or give it longer with --patience"
            )
        self._not_before, self._wait = now + self._wait, min(LONGEST_WAIT, 2 * self._wait)

    def _end(self, error: BaseException | None) -> None:
        try:
            if error is None:
                self.closing = self.sink.close(self.sounds.drain())
        except BaseException as failed:
            error = failed
        if error is not None:
            self.error = error
            self.sink.abort()
            if isinstance(error, KoutuError):
                self._tell(str(error))
        self.pictures.abandon()
        self.sounds.abandon()
        self.done.set()


class Fan(Mailbox[Shown | None]):
    """The last stage's mailbox: hands every frame to all outlets and waits for none. error: of the stages."""

    def __init__(self, outlets: list[Outlet]):
        super().__init__(1, live=True)
        self._outlets = outlets
        self.closed, self.error = Event(), None
        self.given = 0

    def put(self, item: Shown | None) -> None:
        """None: there is nothing to show yet. Raises `Closed` when no outlet is left."""
        if item is None:
            return
        taken = 0
        for outlet in self._outlets:
            with suppress(Closed):
                outlet.pictures.put(item)
                taken += 1
        if not taken:
            raise Closed
        self.given += 1

    def close(self, error: BaseException | None = None) -> None:
        """The stages have ended: the outlets show what waits, and complete what they write."""
        self.error = self.error or error
        for outlet in self._outlets:
            outlet.pictures.close()
        self.closed.set()

    def abandon(self) -> None:
        """The run stops: as `close`, without an error."""
        self.close()
