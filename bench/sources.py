"""What each set of a pack brings: python bench/sources.py RECIPE --base A,B --add C D -o RUNS --json F --test NAME=DIR.

The recipe's stage is trained in short: once on the sets of --base, and once more for each of --add, with that set
beside them at --share of the people drawn; the same seed, steps and places. Each is measured on held-out photographs
with masks (--test, data sets as `koutu data check` reads them; shown twice, as a clip's first frame would be): MAD
farther than 8 pixels from the mask's edge, and IoU; and on composed stills of people of --base whom no row learned
from: MAD, and MAD in the band. A row is written when it is done, and with the same --json and -o a run goes on.
"""

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from koutu import metrics
from koutu.bench.run import about_run, save
from koutu.data.packs.pack import Pack, split
from koutu.data.scenes.sample import SceneConfig, Scenes
from koutu.data.sets.example import Example
from koutu.data.sets.open import open_dataset
from koutu.engines.backend import Backend
from koutu.matting.matter import Matter
from koutu.train.engine import Interrupted, Run
from koutu.train.recipe import Recipe, read_recipe
from koutu.zoo import load

LOOKS = 2  # at a picture, as memory would have it
FAR = 8  # pixels from a mask's edge, within which masks are not believed
BASE = "base"


def recipe_of(added: str, args: argparse.Namespace) -> Recipe:
    """The recipe with its sets' weights: those of the base as they are, the added one's so that it gets its share."""
    recipe = read_recipe(args.recipe, args.changes)
    counts = Counter(entry.source for entry in Pack(recipe.people).entries)
    if strange := {*args.base.split(","), *([added] if added else [])} - set(counts):
        raise SystemExit(f"expected sets of {recipe.people} ({', '.join(counts)}), got {', '.join(sorted(strange))}")

    def weighed(cfg: SceneConfig) -> SceneConfig:
        own = {name: rate for name, rate in cfg.weights if name in args.base.split(",")}
        rates = {name: own.get(name, 1.0) for name in args.base.split(",")}
        if added:
            drawn = sum(rate * counts[name] for name, rate in rates.items())
            rates[added] = args.share / (1 - args.share) * drawn / counts[added]
        return replace(cfg, weights=tuple((name, rates.get(name, 0.0)) for name in counts))

    stages = tuple(
        replace(stage, passes=tuple(replace(given, scenes=weighed(given.scenes)) for given in stage.passes))
        for stage in recipe.stages
    )
    return replace(recipe, stages=stages)


def train(added: str, args: argparse.Namespace) -> Path:
    """The weights of a row."""
    folder = args.output / (added or BASE)
    Run(recipe_of(added, args), folder).train()
    return folder / "weights.pt"


def alpha_of(backend: Backend, example: Example) -> Any:
    """Alpha (H, W) uint8 at the last look."""
    matter = Matter(backend)
    assert example.src is not None
    for _ in range(LOOKS - 1):
        matter(example.src)
    return matter(example.src).alpha


def on_photographs(backend: Backend, root: Path, limit: int) -> dict[str, float]:
    """Far MAD × 1000, its median, and IoU, over a data set of photographs with masks."""
    far, ious = [], []
    clips = open_dataset(root).clips
    count = min(limit, len(clips))
    for clip in (clips[i * len(clips) // count] for i in range(count)):
        for example in clip.examples(0, 1):
            if not isinstance(example, Example) or example.pha is None:
                raise SystemExit(f"{root}/{clip.name} cannot be used")
            alpha, truth = alpha_of(backend, example), np.rint(example.pha * 255).astype(np.uint8)
            away = ~metrics.band(truth, radius=FAR)
            if away.any():
                far.append(1e3 * float(np.abs(alpha.astype(np.float32) - truth)[away].mean()) / 255)
            ious.append(metrics.iou(alpha, truth))
    return {"far": float(np.mean(far)), "far_median": float(np.median(far)), "iou": float(np.mean(ious))}


def on_stills(backend: Backend, recipe: Recipe, args: argparse.Namespace) -> dict[str, float]:
    """MAD × 1000 over whole composed stills and in the band; of people of the base whom no row learned from."""
    people, places = Pack(recipe.people), Pack(recipe.backgrounds)
    known = [i for i in split(people, recipe.held_out)[1] if people.entries[i].source in args.base.split(",")]
    cfg = replace(recipe.stages[0].passes[0].scenes, exact=True, empty=0.0, enter=0.0, crowd=0.0, strands=0.0)
    scenes, whole, band = Scenes(people, places, known, cfg), [], []
    for i in range(args.stills):
        scene = scenes(np.random.default_rng((41, i)), (288, 416))
        truth = scene.pha[0]
        alpha = alpha_of(backend, Example(str(i), scene.src[0], truth.astype(np.float32) / 255, False))
        off = np.abs(alpha.astype(np.float32) - truth) / 255
        edge = metrics.band(truth)
        whole.append(1e3 * float(off.mean()))
        if edge.any():
            band.append(1e3 * float(off[edge].mean()))
    return {"mad": float(np.mean(whole)), "band": float(np.mean(band))}


def measured(weights: Path, args: argparse.Namespace) -> dict[str, Any]:
    recipe = recipe_of("", args)
    backend = load(recipe.network, weights=weights, threads=args.threads)
    found: dict[str, Any] = {name: on_photographs(backend, root, args.limit) for name, root in args.tests.items()}
    return found | {"stills": on_stills(backend, recipe, args)}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, help="of one stage, with its packs")
    parser.add_argument("changes", nargs="*", help="KEY=VALUE of the recipe, as `koutu train` takes them")
    parser.add_argument("--base", required=True, help="sets that every row learns from, with commas")
    parser.add_argument("--add", nargs="*", default=[], help="sets that are added one at a time")
    parser.add_argument("--share", type=float, default=0.35, help="of the people drawn that are of the added set")
    parser.add_argument("--test", nargs="*", default=[], help="NAME=DIR of photographs with masks")
    parser.add_argument("--limit", type=int, default=1000, help="photographs of each, at most, spread evenly")
    parser.add_argument("--stills", type=int, default=48)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", "-o", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    args.tests = {name: Path(root) for name, _, root in (word.partition("=") for word in args.test)}
    return args


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    settings = {
        "recipe": str(args.recipe), "base": args.base, "share": str(args.share), "changes": args.changes,
        "tests": sorted(args.test), "limit": args.limit, "stills": args.stills,
    }  # fmt: skip
    result: dict[str, Any] = about_run() | {"settings": settings, "rows": {}}
    if args.json.is_file():
        result = json.loads(args.json.read_text("utf-8"))
        if result["settings"] != settings:
            raise SystemExit(f"{args.json} is of a run with other settings ({result['settings']}); name another file")
    try:
        for added in ["", *args.add]:
            name = f"+ {added}" if added else BASE
            if name not in result["rows"]:
                result["rows"][name] = measured(train(added, args), args)
                print(name, json.dumps(result["rows"][name]), flush=True)
                save(result, args.json)
    except Interrupted as e:
        raise SystemExit(str(e)) from e


if __name__ == "__main__":
    main()
