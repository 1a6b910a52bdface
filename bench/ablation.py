"""What each step of temporal MODNet brings: python bench/ablation.py PEOPLE BACKGROUNDS --init ONNX --json F -o RUNS.

The steps are those of the 4-channel MODNet: the previous alpha as fourth channel, at first always the true one of a
frame earlier; that channel blanked now and then; perturbed by affine maps; lamps. Each is a short training of `tmodnet`
from the same beginning, with the same seed and as many steps. Then a searched shape, `--search chosen.pt` of `koutu
search`, trained as long from the supernet's weights; and the last network behind a gate, calibrated on people that it
learned from. All are exported and measured on the same composed scenes of people that none was trained on, through
`Matter` as users run them, and at the end timed in turn on one thread. A row is written when it is done, and with the
same --json and -o an interrupted run goes on. With --minutes the steps are what one variant does in that time.
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from koutu import metrics
from koutu.bench.run import about_run, save
from koutu.data.packs.pack import Pack, split
from koutu.data.scenes.sample import SceneConfig, Scenes
from koutu.data.sets.open import Example
from koutu.engines.backend import Backend
from koutu.evaluation.recoveries import recovered
from koutu.evaluation.recovery import KINDS, LENGTH, Steady, trials
from koutu.export.clips import CalibrationClip
from koutu.export.early_exit.calibrate import calibrate
from koutu.export.early_exit.parts import export_parts
from koutu.export.onnx import export_onnx
from koutu.models import load_checkpoint
from koutu.models.tmodnet import TMODNet
from koutu.train.engine import Interrupted, Run
from koutu.train.recipe import Pass, Recipe, Stage
from koutu.zoo import load

PLACES = (("scenery", 8.0), ("plates", 1.5))
AFFINE = (("near", 0.33), ("far", 0.1))
STILLS, CLIPS = 64, 10  # measured
TIMED = 6  # steps, after two to warm up
HELD_OUT = 8  # every so manieth group of people
CALIBRATION = 12  # clips of people that were trained on
SEARCH, GATE = "+ search", "+ gate"
ROUNDS = 7  # of timing


@dataclass(frozen=True)
class Variant:
    """A row: what the network is and what its samples show, beside what all have."""

    told: str
    options: dict[str, Any] = field(default_factory=dict)
    scenes: dict[str, Any] = field(default_factory=dict)
    init: str = ""  # the common beginning without


ALWAYS = {"previous_moves": True, "lamps": 0.0, "previous_cases": AFFINE}
VARIANTS = {
    "3 channels": Variant("the picture alone", {"temporal": False}, ALWAYS),
    "4 channels": Variant(
        "the previous alpha, always the true one of a frame earlier",
        scenes=ALWAYS | {"previous_blank": 0.0, "previous_true": 1.0},
    ),
    "+ blanking": Variant("blank in 30 %", scenes=ALWAYS | {"previous_blank": 0.3, "previous_true": 0.7}),
    "+ affine": Variant(
        "moved in 55 %, at times far", scenes=ALWAYS | {"previous_blank": 0.3, "previous_true": 0.15}
    ),
    "+ lamps": Variant(
        "each of two in 25 %", scenes=ALWAYS | {"previous_blank": 0.3, "previous_true": 0.15, "lamps": 0.25}
    ),
}  # fmt: skip


def recipe_of(variant: Variant, args: argparse.Namespace, steps: int) -> Recipe:
    """The short training of a variant."""
    scenes = SceneConfig(background_weights=PLACES, **variant.scenes)
    given = Pass("modnet", batch=args.batch, sizes=((1.0, args.side),), scenes=scenes,
                 options={"own_history": args.own_history})  # fmt: skip
    stage = Stage((given,), steps, lr=args.lr, lr_of={"semantic_branch": 0.1, "semantic_branch.stem": 1.0},
                  warmup=steps // 20)  # fmt: skip
    options = {**variant.options, "pixels": args.side**2}
    return Recipe(
        "tmodnet", args.people, args.backgrounds, (stage,), options, variant.init or args.init, seed=args.seed,
        ema=0.98, save_minutes=2.0, workers=args.workers, threads=args.threads, held_out=HELD_OUT, validation_clips=2,
        validation_frames=2,
    )  # fmt: skip


class Test:
    """Scenes of held-out people, the same for every row; its call gives a row's figures."""

    def __init__(self, args: argparse.Namespace, *, stills: int | None = None, clips: int | None = None):
        people, places = Pack(args.people), Pack(args.backgrounds)
        calm = SceneConfig(exact=True, strands=0.0, empty=0.0, enter=0.0, lamps=0.0, background_weights=PLACES)
        held_out = split(people, HELD_OUT)[1]

        def drawn(cfg: SceneConfig, count: int, frames: int) -> Iterator[list[Example]]:
            scenes = Scenes(people, places, held_out, cfg)
            for i in range(count):
                scene = scenes(np.random.default_rng((29, i)), args.side, frames)
                pha = scene.pha.astype(np.float32) / 255
                yield [
                    Example(f"{i}/{t}", scene.src[t], pha[t], False, fgr=scene.fgr[t], bgr=scene.bgr[t])
                    for t in range(frames)
                ]

        count = args.stills if stills is None else stills
        self.stills = list(drawn(calm, count, 1))
        self.backlit = list(drawn(replace(calm, lamps=1.0), count, 1))
        self.clips = list(drawn(calm, args.clips if clips is None else clips, LENGTH))

    def __call__(self, backend: Backend) -> dict[str, Any]:
        """MAD × 1000 of stills, backlit stills and clips, dtSSD × 100, and frames until normal of every kind."""
        mads, dtssds = zip(*(_over_clip(backend, clip) for clip in self.clips), strict=True)
        found = [
            trial
            for i, clip in enumerate(self.clips)
            for trial in trials(backend, clip, self.clips[(i + 1) % len(self.clips)])
        ]
        kinds = {kind: [asdict(t) for t in found if t.kind == kind] for kind in KINDS}
        return {
            "mad_stills": self._stills(backend, self.stills), "mad_backlit": self._stills(backend, self.backlit),
            "mad_clips": float(np.mean(mads)), "mad_each_clip": list(mads), "dtssd": float(np.mean(dtssds)),
            "recovery": {kind: asdict(recovered(of_kind)) for kind, of_kind in kinds.items() if of_kind},
        }  # fmt: skip

    def _stills(self, backend: Backend, stills: Sequence[list[Example]]) -> float:
        return float(np.mean([_over_clip(backend, still)[0] for still in stills]))


