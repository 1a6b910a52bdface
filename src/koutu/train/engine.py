"""The training engine on Lightning Fabric: one process or many, stages in turn, checkpoints that resume exactly.

Every random number comes from (seed, stage, step, process), so that an interrupted run goes on as if nothing had been.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from koutu.data.packs.pack import Pack, split
from koutu.models import build, load_checkpoint
from koutu.models.base import Network
from koutu.train.batch import Batch
from koutu.train.checkpoint import Checkpoint, Journal
from koutu.train.footage import Clips, footage_pack
from koutu.train.guard import LossGuard, TrainError
from koutu.train.interrupt import Interrupted, Interruption
from koutu.train.objectives import objective_kind
from koutu.train.optimise import Average, make_optimiser, rate_at
from koutu.train.recipe import Footage, Recipe, Stage
from koutu.train.task import Material, Task, its_turn
from koutu.train.validate import Validation
from koutu.types import InputError

__all__ = ["Interrupted", "Progress", "Run", "TrainError", "train"]


@dataclass
class Progress:
    """What a watcher is told: stage and step of how many, the last loss, and what the last validation found."""

    stage: str
    step: int
    steps: int
    loss: float
    validation: dict[str, float]


Watch = Callable[[Progress], None]


class Run:
    """A recipe being trained in the folder `out`. Call `train()`; the same call goes on where a run stopped."""

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
        self.interruption, self.stopped_by = Interruption(), 0

    def _footage(self, out: Path) -> dict[Footage, Clips]:
        """Of every pass that has some, read by the first process; raises InputError before anything is trained."""
        found: dict[Footage, Clips] = {}
        for given in (p for stage in self.recipe.stages for p in stage.passes if p.footage):
            if objective_kind(given.objective).truth:
                raise InputError(f"expected scenes whose truth is known for {given.objective}, got footage; remove it")
            if self.fabric.is_global_zero:
                footage_pack(given.footage, out)
            self.fabric.barrier()
            found[given.footage] = Clips(footage_pack(given.footage, out))
        return found

    def train(self, *, stop_at: int | None = None) -> dict[str, dict[str, float]]:
        """All stages, or up to `stop_at` steps in all; returns the validation before and after.

        Raises TrainError on a loss that is not a number or explodes; the last good checkpoint stays. Raises Interrupted
        after Ctrl-C or SIGTERM, when the step in hand is done and saved.
        """
        state = self.checkpoint.load(self.fabric.device)
        if state is None:
            found = self._validate()
            state = {"stage": 0, "step": 0, "start": found, "last": found}
            self._log("start", 0, found)
        else:
            self.network.load_state_dict(state["network"])
            self.average.load(state["average"])
            if self.journal is not None:
                self.journal.rewind(state.get("journal"))
        self.started, self.start, self.last = monotonic(), state["start"], state["last"]
        with self.interruption:
            self._stages(state, stop_at)
        return {"before": self.start, "after": self.last}

    def _stages(self, state: dict[str, Any], stop_at: int | None) -> None:
        before = 0
        for index, stage in enumerate(self.recipe.stages):
            if index >= state["stage"]:
                resumed = state if index == state["stage"] and state["step"] else None
                whole = self._stage(index, stage, resumed, None if stop_at is None else stop_at - before)
                if self.stopped_by and not (whole and index + 1 == len(self.recipe.stages)):
                    raise Interrupted(f"interrupted; {self.checkpoint.kept()}, from where the same command goes on",
                                      self.stopped_by)  # fmt: skip
                if not whole:
                    break
            before += stage.steps

    def _agreed(self, *wishes: float) -> list[float]:
        """The greatest of every process's wishes, so that all of them save and stop at the same step."""
        if self.fabric.world_size == 1:
            return list(wishes)
        together = torch.tensor(wishes, device=self.fabric.device)
        return torch.as_tensor(self.fabric.all_reduce(together, reduce_op="max")).tolist()

    def _stage(self, index: int, stage: Stage, resumed: dict[str, Any] | None, stop_at: int | None) -> bool:
        """False if the run was to stop within the stage."""
        torch.manual_seed(hash((self.recipe.seed, index)) % 2**63)  # for critics
        material = Material(self.people, self.backgrounds, self.train_on, self.footage)
        tasks = [Task(self.recipe, (index, i), self.network, material, self.fabric) for i in range(len(stage.passes))]
        optimiser = make_optimiser(self.network, stage)
        critics = [c for task in tasks if (c := task.objective.critic) is not None]
        network, optimiser = self.fabric.setup(self.network, optimiser)
        for method in self.network.forwards:  # DDP must know them
            network.mark_forward_method(method)
        critic_optimiser = (
            torch.optim.Adam([p for c in critics for p in c.parameters()], stage.critic_lr) if critics else None
        )
        first = resumed["step"] if resumed else 0
        if resumed:
            optimiser.load_state_dict(resumed["optimiser"])
            for task, saved in zip(tasks, resumed["objectives"], strict=True):
                task.objective.load_state_dict(saved)
            if critic_optimiser:
                critic_optimiser.load_state_dict(resumed["critic_optimiser"])

        def save(step: int) -> None:
            self.last = self._validate()
            self._log(stage.name, step, self.last)
            if self.journal is not None and self.validation.shown is not None:
                self.journal.pictures(stage.name, step, self.validation.shown)
            over = step >= stage.steps
            self.checkpoint.save(self.fabric, {
                "stage": index + over, "step": 0 if over else step, "start": self.start, "last": self.last,
                "network": self.network.state_dict(), "average": self.average.state(),
                "optimiser": optimiser.state_dict(), "objectives": [t.objective.state_dict() for t in tasks],
                "critic_optimiser": critic_optimiser.state_dict() if critic_optimiser else None,
                "journal": self.journal.length() if self.journal is not None else None,
                "weights": self.average.weights(self.network),
            })  # fmt: skip

        streams = [task.batches(first) for task in tasks]
        saved, guard = monotonic(), LossGuard(stage.name)
        self._train_mode(network, stage)
        for step in range(first, stage.steps):
            torch.manual_seed(hash((self.recipe.seed, index, step, self.fabric.global_rank)) % 2**63)
            for group in optimiser.param_groups:
                group["lr"] = group["factor"] * rate_at(step, stage)
            parts: dict[str, float] = {}
            for task, stream in zip(tasks, streams, strict=True):
                if its_turn(task.given, step):
                    batches = [next(stream) for _ in range(stage.accumulate)]
                    parts |= self._step(network, optimiser, critic_optimiser, task, batches, step, stage)
            self.average.follow(self.network, step)
            loss, done, now = guard(step, parts, self.checkpoint.kept()), step + 1, monotonic()
            late, due, asked = self._agreed(
                now - self.started > self.recipe.max_hours * 3600, now - saved > self.recipe.save_minutes * 60,
                self.interruption.asked,
            )  # fmt: skip
            self.stopped_by = int(asked)
            stop = done == stop_at or bool(late or asked)
            if done % 50 == 0 or done == stage.steps or stop:
                self._log(stage.name, done, {"loss": loss, **parts})
            if due or done == stage.steps or stop:
                save(done)
                self._train_mode(network, stage)
                saved = monotonic()
            self.watch(Progress(stage.name, done, stage.steps, loss, self.last))
            if stop and done < stage.steps:
                return False
        return stop_at is None or stop_at > stage.steps

    def _step(
        self, network: Any, optimiser: Any, critic_optimiser: Any, task: Task, batches: list[Batch], step: int,
        stage: Stage,
    ) -> dict[str, float]:  # fmt: skip
        """One optimiser step of one pass; the parts' mean values."""
        total: dict[str, float] = {}
        optimiser.zero_grad(set_to_none=True)
        for i, batch in enumerate(batches):
            with self.fabric.no_backward_sync(network, enabled=i + 1 < len(batches)), self.fabric.autocast():
                parts = task.objective(network, batch.to(self.fabric.device), step / stage.steps)
                loss = torch.stack([part.float() for part in parts.values()]).sum() / len(batches)
                self.fabric.backward(loss)
            for name, part in parts.items():
                key = f"{task.prefix}{name}"
                total[key] = total.get(key, 0.0) + part.item() / len(batches)
        if all(math.isfinite(value) for value in total.values()):
            if stage.clip:
                self.fabric.clip_gradients(network, optimiser, max_norm=stage.clip)
            optimiser.step()
        if task.objective.critic is not None and critic_optimiser is not None:
            critic_optimiser.zero_grad(set_to_none=True)
            critic_loss = task.objective.critic_loss()
            critic_loss.backward()
            for p in task.objective.critic.parameters():
                if p.grad is not None and self.fabric.world_size > 1:
                    p.grad = self.fabric.all_reduce(p.grad)  # type: ignore[assignment]
            critic_optimiser.step()
        return total

    def _train_mode(self, network: nn.Module, stage: Stage) -> None:
        network.train()
        if stage.freeze_norms:
            for module in network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def _validate(self) -> dict[str, float]:
        found = self.validation(self.average.weights(self.network), self.network) if self.fabric.is_global_zero else {}
        return self.fabric.broadcast(found)

    def _log(self, stage: str, step: int, values: dict[str, float]) -> None:
        if self.journal is not None:
            self.journal(stage, step, values)


def _begun(recipe: Recipe) -> Network:
    """The recipe's network with random weights, those of a checkpoint, or another network's where it can begin so."""
    if recipe.init and not recipe.init.endswith(".onnx"):
        return load_checkpoint(recipe.init, recipe.network, **recipe.options)
    network = build(recipe.network, **recipe.options)
    if recipe.init:
        if not network.begins_from_onnx:
            raise InputError(f"expected a checkpoint to begin from, got {recipe.init}; {recipe.network} reads no ONNX")
        network.begin_from(Path(recipe.init))
    return network


def train(recipe: Recipe, out: Path, **options: Any) -> dict[str, dict[str, float]]:
    """Run a recipe, or go on with it; the validation before and after."""
    return Run(recipe, out, **options).train()


def leave_group() -> None:
    """Let go of the other processes, if there are any; ending without it may abort a process by its own threads."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
