"""Packets of a live connection, taken off it as they come, however slow decoding is, so that none grows old unseen."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any

from koutu.live.clock import Clock


@dataclass(slots=True)
class Arrival:
    """A packet, when it came by the run's clock, and whether it is a frame's and one that stands alone.

    gap: whether frames before it were left out.
    """

    packet: Any
    arrived: float
    is_frame: bool
    is_key: bool
    gap: bool = False


class Arrivals:
    """What `packets` gives, in order; read in a thread from now on. skipped: frames' packets that were left out.

    Frames that waited for longer than `patience` seconds are left out as far as the newest that stands alone; sound is
    not. The error that ends the reading is raised when everything before it was taken.
    """

    def __init__(self, packets: Iterable[Any], clock: Clock, patience: float):
        self.skipped = 0
        self._clock, self._patience = clock, patience
        self._waiting: deque[Arrival] = deque()
        self._changed = Condition()
        self._ended, self._error = False, None
        self._thread = Thread(target=self._read, args=(packets,), name="koutu-arrivals", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Arrival]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    if self._error is not None:
                        raise self._error
                    return
                self._leave_out_old()
                arrival = self._waiting.popleft()
            yield arrival

    @property
    def frame_waits(self) -> bool:
        """Whether a newer frame is here already."""
        with self._changed:
            return any(arrival.is_frame for arrival in self._waiting)

    def close(self, seconds: float) -> None:
        """Stop reading, at the next packet or when the connection has been silent for too long."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join(seconds)

    def _read(self, packets: Iterable[Any]) -> None:
        error: BaseException | None = None
        try:
            for packet in packets:
                is_frame = packet.stream.type == "video" and packet.size > 0  # without: the end, when all is flushed
                arrival = Arrival(packet, self._clock(), is_frame, is_frame and bool(packet.is_keyframe))
                with self._changed:
                    if self._ended:
                        return
                    self._waiting.append(arrival)
                    if arrival.is_key:
                        self._leave_out_old()
                    self._changed.notify_all()
        except BaseException as e:
            error = e
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def _leave_out_old(self) -> None:
        """Let go of frames before the newest that stands alone, if the oldest waited for too long."""
        oldest = next((arrival for arrival in self._waiting if arrival.is_frame), None)
        newest = next((arrival for arrival in reversed(self._waiting) if arrival.is_key), None)
        if oldest is None or newest is None or newest is oldest or self._clock() - oldest.arrived <= self._patience:
            return
        frames = [arrival for arrival in self._waiting if arrival.is_frame]
        left_out = {id(arrival) for arrival in frames[: frames.index(newest)]}
        newest.gap = True
        self.skipped += len(left_out)
        self._waiting = deque(arrival for arrival in self._waiting if id(arrival) not in left_out)
