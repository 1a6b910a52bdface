"""The training engine on Lightning Fabric: one process or many, stages in turn, checkpoints that resume exactly.

Every random number comes from (seed, stage, step, process), so that an interrupted run goes on as if nothing had been.
"""

from pathlib import Path
from time import monotonic
from typing import Any

import torch

from koutu.train.guard import TrainError
from koutu.train.interrupt import Interrupted
from koutu.train.recipe import Recipe
from koutu.train.run_state import Progress, RunState, Watch
from koutu.train.stage import StageRun

__all__ = ["Interrupted", "Progress", "Run", "TrainError", "Watch", "leave_group", "train"]


class Run(RunState):
    """A recipe being trained in the folder `out`. Call `train()`; the same call goes on where a run stopped."""

    def train(self, *, stop_at: int | None = None) -> dict[str, dict[str, float]]:
        """All stages, or up to `stop_at` steps in all; returns the validation before and after.

        Raises TrainError on a loss that is not a number or explodes; the last good checkpoint stays. Raises Interrupted
        after Ctrl-C or SIGTERM, when the step in hand is done and saved.
        """
        state = self.checkpoint.load(self.fabric.device)
        if self.journal is not None:
            self.journal.rewind(state.get("journal") if state else 0)
        if state is None:
            found = self.validate()
            state = {"stage": 0, "step": 0, "start": found, "last": found}
            self.log("start", 0, found)
        else:
            self.network.load_state_dict(state["network"])
            self.average.load(state["average"])
        self.began, self.start, self.last = monotonic(), state["start"], state["last"]
        with self.interruption:
            self._stages(state, stop_at)
        return {"before": self.start, "after": self.last}

    def _stages(self, state: dict[str, Any], stop_at: int | None) -> None:
        before = 0
        for index, stage in enumerate(self.recipe.stages):
            if index >= state["stage"]:
                resumed = state if index == state["stage"] and state["step"] else None
                current = StageRun(self, index, resumed)
                whole = current.train(None if stop_at is None else stop_at - before)
                if current.stopped_by and not (whole and index + 1 == len(self.recipe.stages)):
                    raise Interrupted(f"interrupted; {self.checkpoint.kept()}, from where the same command goes on",
                                      current.stopped_by)  # fmt: skip
                if not whole:
                    break
            before += stage.steps


def train(recipe: Recipe, out: Path, **options: Any) -> dict[str, dict[str, float]]:
    """Run a recipe, or go on with it; the validation before and after."""
    return Run(recipe, out, **options).train()


def leave_group() -> None:
    """Let go of the other processes, if there are any; ending without it may abort a process by its own threads."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
