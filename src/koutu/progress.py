"""How far a run is, for people: a bar on a terminal, a quiet line now and then elsewhere, a summary at the end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from koutu.media.reader import VideoReader
    from koutu.pipeline.convert import Progress, Report

QUICK_SECONDS = 0.2  # between what is shown to somebody who watches
QUIET_SECONDS = 30.0  # between lines when nobody watches
BAR = 24


@contextmanager
def watch(title: str) -> "Iterator[Progress]":
    """A progress callback for `convert`, shown on standard error, in a notebook as a bar below the cell."""
    meter = NotebookMeter(title) if in_notebook() else Meter(title, terminal=sys.stderr.isatty())
    try:
        yield meter
    finally:
        meter.end()


class Meter:
    """Counts frames and shows rate and time left, a few times a second on a terminal."""

    def __init__(self, title: str, *, terminal: bool):
        self.title, self.terminal = title, terminal
        self.started = self.shown = monotonic()

    def __call__(self, frames: int, reader: "VideoReader") -> None:
        now = monotonic()
        if now - self.shown < (QUICK_SECONDS if self.terminal else QUIET_SECONDS):
            return
        self.shown = now
        line = self.line(frames, reader.frame_count, frames / (now - self.started))
        start, end = ("\r\x1b[K", "") if self.terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)

    def line(self, frames: int, total: int | None, rate: float) -> str:
        """`talk.mp4 ███────  120/480  41.0 fps  0:08 left`; without a bar when the length is unknown."""
        if not total or frames > total:
            return f"{self.title}  {frames} frames  {rate:.1f} fps"
        full = BAR * frames // total
        left = int((total - frames) / rate + 0.5)
        bar = "█" * full + "─" * (BAR - full)
        return f"{self.title} {bar} {frames}/{total}  {rate:.1f} fps  {left // 60}:{left % 60:02d} left"

    def end(self) -> None:
        """Clear the bar."""
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class NotebookMeter(Meter):
    """The same as a bar that stays in one place of a notebook."""

    def __init__(self, title: str):
        super().__init__(title, terminal=True)
        self._place: Any = None

    def __call__(self, frames: int, reader: "VideoReader") -> None:
        now = monotonic()
        if now - self.shown < QUICK_SECONDS:
            return
        self.shown = now
        total = reader.frame_count or 0
        value = f"value={min(1, frames / total):.4f}" if total else ""
        line = self.line(frames, None, frames / (now - self.started)) + (f" of {total}" if total else "")
        self._show(f"<progress {value} style='width:16em'></progress> <code>{escape(line)}</code>")

    def end(self) -> None:
        """Leave how long it took."""
        self._show(f"<code>{escape(self.title)}: {monotonic() - self.started:.1f} s</code>")

    def _show(self, html: str) -> None:
        from IPython.display import HTML, display  # pyright: ignore[reportMissingImports]

        if self._place is None:
            self._place = display(HTML(html), display_id=True)
        else:
            self._place.update(HTML(html))


def in_notebook() -> bool:
    """Whether this runs in a Jupyter notebook, or another that talks to a kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class Steps:
    """The same for work that goes from one named thing to the next: called with those done, all, and the one now."""

    def __init__(self, title: str):
        self.title, self.terminal = title, sys.stderr.isatty()
        self.started = self.shown = monotonic()

    def __enter__(self) -> "Steps":
        return self

    def __exit__(self, *_: object) -> None:
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, done: int, total: int, name: str) -> None:
        now = monotonic()
        if now - self.shown < (QUICK_SECONDS if self.terminal else QUIET_SECONDS):
            return
        self.shown = now
        left = int((total - done) * (now - self.started) / done + 0.5) if done else 0
        full = BAR * done // max(1, total)
        bar = "█" * full + "─" * (BAR - full)
        line = f"{self.title} {bar} {done}/{total}  {left // 60}:{left % 60:02d} left  {name[:40]}"
        start, end = ("\r\x1b[K", "") if self.terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)


def summary(report: "Report") -> list[str]:
    """The closing lines of a run: what ran, how fast, stage by stage, and what a user must know."""
    stages = " · ".join(f"{name} {ms:.1f}" for name, ms in report.stage_ms.items())
    lines = [
        f"{report.frames} frames in {report.seconds:.1f} s: {report.rate:.1f} frames per second end to end",
        f"milliseconds a frame, overlapping: {stages}",
        f"model: {report.model}",
    ]
    if report.low_frames is not None:
        share = 100 * report.low_frames / max(1, report.frames)
        lines.append(f"gate: {share:.0f} % of the frames were simple, made by the low-resolution branch alone")
    if report.repeated_frames:
        lines.append(f"{report.repeated_frames} frames show what the one before did, and got its matte")
    if report.fresh_starts > 1:
        lines.append(f"memory began anew {report.fresh_starts - 1} time(s), at cuts or gaps")
    if report.added_delay_frames:
        lines.append(f"smoothing adds {report.added_delay_frames} frame of delay")
    lines += [f"note: {note}" for note in report.notes]
    if report.lost:
        lines.append(f"lost: {report.lost}")
    return [*lines, *(f"wrote {path}" for path in report.outputs)]
