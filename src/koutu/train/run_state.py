"""What a run holds from stage to stage: network, packs, what it leaves in its folder, and when it has to stop."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from lightning_fabric import Fabric

from koutu.data.packs.pack import Pack, split
from koutu.models import build, load_checkpoint
from koutu.models.base import Network
from koutu.train.checkpoint import Checkpoint, Journal
from koutu.train.footage import FootageClips, footage_pack
from koutu.train.interrupt import Interruption
from koutu.train.objectives import objective_kind
from koutu.train.optimise import Average
from koutu.train.recipe import Footage, Recipe
from koutu.train.task import Material
from koutu.train.validate import Validation
from koutu.types import InputError


@dataclass
class Progress:
    """What a watcher is given: stage and step of how many, the last loss, and what the last validation found."""

    stage: str
    step: int
    steps: int
    loss: float
    validation: dict[str, float]


Watch = Callable[[Progress], None]


class RunState:
    """A recipe's network and all that its stages share. start, last: what the first and the last validation found."""

    def __init__(self, recipe: Recipe, out: Path, *, fabric: Fabric | None = None, watch: Watch = lambda _: None):
        self.recipe, self.out, self.watch = recipe, out, watch
        self.fabric = fabric or Fabric(accelerator="auto", devices=1, precision=recipe.precision)  # type: ignore[arg-type]
        self.fabric.launch()
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        self.network = network = _begun(recipe)
        if recipe.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Average(network, recipe.ema)
        people = Pack(recipe.people, in_memory=not recipe.workers)
        self.train_on, self.held_out = split(people, recipe.held_out, recipe.exclude)
        self.people, self.backgrounds = people, Pack(recipe.backgrounds, in_memory=not recipe.workers)
        self.checkpoint = Checkpoint(out, recipe)
        self.footage = self._footage(out)
        self.journal = Journal(out) if self.fabric.is_global_zero else None
        self.validation = Validation(people, self.backgrounds, self.held_out, recipe)
        self.interruption, self.began = Interruption(), monotonic()
        self.start: dict[str, float] = {}
        self.last: dict[str, float] = {}

    def _footage(self, out: Path) -> dict[Footage, FootageClips]:
        """Of every pass that has some, read by the first process; raises InputError before anything is trained."""
        found: dict[Footage, FootageClips] = {}
        for given in (p for stage in self.recipe.stages for p in stage.passes if p.footage):
            if objective_kind(given.objective).truth:
                raise InputError(f"expected scenes whose truth is known for {given.objective}, got footage; remove it")
            if self.fabric.is_global_zero:
                footage_pack(given.footage, out)
            self.fabric.barrier()
            found[given.footage] = FootageClips(footage_pack(given.footage, out))
        return found

    def material(self) -> Material:
        """What samples are made of."""
        return Material(self.people, self.backgrounds, self.train_on, self.footage)

    def validate(self) -> dict[str, float]:
        """What the averaged weights reach, found by the first process."""
        found = self.validation(self.average.weights(self.network), self.network) if self.fabric.is_global_zero else {}
        return self.fabric.broadcast(found)

    def log(self, stage: str, step: int, values: dict[str, float]) -> None:
        """A line of the journal, by the first process."""
        if self.journal is not None:
            self.journal(stage, step, values)

    def save(self, stage: str, step: int, place: dict[str, int], learned: dict[str, Any]) -> None:
        """Validate, note it and write the checkpoint. place: from where to go on; learned: the stage's own part."""
        self.last = self.validate()
        self.log(stage, step, self.last)
        if self.journal is not None and self.validation.shown is not None:
            self.journal.pictures(stage, step, self.validation.shown)
        self.checkpoint.save(self.fabric, {
            **place, "start": self.start, "last": self.last,
            "network": self.network.state_dict(), "average": self.average.state(), **learned,
            "journal": self.journal.length() if self.journal is not None else None,
            "weights": self.average.weights(self.network),
        })  # fmt: skip

    def agreed(self, due: bool) -> tuple[bool, bool, int]:
        """Whether time is up, whether a checkpoint is `due`, and the signal that asked to stop, 0 without one.

        The greatest of every process's, so that all of them save and stop at the same step.
        """
        late = monotonic() - self.began > self.recipe.max_hours * 3600
        own = (late, due, self.interruption.asked)
        if self.fabric.world_size == 1:
            return own
        together = torch.tensor(own, device=self.fabric.device)
        late, due, asked = torch.as_tensor(self.fabric.all_reduce(together, reduce_op="max")).tolist()
        return bool(late), bool(due), int(asked)


def _begun(recipe: Recipe) -> Network:
    """The recipe's network with random weights, those of a checkpoint, or other networks' where it can begin so."""
    files = [*([recipe.init] if recipe.init else []), *recipe.begin_parts]
    if files and not files[0].endswith(".onnx"):
        network = load_checkpoint(files.pop(0), recipe.network, **recipe.options)
    else:
        network = build(recipe.network, **recipe.options)
    if files and not network.begins_from_onnx:
        raise InputError(f"expected a checkpoint to begin from, got {files[0]}; {recipe.network} reads no ONNX")
    for file in files:
        network.begin_from(Path(file))
    return network
