"""What a review found: the moments to look at, the measures behind them, and how both are reported."""

import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.media.destination import part_of, remove
from koutu.review.causes import Option
from koutu.review.measure import MEASURES
from koutu.review.record import Still
from koutu.types import OutputError

_TOLD = 12  # findings of the summary in full


@dataclass(frozen=True)
class Finding:
    """Frames first … last (start … end, seconds) where `sign` is seen, worst at `frame`; severity 1 is just noticed."""

    sign: str
    cause: str
    start: float
    end: float
    first: int
    last: int
    frame: int
    severity: float
    sees: str
    why: str
    options: tuple[Option, ...]
    also: tuple[str, ...] = ()
    still: Still | None = field(default=None, repr=False)

    @property
    def when(self) -> str:
        """`0:03.4–0:05.0`, or one time code if it is that short."""
        start, end = time_code(self.start), time_code(self.end)
        return start if start == end else f"{start}–{end}"


@dataclass(frozen=True)
class Review:
    """The result. times (n,) seconds; measures: name → (n,) float32, NaN where unknown; size: (H, W)."""

    source: str
    alpha: str  # where alpha came from
    size: tuple[int, int]
    times: NDArray[np.float64]
    measures: dict[str, NDArray[np.float32]]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    lost: str = ""

    @property
    def frames(self) -> int:
        """How many were looked at."""
        return len(self.times)

    @property
    def clean(self) -> bool:
        """Whether nothing stood out."""
        return not self.findings

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.clean:
            return f"{self.source} is clean: nothing stands out in {self.frames} frames"
        share = sum(f.last - f.first + 1 for f in self.findings) / max(1, self.frames)
        count = len(self.findings)
        return (
            f"{self.source}: {count} moment{'s' if count > 1 else ''} to look at, {min(1.0, share):.0%} of the frames"
        )

    def summary(self) -> list[str]:
        """Lines for a terminal, the worst first."""
        lines = [self.verdict, f"alpha: {self.alpha}"]
        worst, seen = sorted(self.findings, key=lambda f: -f.severity), set[Option]()
        for finding in worst[:_TOLD]:
            also = f" (also: {', '.join(finding.also)})" if finding.also else ""
            lines += ["", f"{finding.when}  {finding.cause}: {finding.sees}{also}, worst in frame {finding.frame}"]
            lines.append(f"    why: {finding.why}")
            lines += [f"    try: {_first_time(option, seen)}" for option in finding.options]
        if len(worst) > _TOLD:
            lines += ["", f"and {len(worst) - _TOLD} slighter moments, all in the page (-o) and in --json"]
        lines += [f"note: {note}" for note in self.notes]
        return [*lines, f"lost: {self.lost}"] if self.lost else lines

    def to_dict(self, *, series: bool = True) -> dict[str, Any]:
        """Plain values for JSON; with `series` every frame's measures. What is unknown is None."""
        result: dict[str, Any] = {"source": self.source, "alpha": self.alpha, "verdict": self.verdict}
        result |= {"clean": self.clean, "frames": self.frames, "height": self.size[0], "width": self.size[1]}
        result["findings"] = [_finding(f) for f in self.findings]
        result |= {"notes": list(self.notes), "lost": self.lost}
        result["measures"] = {name: {"is": MEASURES[name], **_spread(v)} for name, v in self.measures.items()}
        if series:
            result["times"] = [round(float(t), 4) for t in self.times]
            result["series"] = {name: [_plain(v) for v in values] for name, values in self.measures.items()}
        return result

    def to_json(self) -> str:
        """The same as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)


def time_code(seconds: float) -> str:
    """3.42 → 0:03.4; hours only where there are any."""
    tenths = int(seconds * 10 + 1e-6)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    clock = f"{minutes:02d}:{rest / 10:04.1f}"
    return f"{hours}:{clock}" if hours else clock.removeprefix("0")


def require_writable(path: str | os.PathLike[str], *inputs: str | os.PathLike[str]) -> None:
    """Raise OutputError, before hours of work, if a report cannot be written there or would replace what is read."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise OutputError(f"{path}: expected a file to write the report to, got a folder; add a file name")
    if not target.parent.is_dir():
        raise OutputError(f"{path}: expected a folder that exists, got {target.parent}; make it first")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(
            f"{path}: expected a place to write to, got a folder that may not be written to ({target.parent}); choose "
            "another, or change its permissions"
        )
    if any(target.exists() and os.path.exists(x) and os.path.samefile(x, target) for x in inputs):
        raise OutputError(f"{path}: expected another file than those that are reviewed; choose another name")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a report; nothing half-written is left. Raises OutputError."""
    require_writable(path)
    target = Path(os.path.realpath(path))
    part = part_of(target)
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, target)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: the report could not be written ({reason}); choose another place") from error
    finally:
        remove(part)


def _first_time(option: Option, seen: set[Option]) -> str:
    """The option's flags, and what it would do where that has not been said yet."""
    if option in seen and option.flags:
        return option.flags
    seen.add(option)
    return f"{option.flags}: {option.why}" if option.flags else option.why


def _finding(finding: Finding) -> dict[str, Any]:
    values = {k: v for k, v in vars(finding).items() if k not in ("still", "options")}
    values |= {"also": list(finding.also), "severity": round(finding.severity, 3), "when": finding.when}
    values |= {"start": round(finding.start, 4), "end": round(finding.end, 4)}
    return values | {"options": [asdict(option) for option in finding.options]}


def _spread(values: NDArray[np.float32]) -> dict[str, float | None]:
    known = values[np.isfinite(values)]
    if not len(known):
        return {"median": None, "p95": None, "max": None}
    marks = np.percentile(known, [50, 95, 100])
    return {name: _plain(v) for name, v in zip(("median", "p95", "max"), marks, strict=True)}


def _plain(value: float) -> float | None:
    return round(float(value), 5) if math.isfinite(value) else None
