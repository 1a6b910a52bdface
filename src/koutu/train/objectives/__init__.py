"""What each network is trained to minimise, by the name that recipes use."""

import importlib
from collections.abc import Mapping
from typing import Any

from koutu.train.objectives.objective import Network, Objective
from koutu.types import InputError

OBJECTIVES: dict[str, str] = {
    "distil": "distil:Distillation",
    "modnet": "portrait:MODNetObjective",
    "supernet": "supernet:SupernetObjective",
    "u2net": "portrait:U2NetObjective",
    "shm-trimap": "portrait:SHMTrimap",
    "shm-filling": "portrait:SHMFilling",
    "shm": "portrait:SHMObjective",
    "dim": "guided:DIMObjective",
    "mgmatting": "guided:MGMattingObjective",
    "igf": "guided:IGFObjective",
    "sim": "guided:SIMObjective",
    "bgmv1": "plate:BGMv1Supervised",
    "bgmv1-adversarial": "plate:BGMv1Adversarial",
    "bgmv2-base": "plate:BGMv2Base",
    "bgmv2-refine": "plate:BGMv2Refine",
    "rvm": "video:RVMMatting",
    "rvm-segmentation": "video:RVMSegmentation",
    "stm": "video:STMObjective",
    "dvm": "video:DVMObjective",
}


def build_objective(name: str, network: Network, options: Mapping[str, Any] | None = None) -> Objective:
    """The objective of that name for a network; raises InputError for an unknown name or option."""
    return objective_kind(name)(network, options)


def objective_kind(name: str) -> type[Objective]:
    """The class of that name; raises InputError for an unknown one."""
    if name not in OBJECTIVES:
        raise InputError(f"expected an objective out of {', '.join(OBJECTIVES)}, got {name!r}; correct the recipe")
    module, _, kind = OBJECTIVES[name].partition(":")
    return getattr(importlib.import_module(f"koutu.train.objectives.{module}"), kind)


__all__ = ["OBJECTIVES", "Objective", "build_objective", "objective_kind"]
