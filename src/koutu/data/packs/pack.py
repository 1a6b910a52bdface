"""Many small images as one file, or a few, so that a loader reads at the speed of memory."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from koutu.data.packs.index import Entry, Part, open_parts
from koutu.data.packs.pack_writer import write_pack
from koutu.types import InputError

__all__ = ["Entry", "Lottery", "Origin", "Pack", "sources", "split", "write_pack"]


@dataclass(frozen=True)
class Origin:
    """One set within a pack: how many images and groups it gave, and its licence, "" if nobody said."""

    name: str
    count: int
    groups: int
    licence: str


class Pack:
    """Read-only access to a pack: `pack[i]` is (H, W, C) uint8, a view of the pixels.

    path: without ending and without the number of a shard. `in_memory` reads the files once; otherwise they are mapped
    and the system keeps what it can. Sent to another process, they are mapped there: one copy serves all. Raises
    InputError.
    """

    def __init__(self, path: str | Path, *, in_memory: bool = False):
        self._path = Path(path)
        parts = open_parts(path)
        self.entries = [entry for part in parts for entry in part.entries]
        self._pixels = [_pixels(part, in_memory) for part in parts]
        self._starts = np.cumsum([0, *(len(part.entries) for part in parts[:-1])]).tolist()  # first image of each part

    def __reduce__(self) -> tuple[type["Pack"], tuple[Path]]:
        """The path alone is pickled."""
        return Pack, (self._path.absolute(),)

    def __len__(self) -> int:
        return len(self.entries)

    def clip(self, i: int) -> range:
        """All frames of the clip that image i is of, in order; i alone for a still."""

        def follow(first: int, second: int) -> bool:
            a, b = self.entries[first], self.entries[second]
            same = (a.source, a.group, _clip_of(a)) == (b.source, b.group, _clip_of(b))
            return same and 0 <= a.frame == b.frame - 1

        first, last = i, i
        while first > 0 and follow(first - 1, first):
            first -= 1
        while last + 1 < len(self) and follow(last, last + 1):
            last += 1
        return range(first, last + 1)

    def __getitem__(self, i: int) -> NDArray[np.uint8]:
        e = self.entries[i]
        pixels = self._pixels[bisect_right(self._starts, i % len(self)) - 1]
        return pixels[e.offset : e.offset + e.size].reshape(e.height, e.width, e.channels)


def _clip_of(entry: Entry) -> str:
    """The clip that a frame "CLIP/FRAME" is of."""
    return entry.name.rpartition("/")[0]


def sources(pack: Pack) -> list[Origin]:
    """The sets of a pack, in the order in which they were packed."""
    by_name: dict[str, list[Entry]] = {}
    for entry in pack.entries:
        by_name.setdefault(entry.source, []).append(entry)
    return [Origin(name, len(held), len({e.group for e in held}), _licence(held)) for name, held in by_name.items()]


def split(people: Pack, every: int, exclude: Sequence[str] = ()) -> tuple[list[int], list[int]]:
    """Indices to train on and to validate on: every so manieth group; images of one person stay together."""
    groups = sorted({e.group for e in people.entries})
    held_out, left_out = set(groups[::every]), set(exclude)
    if unknown := left_out - set(groups):
        raise InputError(
            f"expected people to exclude that the pack has, got {', '.join(sorted(unknown))}; correct them"
        )
    usable = [(i, e.group) for i, e in enumerate(people.entries) if e.group not in left_out]
    return [i for i, group in usable if group not in held_out], [i for i, group in usable if group in held_out]


class Lottery:
    """Draws images of a pack, each as often as its set's weight; a set not named counts 1."""

    def __init__(self, pack: Pack, indices: Sequence[int], weights: Iterable[tuple[str, float]]):
        rate = dict(weights)
        self.indices = list(indices)
        self._sums = np.cumsum([rate.get(pack.entries[i].source, 1.0) for i in self.indices])

    def __call__(self, rng: np.random.Generator) -> int:
        """An index of the pack."""
        place = int(np.searchsorted(self._sums, rng.random() * self._sums[-1], side="right"))
        return self.indices[min(place, len(self.indices) - 1)]


def _pixels(part: Part, in_memory: bool) -> NDArray[np.uint8]:
    held = part.pixels.stat().st_size if part.pixels.is_file() else 0
    if held != part.size or not held:
        raise InputError(f"{part.pixels}: expected the {part.size} bytes of its index, got {held}; pack it again")
    return np.fromfile(part.pixels, np.uint8) if in_memory else np.memmap(part.pixels, np.uint8, "r")


def _licence(entries: Iterable[Entry]) -> str:
    return "; ".join(dict.fromkeys(e.licence for e in entries if e.licence))
