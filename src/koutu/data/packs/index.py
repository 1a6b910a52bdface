"""The files of a pack on disk: what they are called, what an index says, and which shards belong together.

A pack is NAME.bin (raw uint8 pixels, one image after another) and NAME.json (a list of entries: where each lies and
what it is), or NAME-000.bin, NAME-000.json, NAME-001.bin …: shards, each with the pack's mark and their number.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from koutu.types import InputError

_SHARD = b'{"pack": '  # what the index of a shard begins with
_WHOLE = b'[{"name": '  # and that of a pack in one file
CARD = "<!-- card of koutu data pack -->"  # first line of a card


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
    offset: int = 0  # within its file of pixels
    alone: bool = False  # a cut-out's own colours: there is no image around it to be shown as it is
    licence: str = ""  # of its set, in the words of whoever packed it
    frame: int = -1  # number in a clip that was packed whole; the next entry is the next frame

    @property
    def size(self) -> int:
        """Bytes."""
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class Part:
    """A file of pixels and what lies in it: all of a pack, or a shard."""

    pixels: Path
    entries: Sequence[Entry]

    @property
    def size(self) -> int:
        """Bytes of pixels."""
        return max((entry.offset + entry.size for entry in self.entries), default=0)


def index_file(path: str | Path, shard: int = -1) -> Path:
    """The index of a pack, or of a shard of it; the pixels lie beside it as .bin."""
    whole = Path(path).with_suffix(".json")
    return whole if shard < 0 else whole.with_stem(f"{whole.stem}-{shard:03}")


def card_file(path: str | Path) -> Path:
    """Where the card of a pack stands."""
    return Path(path).with_suffix(".md")


def is_card(path: Path) -> bool:
    """Whether `koutu data pack` wrote it, so that it may replace it."""
    return path.is_file() and _begins(path, CARD.encode())


def is_whole(index: Path) -> bool:
    """Whether a file is the index of a pack in one file, as its beginning tells."""
    return index.is_file() and _begins(index, _WHOLE)


def is_shard(index: Path) -> bool:
    """Whether a file is the index of a shard, as its beginning tells."""
    return index.is_file() and _begins(index, _SHARD)


def shard_files(path: str | Path, suffix: str = ".json") -> list[Path]:
    """Every file named as the index, or by suffix the pixels, of a shard of this pack, in order; some may be none."""
    whole = index_file(path)
    named = re.compile(rf"{re.escape(whole.stem)}-(\d{{3,}}){re.escape(suffix)}")
    found = whole.parent.iterdir() if whole.parent.is_dir() else ()
    numbers = {int(match[1]): file for file in found if (match := named.fullmatch(file.name))}
    return [numbers[n] for n in sorted(numbers)]


def open_parts(path: str | Path) -> list[Part]:
    """The files of a pack in order; raises InputError for one that is missing, torn, or of another pack."""
    whole = index_file(path)
    shards = [file for file in shard_files(path) if is_shard(file)]
    if is_shard(whole):
        stem = whole.with_suffix("").name.rpartition("-")[0]
        raise InputError(f"{whole}: expected a whole pack, got a shard of one; name {whole.with_name(stem)}")
    if whole.is_file():
        if shards:
            raise InputError(f"expected one pack, got {whole} and {shards[0].name}; remove the older of the two")
        return [Part(whole.with_suffix(".bin"), _entries(whole, _json(whole)))]
    if not shards:
        raise InputError(f"expected a pack index at {whole}, found none; build it with koutu data pack")
    return _shards(path, shards)


def index_bytes(entries: Iterable[Entry]) -> bytes:
    """The index of a whole pack."""
    return json.dumps([_short(entry) for entry in entries], ensure_ascii=False).encode()


def shard_bytes(entries: Iterable[Entry], pack: str, shard: int, of: int) -> bytes:
    """The index of a shard: the pack's mark, which one it is of how many, and its entries."""
    held = {"pack": pack, "shard": shard, "of": of, "entries": [_short(entry) for entry in entries]}
    return json.dumps(held, ensure_ascii=False).encode()


def _shards(path: str | Path, files: Sequence[Path]) -> list[Part]:
    held = {file: _json(file) for file in files}
    if torn := [file for file, x in held.items() if {"pack", "shard", "of", "entries"} - x.keys()]:
        raise InputError(f"{torn[0]}: expected the index of a shard, got a part of one; copy it or pack again")
    first = held[files[0]]
    for file, x in held.items():
        if x["pack"] != first["pack"]:
            raise InputError(
                f"{file}: expected a shard of the same pack as {files[0].name}, got one of another; remove those that "
                "are not of the pack that you want, or pack it again"
            )
        if file != index_file(path, x["shard"]):
            raise InputError(f"{file}: expected the shard of its name, got shard {x['shard']}; name it so again")
    if missing := [index_file(path, n) for n in range(first["of"]) if index_file(path, n) not in held]:
        names = ", ".join(file.with_suffix("").name for file in missing[:5])
        raise InputError(
            f"{Path(path)}: expected {first['of']} shards, got {len(held)}, without {names}; copy what is missing "
            "beside the others, or pack it again"
        )
    return [Part(file.with_suffix(".bin"), _entries(file, x["entries"])) for file, x in held.items()]


def _begins(path: Path, mark: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(mark)) == mark
    except OSError as e:
        raise InputError(f"{path} could not be read: {e.strerror or e}; check its rights") from e


def _json(index: Path) -> Any:
    try:
        return json.loads(index.read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise _no_index(index, e) from e


def _entries(index: Path, held: Any) -> list[Entry]:
    try:
        entries = [Entry(**e) for e in held]
        if not all(isinstance(n, int) and n > 0 for e in entries for n in (e.height, e.width, e.channels)):
            raise ValueError("sizes that are none")
        return entries
    except (ValueError, TypeError) as e:
        raise _no_index(index, e) from e


def _no_index(index: Path, fault: Exception) -> InputError:
    return InputError(f"{index}: expected the index of a pack, got something else ({fault}); pack it again")


def _short(entry: Entry) -> dict[str, Any]:
    """All of an entry that differs from the defaults; where it lies, always."""
    values = {f.name: (getattr(entry, f.name), f.default) for f in fields(entry)} | {"offset": (entry.offset, MISSING)}
    return {name: value for name, (value, default) in values.items() if value != default}
