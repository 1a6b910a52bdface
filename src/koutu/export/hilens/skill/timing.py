"""How long the stages of a frame take: medians of the last hundred frames, in memory that does not grow."""

import time

import hilens
import numpy as np

STAGES = ("read", "preprocess", "infer", "composite", "show")
KEPT = 100


class Timing:
    """tick() begins a frame, note(stage) ends a stage; report() tells the medians."""

    def __init__(self, every):
        self.frames, self.dropped = 0, 0
        self._every = every
        self._times = np.zeros((KEPT, len(STAGES)), np.float64)
        self._row = np.zeros(len(STAGES), np.float64)
        self._ends = np.zeros(KEPT, np.float64)
        self._begun = self._last = 0.0

    def tick(self):
        """A frame begins."""
        self._row.fill(0)
        self._last = time.monotonic()

    def note(self, stage):
        """A stage of the frame ends here."""
        now = time.monotonic()
        self._row[STAGES.index(stage)] = now - self._last
        self._last = now

    def done(self):
        """The frame was shown."""
        at = self.frames % KEPT
        self._times[at], self._ends[at] = self._row, self._last
        self.frames += 1
        if self.frames % self._every == 0:
            hilens.info(self.report())

    def drop(self):
        """The frame gave no new picture."""
        self.dropped += 1

    def report(self):
        """Frames, rate and the median of every stage in milliseconds."""
        count = min(self.frames, KEPT)
        if count < 2:
            return f"{self.frames} frames shown, {self.dropped} without a new picture"
        ends = np.sort(self._ends[:count])
        rate = (count - 1) / max(1e-6, ends[-1] - ends[0])
        medians = 1000 * np.median(self._times[:count], axis=0)
        stages = ", ".join(f"{STAGES[i]} {medians[i]:.1f}" for i in range(len(STAGES)))
        return f"{self.frames} frames shown, {self.dropped} without a new picture, {rate:.1f} a second; ms: {stages}"
