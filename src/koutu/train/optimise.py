"""Optimisers, learning rates and the moving average of weights."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from koutu.train.recipe import Stage
from koutu.types import InputError

FLOOR = 0.01  # of the learning rate, where schedules end


def make_optimiser(network: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """One group for each factor of `lr_of`, weights apart from biases and norms, which do not decay.

    Parameters of factor 0 are frozen. Raises InputError for a prefix that no parameter has.
    """
    for prefix in stage.lr_of:
        if not any(name.startswith(prefix) for name, _ in network.named_parameters()):
            raise InputError(f"expected lr_of to name parameters, got {prefix!r}, which begins none; correct it")
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        factor = factor_of(name, stage)
        parameter.requires_grad_(factor > 0)
        if factor > 0:
            groups.setdefault((factor, parameter.ndim > 1), []).append(parameter)
    if not groups:
        raise InputError("expected something to train, got lr_of 0 for everything; raise one")
    given: list[dict[str, Any]] = [
        {"params": list(parameters), "factor": factor, "weight_decay": stage.weight_decay if decays else 0.0}
        for (factor, decays), parameters in groups.items()
    ]
    if stage.optimiser == "sgd":
        return torch.optim.SGD(given, lr=stage.lr, momentum=stage.momentum)
    kind = torch.optim.AdamW if stage.optimiser == "adamw" else torch.optim.Adam
    return kind(given, lr=stage.lr, betas=stage.betas)


def factor_of(name: str, stage: Stage) -> float:
    """The factor of the longest prefix that fits a parameter's name; 1 if none does."""
    fitting = [prefix for prefix in stage.lr_of if name.startswith(prefix)]
    return stage.lr_of[max(fitting, key=len)] if fitting else 1.0


def hold_norms(network: nn.Module, all_of_them: bool) -> None:
    """Batch norms of which nothing is trained, or all of them, neither count nor follow what they see."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            own = list(module.parameters(recurse=False))
            if all_of_them or (own and not any(parameter.requires_grad for parameter in own)):
                module.eval()


def rate_at(step: int, stage: Stage) -> float:
    """Learning rate of a step: linear warm-up, then the stage's schedule."""
    if step < stage.warmup:
        return stage.lr * (step + 1) / stage.warmup
    done = min(1.0, (step - stage.warmup) / max(1, stage.steps - stage.warmup))
    if stage.schedule == "cosine":
        return stage.lr * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done)))
    if stage.schedule == "linear":
        return stage.lr * (1 - (1 - FLOOR) * done)
    if stage.schedule == "steps":
        return stage.lr * 0.1 ** sum(done >= milestone for milestone in stage.milestones)
    return stage.lr


class Average:
    """An exponential moving average of a network's floating-point state; with decay 0 the state itself."""

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self._kept = {k: v.detach().clone() for k, v in network.state_dict().items()} if decay else {}

    @torch.no_grad()
    def follow(self, network: nn.Module, step: int) -> None:
        """Take in the state after a step; early in training the average is short."""
        rate = min(self.decay, (1 + step) / (10 + step))
        for key, value in network.state_dict().items() if self.decay else ():
            kept = self._kept[key] = self._kept[key].to(value.device)
            kept.lerp_(value, 1 - rate) if kept.is_floating_point() else kept.copy_(value)

    def weights(self, network: nn.Module) -> dict[str, Tensor]:
        """What to validate and ship."""
        return self._kept or network.state_dict()

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return self._kept

    def load(self, kept: dict[str, Tensor]) -> None:
        """From a checkpoint."""
        self._kept = dict(kept)
