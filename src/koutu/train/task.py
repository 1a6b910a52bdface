"""A pass of a stage while it is trained: its objective, when its turn is, and its stream of batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader

from koutu.data.packs.pack import Pack
from koutu.data.scenes.backgrounds import BackgroundDraw
from koutu.data.scenes.sample import Scenes
from koutu.train.batch import Batch, Samples, collate
from koutu.train.footage import FootageClips
from koutu.train.footage_samples import FootageSamples
from koutu.train.interrupt import leave_signals
from koutu.train.objectives import Objective, build_objective
from koutu.train.recipe import Footage, Pass, Recipe
from koutu.types import InputError


@dataclass(frozen=True)
class Material:
    """What samples are made of: packs, the indices of people to train on, and the clips of every footage."""

    people: Pack
    backgrounds: Pack
    train_on: Sequence[int]
    footage: Mapping[Footage, FootageClips]


class Task:
    """A pass of a stage. prefix: of its parts' names, empty where a stage has one pass only."""

    def __init__(self, recipe: Recipe, place: tuple[int, int], network: Any, material: Material, fabric: Fabric):
        """place: the number of the stage in the recipe, and of the pass in the stage."""
        stage = recipe.stages[place[0]]
        self.given, self.stage = stage.passes[place[1]], stage
        self.material, self.workers = material, recipe.workers
        self.rank, self.world = fabric.global_rank, fabric.world_size
        given = self.given
        self.objective: Objective = build_objective(given.objective, network, given.options)
        self.objective.to(fabric.device)
        if self.objective.exact and given.reuse > 1:
            raise InputError(
                f"expected reuse: 1 for {given.objective}, whose images must be composed of their parts, got "
                f"{given.reuse}; leave it out"
            )
        twins = sum(other.objective == given.objective for other in stage.passes)
        name = f"{given.objective} {place[1] + 1} " if twins > 1 else f"{given.objective} "
        self.prefix = "" if len(stage.passes) == 1 else name
        self.seed = (recipe.seed, *place)
        needs = dict.fromkeys((*network.needs, *self.objective.needs))  # type: ignore[misc]
        self.needs = tuple(needs)

    def batches(self, start: int) -> Iterator[Batch]:
        """From the stage's step `start` on, `accumulate` batches for every step at which it is this pass's turn."""
        samples, workers = self._samples(turns(self.given, start)), self.workers
        return iter(DataLoader(
            samples, self.given.batch, num_workers=workers, collate_fn=collate, prefetch_factor=4 if workers else None,
            generator=torch.Generator(), multiprocessing_context="spawn" if workers else None,
            worker_init_fn=leave_signals if workers else None,
        ))  # fmt: skip

    def _samples(self, start: int) -> Samples:
        source, given, each = self.material, self.given, self.stage.accumulate
        options: dict[str, Any] = {
            "seed": self.seed, "steps": turns(given, self.stage.steps) * each, "start": start * each,
            "rank": self.rank, "world": self.world,
        }  # fmt: skip
        if given.footage:
            places = BackgroundDraw(source.backgrounds, given.scenes)
            return FootageSamples(source.footage[given.footage], places, given, self.needs, **options)
        scenes = replace(given.scenes, exact=True) if self.objective.exact else given.scenes
        return Samples(Scenes(source.people, source.backgrounds, source.train_on, scenes), given, self.needs, **options)


def its_turn(given: Pass, step: int) -> bool:
    """Whether a pass is made at a step."""
    return step % given.every == given.offset


def turns(given: Pass, steps: int) -> int:
    """How often a pass is made in the first `steps` steps."""
    return len(range(given.offset, steps, given.every))
