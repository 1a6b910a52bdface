"""How a bench measures if nothing else is said."""

from collections.abc import Sequence
from dataclasses import dataclass

from koutu.defaults import DEVICE, MODEL
from koutu.types import InputError

Size = tuple[int, int]  # H, W


@dataclass(frozen=True)
class BenchPlan:
    """How to measure. sizes: (H, W); threads: 0 for the engine's choice; seconds: of each model in each round.

    engines: those to try of what a model has, its default without; precisions: the file as given without. against:
    the reference, run in every round beside the others, with their size and threads. memory: a process for each case.
    """

    sizes: Sequence[Size] = ((720, 1280),)
    threads: Sequence[int] = (0,)
    engines: Sequence[str] = ()
    precisions: Sequence[str] = ()
    against: str = MODEL
    rounds: int = 5
    seconds: float = 1.0
    device: str = DEVICE
    memory: bool = True

    def __post_init__(self):
        if self.rounds < 1 or self.seconds < 0 or not self.sizes or not self.threads or min(self.threads) < 0:
            raise InputError(
                "expected a size, threads of 0 or more, 1 round or more and 0 seconds or more, got "
                f"{self.sizes}, {self.threads}, {self.rounds}, {self.seconds}; correct them"
            )
