"""MODNet with MobileNetV2-1.0 beside the shapes of a search: the same scenes, the same clock.

python bench/search_reference.py WEIGHTS.pt RECIPE SEARCHED [--json docs/bench/search_reference.json]

WEIGHTS: of `modnet`, trained (recipes/modnet_mobilenetv2.yaml). RECIPE and SEARCHED: what `koutu search` was given and
where it wrote. The network is shown each of `PIXELS`; beside it stands the quickest shape tried that errs no more.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from koutu.bench.run import about_run, save
from koutu.data.packs.pack import Pack, split
from koutu.models import load_checkpoint
from koutu.models.space import Choice, Space
from koutu.search.judge import Judge, mean_error
from koutu.search.latency import ASPECT, engine_clock, whole_network
from koutu.sizes import near_area
from koutu.train.recipe import read_recipe

PIXELS = (192 * 192, 256 * 256, 512 * 288)


def rows(weights: Path, recipe_file: Path, searched: Path) -> list[dict[str, Any]]:
    """One for each of `PIXELS`."""
    plan = json.loads((searched / "front.json").read_text("utf-8"))["plan"]
    tried = [json.loads(line) for line in (searched / "tried.jsonl").read_text("utf-8").splitlines()]
    recipe = read_recipe(recipe_file)
    supernet: Any = load_checkpoint(searched / "supernet" / "weights.pt", "tmodnet").eval()
    held_out = split(Pack(recipe.people), recipe.held_out, recipe.exclude)[1]
    space = Space(supernet.cfg)
    judge = Judge(supernet, space, recipe, held_out, clips=plan["clips"])
    network: Any = load_checkpoint(weights, "modnet").eval()
    clock = engine_clock(plan["engine"], plan["threads"])
    found = []
    for pixels in PIXELS:
        size = near_area(ASPECT, pixels, network.stride)
        src = torch.rand(1, 3, *size)
        error, ms = mean_error(network, judge.clips, pixels), clock(network, [src, *network.initial_state(src)])
        equal = min((t for t in tried if t["mad"] <= error), key=lambda t: t["ms"])  # by the milliseconds predicted
        equal = equal | {"ms": clock(*whole_network(space, Choice.read(equal["choice"])))}
        found.append({"size": list(size), "mad": error, "ms": ms, "equal": equal})
        print(
            f"{size[1]}x{size[0]}: {error:.1f}, {ms:.1f} ms; equal: {equal['mad']:.1f}, {equal['ms']:.1f} ms",
            flush=True,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("weights", "recipe", "searched"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    about = about_run()
    found = about | {"rows": rows(args.weights, args.recipe, args.searched)}
    if args.json:
        save(found, args.json)


if __name__ == "__main__":
    main()