def _over_clip(backend: Backend, clip: Sequence[Example]) -> tuple[float, float]:
    """Mean MAD × 1000 and dtSSD × 100, 0 for a still, on the network's own memory."""
    matter, pairs = Steady(backend), []
    for example in clip:
        assert example.src is not None and example.pha is not None
        pairs.append((matter(example.src).alpha, np.rint(example.pha * 255).astype(np.uint8)))
    changes = [metrics.dtssd(*before, *after) for before, after in itertools.pairwise(pairs)]
    return 1e3 * float(np.mean([metrics.mad(p, t) for p, t in pairs])), 1e2 * float(np.mean(changes or [0.0]))


def steps_in(minutes: float, args: argparse.Namespace) -> int:
    """Steps that a variant with memory does in so many minutes, by a short run."""
    at: list[float] = []
    short = recipe_of(VARIANTS["+ lamps"], args, TIMED + 2)
    with tempfile.TemporaryDirectory() as folder:
        Run(short, Path(folder), watch=lambda _: at.append(time.monotonic())).train()
    return max(1, round(60 * minutes * TIMED / (at[-1] - at[1])))


def variants(args: argparse.Namespace) -> dict[str, Variant]:
    """All that are trained, the searched shape last."""
    if not args.search:
        return VARIANTS
    found = torch.load(args.search, map_location="cpu", weights_only=True)
    scenes = VARIANTS["+ lamps"].scenes
    return VARIANTS | {SEARCH: Variant("a shape of `koutu search`", found["config"], scenes, args.search)}


def train(name: str, args: argparse.Namespace, steps: int) -> dict[str, Any]:
    """Train a variant and export it; its run stays in its folder of the output, and goes on there if it was stopped."""
    variant, file, started = variants(args)[name], exported(name, args), time.monotonic()
    Run(recipe_of(variant, args, steps), file.parent).train()
    seconds = time.monotonic() - started
    network = load_checkpoint(file.parent / "weights.pt", "tmodnet")
    assert isinstance(network, TMODNet)
    export_onnx(network, file, name=name, pixels=args.side**2)
    export_parts(network, file, name=name, pixels=args.side**2)
    return {"told": variant.told, "steps": steps, "seconds": seconds}


