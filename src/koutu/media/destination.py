"""Where a result goes: checked before the work, written beside it under another name, moved there at the end."""

import contextlib
import os
import shutil
from pathlib import Path

from koutu.files import part_name, remove_abandoned
from koutu.types import OutputError


def checked_target(target: Path, path: Path, source: Path | None, folder: bool) -> Path:
    """The real path to write, or OutputError; links are followed, so that they stay links. source: what is read."""
    try:
        real = Path(os.path.realpath(target))
        problem = _problem(real, source, folder)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: expected a place to write to, got {error}; choose another name") from error
    if problem:
        raise OutputError(f"{path}: expected a place to write to, got {problem[0]}; {problem[1]}")
    return real


def _problem(real: Path, source: Path | None, folder: bool) -> tuple[str, str] | None:
    """What came, and the remedy."""
    if not real.parent.is_dir():
        return f"a folder that does not exist ({real.parent})", "make it first"
    if not os.access(real.parent, os.W_OK):
        return f"a folder that may not be written to ({real.parent})", "choose another, or change its permissions"
    if not real.exists():
        return None
    if source is not None and os.path.samefile(real, source):
        return "the video that is being read", "choose another name"
    if folder:
        if not real.is_dir():
            return "a file where a folder is needed", "choose another name"
        if any(real.iterdir()):
            return "a folder that is not empty", "name a new or an empty one"
    elif real.is_dir():
        return "a folder", "add a file name"
    elif not real.is_file():
        return "a device or pipe", "name a file"
    return None


def part_of(target: Path) -> Path:
    """A new hidden name on the same disk; what was left there by those that were killed is removed."""
    remove_abandoned(target.parent)
    return target.with_name(part_name())


def move(part: Path, target: Path) -> None:
    """Put the complete file or folder in place of what is there, which for a folder must be empty."""
    if part.is_dir() and target.is_dir():
        target.rmdir()
    os.replace(part, target)


def remove(part: Path) -> None:
    """Delete an unfinished file or folder, if it is there; raises nothing."""
    with contextlib.suppress(OSError):  # gone with its folder or disk
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
