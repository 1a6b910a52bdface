"""koutu killed at random moments (SIGKILL, its whole process group), and started once more.

    python bench/killed.py --count 20 [--first 0] [--doors video offline image serve train] [--model koutu-small]

Each number is a seed: of one moment between a door's start and its end, or, where it is odd, of two, the second after
another start. Kills are survived when every file under its final name is whole at once, and the last start gives all
results, as an undisturbed run makes them, and leaves nothing beside them. Each start is a copy of this process, which
has everything imported: kills meet the work, not the imports.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from kill_doors import Door, Offline, Pictures, Serve, Train, Video

DOORS: dict[str, Callable[[Path, str], Door]] = {
    "video": Video, "offline": Offline, "image": Pictures, "serve": Serve, "train": Train,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, help="seeds of each door")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--doors", nargs="+", choices=DOORS, default=list(DOORS))
    parser.add_argument("--model", default="koutu-small")
    given = parser.parse_args()
    faults = kills = 0
    for name in given.doors:
        with tempfile.TemporaryDirectory() as folder:
            door = DOORS[name](Path(folder), given.model)
            seconds = door.whole()
            for seed in range(given.first, given.first + given.count):
                moments = np.random.default_rng(seed).uniform(0, seconds, 1 + seed % 2).tolist()
                fault = door.tried(moments)
                faults, kills = faults + bool(fault), kills + len(moments)
                told = " and ".join(f"{moment:.2f}" for moment in moments)
                print(f"{name} {seed}, killed after {told} of {seconds:.2f} s: {fault or 'right'}", flush=True)
    print(f"{kills} kills of {', '.join(given.doors)}: {faults} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
