"""A stage of a run: its optimisers and passes, step by step."""

import math
from time import monotonic
from typing import Any

import torch

from koutu.train.batch import Batch
from koutu.train.guard import LossGuard
from koutu.train.optimise import hold_norms, make_optimiser, rate_at
from koutu.train.run_state import Progress, RunState
from koutu.train.task import Task, its_turn

LOGGED = 50  # steps between two lines of the journal


class StageRun:
    """A stage being trained, from its beginning or from what a checkpoint `resumed`.

    stopped_by: the number of the signal that ended it, 0 without one.
    """

    def __init__(self, run: RunState, index: int, resumed: dict[str, Any] | None):
        self.run, self.index, self.given, self.stopped_by = run, index, run.recipe.stages[index], 0
        self._seed()  # for critics
        places = [(index, i) for i in range(len(self.given.passes))]
        material = run.material()
        self.tasks = [Task(run.recipe, place, run.network, material, run.fabric) for place in places]
        self.network, self.optimiser = run.fabric.setup(run.network, make_optimiser(run.network, self.given))
        for method in run.network.forwards:  # DDP must know them
            self.network.mark_forward_method(method)
        self.critic_optimiser = self._critic_optimiser()
        self.first = resumed["step"] if resumed else 0
        if resumed:
            self._resume(resumed)

    def train(self, stop_at: int | None) -> bool:
        """All its steps, or up to `stop_at`; False if the run was to stop within the stage."""
        streams = [task.batches(self.first) for task in self.tasks]
        self.saved, guard = monotonic(), LossGuard(self.given.name)
        self._train_mode()
        for step in range(self.first, self.given.steps):
            parts = self._step(step, streams)
            loss = guard(step, parts, self.run.checkpoint.kept())
            stop = self._keep(step + 1, stop_at, {"loss": loss, **parts})
            self.run.watch(Progress(self.given.name, step + 1, self.given.steps, loss, self.run.last))
            if stop and step + 1 < self.given.steps:
                return False
        return stop_at is None or stop_at > self.given.steps

    def _seed(self, *place: int) -> None:
        torch.manual_seed(hash((self.run.recipe.seed, self.index, *place)) % 2**63)

    def _critic_optimiser(self) -> torch.optim.Optimizer | None:
        """Of all critics together; None without any."""
        critics = [c for task in self.tasks if (c := task.objective.critic) is not None]
        parameters = [p for critic in critics for p in critic.parameters()]
        return torch.optim.Adam(parameters, self.given.critic_lr) if critics else None

    def _resume(self, saved: dict[str, Any]) -> None:
        self.optimiser.load_state_dict(saved["optimiser"])
        for task, state in zip(self.tasks, saved["objectives"], strict=True):
            task.objective.load_state_dict(state)
        if self.critic_optimiser:
            self.critic_optimiser.load_state_dict(saved["critic_optimiser"])

    def _train_mode(self) -> None:
        self.network.train()
        hold_norms(self.network, self.given.freeze_norms)

    def _step(self, step: int, streams: list[Any]) -> dict[str, float]:
        """A step of every pass whose turn it is; the parts' mean values."""
        self._seed(step, self.run.fabric.global_rank)
        for group in self.optimiser.param_groups:
            group["lr"] = group["factor"] * rate_at(step, self.given)
        parts: dict[str, float] = {}
        for task, stream in zip(self.tasks, streams, strict=True):
            if its_turn(task.given, step):
                batches = [next(stream) for _ in range(self.given.accumulate)]
                parts |= self._learn(task, batches, step / self.given.steps)
        self.run.average.follow(self.run.network, step)
        return parts

    def _learn(self, task: Task, batches: list[Batch], done: float) -> dict[str, float]:
        """One optimiser step of one pass; the parts' mean values. done: the share of the stage that is behind."""
        self.optimiser.zero_grad(set_to_none=True)
        total = self._gradients(task, batches, done)
        if all(math.isfinite(value) for value in total.values()):
            if self.given.clip:
                self.run.fabric.clip_gradients(self.network, self.optimiser, max_norm=self.given.clip)  # type: ignore[arg-type]
            self.optimiser.step()
        self._learn_critic(task)
        return total

    def _gradients(self, task: Task, batches: list[Batch], done: float) -> dict[str, float]:
        """Mean gradients of the batches, left in the network; the parts' mean values."""
        fabric = self.run.fabric
        total: dict[str, float] = {}
        for i, batch in enumerate(batches):
            with fabric.no_backward_sync(self.network, enabled=i + 1 < len(batches)), fabric.autocast():
                parts = task.objective(self.network, batch.to(fabric.device), done)
                loss = torch.stack([part.float() for part in parts.values()]).sum() / len(batches)
                fabric.backward(loss)
            for name, part in parts.items():
                key = f"{task.prefix}{name}"
                total[key] = total.get(key, 0.0) + part.item() / len(batches)
        return total

    def _learn_critic(self, task: Task) -> None:
        """One step of the pass's critic, if it has one, with the gradients of all processes."""
        if task.objective.critic is None or self.critic_optimiser is None:
            return
        self.critic_optimiser.zero_grad(set_to_none=True)
        task.objective.critic_loss().backward()
        for p in task.objective.critic.parameters():
            if p.grad is not None and self.run.fabric.world_size > 1:
                p.grad = self.run.fabric.all_reduce(p.grad)  # type: ignore[assignment]
        self.critic_optimiser.step()

    def _keep(self, done: int, stop_at: int | None, figures: dict[str, float]) -> bool:
        """Log and save what is due after `done` steps; whether to stop here."""
        late, due, self.stopped_by = self.run.agreed(monotonic() - self.saved > self.run.recipe.save_minutes * 60)
        stop, over = done == stop_at or late or bool(self.stopped_by), done == self.given.steps
        if done % LOGGED == 0 or over or stop:
            self.run.log(self.given.name, done, figures)
        if due or over or stop:
            self._save(done)
            self._train_mode()
            self.saved = monotonic()
        return stop

    def _save(self, done: int) -> None:
        over = done >= self.given.steps
        place = {"stage": self.index + over, "step": 0 if over else done}
        self.run.save(self.given.name, done, place, {
            "optimiser": self.optimiser.state_dict(),
            "objectives": [task.objective.state_dict() for task in self.tasks],
            "critic_optimiser": self.critic_optimiser.state_dict() if self.critic_optimiser else None,
        })  # fmt: skip
