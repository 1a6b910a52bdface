"""The training engine on Lightning Fabric: one process or many, stages in turn, checkpoints that resume exactly.

Every random number comes from (seed, stage, step, process), so that an interrupted run goes on as if nothing had been.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader

from koutu.data.pack import Pack
from koutu.data.scenes import Scenes
from koutu.models import build, load_checkpoint
from koutu.train.batch import Batch, Samples, collate
from koutu.train.checkpoint import Checkpoint, Journal
from koutu.train.objectives import Objective, build_objective
from koutu.train.optimise import Average, make_optimiser, rate_at
from koutu.train.recipe import Pass, Recipe, Stage
from koutu.train.validate import Validation
from koutu.types import InputError, KoutuError

FORWARDS = ("training_outputs", "trimap", "fused")  # methods that objectives call; DDP must know them
DIVERGED = 20.0  # times the loss of the best 100 steps so far


class TrainError(KoutuError):
    """Training cannot go on; says why and what is kept."""

    exit_code = 7


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
        self.average = Average(network, recipe.ema)
        people = Pack(recipe.people, in_memory=True)
        self.train_on, self.held_out = split(people, recipe.held_out, recipe.exclude)
        self.people, self.backgrounds = people, Pack(recipe.backgrounds, in_memory=True)
        self.checkpoint = Checkpoint(out, recipe)
        self.journal = Journal(out) if self.fabric.is_global_zero else None
        self.validation = Validation(people, self.backgrounds, self.held_out, recipe)

    def train(self, *, stop_at: int | None = None) -> dict[str, dict[str, float]]:
        """All stages, or up to `stop_at` steps in all; returns the validation before and after.

        Raises TrainError on a loss that is not a number or explodes; the last good checkpoint stays.
        """
        state = self.checkpoint.load(self.fabric.device)
        if state is None:
            found = self._validate()
            state = {"stage": 0, "step": 0, "start": found, "last": found}
            self._log("start", 0, found)
        else:
            self.network.load_state_dict(state["network"])
            self.average.load(state["average"])
        self.started, self.start, self.last = monotonic(), state["start"], state["last"]
        before = 0
        for index, stage in enumerate(self.recipe.stages):
            if index >= state["stage"]:
                resumed = state if index == state["stage"] and state["step"] else None
                if not self._stage(index, stage, resumed, None if stop_at is None else stop_at - before):
                    break
            before += stage.steps
        return {"before": self.start, "after": self.last}

    def _stage(self, index: int, stage: Stage, resumed: dict[str, Any] | None, stop_at: int | None) -> bool:
        """False if the run was to stop within the stage."""
        torch.manual_seed(hash((self.recipe.seed, index)) % 2**63)  # for critics
        tasks = [_Task(self, index, i, given, stage) for i, given in enumerate(stage.passes)]
        optimiser = make_optimiser(self.network, stage)
        critics = [c for task in tasks if (c := task.objective.critic) is not None]
        network, optimiser = self.fabric.setup(self.network, optimiser)
        for method in FORWARDS:
            if hasattr(self.network, method):
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
                "weights": self.average.weights(self.network),
            })  # fmt: skip

        streams = [task.batches(first) for task in tasks]
        saved, best, recent = monotonic(), math.inf, 0.0
        self._train_mode(network, stage)
        for step in range(first, stage.steps):
            torch.manual_seed(hash((self.recipe.seed, index, step, self.fabric.global_rank)) % 2**63)
            for group in optimiser.param_groups:
                group["lr"] = group["factor"] * rate_at(step, stage)
            parts: dict[str, float] = {}
            for task, stream in zip(tasks, streams, strict=True):
                if step % task.given.every == 0:
                    batches = [next(stream) for _ in range(stage.accumulate)]
                    parts |= self._step(network, optimiser, critic_optimiser, task, batches, step, stage)
            self.average.follow(self.network, step)
            loss = sum(parts.values())
            if not math.isfinite(loss):
                raise TrainError(f"{stage.name}, step {step}: the loss is {loss} ({parts}); {self.checkpoint.kept()}")
            recent = loss if step == first else 0.99 * recent + 0.01 * loss
            if step - first >= 100:
                best = min(best, recent)
                if recent > DIVERGED * best:
                    raise TrainError(f"{stage.name}, step {step}: the loss rose from {best:.3g} to {recent:.3g}; "
                                     f"{self.checkpoint.kept()}; try a lower lr")  # fmt: skip
            done, now = step + 1, monotonic()
            stop = done == stop_at or now - self.started > self.recipe.max_hours * 3600
            if done % 50 == 0 or done == stage.steps or stop:
                self._log(stage.name, done, {"loss": loss, **parts})
            if now - saved > self.recipe.save_minutes * 60 or done == stage.steps or stop:
                save(done)
                self._train_mode(network, stage)
                saved = monotonic()
            self.watch(Progress(stage.name, done, stage.steps, loss, self.last))
            if stop and done < stage.steps:
                return False
        return stop_at is None or stop_at > stage.steps

    def _step(
        self, network: Any, optimiser: Any, critic_optimiser: Any, task: "_Task", batches: list[Batch], step: int,
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


def _begun(recipe: Recipe) -> nn.Module:
    """The recipe's network with random weights, those of a checkpoint, or another network's where it can begin so."""
    if recipe.init and not recipe.init.endswith(".onnx"):
        return load_checkpoint(recipe.init, recipe.network, **recipe.options)
    network = build(recipe.network, **recipe.options)
    if recipe.init:
        if not hasattr(network, "begin_from"):
            raise InputError(f"expected a checkpoint to begin from, got {recipe.init}; {recipe.network} reads no ONNX")
        network.begin_from(Path(recipe.init))
    return network


class _Task:
    """A pass of a stage: its objective and its stream of batches."""

    def __init__(self, run: Run, stage_index: int, index: int, given: Pass, stage: Stage):
        self.run, self.given, self.steps, self.accumulate = run, given, stage.steps, stage.accumulate
        self.objective: Objective = build_objective(given.objective, run.network, given.options)
        self.objective.to(run.fabric.device)
        self.prefix = "" if len(stage.passes) == 1 else f"{given.objective} "
        self.seed = (run.recipe.seed, stage_index, index)
        needs = dict.fromkeys((*run.network.needs, *self.objective.needs))  # type: ignore[misc]
        scenes = replace(given.scenes, exact=True) if self.objective.exact else given.scenes
        self.scenes, self.needs = Scenes(run.people, run.backgrounds, run.train_on, scenes), tuple(needs)

    def batches(self, start: int) -> Iterator[Batch]:
        """From the step `start` on, `accumulate` batches a step."""
        run = self.run
        samples = Samples(
            self.scenes, self.given, self.needs, seed=self.seed, steps=self.steps * self.accumulate,
            start=start * self.accumulate, rank=run.fabric.global_rank, world=run.fabric.world_size,
        )  # fmt: skip
        return iter(DataLoader(
            samples, self.given.batch, num_workers=run.recipe.workers, collate_fn=collate,
            prefetch_factor=4 if run.recipe.workers else None, generator=torch.Generator(),
            multiprocessing_context="spawn" if run.recipe.workers else None,
        ))  # fmt: skip


def split(people: Pack, every: int, exclude: Sequence[str] = ()) -> tuple[list[int], list[int]]:
    """Indices to train on and to validate on: every so manieth group; pictures of one person stay together."""
    groups = sorted({e.group for e in people.entries})
    held_out, left_out = set(groups[::every]), set(exclude)
    if unknown := left_out - set(groups):
        raise InputError(
            f"expected people to exclude that the pack has, got {', '.join(sorted(unknown))}; correct them"
        )
    usable = [(i, e.group) for i, e in enumerate(people.entries) if e.group not in left_out]
    return [i for i, group in usable if group not in held_out], [i for i, group in usable if group in held_out]


def train(recipe: Recipe, out: Path, **options: Any) -> dict[str, dict[str, float]]:
    """Run a recipe, or go on with it; the validation before and after."""
    return Run(recipe, out, **options).train()
