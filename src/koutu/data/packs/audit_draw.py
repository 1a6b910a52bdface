"""Which images of a pack are looked at: some of every set, spread over its groups, and over the frames of a clip."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from koutu.data.packs.pack import Pack
from koutu.types import InputError

_RGBA = 4


@dataclass(frozen=True)
class Drawn:
    """One drawn image of a set: its number there, from 1; index: its place in the pack; pixels: a checksum."""

    number: int
    source: str
    index: int
    name: str
    group: str
    pixels: str


def draw_images(pack: Pack, count: int, seed: int) -> list[Drawn]:
    """`count` images of every set of people, or all it has; the first of many are what a smaller count draws.

    Sets do not depend on each other. Raises InputError for a pack without people.
    """
    by_source: dict[str, dict[str, list[int]]] = {}
    for index, entry in enumerate(pack.entries):
        if entry.channels == _RGBA:
            by_source.setdefault(entry.source, {}).setdefault(entry.group, []).append(index)
    if not by_source:
        raise InputError("expected a pack of people (RGBA), got backgrounds; name the pack that recipes call people")
    return [
        _made(pack, number, index)
        for source, groups in by_source.items()
        for number, index in enumerate(_chosen(groups, count, np.random.default_rng([seed, _sum(source)])), 1)
    ]


def _chosen(groups: dict[str, list[int]], count: int, rng: np.random.Generator) -> list[int]:
    """One of each group in turn, in a random order, until there are enough."""
    names = list(groups)
    turns = [_spread(groups[names[at]], rng) for at in rng.permutation(len(names))]
    longest = max(len(turn) for turn in turns)
    return [turn[place] for place in range(longest) for turn in turns if place < len(turn)][:count]


def _spread(indices: Sequence[int], rng: np.random.Generator) -> list[int]:
    """In an order of which every beginning is spread evenly: halves, quarters, eighths … (van der Corput)."""
    count = len(indices)
    bits, start = max(1, (count - 1).bit_length()), int(rng.integers(count))
    shares = (int(f"{k:0{bits}b}"[::-1], 2) / 2**bits for k in range(2**bits))
    return [indices[(place + start) % count] for place in dict.fromkeys(int(share * count) for share in shares)]


def _made(pack: Pack, number: int, index: int) -> Drawn:
    entry = pack.entries[index]
    return Drawn(number, entry.source, index, entry.name, entry.group, f"crc-{zlib.crc32(pack[index].tobytes()):08x}")


def _sum(text: str) -> int:
    return zlib.crc32(text.encode())
