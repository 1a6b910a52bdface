"""How a run goes: frames a second, how old they are when shown, how many were left out."""

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from threading import Lock
from time import monotonic
from typing import Any

import numpy as np

RECENT = 5.0  # seconds that figures are of


@dataclass(frozen=True)
class LiveStatistics:
    """Of one output. fps: shown a second; age_ms, age_95_ms: median and 95th percentile from capture to shown.

    source_fps: delivered by the source; dropped: its frames, of `delivered`, that were not shown; network: (h, w).
    Ages and rates are of the last seconds and None without a frame in them; counts are of the whole run.
    """

    fps: float | None = None
    source_fps: float | None = None
    age_ms: float | None = None
    age_95_ms: float | None = None
    shown: int = 0
    delivered: int = 0
    network: tuple[int, int] = (0, 0)
    engine: str = ""

    @property
    def dropped(self) -> int:
        """Pictures of the source that were not shown."""
        return self.delivered - self.shown

    def line(self) -> str:
        """On one line: `24.8 of 25.0 fps · age 61 ms, 95 % within 84 · dropped 3 (0.4 %) · network 592×336 · …`."""
        rate = "–" if self.fps is None else f"{self.fps:.1f}"
        parts = [f"{rate} of {self.source_fps:.1f} fps" if self.source_fps else f"{rate} fps"]
        if self.age_ms is not None:
            parts.append(f"age {self.age_ms:.0f} ms, 95 % within {self.age_95_ms:.0f}")
        parts.append(f"dropped {self.dropped} ({100 * self.dropped / max(1, self.delivered):.1f} %)")
        if all(self.network):
            parts.append(f"network {self.network[1]}×{self.network[0]}")
        return " · ".join([*parts, self.engine] if self.engine else parts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"dropped": self.dropped}


class Record:
    """What one output has shown; its threads tell, others ask. `all_ages`: of the whole run, in ms, to the nearest."""

    def __init__(self, clock: Callable[[], float] = monotonic):
        self._clock, self._lock = clock, Lock()
        self._recent: deque[tuple[float, float]] = deque()  # (shown, age)
        self._ages: dict[int, int] = {}  # milliseconds → times; however long the run, a few hundred entries
        self.shown, self._first, self._last = 0, None, -1

    def note(self, captured: float, number: int) -> None:
        """Picture `number`, captured at `captured`, is shown now."""
        now = self._clock()
        age = max(0.0, now - captured)
        with self._lock:
            self._recent.append((now, age))
            while self._recent[0][0] < now - RECENT:
                self._recent.popleft()
            self._ages[round(1000 * age)] = self._ages.get(round(1000 * age), 0) + 1
            self._first = number if self._first is None else self._first
            self.shown, self._last = self.shown + 1, number

    @property
    def delivered(self) -> int:
        """Pictures of the source from the first shown to the last."""
        return 0 if self._first is None else self._last - self._first + 1

    def figures(self, source_fps: float | None, network: tuple[int, int], engine: str) -> LiveStatistics:
        """Of the last seconds."""
        with self._lock:
            recent = [(at, age) for at, age in self._recent if at >= self._clock() - RECENT]
            shown, delivered = self.shown, self.delivered
        if len(recent) < 2:
            return LiveStatistics(None, source_fps, None, None, shown, delivered, network, engine)
        fps = (len(recent) - 1) / max(1e-3, recent[-1][0] - recent[0][0])
        median, most = (1000 * float(x) for x in np.percentile([age for _, age in recent], (50, 95)))
        return LiveStatistics(fps, source_fps, median, most, shown, delivered, network, engine)

    def ages_ms(self) -> tuple[float, float] | None:
        """Median and 95th percentile of all ages, None before the first frame."""
        if not self._ages:
            return None
        with self._lock:
            values, counts = zip(*sorted(self._ages.items()), strict=True)
        reached = np.cumsum(counts) / sum(counts)
        return float(values[int(np.searchsorted(reached, 0.5))]), float(values[int(np.searchsorted(reached, 0.95))])
