"""What every recipe learns in the same few minutes: python bench/recipes.py PEOPLE BACKGROUNDS [NAME …] [--json F].

From random weights, with narrow networks of the recipe's kind, one thread and small samples: nothing here is near what
authors publish after days on many GPUs. What is asked is whether a recipe learns at all: its network beside what the
hint alone is worth, on people of groups that it was not trained on. The budget, in seconds of one core, is divided
among a recipe's stages as the square roots of their steps. With --json what is there already is not done again, so that
an interrupted run goes on.
"""

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from koutu.bench.run import about_run, save
from koutu.data.scenes.sample import SceneConfig, Scenes
from koutu.metrics import gradient, mad, mse
from koutu.train.batch import Batch, Samples, collate
from koutu.train.engine import Progress, Run, TrainError
from koutu.train.recipe import Pass, Recipe, Stage, read_recipe
from koutu.train.validate import roll_out

RECIPES = Path(__file__).parent.parent / "recipes"
SIDE = 128  # of samples
BATCH, FRAMES, CLIP = 4, 3, 5.0  # at most, but for stages that clip otherwise
RATE = 1e-3  # at least, of Adam: published rates are for a thousand times as many steps
CLIPS = 24  # to be scored, `FRAMES` frames each
TIMED = 4  # steps, after one to warm up
SHOWN = SceneConfig(as_is=0.0, empty=0.0, strands=0.0)
WORTH = {"trimap": "the trimap, ½ where unknown", "mask": "the mask", "seg": "the mask"}  # hint → what it is alone
NARROW: dict[str, Any] = {
    "encoder": "resnet", "resnet_channels": (8, 16, 32, 48, 64), "resnet_depths": (1, 1, 1, 1),
    "lr_channels": (32, 16), "hr_channels": 8, "norm": "batch", "subpixel": True,
}  # fmt: skip
SHALLOW = {"depths": (1, 1, 1, 1)}
NETWORKS: dict[str, dict[str, Any]] = {  # recipe → Config of its network, where the published one is too slow for this
    "modnet": {**NARROW, "resnet_channels": (16, 32, 32, 48, 64)},  # with 8, PyTorch 2.13 crashes going back on CPU
    "modnet_temporal": {"temporal": True, **NARROW},
    "u2net": {"encoder": ((8, 16),) * 6, "decoder": ((8, 16),) * 5},
    "dim": {"width": 0.15, "neck_kernel": 3, "neck_channels": 256},
    "bgmv1": {"channels": 8, "shared_blocks": 1, "head_blocks": 1},
    "bgmv2": {"variant": "mobilenetv2", "backbone_scale": 0.5, "refine_sample_pixels": 1280},
    "igf": {"channels": (8, 16, 32, 48)},
    "mgmatting": {"width": 8},
    "shm": {"layout": "light"},
    "sim": {"variant": "colours", "width": 8, **SHALLOW},
    "stm": {"width": 12, "slots": 4, "every": 2},
    "dvm": {"width": 8, **SHALLOW},
}
PRIOR = 200  # training samples whose median matte is the baseline of networks without hints


def small(recipe: Recipe, steps: Sequence[int], teacher: str) -> Recipe:
    """The recipe with small samples and batches, random weights, one thread, and so many steps a stage."""
    stages = tuple(_small_stage(s, n, teacher) for s, n in zip(recipe.stages, steps, strict=True))
    return replace(
        recipe, stages=stages, init=teacher if recipe.init.endswith(".onnx") else "", precision="32-true", threads=1,
        workers=0, exclude=(), save_minutes=1e6, validation_clips=2, validation_frames=2, validation_size=SIDE,
    )  # fmt: skip


def _small_stage(stage: Stage, steps: int, teacher: str) -> Stage:
    own = stage.optimiser == "sgd" or any("adversarial" in given.objective for given in stage.passes)
    return replace(
        stage, steps=steps, passes=tuple(_small_pass(p, teacher) for p in stage.passes), warmup=steps // 20,
        lr=stage.lr if own else max(stage.lr, RATE), clip=stage.clip or CLIP, schedule="cosine", freeze_norms=False,
    )  # fmt: skip


def _small_pass(given: Pass, teacher: str) -> Pass:
    options = dict(given.options)
    if "teacher" in options:
        options["teacher"] = f"{options['teacher'].partition('=')[0]}={teacher}"
    return replace(
        given, sizes=((1.0, SIDE),), batch=min(given.batch, BATCH), frames=min(given.frames, FRAMES), options=options
    )


def seconds_a_step(recipe: Recipe, teacher: str) -> list[float]:
    """Of one core, for every stage, measured by a short run."""
    at: dict[str, list[float]] = {}

    def watch(progress: Progress) -> None:
        at.setdefault(progress.stage, []).append(time.process_time())

    short = small(recipe, [TIMED + 1] * len(recipe.stages), teacher)
    with tempfile.TemporaryDirectory() as folder:
        Run(short, Path(folder), watch=watch).train()
    return [(times[-1] - times[0]) / TIMED for times in at.values()]


