"""Which pictures a folder, a pattern such as shot_%04d.png or a glob names, in their order."""

import glob
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from koutu.types import InputError

# What numbered pictures are named like; their content decides how they are read.
ENDINGS = {
    ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif", ".jp2", ".tga", ".ppm",
    ".dpx", ".exr",
}  # fmt: skip
_NUMBER = re.compile(r"%(0(\d+))?d")
_DIGITS = re.compile(r"(\d+)")


class Numbered(NamedTuple):
    """Picture files in their order. notes: what of their numbers a user must know."""

    paths: list[Path]
    notes: list[str]


def is_numbered(name: str | os.PathLike[str]) -> bool:
    """Whether the name stands for several files: it is a folder, or no file but a pattern or a glob."""
    text = os.fspath(name)
    if os.path.isdir(text):
        return True
    return not os.path.exists(text) and (_NUMBER.search(text) is not None or glob.has_magic(text))


def numbered(name: str | os.PathLike[str]) -> Numbered:
    """The pictures it names; raises InputError if there are none."""
    text = os.fspath(name)
    if os.path.isdir(text):
        paths = [path for path in Path(text).iterdir() if _is_picture(path)]
        what, came = "a video file, or a folder of numbered pictures", "a folder"
    elif _NUMBER.search(text):
        return _of_pattern(text)
    else:
        paths = [Path(found) for found in glob.glob(text, recursive=True) if os.path.isfile(found)]
        what, came = "a pattern that names pictures", "one"
    if not paths:
        raise InputError(
            f"{text}: expected {what}, got {came} without pictures; name a video file, or where the pictures are"
        )
    return Numbered(sorted(paths, key=in_order), [])


def in_order(path: Path) -> list[tuple[int, str]]:
    """To sort names so that 10 comes after 9."""
    parts = _DIGITS.split(str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _of_pattern(text: str) -> Numbered:
    """All that have a number in its place, from the lowest on; what is missing between them is told."""
    folder, pattern = Path(text).parent, Path(text).name
    if not _NUMBER.search(pattern) or len(_NUMBER.findall(text)) > 1:
        raise InputError(
            f"{text}: expected one number, in the pictures' names, got another pattern; write NAME%04d.png"
        )
    found = _NUMBER.search(pattern)
    assert found is not None
    digits = rf"\d{{{int(found[2])},}}" if found[2] else r"[1-9]\d*|0"
    exact = re.compile(re.escape(pattern[: found.start()]) + f"({digits})" + re.escape(pattern[found.end() :]))
    names = os.listdir(folder) if os.path.isdir(folder) else []
    by_number = {int(match[1]): folder / match[0] for match in map(exact.fullmatch, names) if match}
    if not by_number:
        raise InputError(f"{text}: expected pictures with numbers, got none of that pattern; check its folder and name")
    numbers = sorted(by_number)
    paths = [by_number[number] for number in numbers]
    gap = next((a for a, b in pairwise(numbers) if b != a + 1), None)
    if gap is None:
        return Numbered(paths, [])
    count = numbers[-1] - numbers[0] + 1 - len(numbers)
    return Numbered(paths, [f"{count} numbers are missing in {pattern}, the first is {gap + 1}; what follows is next"])


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()
