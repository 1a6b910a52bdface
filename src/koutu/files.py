"""Files that appear whole or not at all, and the folders they go to."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from koutu.types import OutputError


@contextmanager
def whole_file(target: str | os.PathLike[str] | IO[bytes]) -> Iterator[IO[bytes]]:
    """A file to write that takes the target's name when all went well, and is gone otherwise."""
    if not isinstance(target, str | os.PathLike):
        yield target
        return
    path = Path(target)
    if path.is_dir() or not path.name:
        raise IsADirectoryError(f"{path} is a folder")
    if path.exists() and not path.is_file():  # a pipe or a device: nothing to put in its place
        with open(path, "wb") as file:
            yield file
        return
    part = path.with_name(f".{os.urandom(4).hex()}.part")
    try:
        with open(part, "xb") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def part_folder(parent: Path) -> Iterator[Path]:
    """A hidden folder within another, for files that are to appear together; it is gone afterwards."""
    part = parent / f".{os.urandom(4).hex()}.part"
    try:
        part.mkdir()
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def folder(path: Path) -> Path:
    """The folder, made if missing; raises OutputError."""
    if path.exists() and not path.is_dir():
        raise OutputError(f"expected a folder for the results, got the file {path}; name a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise OutputError(f"the folder {path} could not be made: {e.strerror}; choose another") from e
    return path
