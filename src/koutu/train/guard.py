"""A training that has gone wrong is stopped: a loss that is not a number, or far above what it was."""

import math

from koutu.types import KoutuError

DIVERGED = 20.0  # times the loss of the best 100 steps so far
_SETTLED = 100  # steps before a rise counts


class TrainError(KoutuError):
    """Training cannot go on; says why and what is kept."""

    exit_code = 7


class LossGuard:
    """Call it with every step's parts of the loss; returns their sum, raises TrainError."""

    def __init__(self, stage: str):
        self.stage, self.seen, self.recent, self.best = stage, 0, 0.0, math.inf

    def __call__(self, step: int, parts: dict[str, float], kept: str) -> float:
        """kept: what is left of the run, in words, for the message."""
        loss = sum(parts.values())
        if not math.isfinite(loss):
            raise TrainError(f"{self.stage}, step {step}: the loss is {loss} ({parts}); {kept}")
        self.recent = loss if self.seen == 0 else 0.99 * self.recent + 0.01 * loss
        if self.seen >= _SETTLED:
            self.best = min(self.best, self.recent)
            if self.recent > DIVERGED * self.best:
                raise TrainError(
                    f"{self.stage}, step {step}: the loss rose from {self.best:.3g} to {self.recent:.3g}; {kept}; "
                    "try a lower lr"
                )
        self.seen += 1
        return loss
