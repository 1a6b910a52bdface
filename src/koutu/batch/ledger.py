"""What was made so far, item by item, beside the results: SQLite in a folder, a log of small objects in a bucket."""

import json
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from koutu.batch.places import is_remote, joined, read, sizes, write
from koutu.batch.sources import STATE
from koutu.batch.task import Made, made_of
from koutu.types import InputError, OutputError

State: TypeAlias = Literal["waiting", "done", "failed"]
RECORD = "record.sqlite"
LOG = "log"
FLUSH_SECONDS = 2.0  # of results at most that a killed run of a bucket makes again


@dataclass(frozen=True)
class Entry:
    """One item. asked: hash of all that the result follows from; made: files by their names below the target."""

    name: str
    source: str
    asked: str
    state: State = "waiting"
    reason: str = ""  # of a failure
    attempts: int = 0
    made: Made = field(default_factory=Made)

    def text(self) -> str:
        """As a line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def entry_of(text: str) -> Entry:
    """The entry of a line; raises ValueError or TypeError."""
    said = json.loads(text)
    try:
        return Entry(**{**said, "made": made_of(said["made"])})
    except (KeyError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


class Ledger(ABC):
    """Entries by name, of which the last written counts. One process writes."""

    @abstractmethod
    def entries(self) -> dict[str, Entry]:
        """All that was written; raises InputError where it cannot be read."""

    @abstractmethod
    def write(self, entries: Iterable[Entry]) -> None:
        """Keep them, all or none; now and then called with none, for what waits."""

    @abstractmethod
    def close(self) -> None:
        """Write what is waiting, and let go of it."""


class SqliteLedger(Ledger):
    """A file, whole after every write whatever is killed."""

    def __init__(self, path: Path):
        self._path = path
        try:
            self._base = sqlite3.connect(path)
            self._base.execute("CREATE TABLE IF NOT EXISTS items (name TEXT PRIMARY KEY, entry TEXT NOT NULL)")
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def entries(self) -> dict[str, Entry]:
        try:
            return {name: entry_of(text) for name, text in self._base.execute("SELECT name, entry FROM items")}
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise self._unreadable(error) from error

    def write(self, entries: Iterable[Entry]) -> None:
        try:
            with self._base:
                rows = ((entry.name, entry.text()) for entry in entries)
                self._base.executemany("INSERT OR REPLACE INTO items VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise OutputError(f"{self._path}: expected to write the record, got {error}; free some space") from error

    def close(self) -> None:
        self._base.close()

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(
            f"{self._path}: expected the record of a batch, got {error}; name another target, or remove the record to "
            "make everything anew"
        )


class LogLedger(Ledger):
    """Objects that are written once, numbered: buckets cannot be appended to."""

    def __init__(self, folder: str):
        self._folder = folder
        self._next = 1 + max((int(name[:12]) for name in self._names()), default=0)
        self._waiting: list[Entry] = []
        self._written = 0.0

    def entries(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for name in sorted(self._names()):
            place = joined(self._folder, name)
            try:
                lines = [entry_of(line) for line in read(place).decode().splitlines()]
            except (ValueError, TypeError) as error:
                raise InputError(
                    f"{place}: expected a part of a batch's record, got {error}; name another target, or remove the "
                    "record to make everything anew"
                ) from error
            found |= {entry.name: entry for entry in lines}
        return found

    def write(self, entries: Iterable[Entry]) -> None:
        self._waiting += entries
        if time.monotonic() - self._written >= FLUSH_SECONDS:
            self._flush()

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        if self._waiting:
            text = "".join(f"{entry.text()}\n" for entry in self._waiting)
            write(joined(self._folder, f"{self._next:012d}.jsonl"), text.encode())
            self._next, self._waiting, self._written = self._next + 1, [], time.monotonic()

    def _names(self) -> list[str]:
        return [name for name in sizes(self._folder) if name.endswith(".jsonl")]


def open_ledger(target: str) -> Ledger:
    """The record of a target, whose folder must be there if it is one of this machine."""
    state = joined(target, STATE)
    return LogLedger(joined(state, LOG)) if is_remote(target) else SqliteLedger(Path(state, RECORD))


def has_record(target: str) -> bool:
    """Whether a batch was begun there."""
    if is_remote(target):
        return bool(sizes(joined(target, STATE, LOG)))
    return Path(target, STATE, RECORD).is_file()
