"""Many small images as one file, so that a loader reads at the speed of memory.

A pack is `NAME.bin` (raw uint8 pixels, one image after another) and `NAME.json` (where each lies and what it is).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.files import whole_file
from koutu.types import InputError, KoutuError, OutputError


@dataclass(frozen=True)
class Entry:
    """One packed picture: (height, width, channels) uint8 at `offset`; RGBA for people, RGB for backgrounds."""

    name: str
    source: str  # the set it came from
    group: str  # images of one person share it: splits go by group
    soft: bool  # alpha solved as a matte, not smoothed from a mask
    height: int
    width: int
    channels: int
    offset: int = 0
    alone: bool = False  # a cut-out's own colours: there is no image around it to be shown as it is
    licence: str = ""  # of its set, in the words of whoever packed it
    frame: int = -1  # number in a clip that was packed whole; the next entry is the next frame

    @property
    def size(self) -> int:
        """Bytes."""
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class Origin:
    """One set within a pack: how many images and groups it gave, and its licence, "" if nobody said."""

    name: str
    count: int
    groups: int
    licence: str


class Pack:
    """Read-only access to a pack: `pack[i]` is (H, W, C) uint8, a view of the pixels.

    `in_memory` reads the file once; otherwise it is mapped and the system keeps what it can. Sent to another process,
    it is mapped there: one copy serves all. Raises InputError.
    """

    def __init__(self, path: str | Path, *, in_memory: bool = False):
        self._path = Path(path)
        pixels, index = _files(path)
        if not index.is_file():
            raise InputError(f"expected a pack index at {index}, found none; build it with koutu data pack")
        self.entries = _entries(index)
        expected = max((e.offset + e.size for e in self.entries), default=0)
        held = pixels.stat().st_size if pixels.is_file() else 0
        if held != expected or not expected:
            raise InputError(f"{pixels}: expected the {expected} bytes of its index, got {held}; pack it again")
        self._pixels = np.fromfile(pixels, np.uint8) if in_memory else np.memmap(pixels, np.uint8, "r")

    def __reduce__(self) -> tuple[type["Pack"], tuple[Path]]:
        """The path alone is pickled."""
        return Pack, (self._path.absolute(),)

    def __len__(self) -> int:
        return len(self.entries)

    def clip(self, i: int) -> range:
        """All frames of the clip that image i is of, in order; i alone for a still."""

        def follow(first: int, second: int) -> bool:
            a, b = self.entries[first], self.entries[second]
            return a.source == b.source and 0 <= a.frame == b.frame - 1

        first, last = i, i
        while first > 0 and follow(first - 1, first):
            first -= 1
        while last + 1 < len(self) and follow(last, last + 1):
            last += 1
        return range(first, last + 1)

    def __getitem__(self, i: int) -> NDArray[np.uint8]:
        e = self.entries[i]
        return self._pixels[e.offset : e.offset + e.size].reshape(e.height, e.width, e.channels)


def sources(pack: Pack) -> list[Origin]:
    """The sets of a pack, in the order in which they were packed."""
    by_name: dict[str, list[Entry]] = {}
    for entry in pack.entries:
        by_name.setdefault(entry.source, []).append(entry)
    return [Origin(name, len(held), len({e.group for e in held}), _licence(held)) for name, held in by_name.items()]


def write_pack(path: str | Path, pictures: Iterable[tuple[Entry, NDArray[np.uint8]]]) -> int:
    """Write (entry, pixels) pairs as a pack and return how many; a pack of this name is replaced when all went well.

    Nothing half-written is left, whatever ends it. Raises OutputError.
    """
    pixels_path, index_path = _files(path)
    entries, offset = [], 0
    try:
        with whole_file(index_path) as index, whole_file(pixels_path) as out:  # the index appears last
            for entry, pixels in pictures:
                out.write(np.ascontiguousarray(pixels).tobytes())
                entries.append(_written(entry, offset))
                offset += pixels.size
            index.write(json.dumps(entries, ensure_ascii=False).encode())
            index.flush()
            out.flush()
            index_path.unlink(missing_ok=True)  # an old index never stands beside new pixels
    except KoutuError:
        raise
    except OSError as e:
        raise OutputError(
            f"{pixels_path} could not be written: {e.strerror or e}; check the folder and its room"
        ) from e
    return len(entries)


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


def _files(path: str | Path) -> tuple[Path, Path]:
    return Path(path).with_suffix(".bin"), Path(path).with_suffix(".json")


def _entries(index: Path) -> list[Entry]:
    try:
        entries = [Entry(**e) for e in json.loads(index.read_text("utf-8"))]
        if not all(isinstance(n, int) and n > 0 for e in entries for n in (e.height, e.width, e.channels)):
            raise ValueError("sizes that are none")
        return entries
    except (ValueError, TypeError) as e:
        raise InputError(f"{index}: expected the index of a pack, got something else ({e}); pack it again") from e


def _written(entry: Entry, offset: int) -> dict[str, Any]:
    """What the index holds of an entry: all that differs from the defaults."""
    values = {f.name: (getattr(entry, f.name), f.default) for f in fields(entry)} | {"offset": (offset, MISSING)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _licence(entries: Iterable[Entry]) -> str:
    return "; ".join(dict.fromkeys(e.licence for e in entries if e.licence))
