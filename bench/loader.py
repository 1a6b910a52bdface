"""Training samples a second: python bench/loader.py PEOPLE BACKGROUNDS [--recipe FILE] [--json FILE].

PEOPLE and BACKGROUNDS are packs, named without ending. First samples by size and frames, made in one process. Then what
a recipe asks for: its first pass's batches made by one process, as one of its workers makes them, beside its network's
steps with them (forward, backward, optimiser) on `--threads` threads. Everything is done in turn, round after round,
every second one backwards, from the same seeds; figures are medians of the rounds after a first one to warm up, ratios
medians of the rounds' ratios. `cpu` counts the process's own time, which other work on the machine disturbs less.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from koutu.bench.run import about_run, save
from koutu.data.packs.pack import Pack
from koutu.data.scenes.sample import SceneConfig, Scenes
from koutu.machine import load_average
from koutu.models import build
from koutu.train.batch import Batch, Samples, collate, size_at
from koutu.train.objectives import build_objective
from koutu.train.optimise import make_optimiser
from koutu.train.recipe import Recipe, read_recipe

KINDS = ((192, 1), (256, 1), (512, 1), (192, 4), (192, 8), (256, 15))
RECIPE = Path(__file__).parent.parent / "recipes" / "modnet_small.yaml"

Rate = dict[str, float]  # of wall time and of the process's time, a second


def rate(work: Callable[[], Any], samples: int) -> Rate:
    """Samples a second that `work` makes or takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": samples / (time.perf_counter() - wall), "cpu": samples / (time.process_time() - cpu)}


class Kind:
    """Samples of one size and so many frames."""

    def __init__(self, scenes: Scenes, size: int, frames: int, samples: int):
        self.scenes, self.size, self.frames, self.samples = scenes, size, frames, samples
        self.rates: list[Rate] = []

    def turn(self) -> None:
        self.rates.append(rate(self._make, self.samples))

    def row(self) -> dict[str, Any]:
        return {"size": self.size, "frames": self.frames} | medians(self.rates) | {"rounds": self.rates[1:]}

    def _make(self) -> None:
        for seed in range(self.samples):
            self.scenes(np.random.default_rng(seed), self.size, self.frames)


class Training:
    """The first pass of a recipe: a batch made, and a step with it from random weights, which are the same work."""

    def __init__(self, recipe: Recipe, people: Pack, backgrounds: Pack):
        self.recipe, self.stage = recipe, recipe.stages[0]
        self.given = self.stage.passes[0]
        self.network = build(recipe.network, **recipe.options).train()
        self.objective = build_objective(self.given.objective, self.network, self.given.options)
        self.optimiser = make_optimiser(self.network, self.stage)
        scenes = replace(self.given.scenes, exact=True) if self.objective.exact else self.given.scenes
        needs = tuple(dict.fromkeys((*self.network.needs, *self.objective.needs)))
        drawn = Scenes(people, backgrounds, range(len(people)), scenes)
        self.samples = Samples(drawn, self.given, needs, seed=(recipe.seed, 0, 0), steps=self.stage.steps)
        self.batch: Batch | None = None
        self.rates: list[tuple[Rate, Rate]] = []

    def turn(self) -> None:
        count = self.given.batch
        made = rate(self._make, count)
        self.rates.append((made, rate(self._step, count)))

    def row(self) -> dict[str, Any]:
        loader, network = ([pair[i] for pair in self.rates] for i in (0, 1))
        ratios = [{key: a[key] / b[key] for key in a} for a, b in self.rates]
        return {
            "network": self.recipe.network, "objective": self.given.objective, "batch": self.given.batch,
            "size": size_at(0, self.given, self.stage.steps), "frames": self.given.frames,
            "precision": self.recipe.precision, "threads": torch.get_num_threads(),
            "loader": medians(loader), "network_step": medians(network), "ratio": medians(ratios),
            "rounds": {"loader": loader[1:], "network_step": network[1:]},
        }  # fmt: skip

    def _make(self) -> None:
        self.batch = collate([self.samples[i] for i in range(self.given.batch)])

    def _step(self) -> None:
        assert self.batch is not None
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bf16-mixed"):
            parts = self.objective(self.network, self.batch, 0.0)
            loss = torch.stack([part.float() for part in parts.values()]).sum()
        loss.backward()
        self.optimiser.step()


def medians(rates: list[Rate]) -> Rate:
    """Of all rounds but the first."""
    return {key: statistics.median(r[key] for r in rates[1:]) for key in ("wall", "cpu")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=30, help="frames of each kind in a round")
    parser.add_argument("--exact", action="store_true", help="scenes that compose exactly, for the kinds")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    people, backgrounds = Pack(args.people), Pack(args.backgrounds)
    about = about_run()
    scenes = Scenes(people, backgrounds, range(len(people)), SceneConfig(exact=args.exact))
    kinds = [Kind(scenes, size, frames, max(2, args.frames // frames)) for size, frames in KINDS]
    training = Training(read_recipe(args.recipe), people, backgrounds)
    for number in range(args.rounds + 1):
        for item in [*kinds, training][:: 1 if number % 2 == 0 else -1]:
            item.turn()
    rows, row = [kind.row() for kind in kinds], training.row()
    for kind in rows:
        print(f"{kind['size']}² × {kind['frames']:2}: {kind['wall']:6.1f} a second, {kind['cpu']:6.1f} of CPU")
    print(
        f"{args.recipe.stem}: loader {row['loader']['wall']:.1f}, network {row['network_step']['wall']:.1f} samples a "
        f"second, ratio {row['ratio']['wall']:.2f}; of CPU {row['ratio']['cpu']:.2f}"
    )
    if args.json:
        found = {"exact": args.exact, "rounds": args.rounds, "recipe": args.recipe.stem, "kinds": rows, "training": row}
        save(about | {"load_after": load_average()} | found, args.json)


if __name__ == "__main__":
    main()
