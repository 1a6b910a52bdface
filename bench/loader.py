"""Training samples a second by size and frames, in one process: python bench/loader.py PEOPLE BACKGROUNDS [--json F].

PEOPLE and BACKGROUNDS are packs, named without ending. All kinds are made in turn, round after round, each round from
the same seeds; figures are medians of the rounds after a first one to warm up. `cpu` counts the process's own time,
which other work on the machine disturbs less.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from koutu.bench.run import about_run, save
from koutu.data.pack import Pack
from koutu.data.scenes import SceneConfig, Scenes

KINDS = ((192, 1), (256, 1), (512, 1), (192, 4), (192, 8), (256, 15))


def rates(scenes: Scenes, kind: tuple[int, int], samples: int) -> dict[str, float]:
    """Samples a second of wall time and of the process's time."""
    size, frames = kind
    wall, cpu = time.perf_counter(), time.process_time()
    for seed in range(samples):
        scenes(np.random.default_rng(seed), size, frames)
    return {"wall": samples / (time.perf_counter() - wall), "cpu": samples / (time.process_time() - cpu)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=60, help="frames of each kind in a round")
    parser.add_argument("--exact", action="store_true", help="scenes that compose exactly")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    people, backgrounds = Pack(args.people), Pack(args.backgrounds)
    scenes = Scenes(people, backgrounds, range(len(people)), SceneConfig(exact=args.exact))
    seen: dict[tuple[int, int], list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for number in range(args.rounds + 1):
        for kind in KINDS[:: 1 if number % 2 == 0 else -1]:
            rate = rates(scenes, kind, max(2, args.frames // kind[1]))
            if number:
                seen[kind].append(rate)
    rows: list[dict[str, Any]] = []
    for (size, frames), rounds in seen.items():
        row = {name: statistics.median(r[name] for r in rounds) for name in ("wall", "cpu")}
        rows.append({"size": size, "frames": frames} | row | {"rounds": rounds})
        print(f"{size}² × {frames:2}: {row['wall']:6.1f} a second, {row['cpu']:6.1f} a second of CPU", flush=True)
    if args.json:
        save(about_run() | {"exact": args.exact, "rounds": args.rounds, "kinds": rows}, args.json)


if __name__ == "__main__":
    main()
