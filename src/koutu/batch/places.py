"""Where sources are and results go: paths of this machine, and addresses such as s3://bucket/folder by fsspec."""

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from koutu.extras import pip_line
from koutu.files import whole_file
from koutu.types import InputError, KoutuError, ModelError, OutputError

_MARKS = ("ETag", "etag", "md5Hash", "crc32c", "mtime", "LastModified", "last_modified", "created", "CRC")


class Found(NamedTuple):
    """One file. name: its path below what named it; size: bytes; mark: what changes with its content."""

    address: str
    name: str
    size: int
    mark: str


def is_remote(address: str) -> bool:
    """Whether it is fsspec's to read."""
    return "://" in address


def absolute(address: str) -> str:
    """The same wherever a worker stands."""
    return address if is_remote(address) else os.path.abspath(address)


def joined(address: str, *names: str) -> str:
    """The address of something below a folder."""
    return "/".join([address.rstrip("/"), *names]) if is_remote(address) else str(Path(address, *names))


def found(address: str) -> list[Found]:
    """The file, the files of a folder and of those within, or those that a pattern names; raises InputError."""
    files = list(_remote(address) if is_remote(address) else _local(address))
    if not files:
        raise InputError(f"{address}: expected a file, a folder with files or a pattern that names some, got none")
    return files


def fetched(address: str, folder: Path) -> Path:
    """The file on this machine: itself, or a copy in `folder`. Raises InputError."""
    if not is_remote(address):
        return Path(address)
    copy = folder / PurePosixPath(address.partition("::")[0]).name
    with _told(address, InputError):
        filesystem, path = _filesystem(address)
        filesystem.get_file(path, str(copy))
    return copy


def delivered(file: Path, address: str) -> None:
    """Move a whole file to its place, making the folder. Raises OutputError."""
    with _told(address, OutputError):
        if is_remote(address):
            filesystem, path = _filesystem(address)
            filesystem.makedirs(filesystem._parent(path), exist_ok=True)
            filesystem.put_file(str(file), path)
            file.unlink()
        else:
            Path(address).parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, address)


def read(address: str) -> bytes:
    """All of a small file; raises InputError."""
    with _told(address, InputError):
        if is_remote(address):
            filesystem, path = _filesystem(address)
            return filesystem.cat_file(path)
        return Path(address).read_bytes()


def write(address: str, data: bytes) -> None:
    """All of a small file at once; raises OutputError."""
    with _told(address, OutputError):
        if not is_remote(address):
            Path(address).parent.mkdir(parents=True, exist_ok=True)
            with whole_file(address) as file:
                file.write(data)
            return
        filesystem, path = _filesystem(address)
        filesystem.makedirs(filesystem._parent(path), exist_ok=True)
        filesystem.pipe_file(path, data)


def sizes(folder: str) -> dict[str, int]:
    """Name → bytes of the files below a folder; empty if there is none. Raises OutputError."""
    with _told(folder, OutputError):
        if is_remote(folder):
            filesystem, path = _filesystem(folder)
            filesystem.invalidate_cache()
            files = filesystem.find(path, detail=True)
            return {name[len(path.rstrip("/")) + 1 :]: info["size"] or 0 for name, info in files.items()}
        top = Path(folder)
        return {file.relative_to(top).as_posix(): file.stat().st_size for file in top.rglob("*") if file.is_file()}


def removed(folder: str) -> None:
    """Delete a folder and all in it, if it is there; raises OutputError."""
    with _told(folder, OutputError):
        if not is_remote(folder):
            shutil.rmtree(folder, ignore_errors=True)
            return
        filesystem, path = _filesystem(folder)
        filesystem.invalidate_cache()  # what others wrote meanwhile
        if filesystem.exists(path):
            filesystem.rm(path, recursive=True)


def contains(folder: str, address: str) -> bool:
    """Whether the address is the folder or lies below it."""
    if is_remote(folder) != is_remote(address):
        return False
    if is_remote(folder):
        return address.rstrip("/").startswith(f"{folder.rstrip('/')}/") or address.rstrip("/") == folder.rstrip("/")
    whole = Path(os.path.realpath(address))
    return Path(os.path.realpath(folder)) in (whole, *whole.parents)


def _local(address: str) -> Iterator[Found]:
    top = Path(address)
    if top.is_dir():
        paths = sorted(path for path in top.rglob("*") if path.is_file())
    elif not top.exists() and glob.has_magic(address):
        fixed = next(at for at, part in enumerate(top.parts) if glob.has_magic(part))
        top = Path(*top.parts[:fixed])
        paths = sorted(Path(name) for name in glob.glob(address, recursive=True) if os.path.isfile(name))
    else:
        top, paths = top.parent, [top]
    for path in paths:
        name = path.relative_to(top)
        if any(part.startswith(".") for part in name.parts) and len(paths) > 1:
            continue
        try:
            status = path.stat()
        except OSError as error:
            raise InputError(
                f"{path}: expected a file that can be read, got {error.strerror}; check the path and its permissions"
            ) from error
        yield Found(str(path), name.as_posix(), status.st_size, str(status.st_mtime_ns))


def _remote(address: str) -> Iterator[Found]:
    with _told(address, InputError):
        filesystem, path = _filesystem(address)
        _, *rest = address.split("::")  # zip://*.mp4::s3://bucket/archive.zip
        if glob.has_magic(path):
            files: dict[str, Any] = filesystem.glob(path, detail=True)
            top = path[: next(at for at, sign in enumerate(path) if sign in "*?[")].rpartition("/")[0]
        elif filesystem.isdir(path):
            files, top = filesystem.find(path, detail=True), path.rstrip("/")
        else:
            files, top = {path: filesystem.info(path)}, path.rpartition("/")[0]
    for file, info in sorted(files.items()):
        name = file[len(top) :].lstrip("/")
        if not name or name.endswith("/"):  # empty objects that stand for folders
            continue
        if info.get("type") == "directory" or (len(files) > 1 and any(p.startswith(".") for p in name.split("/"))):
            continue
        mark = next((str(info[key]) for key in _MARKS if info.get(key) is not None), "")
        whole = "::".join([filesystem.unstrip_protocol(file), *rest])
        yield Found(whole, name, info.get("size") or 0, mark)


def _filesystem(address: str) -> tuple[Any, str]:
    try:
        import fsspec.core
    except ImportError as error:
        raise ModelError(f"{address}: addresses need fsspec, which is not installed; {pip_line('batch')}") from error
    return fsspec.core.url_to_fs(address)


@contextmanager
def _told(address: str, kind: type[KoutuError]) -> Iterator[None]:
    """Whatever a file system raises, as an error of koutu's."""
    try:
        yield
    except (KoutuError, KeyboardInterrupt):
        raise
    except Exception as error:  # every file system has types of its own
        said = str(error).strip().splitlines()
        came = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
        raise kind(
            f"{address}: expected an address that can be used, got {came}; check its spelling, the network, the "
            "credentials, and that the package of its kind is installed"
        ) from error