class Test:
    """Clips of held-out people, the same for every recipe; its call gives MAD, MSE × 1000, Grad."""

    def __init__(self, run: Run):
        self.run, self.needs = run, tuple(run.network.needs)  # type: ignore[arg-type]
        self.clips = self._drawn(run.held_out, CLIPS, FRAMES)

    def _drawn(self, people: Sequence[int], count: int, frames: int) -> list[Batch]:
        scenes = Scenes(self.run.people, self.run.backgrounds, people, SHOWN)
        samples = Samples(scenes, Pass("", batch=1, frames=frames), self.needs, seed=(23,), steps=count)
        return [collate([samples.sample(i, SIDE)]) for i in range(count)]

    def __call__(self, phas: Sequence[NDArray[Any]]) -> dict[str, float]:
        true = [_array(clip.pha) for clip in self.clips]
        pairs = list(zip(np.concatenate(phas), np.concatenate(true), strict=True))
        ways = {"mad": (mad, 1e3), "mse": (mse, 1e3), "grad": (gradient, 1.0)}
        return {key: factor * float(np.mean([way(p, t) for p, t in pairs])) for key, (way, factor) in ways.items()}

    @torch.no_grad()
    def of_network(self) -> dict[str, float]:
        """The averaged weights as they are now, every clip on the network's own memory."""
        network: nn.Module = copy.deepcopy(self.run.network)
        network.load_state_dict(self.run.average.weights(self.run.network))
        network.eval()
        return self([_array(roll_out(network, clip).clamp(0, 1)) for clip in self.clips])

    def of_nothing(self) -> tuple[str, dict[str, float]]:
        """What a baseline that learns nothing from pictures reaches, and its name."""
        hint = next((hint for hint in WORTH if hint in self.needs), None)
        if hint is not None:
            shown = [_array(clip.hints[hint]) for clip in self.clips]
            if getattr(self.run.network, "propagates", False):
                return f"{WORTH[hint]} of the first frame", self([x[:1].repeat(len(x), 0) for x in shown])
            return WORTH[hint], self(shown)
        if "bgr" in self.needs:
            away = [_array((clip.src - clip.hints["bgr"]).abs().amax(1, keepdim=True)) for clip in self.clips]
            found = [self([(x > level / 255).astype(np.float32) for x in away]) for level in range(4, 68, 4)]
            return "difference from the plate, cut where it is best", min(found, key=lambda f: f["mad"])
        prior = np.median([_array(clip.pha)[0] for clip in self._drawn(self.run.train_on, PRIOR, 1)], axis=0)
        return "the median matte of other people", self([prior[None].repeat(FRAMES, 0)] * CLIPS)


def measure(path: Path, data: list[str], minutes: float, teacher: str) -> dict[str, Any]:
    """A recipe's row: the baseline, and what the network reaches after every stage."""
    recipe = read_recipe(path, data)
    recipe = replace(recipe, options=NETWORKS.get(path.stem, recipe.options))
    times, roots = seconds_a_step(recipe, teacher), [stage.steps**0.5 for stage in recipe.stages]
    shares = [60 * minutes * root / sum(roots) for root in roots]
    steps = [max(1, round(share / seconds)) for share, seconds in zip(shares, times, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        run = Run(small(recipe, steps, teacher), Path(folder))
        test = Test(run)
        name, found = test.of_nothing()
        row = {
            "network": recipe.network, "parameters": sum(p.numel() for p in run.network.parameters()),
            "steps": dict(zip((s.name for s in recipe.stages), steps, strict=True)),
            "baseline": {"what": name, **found}, "untrained": test.of_network(), "stages": {}, "error": "",
        }  # fmt: skip
        try:
            for i, stage in enumerate(recipe.stages):
                run.train(stop_at=sum(steps[: i + 1]))
                row["stages"][stage.name] = test.of_network()
        except TrainError as e:
            row["error"] = str(e).partition(";")[0]  # what is kept is in a folder that is gone
    return row


def _array(x: torch.Tensor) -> NDArray[np.float32]:
    """(T, 1, H, W) → (T, H, W)."""
    return x[:, 0].float().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", help="a pack, as `koutu data pack` makes it")
    parser.add_argument("backgrounds", help="a pack")
    parser.add_argument("names", nargs="*", help="recipes; all of recipes/ if none is named")
    parser.add_argument("--minutes", type=float, default=2.0, help="of one core, of training, a recipe")
    parser.add_argument("--teacher", default="selfie_segmentation.onnx", help="of the recipes that learn from one")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    result = about_run() | {"minutes": args.minutes, "side": SIDE, "clips": CLIPS, "frames": FRAMES, "rows": {}}
    if args.json and args.json.is_file():
        result = json.loads(args.json.read_text("utf-8"))
    data = [f"people={args.people}", f"backgrounds={args.backgrounds}"]
    for name in args.names or sorted(path.stem for path in RECIPES.glob("*.yaml")):
        if name in result["rows"] and name not in args.names:
            continue
        row = result["rows"][name] = measure(RECIPES / f"{name}.yaml", data, args.minutes, args.teacher)
        last = list(row["stages"].values())[-1:]
        print(f"{name:16} MAD × 1000 {[f['mad'] for f in last]}, {row['baseline']} {row['error']}", flush=True)
        if args.json:
            save(result, args.json)


if __name__ == "__main__":
    main()
