"""Many small pictures as one file, so that a loader reads at the speed of memory.

A pack is `NAME.bin` (raw uint8 pixels, one picture after another) and `NAME.json` (where each lies and what it is).
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from koutu.types import InputError


@dataclass(frozen=True)
class Entry:
    """One packed picture: (height, width, channels) uint8 at `offset`; RGBA for people, RGB for backgrounds."""

    name: str
    source: str  # the set it came from
    group: str  # pictures of one person share it: splits go by group
    soft: bool  # alpha solved as a matte, not smoothed from a mask
    height: int
    width: int
    channels: int
    offset: int = 0


class Pack:
    """Read-only access to a pack: `pack[i]` is (H, W, C) uint8, a view of the pixels.

    `in_memory` reads the file once; otherwise it is mapped and the system keeps what it can.
    """

    def __init__(self, path: str | Path, *, in_memory: bool = False):
        path = Path(path)
        index = path.with_suffix(".json")
        if not index.is_file():
            raise InputError(f"expected a pack index at {index}, found none; build it with tools/pack_data.py")
        self.entries = [Entry(**e) for e in json.loads(index.read_text())]
        pixels = path.with_suffix(".bin")
        self._pixels = np.fromfile(pixels, np.uint8) if in_memory else np.memmap(pixels, np.uint8, "r")

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, i: int) -> NDArray[np.uint8]:
        e = self.entries[i]
        size = e.height * e.width * e.channels
        return self._pixels[e.offset : e.offset + size].reshape(e.height, e.width, e.channels)


def write_pack(path: str | Path, pictures: Iterable[tuple[Entry, NDArray[np.uint8]]]) -> int:
    """Write (entry, pixels) pairs as a pack and return how many; the index is written last, when all went well."""
    path, entries, offset = Path(path), [], 0
    with open(path.with_suffix(".bin"), "wb") as out:
        for entry, pixels in pictures:
            out.write(np.ascontiguousarray(pixels).tobytes())
            entries.append({**asdict(entry), "offset": offset})
            offset += pixels.size
    path.with_suffix(".json").write_text(json.dumps(entries))
    return len(entries)
