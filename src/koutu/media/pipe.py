"""Standard input and pipes as files: they are read twice, for the picture and for the sound."""

import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from koutu.types import InputError


def is_pipe(name: str | os.PathLike[str]) -> bool:
    """Whether it is "-", for standard input, or the name of a pipe."""
    if os.fspath(name) == "-":
        return True
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def spooled(name: str | os.PathLike[str]) -> Path:
    """A temporary file with all that the pipe gives, the caller's to remove; raises InputError."""
    if os.fspath(name) == "-" and sys.stdin.isatty():
        raise InputError("expected a video on standard input, got a terminal; pipe one in, or name a file")
    handle, path = tempfile.mkstemp(prefix="koutu-", suffix=".pipe")
    try:
        with open(handle, "wb") as file:
            if os.fspath(name) == "-":
                shutil.copyfileobj(sys.stdin.buffer, file, 2**20)
            else:
                with open(name, "rb") as pipe:
                    shutil.copyfileobj(pipe, file, 2**20)
    except BaseException as error:
        os.unlink(path)
        if isinstance(error, OSError):
            raise InputError(
                f"{name}: expected a pipe that can be read to its end into {tempfile.gettempdir()}, got "
                f"{error.strerror}; make room there, name another folder with TMPDIR, or give a file"
            ) from error
        raise
    return Path(path)
