"""The folder of renders: which samples are whole, which failed, and an index of both."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koutu.data.render.plan import Sample
from koutu.files import folder, whole_file
from koutu.types import InputError, OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

ABOUT = "render.json"  # what the folder was begun with
INDEX = "index.json"
LOG = "render.log"
_FIRST_PLAN = 1  # of folders that do not tell theirs
_PARTS, _LOCK = ".part", ".lock"
_FOLDERS = ("stills", "clips", "failed")


@dataclass(frozen=True)
class Shelf:
    """Whole files alone: a sample is there once its record is, which is written last."""

    root: Path

    def open(self, about: dict[str, Any]) -> None:
        """Begin the folder or go on in it; InputError if it was begun with something else, OutputError."""
        folder(self.root)
        for name in _FOLDERS:
            folder(self.root / name)
        path = self.root / ABOUT
        if path.is_file():
            begun = {"plan": _FIRST_PLAN} | self._read(path)
            if begun["plan"] != about["plan"]:
                raise InputError(
                    f"{self.root}: expected people of plan {about['plan']} as this koutu draws them, got renders of "
                    f"plan {begun['plan']}; go on with the koutu that began them, or name another folder"
                )
            if differing := [name for name in about if begun.get(name) != about[name]]:
                name = differing[0]
                raise InputError(
                    f"{self.root}: expected {name} {about[name]!r} as asked, got renders begun with "
                    f"{begun.get(name)!r}; ask for the same, or name another folder"
                )
        else:
            self._write(path, about)
        self.clear_parts()
        folder(self._own)

    def clear_parts(self) -> None:
        """Remove what is not finished, of runs that were killed too; each has a folder of its own."""
        shutil.rmtree(self.root / _PARTS, ignore_errors=True)

    @property
    def _own(self) -> Path:
        return self.root / _PARTS / str(os.getpid())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else renders into the folder meanwhile; OutputError if somebody does. The system lets go of a lock."""
        if fcntl is None:
            yield
            return
        folder(self.root)
        with open(self.root / _LOCK, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as e:
                raise OutputError(
                    f"{self.root}: expected nobody else to render into it, got another run at work; wait for it, or "
                    "name another folder"
                ) from e
            yield

    def part(self, sample: Sample) -> Path:
        """Where a sample is rendered to before it is whole."""
        return self._own / Path(sample.path).name

    def missing(self, sample: Sample) -> str:
        """ "" if the sample is whole; "absent", or what is wrong with it."""
        record, picture = self.root / sample.record, self.root / sample.path
        if not record.is_file():
            return "absent"
        if sample.kind != "clip":
            return "" if picture.is_file() and picture.stat().st_size else "its picture is missing"
        frames = self._read(record).get("frames")
        held = len(list(picture.glob("*.png")))
        return "" if held == frames else f"{held} of its {frames} frames are there"

    def failed(self, sample: Sample) -> str:
        """The reason why it failed before; "" if it did not."""
        path = self.root / "failed" / f"{sample.name}.json"
        return str(self._read(path).get("reason", "")) if path.is_file() else ""

    def keep(self, sample: Sample, record: dict[str, Any]) -> None:
        """The part becomes the sample."""
        target = self.root / sample.path
        with _disk(target):
            if target.is_dir():
                shutil.rmtree(target)
            self.part(sample).replace(target)
        self._write(self.root / sample.record, record)
        (self.root / "failed" / f"{sample.name}.json").unlink(missing_ok=True)

    def fail(self, sample: Sample, reason: str) -> None:
        """Remember why a sample could not be rendered."""
        part = self.part(sample)
        shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)
        self._write(self.root / "failed" / f"{sample.name}.json", {"name": sample.name, "reason": reason})

    def write_index(self) -> None:
        """All whole samples and all that failed, in order."""
        about = self._read(self.root / ABOUT)
        listed = [
            {name: record[name] for name in ("name", "kind", "group", "path", "size", "frames")}
            for record in self._records()
        ]
        failed = [self._read(path) for path in sorted((self.root / "failed").glob("*.json"))]
        self._write(self.root / INDEX, {**about, "samples": listed, "failed": failed})

    def _records(self) -> Iterator[dict[str, Any]]:
        paths = [path for name in ("stills", "clips") for path in (self.root / name).glob("*.json")]
        for path in sorted(paths, key=lambda path: path.name):
            yield self._read(path)

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            held = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as e:
            raise InputError(f"{path}: expected what koutu data render wrote, got {e}; remove the file") from e
        if not isinstance(held, dict):
            raise InputError(f"{path}: expected what koutu data render wrote, got something else; remove the file")
        return held

    def _write(self, path: Path, held: dict[str, Any]) -> None:
        with _disk(path), whole_file(path) as file:
            file.write(json.dumps(held, indent=1, ensure_ascii=False).encode())


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise OutputError(f"{path} could not be written: {e.strerror or e}; check the folder and its room") from e
