"""Which image goes where: the naming rules of `koutu image`."""

import glob
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

from koutu.media.numbered import ENDINGS, in_order
from koutu.types import InputError, OutputError


class _Given(NamedTuple):
    """A source, and its place below the folder it was found in, which is kept in the output's folder."""

    path: str
    below: Path


def jobs(
    sources: list[str],
    output: str,
    *,
    ending: str = "",
    recursive: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> list[tuple[Path | IO[bytes], Path | IO[bytes]]]:
    """Pairs of source and target. `output` is "-", a file for a single source, or a folder.

    sources: files, "-", folders, of which all images are taken, those of folders within only if `recursive`, or globs
    that no shell has filled in. What a folder or a glob finds in the output's folder came from an earlier run: it is
    left out, and `tell` hears so. ending: of the names in a folder, png if not given. Raises InputError, or OutputError
    before anything is written, so that no target takes the place of a source still to be read.
    """
    given = [one for source in sources for one in _fresh(source, output, _found(source, recursive), tell)]
    several = len(given) > 1 or len(sources) > 1 or os.path.isdir(sources[0])
    if output == "-" and several:
        raise OutputError(f"expected one image when writing to standard output, got {len(given)}; give -o a folder")
    named_file = bool(Path(output).suffix) and not output.endswith(("/", os.sep)) and not Path(output).is_dir()
    if named_file and several:
        raise OutputError(f"expected a folder for {len(given)} images, got the file name {output}; write {output}/")
    if ending and (named_file or output == "-"):
        raise OutputError(f"expected a folder for files of one format, got {output}; leave --format out, or name one")
    pairs: list[tuple[Path | IO[bytes], Path | IO[bytes]]] = []
    targets: dict[Path, str] = {}
    for source, below in given:
        read = sys.stdin.buffer if source == "-" else Path(source)
        if output == "-":
            pairs.append((read, sys.stdout.buffer))
            continue
        stem = "stdin" if source == "-" else Path(source).stem
        target = Path(output) if named_file else Path(output) / below / f"{stem}.{ending or 'png'}"
        if target in targets:
            raise OutputError(
                f"{source} and {targets[target]} would both be written to {target}; rename one or use another folder"
            )
        if source != "-" and target.exists() and Path(source).exists() and os.path.samefile(source, target):
            raise OutputError(f"expected an output other than the input, got {target} for both; name another folder")
        targets[target] = source
        pairs.append((read, target))
    return pairs


def _fresh(source: str, output: str, found: list[_Given], tell: Callable[[str], None]) -> list[_Given]:
    """Of what a word names, what is no result of an earlier run; raises InputError if that is nothing."""
    results = Path(output).resolve()
    if output == "-" or not results.is_dir() or (os.path.exists(source) and results in _above(Path(source) / "x")):
        return found
    kept = [one for one in found if results not in _above(Path(one.path))]
    if len(kept) < len(found):
        if not kept:
            raise InputError(f"{source}: expected images outside of {output}, where results go, got none; name others")
        tell(f"left out {len(found) - len(kept)} image(s) in {output}, where results go")
    return kept


def _above(path: Path) -> tuple[Path, ...]:
    """The folders that something lies in, near and far."""
    return tuple(path.resolve().parents)


def _found(source: str, recursive: bool) -> list[_Given]:
    """The images that a word names; raises InputError for a folder or a glob without any."""
    if os.path.isdir(source):
        paths = Path(source).rglob("*") if recursive else Path(source).iterdir()
        found = sorted((path for path in paths if _is_image(path, Path(source))), key=in_order)
        if not found:
            more = "" if recursive else "; --recursive looks in the folders within"
            raise InputError(f"{source}: expected a folder with images, got none in it{more}")
        return [_Given(str(path), path.parent.relative_to(source)) for path in found]
    if source != "-" and not os.path.exists(source) and glob.has_magic(source):
        names = sorted(filter(os.path.isfile, glob.glob(source, recursive=True)), key=lambda name: in_order(Path(name)))
        if not names:
            raise InputError(f"{source}: expected a pattern that names images, got none; check the spelling")
        return [_Given(name, Path()) for name in names]
    return [_Given(source, Path())]


def _is_image(path: Path, top: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(top).parts)
    return path.suffix.lower() in (*ENDINGS, ".gif") and not hidden and path.is_file()
