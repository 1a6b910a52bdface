"""How far a training is, for people: a bar with loss and validation, and a closing table."""

import sys
from pathlib import Path
from time import monotonic

from koutu.progress import BAR, QUIET_SECONDS
from koutu.train.checkpoint import WEIGHTS
from koutu.train.run_state import Progress


class Bar:
    """Called after every step; shows a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, title: str):
        self.title, self.terminal = title, sys.stderr.isatty()
        self.shown, self.began, self.stage, self.loss = 0.0, monotonic(), "", 0.0
        self.first = 0

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, at: Progress) -> None:
        now = monotonic()
        if at.stage != self.stage:
            self.stage, self.began, self.first, self.loss = at.stage, now, at.step - 1, at.loss
        self.loss += 0.05 * (at.loss - self.loss)
        if now == self.began or now - self.shown < (0.3 if self.terminal else QUIET_SECONDS):
            return
        self.shown = now
        rate = (at.step - self.first) / max(1e-9, now - self.began)
        left = int((at.steps - at.step) / rate + 0.5)
        full = BAR * at.step // at.steps
        found = "  ".join(f"{name} {value:.2f}" for name, value in at.validation.items())
        line = (
            f"{self.title} {at.stage} {'█' * full}{'─' * (BAR - full)} {at.step}/{at.steps}  loss {self.loss:.4f}  "
            f"{found}  {rate:.2f} steps/s  {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left"
        )
        start, end = ("\r\x1b[K", "") if self.terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)


def closing(found: dict[str, dict[str, float]], out: Path) -> list[str]:
    """The table against the starting point, and where the weights are."""
    meaning = {"val_first": "MAD ×1000, first frames", "val_last": "MAD ×1000, last frames", "val_dtssd": "dtSSD ×100"}
    lines = [f"{'held-out people':26}{'before':>10}{'after':>10}"]
    for name, value in found["after"].items():
        lines.append(f"{meaning.get(name, name):26}{found['before'].get(name, float('nan')):>10.2f}{value:>10.2f}")
    return [*lines, f"weights: {out / WEIGHTS}"]
