"""A whole search: train the supernet, measure this machine, evolve, choose, tell."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from koutu.bench.run import about_run, save
from koutu.data.packs.pack import Pack, split
from koutu.files import whole_file
from koutu.models import load_checkpoint
from koutu.models.modnet import Config as MODNetConfig
from koutu.models.modnet import MODNet
from koutu.models.space import Space, plain
from koutu.models.supernet import sort_channels
from koutu.models.tmodnet import TMODNet
from koutu.search.evolve import Tried, chosen, evolve, front
from koutu.search.judge import Judge
from koutu.search.latency import ASPECT, Clock, Table, engine_clock
from koutu.search.plan import SearchPlan
from koutu.search.report import plot, write
from koutu.train.engine import Run, Watch
from koutu.train.recipe import Recipe
from koutu.types import InputError

REFERENCE = 288, 512  # of MODNet with MobileNetV2-1.0, that the front is compared with


@dataclass(frozen=True)
class Found:
    """The front, the network chosen from it, how many were tried, and how the latency table did."""

    front: list[Tried]
    best: Tried
    tried: int
    table: Table
    reference: float  # milliseconds of MODNet with MobileNetV2-1.0


def search(
    recipe: Recipe, out: Path, plan: SearchPlan, *, watch: Watch = lambda _: None,
    tell: Callable[[Tried], None] = lambda _: None, clock: Clock | None = None,
) -> Found:  # fmt: skip
    """Run a search in the folder `out`, or go on with one; it gets supernet/, latency.json, tried.jsonl, front.json,
    front.svg, chosen.pt and chosen.yaml. Raises InputError if the recipe is none for a supernet."""
    if recipe.network != "tmodnet" or not any(p.objective == "supernet" for s in recipe.stages for p in s.passes):
        raise InputError(
            "expected a recipe of tmodnet with the objective supernet, got another; see recipes/search.yaml"
        )
    clock = clock or engine_clock(plan.engine, plan.threads)
    about = about_run()  # first: it asks git, and OpenVINO with PyTorch's loaders leaves no way to start a process
    run = Run(recipe, out / "supernet", watch=watch)
    if not run.out.joinpath("last.pt").exists():
        sort_channels(run.network)  # type: ignore[arg-type]
    run.train()
    network: TMODNet = load_checkpoint(run.out / "weights.pt", "tmodnet").eval()
    space = Space(network.cfg)
    table = Table(out / "latency.json", clock,
                  engine=plan.engine, threads=plan.threads)  # fmt: skip
    if not table.fit.networks:
        rng = np.random.default_rng((plan.seed, 1 << 20))
        ends = [space.largest(), space.smallest()]
        table.check(space, [*ends, *(space.draw(rng) for _ in range(plan.checks - len(ends)))])
    held_out = split(Pack(recipe.people), recipe.held_out, recipe.exclude)[1]
    judge = Judge(network, space, recipe, held_out, clips=plan.clips)
    tried = []
    for one in evolve(space, judge, lambda c: table(space, c), out / "tried.jsonl", population=plan.population,
                      generations=plan.generations, seed=plan.seed):  # fmt: skip
        tried.append(one)
        tell(one)
    table.save()
    members = front(tried)
    best = chosen(members, plan.budget)
    found = Found(members, best, len(set(tried)), table, _reference(table))
    _save(out, about, found, plan, plot(tried, members, best))
    write(out, network, space, recipe, best)
    return found


def _reference(table: Table) -> float:
    """Milliseconds of MODNet with MobileNetV2-1.0 by the same clock."""

    def make() -> tuple[nn.Module, list[Tensor]]:
        return MODNet(MODNetConfig(norm="batch")), [torch.rand(1, 3, *REFERENCE)]

    return table.of("modnet mobilenetv2-1.0 {} {}".format(*REFERENCE), make)


def _save(out: Path, about: dict[str, Any], found: Found, plan: SearchPlan, picture: str) -> None:
    content = about | {
        "plan": asdict(plan),
        "pictures": list(ASPECT),
        "tried": found.tried,
        "prediction": vars(found.table.fit),
        "modnet_mobilenetv2_ms": found.reference,
        "chosen": _plain(found.best),
        "front": [_plain(t) for t in found.front],
    }
    save(content, out / "front.json")
    with whole_file(out / "front.svg") as file:
        file.write(picture.encode())


def _plain(tried: Tried) -> dict[str, Any]:
    return {"mad": tried.mad, "ms": tried.ms, "choice": plain(tried.choice)}