def exported(name: str, args: argparse.Namespace) -> Path:
    """Where a variant's network lies; of the gate, that of the last variant."""
    name = list(variants(args))[-1] if name == GATE else name
    return args.output / "".join(c if c.isalnum() else "-" for c in name) / "network.onnx"


def gated(args: argparse.Namespace) -> dict[str, Any]:
    """Calibrate the gate of the last variant on made scenes of people that it learned from."""
    people, size = Pack(args.people), (args.side, args.side)
    cfg = SceneConfig(strands=0.0, crowd=0.0, background_weights=PLACES)
    scenes = Scenes(people, Pack(args.backgrounds), split(people, HELD_OUT)[0], cfg)
    made = [scenes(np.random.default_rng((31, i)), size, LENGTH) for i in range(CALIBRATION)]
    gate = calibrate(exported(GATE, args), [CalibrationClip(scene.src, scene.pha) for scene in made]).gate
    return {"told": f"threshold {gate.threshold:g}", "steps": None, "seconds": None}


def opened(name: str, args: argparse.Namespace) -> Backend:
    """A row's network as users run it, on one thread."""
    return load(exported(name, args), threads=1, gate=name == GATE)


def timed(args: argparse.Namespace, names: Sequence[str]) -> dict[str, float]:
    """Milliseconds a frame of every row's network, of the clips that it is measured on, in turn, round after round."""
    backends = {name: opened(name, args) for name in names}
    clip = Test(args, stills=0, clips=1).clips[0]
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name, backend in backends.items():
            matter, at = Steady(backend), time.perf_counter()
            for example in clip:
                assert example.src is not None
                matter(example.src)
            found[name].append(1000 * (time.perf_counter() - at) / len(clip))
    return {name: statistics.median(each) for name, each in found.items()}


def about(args: argparse.Namespace, steps: int) -> dict[str, Any]:
    """What all rows have in common; rows of other settings are not put beside them."""
    keys = ("side", "batch", "lr", "own_history", "seed", "stills", "clips")
    return {"steps": steps, "held_out": HELD_OUT, "frames": LENGTH} | {key: getattr(args, key) for key in keys}


def begun(args: argparse.Namespace) -> dict[str, Any]:
    """The result so far, or an empty one with the steps counted."""
    if args.json.is_file():  # with --minutes, of the steps counted then
        result = json.loads(args.json.read_text("utf-8"))
        steps = result["settings"]["steps"] if args.steps is None else args.steps
        if result["settings"] != json.loads(json.dumps(about(args, steps))):
            raise SystemExit(f"{args.json} is of a run with other settings ({result['settings']}); name another file")
        return result
    steps = args.steps or steps_in(args.minutes, args)
    return about_run() | {"settings": about(args, steps), "rows": {}}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", help="a pack, as `koutu data pack` makes it")
    parser.add_argument("backgrounds", help="a pack")
    parser.add_argument("--init", default="selfie_segmentation.onnx", help="what all variants begin as")
    parser.add_argument("--output", "-o", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--steps", type=int, help="of each variant")
    parser.add_argument(
        "--minutes", type=float, default=3.0, help="of each variant's training, where no steps are given"
    )
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--own-history", type=float, default=0.4, help="of MODNetObjective")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stills", type=int, default=STILLS)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--search", default="", help="chosen.pt of `koutu search`")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    result, test = begun(args), Test(args)

    def keep(name: str, row: dict[str, Any]) -> None:
        result["rows"][name] = row
        print(name, {key: row[key] for key in ("mad_stills", "mad_clips", "dtssd", "mad_backlit")}, flush=True)
        save(result, args.json)

    try:
        for name in variants(args):
            if name not in result["rows"]:
                keep(name, train(name, args, result["settings"]["steps"]) | test(opened(name, args)))
    except Interrupted as e:
        raise SystemExit(str(e)) from e
    if GATE not in result["rows"]:
        keep(GATE, gated(args) | test(opened(GATE, args)))
    if not all("ms" in row for row in result["rows"].values()):
        for name, ms in timed(args, list(result["rows"])).items():
            result["rows"][name]["ms"] = ms
        save(result, args.json)


if __name__ == "__main__":
    main()
