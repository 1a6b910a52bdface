"""A batch from its items to their results: what is missing or changed is made, each thing by whoever is free."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from koutu.batch.ledger import Entry, open_ledger
from koutu.batch.places import absolute, is_remote, removed
from koutu.batch.plan import BatchPlan
from koutu.batch.pool import Pool
from koutu.batch.schedule import Schedule, scratch_of
from koutu.batch.sources import STATE, Item
from koutu.files import folder
from koutu.types import InputError


@dataclass(frozen=True)
class Outcome:
    """entries: of every item asked for, in order; made: how many of them now. seconds: of the run."""

    entries: tuple[Entry, ...]
    made: int
    seconds: float
    frames: int

    def summary(self) -> list[str]:
        """What this run did, in lines."""
        rate = self.frames / self.seconds if self.seconds else 0.0
        lines = [f"{self.made} items in {self.seconds:.1f} s: {self.frames} frames, {rate:.1f} frames per second"]
        peak = max((entry.made.peak_mb for entry in self.entries), default=0.0)
        return [*lines, *([f"memory of a worker: {peak:.0f} MB at most"] if peak else [])]


def run(items: list[Item], target: str, pool: Pool, plan: BatchPlan) -> Outcome:
    """Make what is missing or changed, and keep a record beside the results; raises a KoutuError before work starts."""
    began, target = time.monotonic(), absolute(target)
    with ExitStack() as stack:
        pool.require_reach(items, target)
        stack.enter_context(held(target))
        ledger = open_ledger(target)
        stack.callback(ledger.close)
        stack.callback(removed, scratch_of(target))
        stack.callback(pool.close)
        batch = Schedule(items, target, pool, plan, ledger)
        batch.work()
    return Outcome(
        tuple(batch.entries[item.name] for item in items), len(batch.made), time.monotonic() - began, batch.frames
    )


@contextmanager
def held(target: str) -> Iterator[None]:
    """Make the target and keep other batches off it while this one runs; raises InputError or OutputError."""
    if is_remote(target):
        yield
        return
    state = folder(folder(Path(target)) / STATE)
    with open(state / "lock", "a") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows
            pass
        except OSError as error:
            raise InputError(
                f"expected {target} for this batch alone, another one writes there; wait for it, or name another target"
            ) from error
        removed(scratch_of(target))
        yield
