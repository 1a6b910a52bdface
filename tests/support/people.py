"""Packs of the few real cut-outs that the project carries, for the tests of training."""

from pathlib import Path

import numpy as np
from PIL import Image

from koutu.data.packs.pack import Entry, write_pack
from koutu.media.image import read_image
from koutu.zoo import SAMPLE

DATA = Path(__file__).parent.parent / "pictures"


def make_packs(folder: Path) -> tuple[Path, Path]:
    """Four people, twice as groups of their own, and four places cut out of the sample's lake."""
    cutouts = [np.asarray(Image.open(path)) for path in sorted(DATA.glob("person*.png"))]
    lake = read_image(SAMPLE / "lake.jpg")

    def person(i: int) -> tuple[Entry, np.ndarray]:
        rgba = cutouts[i % 4] if i < 4 else np.ascontiguousarray(cutouts[i % 4][:, ::-1])
        return Entry(f"p{i}", "generated", f"generated/{i}", True, *rgba.shape), rgba

    def place(i: int) -> tuple[Entry, np.ndarray]:
        width = lake.shape[1] // 4
        part = np.ascontiguousarray(lake[: 2 * width, i * width : i * width + 2 * width])
        return Entry(f"b{i}", "scenery", f"scenery/{i}", False, *part.shape), part

    write_pack(folder / "people", (person(i) for i in range(8)))
    write_pack(folder / "backgrounds", (place(i) for i in range(3)))
    return folder / "people", folder / "backgrounds"
