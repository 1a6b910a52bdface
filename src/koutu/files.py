"""Files that appear whole or not at all, and the folders they go to."""

import hashlib
import os
import re
import shutil
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO

from koutu.types import OutputError


def part_name() -> str:
    """A new hidden name for what is half-written, which says what process it belongs to."""
    return f".{os.urandom(4).hex()}.{_machine()}-{os.getpid()}.part"


@lru_cache(maxsize=64)
def remove_abandoned(folder: Path) -> None:
    """Delete what processes of this machine left half-written there when they were killed; once a folder."""
    if os.name != "posix":  # elsewhere nobody can be asked for without harm
        return
    with suppress(OSError):
        for path in list(folder.iterdir()):
            owner = _PART.fullmatch(path.name)
            if owner and owner[1] == _machine() and not is_alive(int(owner[2])):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


_PART = re.compile(r"\.[0-9a-f]{8}\.([0-9a-f]{8})-([0-9]+)\.part")


@lru_cache
def _machine() -> str:
    """Stands for the machine, or the part of one that counts processes for itself."""
    space = "/proc/self/ns/pid"
    told = f"{socket.gethostname()} {os.readlink(space) if os.path.exists(space) else ''}"
    return f"{zlib.crc32(told.encode()):08x}"


def is_alive(process: int) -> bool:
    """Whether there is a process of that number on this machine, of anybody's."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's
        return True
    return True


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
    remove_abandoned(path.parent)
    part = path.with_name(part_name())
    try:
        with open(part, "xb") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def part_folder(parent: Path) -> Iterator[Path]:
    """A hidden folder within another, for files that are to appear together; it is gone afterwards."""
    remove_abandoned(parent)
    part = parent / part_name()
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


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
