"""A pass of a stage while it is trained: its objective, when its turn is, and its stream of batches."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

from koutu.data.places import Places
from koutu.data.scenes import Scenes
from koutu.train.batch import Batch, Samples, collate
from koutu.train.footage_samples import FootageSamples
from koutu.train.interrupt import leave_signals
from koutu.train.objectives import Objective, build_objective
from koutu.train.recipe import Pass, Stage

if TYPE_CHECKING:
    from koutu.train.engine import Run


class Task:
    """Pass number `index` of a run's stage. prefix: of its parts' names, empty where a stage has one pass only."""

    def __init__(self, run: "Run", stage_index: int, index: int, stage: Stage):
        self.run, self.given, self.stage = run, stage.passes[index], stage
        given = self.given
        self.objective: Objective = build_objective(given.objective, run.network, given.options)
        self.objective.to(run.fabric.device)
        twins = sum(other.objective == given.objective for other in stage.passes)
        name = f"{given.objective} {index + 1} " if twins > 1 else f"{given.objective} "
        self.prefix = "" if len(stage.passes) == 1 else name
        self.seed = (run.recipe.seed, stage_index, index)
        needs = dict.fromkeys((*run.network.needs, *self.objective.needs))  # type: ignore[misc]
        self.needs = tuple(needs)

    def batches(self, start: int) -> Iterator[Batch]:
        """From the stage's step `start` on, `accumulate` batches for every step at which it is this pass's turn."""
        run = self.run
        samples = self._samples(turns(self.given, start))
        workers = run.recipe.workers
        return iter(DataLoader(
            samples, self.given.batch, num_workers=workers, collate_fn=collate, prefetch_factor=4 if workers else None,
            generator=torch.Generator(), multiprocessing_context="spawn" if workers else None,
            worker_init_fn=leave_signals if workers else None,
        ))  # fmt: skip

    def _samples(self, start: int) -> Samples:
        run, given, each = self.run, self.given, self.stage.accumulate
        options: dict[str, Any] = {
            "seed": self.seed, "steps": turns(given, self.stage.steps) * each, "start": start * each,
            "rank": run.fabric.global_rank, "world": run.fabric.world_size,
        }  # fmt: skip
        if given.footage:
            places = Places(run.backgrounds, given.scenes)
            return FootageSamples(run.footage[given.footage], places, given, self.needs, **options)
        scenes = replace(given.scenes, exact=True) if self.objective.exact else given.scenes
        return Samples(Scenes(run.people, run.backgrounds, run.train_on, scenes), given, self.needs, **options)


def its_turn(given: Pass, step: int) -> bool:
    """Whether a pass is made at a step."""
    return step % given.every == given.offset


def turns(given: Pass, steps: int) -> int:
    """How often a pass is made in the first `steps` steps."""
    return len(range(given.offset, steps, given.every))
