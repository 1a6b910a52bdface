"""What zooming brings: python bench/zoom.py SET… [--models koutu koutu-small] [--json FILE].

Each network is shown the pictures or frames of the sets as `koutu video` does it, once zoomed and once always whole
(`matting/zoom.py`), in one run and with as many looks at a first frame. A set is `NAME=FOLDER`, of pictures and
masks or clips as `koutu eval` takes them; NAME=FOLDER,LIST measures on the files that LIST names. Milliseconds are of
the processor's time, one thread, for all of matting.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from koutu.bench.run import about_run, save
from koutu.data.sets.open import DataSet, open_dataset
from koutu.engines.backend import Backend
from koutu.engines.wrapped import WrappedBackend
from koutu.evaluation.only import only_named
from koutu.evaluation.run import evaluate
from koutu.evaluation.settings import MeasureSettings
from koutu.evaluation.table import sum_up
from koutu.matting.matter import Matter
from koutu.media.reader import open_video
from koutu.zoo import SAMPLE, load

COLUMNS = ("mad", "far_mad", "iou", "band_mad", "dtssd", "flicker")
ROUNDS = 5


class Whole(WrappedBackend):
    """The network that is always shown the whole frame."""

    def __init__(self, inner: Backend):
        super().__init__(inner)
        self.can_recall = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--models", nargs="+", default=["koutu", "koutu-small"])
    parser.add_argument("--clip", type=Path, default=SAMPLE / "talk.mp4", help="what milliseconds are measured on")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    models: dict[str, Backend] = {}
    for name in args.models:
        models |= {name: load(name, threads=1), f"{name}, whole": Whole(load(name, threads=1))}
    found: dict[str, Any] = {"about": about_run(), "sets": {}, "milliseconds": costs(models, args.clip)}
    print("CPU ms a frame", {name: round(ms, 1) for name, ms in found["milliseconds"].items()})
    for name, data in map(opened, args.sets):
        with TemporaryDirectory() as folder:
            run = evaluate(models, data, Path(folder), settings=MeasureSettings(perceptual=False))
        rows = sum_up(run).rows
        found["sets"][name] = {m: {c: asdict(cell) for c, cell in cells.items()} for m, cells in rows.items()}
        print(name, len(data.clips))
        for model, cells in rows.items():
            print(f"  {model:20}", "  ".join(f"{c} {cells[c].mean:.4g}" for c in COLUMNS if c in cells))
    if args.json:
        save(found, args.json)


def opened(spec: str) -> tuple[str, DataSet]:
    """NAME=FOLDER[,LIST] → the name and the set."""
    name, _, place = spec.partition("=")
    folder, _, listed = place.partition(",")
    data = open_dataset(Path(folder))
    return name, only_named(data, Path(listed)) if listed else data


def costs(models: dict[str, Backend], clip: Path) -> dict[str, float]:
    """CPU milliseconds of matting a frame, networks in turn, the median of some rounds."""
    with open_video(clip) as reader:
        frames = [frame for frame, _ in zip(reader, range(60), strict=False)]
    rounds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name, backend in models.items():
            matter = Matter(backend)
            began = process_time()
            for frame in frames:
                matter(frame)
            rounds[name].append(1000 * (process_time() - began) / len(frames))
    return {name: sorted(each)[ROUNDS // 2] for name, each in rounds.items()}


if __name__ == "__main__":
    main()
