"""A source through all its connections: played in real time, looped, lost and found again."""

from collections.abc import Callable, Iterator
from threading import Event
from time import monotonic

from koutu.live.clock import Clock
from koutu.live.connection import Feed, Heard, Lost
from koutu.live.flow import CapturedFrame, Sound
from koutu.live.options import Reading
from koutu.live.source_address import SourceAddress
from koutu.types import Frame, InputError

TICKS = 90_000  # a second, of a frame's time
LONGEST_WAIT = 8.0  # seconds between two attempts to connect

Tell = Callable[[str], None]


class Source:
    """Shots of `place` as they are made, until it ends, is given up, or `stop` is set; raises InputError at once.

    hear: gets the sound; tell: what people should know. lost: times the connection broke. epoch: when the run began.
    """

    def __init__(
        self, place: SourceAddress, reading: Reading, *, hear: Callable[[Sound], None], tell: Tell, stop: Event,
        clock: Clock = monotonic,
    ):  # fmt: skip
        self.place, self.reading, self.lost = place, reading, 0
        self._hear, self._tell, self._stop, self._clock = hear, tell, stop, clock
        self._open: Callable[[], Feed] = lambda: Feed(place, clock=clock, audio=reading.audio)
        self._feed = self._open()
        self.has_audio, self.rate, self.size = self._feed.has_audio, self._feed.rate, self._feed.size
        self.epoch = clock()
        self._number, self._latest = 0, self.epoch
        self._lost_since: float | None = None
        self._slow, self._wait = False, reading.wait
        self._interlaced = self._hdr = False

    def __iter__(self) -> Iterator[CapturedFrame]:
        try:
            while not self._stop.is_set():
                before = self._number
                try:
                    yield from self._shots(self._feed)
                    if not self.reading.loop or self._number == before or self._stop.is_set():
                        return
                    self._feed.close()
                    self._feed = self._open()
                except Lost as lost:
                    self._note_lost(lost)
                    self._feed.close()
                    found = self._found_again(str(lost))
                    if found is None:
                        return
                    self._feed = found
        finally:
            self._feed.close()

    @property
    def skipped(self) -> int:
        """Packets of this connection that were left out because too many had piled up."""
        return self._feed.skipped

    def close(self) -> None:
        """Close a source that was never iterated."""
        self._feed.close()

    def _shots(self, feed: Feed) -> Iterator[CapturedFrame]:
        pace = feed.pace
        for item in feed:
            if self._stop.is_set():
                return
            pace.start(item.seconds, self._latest)
            if isinstance(item, Heard):
                self._hear(Sound(pace.place(item.seconds) - self.epoch, item.samples))
                continue
            if pace.paced and self._stop.wait(pace.due(item.seconds)):
                return
            if pace.waited and not self._slow:
                self._slow = True
                self._tell(f"{self.place.name} cannot be read as fast as it should be shown; it is shown slower")
            if feed.progressive.count and not self._interlaced:
                self._interlaced = True
                self._tell(f"{self.place.name} is interlaced; its frames are made progressive")
            if item.viewing.transfer != "sdr" and not self._hdr:
                self._hdr = True
                kind = item.viewing.transfer.upper()
                self._tell(f"{self.place.name} is {kind}; files keep it in ten bits, everything else shows SDR")
            self._latest = pace.place(item.seconds) + 1 / (feed.rate or 25)
            self._lost_since, self._wait = None, self.reading.wait
            at = round((pace.place(item.seconds) - self.epoch) * TICKS)
            frame = Frame(item.picture, at, alpha=item.alpha, viewing=item.viewing)
            yield CapturedFrame(frame, pace.captured(item.seconds, item.arrived), self._number, item.hdr)
            self._number += 1

    def _note_lost(self, lost: Lost) -> None:
        self.lost += 1
        if self._lost_since is None:
            self._lost_since = self._clock()
            self._tell(f"{self.place.name} is lost: {lost}; connecting again")

    def _found_again(self, why: str) -> Feed | None:
        """A new connection, None when the run stops; raises InputError when patience is at its end."""
        assert self._lost_since is not None
        while not self._stop.wait(self._wait):
            self._wait = min(LONGEST_WAIT, 2 * self._wait)  # until there is a frame
            if self._clock() - self._lost_since > self.reading.patience:
                raise InputError(
                    f"{self.place.name}: expected the source to come back within {self.reading.patience:g} s, got "
                    f"{why}; check it, or give it longer with --patience"
                )
            try:
                feed = self._open()
            except InputError as error:
                why = _last_clause(error)
                continue
            self._tell(f"{self.place.name} is there again")
            return feed
        return None


def _last_clause(error: InputError) -> str:
    """What came, of a sentence "expected …, got …; do …"."""
    return str(error).rpartition("got ")[2].partition(";")[0]
