"""What time buys: python bench/offline.py CUTOUTS BACKGROUNDS --frames 16 --json FILE.

Clips are composed as `koutu eval` composes them; koutu mattes each as `koutu video` does, then as `koutu video
--offline` does, whole and with one ingredient left out, on the same frames in one run. Seconds are CPU time.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from koutu.bench.run import about_run, save
from koutu.cli.options import parse_size
from koutu.data.sets.open import Clip, Example, open_dataset
from koutu.evaluation.measure import Scorer, SharedMotion
from koutu.evaluation.only import only_named
from koutu.evaluation.run import RATE
from koutu.evaluation.settings import MeasureSettings, SetRecipe
from koutu.evaluation.testset import backgrounds_in, compose
from koutu.matting.matter import Matter
from koutu.matting.two_passes import TwoPasses
from koutu.types import Alpha, Frame
from koutu.zoo import load, load_opinion

COLUMNS = ("mad", "band_mad", "dtssd", "flicker", "band_flicker")
Row = dict[str, float]


def ways() -> dict[str, Callable[[Sequence[Frame]], list[Alpha]]]:
    """What is compared, by name; the first is what the others are shares of."""
    live, plain = load(gate=None, steady=None, threads=1), load(gate=False, steady=False, threads=1)
    opinion = load_opinion(threads=1)

    def offline(**without: object) -> Callable[[Sequence[Frame]], list[Alpha]]:
        chosen = {"opinion": opinion} | without
        return lambda frames: [found.alpha for found in TwoPasses(plain, **chosen)(frames)]  # type: ignore[arg-type]

    def as_live(frames: Sequence[Frame]) -> list[Alpha]:
        matter = Matter(live)
        return [matter(frame).alpha for frame in frames]

    return {
        "live": as_live,
        "offline": offline(),
        "without zooming": offline(zoom=False),
        "without looking back": offline(both=False),
        "without uncovering": offline(uncover=False),
        "without a second opinion": offline(opinion=None),
        "without solving": offline(solve=False),
        "without steadying": offline(rounds=0),
        "steadied once": offline(rounds=1),
    }


def measured(examples: Sequence[Example], alphas: Sequence[Alpha], motion: SharedMotion) -> Row:
    """The means of a clip's figures over its frames."""
    score = Scorer(MeasureSettings(perceptual=False, foreground=False), still=False, motion=motion)
    rows = [score(example, alpha, None) for example, alpha in zip(examples, alphas, strict=True)]
    return {name: statistics.fmean(row[name] for row in rows if name in row) for name in COLUMNS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cutouts", type=Path)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", default="")
    parser.add_argument("--only", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--ways", default="", help="names of what to compare beside live, divided by commas")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    data = open_dataset(args.cutouts)
    data = only_named(data, args.only) if args.only else data
    data = replace(data, clips=list(data.clips)[: args.limit or None])
    recipe = SetRecipe(frames=args.frames, size=parse_size(args.size) if args.size else None)
    clips: Sequence[Clip] = compose(data, backgrounds_in(args.backgrounds), recipe).clips
    compared = {name: way for name, way in ways().items() if name == "live" or name in (args.ways or name).split(",")}
    rows: dict[str, list[Row]] = {name: [] for name in compared}
    for clip in clips:
        examples = [example for example in clip.examples() if isinstance(example, Example)]
        frames = [Frame(example.src, at, RATE) for at, example in enumerate(examples) if example.src is not None]
        for name, way in compared.items():
            began = time.process_time()
            alphas = way(frames)
            seconds = (time.process_time() - began) / len(frames)
            rows[name].append(measured(examples, alphas, SharedMotion()) | {"seconds": seconds})
            print(clip.name, name, {k: round(v, 2) for k, v in rows[name][-1].items()}, flush=True)
        if args.json:
            done = [str(one.name) for one in clips[: len(rows["live"])]]
            save(about_run() | {"clips": done, "frames": args.frames, "size": args.size, "rows": rows}, args.json)
    for name, found in rows.items():
        print(f"{name:22}", *(_told(column, found, rows["live"]) for column in (*COLUMNS, "seconds")))


def _told(column: str, rows: Sequence[Row], live: Sequence[Row]) -> str:
    mean, of = (statistics.fmean(row[column] for row in kind) for kind in (rows, live))
    return f"{column} {mean:.2f} = {mean / of:.2f}×"


if __name__ == "__main__":
    main()
