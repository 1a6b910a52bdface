"""Files of a folder by templates such as "train/{clip}/(fgr|fg)/{frame}": every match with the fields it fills in."""

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

PICTURES = frozenset([".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"])
VIDEOS = frozenset([".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg"])

_FIELDS = {"frame": r"\d+", "index": r"\d+", "path": r".+?"}  # any other field: part of one name
_DEPTH = 8  # folders under a {path}
_TOKENS = re.compile(r"(\{\w+\}|\([^)]*\)\??)")


class Tree:
    """A folder whose listings are read once, however many templates are tried on it.

    Names that begin with a dot, and what macOS packs beside files, are not looked at; letter case does not matter.
    """

    def __init__(self, root: Path):
        self.root = root
        self._listings: dict[str, tuple[list[str], list[str]]] = {}

    def folders(self, inside: str = "") -> list[str]:
        """Names of the folders in a folder, given relative to the root."""
        return self._listing(inside)[0]

    def files(self, inside: str = "") -> list[str]:
        """Names of the files in a folder, given relative to the root."""
        return self._listing(inside)[1]

    def matches(self, template: str, endings: frozenset[str] = PICTURES) -> Iterator[tuple[dict[str, str], str]]:
        """(fields, path relative to the root) of every file that fits; the template leaves the ending out."""
        yield from self._inside("", template, endings)

    def _inside(self, folder: str, template: str, endings: frozenset[str]) -> Iterator[tuple[dict[str, str], str]]:
        head, _, rest = template.partition("/")
        if not rest:
            yield from self._files(folder, head, endings)
            return
        pattern = _pattern(head)
        for name in self.folders(folder):
            if found := pattern.fullmatch(name):
                for fields, path in self._inside(_join(folder, name), rest, endings):
                    yield {**found.groupdict(), **fields}, path

    def _files(self, folder: str, template: str, endings: frozenset[str]) -> Iterator[tuple[dict[str, str], str]]:
        pattern = _pattern(template)
        deep = "{path}" in template
        for inner in self._below(folder, _DEPTH) if deep else [folder]:
            prefix = inner[len(folder) :].lstrip("/")
            for name in self.files(inner):
                stem, ending = os.path.splitext(name)
                if ending.lower() in endings and (found := pattern.fullmatch(_join(prefix, stem))):
                    yield found.groupdict(), _join(inner, name)

    def _below(self, folder: str, depth: int) -> Iterator[str]:
        yield folder
        for name in self.folders(folder) if depth else []:
            yield from self._below(_join(folder, name), depth - 1)

    def _listing(self, inside: str) -> tuple[list[str], list[str]]:
        if inside not in self._listings:
            folders, files = [], []
            with os.scandir(os.path.join(self.root, inside)) as entries:
                for entry in entries:
                    if not entry.name.startswith((".", "__MACOSX")):
                        (folders if entry.is_dir() else files).append(entry.name)
            self._listings[inside] = sorted(folders), sorted(files)
        return self._listings[inside]


def natural(name: str) -> list[tuple[int, str]]:
    """A sorting key by which "frame 9" comes before "frame 10"."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)]


def fields_of(template: str) -> list[str]:
    """The names in braces, in order."""
    return re.findall(r"\{(\w+)\}", template)


def filled(template: str, fields: Mapping[str, str]) -> str:
    """The template with these fields filled in; others stay."""
    return re.sub(r"\{(\w+)\}", lambda found: fields.get(found[1], found[0]), template)


def spelled(template: str, fields: Mapping[str, str]) -> str:
    """A name for what fills these fields: the parts of the template that have any, filled in, without their choices."""
    parts = [part for part in template.split("/") if "{" in part]
    return "/".join(filled(re.sub(r"\([^)]*\)\??", "", part), fields) for part in parts)


@lru_cache(1024)
def _pattern(template: str) -> re.Pattern[str]:
    """A part of a template as an expression: {field} any characters, (a|b) one of them, (a|b)? one or none."""
    out = ""
    for token in _TOKENS.split(template):
        if token.startswith("{"):
            out += f"(?P<{token[1:-1]}>{_FIELDS.get(token[1:-1], r'[^/]+?')})"
        elif token.startswith("("):
            names = token.rstrip("?")[1:-1].split("|")
            out += f"(?:{'|'.join(map(re.escape, names))}){'?' if token.endswith('?') else ''}"
        else:
            out += re.escape(token)
    return re.compile(out, re.IGNORECASE)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
