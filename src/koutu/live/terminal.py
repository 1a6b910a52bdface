"""A run as people see it in a terminal: a line of figures that is kept up to date, news above it, keys."""

import shutil
import sys
from threading import Lock
from time import monotonic
from typing import IO

from koutu.live.keys import Terminal
from koutu.live.run import Live, LiveReport

QUIET_SECONDS = 10.0  # between lines of figures when nobody watches
_SECONDS = 0.25
_CLEAR = "\r\x1b[K"


class Screen:
    """Writes to standard error, or where else it is asked to."""

    def __init__(self, out: IO[str] | None = None):
        self._out = out or sys.stderr
        self._terminal, self._lock, self._shown = self._out.isatty(), Lock(), monotonic()

    def tell(self, line: str) -> None:
        """News, in a line of its own."""
        with self._lock:
            print(f"{_CLEAR if self._terminal else ''}koutu: {line}", file=self._out, flush=True)

    def attend(self, run: Live) -> LiveReport:
        """Let it run, with keys where standard input is a terminal."""
        for outlet in run.outlets:
            if url := outlet.sink.url:
                self.tell(f"open {url} in a browser of this machine")
        with Terminal(run.press) as keys:
            if keys.reads:
                self.tell("q ends the run, ? lists the keys")
            try:
                return run.run(self._tick)
            finally:
                if self._terminal:
                    print(_CLEAR, end="", file=self._out, flush=True)

    def _tick(self, run: Live) -> None:
        now = monotonic()
        if now - self._shown < (_SECONDS if self._terminal else QUIET_SECONDS):
            return
        self._shown = now
        line = run.figures().line()
        with self._lock:
            if self._terminal:
                width = shutil.get_terminal_size().columns - 1
                print(f"{_CLEAR}{line[:width]}", end="", file=self._out, flush=True)
            else:
                print(line, file=self._out, flush=True)


def summary(run: Live, report: LiveReport) -> list[str]:
    """The closing lines of a run."""
    lines = []
    for outlet in run.outlets:
        figures, ages = run.figures(outlet), outlet.record.ages_ms()
        if ages is None:
            lines.append(f"{outlet.sink.name}: nothing was shown")
            continue
        share = 100 * figures.dropped / max(1, figures.delivered)
        lines.append(
            f"{outlet.sink.name}: {figures.shown} frames, {figures.dropped} left out ({share:.1f} %); "
            f"age median {ages[0]:.0f} ms, 95 % within {ages[1]:.0f} ms"
        )
    stages = " · ".join(f"{name} {ms:.1f}" for name, ms in report.stage_ms.items())
    lines += [f"milliseconds a frame, overlapping: {stages}", f"model: {report.figures.engine}"]
    if report.lost:
        lines.append(f"the source was lost {report.lost} time(s)")
    return [*lines, *report.closing]
