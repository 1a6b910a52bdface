"""What each network is trained to minimise, by the name that recipes use: `OBJECTIVES` of this package's modules."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from koutu.train.objectives.objective import Network, Objective
from koutu.types import InputError


@cache
def objective_kinds() -> dict[str, type[Objective]]:
    """Every objective by its name."""
    found: dict[str, type[Objective]] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        if module.name != Objective.__module__:
            found |= importlib.import_module(module.name).OBJECTIVES
    return found


def build_objective(name: str, network: Network, options: Mapping[str, Any] | None = None) -> Objective:
    """The objective of that name for a network; raises InputError for an unknown name or option."""
    return objective_kind(name)(network, options)


def objective_kind(name: str) -> type[Objective]:
    """The class of that name; raises InputError for an unknown one."""
    known = objective_kinds()
    if name not in known:
        raise InputError(f"expected an objective out of {', '.join(known)}, got {name!r}; correct the recipe")
    return known[name]


__all__ = ["Objective", "build_objective", "objective_kind", "objective_kinds"]
