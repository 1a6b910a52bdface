"""A pack's files, whole or not there: one file of pixels, or shards of which each is small enough to be sent."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from koutu.data.packs.index import (
    CARD,
    Entry,
    Part,
    card_file,
    index_bytes,
    index_file,
    is_card,
    is_shard,
    is_whole,
    shard_bytes,
    shard_files,
)
from koutu.files import part_folder
from koutu.types import InputError, KoutuError, OutputError

Packed: TypeAlias = tuple[Entry, NDArray[np.uint8]]
Card: TypeAlias = Callable[[Sequence[Part]], str]  # told of a pack's files when they are written

_MB = 1_000_000


def write_pack(path: str | Path, pictures: Iterable[Packed], *, shard_mb: int = 0, card: Card | None = None) -> int:
    """Write (entry, pixels) pairs as a pack and return how many; a pack of this name is replaced when all went well.

    shard_mb: pixels a file at most, in millions of bytes, each group whole in one file; 0 for one file. The pictures of
    a group must follow each other then. card: a text to stand beside the pack. Nothing half-written is left, whatever
    ends it. Raises OutputError, and InputError for a group that no shard holds.
    """
    whole = index_file(path)
    _require_own(whole, shard_mb > 0, card is not None)
    try:
        with part_folder(whole.parent) as aside, ExitStack() as files:
            pixels = _Pixels(aside, files, shard_mb * _MB)
            for together in _groups(pictures, pixels.most):
                pixels.put(together)
            files.close()
            _replace(whole, pixels.finished(whole), aside, card)
    except KoutuError:
        raise
    except OSError as e:
        raise OutputError(
            f"{whole.with_suffix('.bin')} could not be written: {e.strerror or e}; check the folder and its room"
        ) from e
    return sum(len(entries) for entries in pixels.shards)


@dataclass(frozen=True)
class _Finished(Part):
    """A part whose pixels are written, to be moved to its place; index: what is to stand beside it."""

    index: bytes


class _Pixels:
    """Files of pixels N.bin in a folder, another when the next group would not fit; most: bytes of each, 0 for all."""

    def __init__(self, folder: Path, files: ExitStack, most: int):
        self.folder, self.files, self.most = folder, files, most
        self.shards: list[list[Entry]] = []
        self._mark = hashlib.blake2b(digest_size=8)
        self._seen: set[str] = set()
        self._open()

    def put(self, together: Sequence[Packed]) -> None:
        """Pictures that belong in one file."""
        if self.most:
            self._require_room(together)
            if self._offset + sum(pixels.size for _, pixels in together) > self.most:
                self._open()
        for entry, pixels in together:
            raw = np.ascontiguousarray(pixels).tobytes()
            self._out.write(raw)
            if self.most:
                self._mark.update(raw)
            self.shards[-1].append(replace(entry, offset=self._offset))
            self._offset += len(raw)

    def finished(self, whole: Path) -> list[_Finished]:
        """What was written, by the names it is to have."""
        if not self.most:
            return [_Finished(whole.with_suffix(".bin"), self.shards[0], index_bytes(self.shards[0]))]
        for entries in self.shards:
            self._mark.update(index_bytes(entries))
        mark, count = self._mark.hexdigest(), len(self.shards)
        return [
            _Finished(index_file(whole, n).with_suffix(".bin"), entries, shard_bytes(entries, mark, n, count))
            for n, entries in enumerate(self.shards)
        ]

    def _open(self) -> None:
        self.files.close()
        self._out = self.files.enter_context((self.folder / f"{len(self.shards)}.bin").open("xb"))
        self.shards.append([])
        self._offset = 0

    def _require_room(self, together: Sequence[Packed]) -> None:
        group = together[0][0].group
        size = sum(pixels.size for _, pixels in together)
        if size > self.most:
            raise InputError(
                f"expected groups of {self.most / _MB:g} MB at most, so that each fits a shard whole, got over "
                f"{size / _MB:.1f} MB of {group}; allow larger shards, fewer frames or fewer pixels"
            )
        if group in self._seen:
            raise InputError(f"expected the pictures of {group} one after another, got others between; sort them")
        self._seen.add(group)


def _groups(pictures: Iterable[Packed], most: int) -> Iterator[list[Packed]]:
    """Pictures that follow each other and share a group, no more than show that it is too large; single if 0."""
    together: list[Packed] = []
    size = 0
    for entry, pixels in pictures:
        if together and (not most or size > most or entry.group != together[0][0].group):
            yield together
            together, size = [], 0
        together.append((entry, pixels))
        size += pixels.size
    if together:
        yield together


def _replace(whole: Path, parts: Sequence[_Finished], aside: Path, card: Card | None) -> None:
    """Move a pack to its place: the old indices go first and the new come last, so that no mixture ever counts.

    What ends it between puts the old pack back.
    """
    if card:
        (aside / "card").write_text(f"{CARD}\n{card(parts)}", "utf-8")
    for number, part in enumerate(parts):
        (aside / f"{number}.json").write_bytes(part.index)
    old = [file for file in (whole, *shard_files(whole)) if file == whole or is_shard(file)]
    old += [file.with_suffix(".bin") for file in old]
    if is_card(card_file(whole)):
        old.append(card_file(whole))
    new = [(aside / f"{number}.bin", part.pixels) for number, part in enumerate(parts)]
    new += [(aside / "card", card_file(whole))] if card else []
    new += [(aside / f"{number}.json", part.pixels.with_suffix(".json")) for number, part in enumerate(parts)]
    (aside / "old").mkdir()
    moves = [(file, aside / "old" / file.name) for file in old if file.exists()] + new
    try:
        for file, place in moves:
            os.replace(file, place)
    except BaseException:
        for file, place in reversed(moves):
            if not file.exists():  # it was moved
                os.replace(place, file)
        raise


def _require_own(whole: Path, shards: bool, card: bool) -> None:
    """Nothing is overwritten but a pack of this name; raises OutputError."""
    if is_shard(whole):
        raise OutputError(f"expected the name of a pack, got {whole}, a shard of another; choose another name")
    pixels = [whole.with_suffix(".bin")] if not whole.exists() else []
    if shards:
        if others := [file for file in shard_files(whole) if not is_shard(file)]:
            raise OutputError(f"expected names for shards to be free, got {others[0]}, no shard; choose another name")
        pixels += [file for file in shard_files(whole, ".bin") if not is_shard(file.with_suffix(".json"))]
    if whole.exists() and not is_whole(whole):
        raise OutputError(f"expected room for a pack, got {whole}, no index of one; choose another name")
    if lone := [file for file in pixels if file.exists()]:
        raise OutputError(f"expected room for a pack, got {lone[0]} without an index of one; choose another name")
    if card and card_file(whole).exists() and not is_card(card_file(whole)):
        raise OutputError(f"expected room for a card, got {card_file(whole)}, another text; choose another name")
