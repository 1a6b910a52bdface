"""Parts of examples put together by the names of their files; those left over are reported."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from koutu.data.sets.example import Broken, Clip, Example, Frames
from koutu.data.sets.layouts import Form
from koutu.data.sets.reading import example_or_broken, has_alpha_channel
from koutu.data.sets.tree import PICTURES, VIDEOS, Tree, fields_of, filled, natural, spelled
from koutu.data.sets.videos import VideoFrames

_CLIP_FIELDS = ("subset", "clip", "take")
_PEEK = 20  # images looked into, to know cut-outs

Row = tuple[str, tuple[str, ...]]  # a name, and for each role a path relative to the root, "" where it has none


@dataclass(frozen=True)
class Content:
    """What a split holds."""

    clips: Sequence[Clip]
    broken: Sequence[Broken]
    cutouts: bool


@dataclass(frozen=True)
class PictureFrames(Frames):
    """Examples out of image files."""

    root: Path
    roles: tuple[str, ...]
    rows: Sequence[Row]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def first_file(self) -> Path:
        """What the first image is read from."""
        return self.root / self.rows[0][1][0]

    def read(self, start: int, stop: int) -> Iterator[Example | Broken]:
        """Those from `start` to before `stop`."""
        for name, paths in self.rows[start:stop]:
            given = zip(self.roles, paths, strict=True)
            yield example_or_broken(name, {role: self.root / path for role, path in given if path})


def present(tree: Tree, form: Form) -> bool:
    """Whether every part of the form that must be there has a file; of cut-outs, whether they look like such."""
    endings = VIDEOS if form.videos else PICTURES
    if list(form.parts) == ["rgba"]:
        files = [path for (_, path), _ in zip(tree.matches(form.parts["rgba"]), range(_PEEK), strict=False)]
        return any(has_alpha_channel(tree.root / path) for path in files)
    return all(next(tree.matches(form.parts[role], endings), None) for role in form.required)


def complete(tree: Tree, form: Form) -> bool:
    """Whether any example of the form has all its parts."""
    return len(form.required) == 1 or bool(paired(tree, form)[0])


def content(tree: Tree, form: Form) -> Content:
    """The form's clips in natural order, each of its examples complete; the rest is broken."""
    rows, broken = paired(tree, form)
    if form.videos:
        clips = [
            Clip(name, False, VideoFrames(name, tree.root / fgr, tree.root / pha, "fgr")) for name, (fgr, pha) in rows
        ]
        return Content(clips, broken, form.cutouts)
    roles = tuple(form.parts)
    if not _moves(form):
        stills = [Clip(row[0], True, PictureFrames(tree.root, roles, [row])) for row in rows]
        return Content(stills, broken, form.cutouts)
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[0].rpartition("/")[0]].append(row)
    clips = [Clip(name, False, PictureFrames(tree.root, roles, group)) for name, group in groups.items()]
    return Content(clips, broken, form.cutouts)


def paired(tree: Tree, form: Form) -> tuple[list[Row], list[Broken]]:
    """Rows of (name, a path for each role), and what has no other half or one too many."""
    broken: list[Broken] = []
    first, *others = form.parts
    indexes = {role: _index(tree, form, role, broken, set()) for role in others}
    claimed = {path for index in indexes.values() for path in index.paths.values()}
    main = _index(tree, form, first, broken, claimed)
    rows = []
    for key, path in main.paths.items():
        fields = dict(zip(main.fields, key, strict=True))
        others_of = {role: index.take(fields) for role, index in indexes.items()}
        lacking = [
            f"{role} at {filled(form.parts[role], fields)}.*" for role, other in others_of.items()
            if not other and (indexes[role].paths or role in form.required)
        ]  # fmt: skip
        if lacking:
            broken.append(Broken(path, f"expected {' and '.join(lacking)} beside it, got none; add it or remove both"))
        else:
            rows.append((_name(form, fields), (path, *others_of.values())))
    for role in others:
        broken += indexes[role].left(first, form)
    return sorted(rows, key=lambda row: natural(row[0])), broken


@dataclass(frozen=True)
class _Index:
    """Files of a role by the fields it shares with the first role; letter case does not count."""

    role: str
    fields: tuple[str, ...]
    paths: dict[tuple[str, ...], str]
    used: set[tuple[str, ...]]

    def take(self, fields: Mapping[str, str]) -> str:
        key = tuple(fields[field] for field in self.fields)
        found = key if key in self.paths else self._folded.get(_folded(key), key)
        self.used.add(found)
        return self.paths.get(found, "")

    @cached_property
    def _folded(self) -> dict[tuple[str, ...], tuple[str, ...]]:
        return {_folded(key): key for key in self.paths}

    def left(self, first: str, form: Form) -> list[Broken]:
        """Those without an example, unless one could not be expected."""
        return [
            Broken(path, f"expected {first} at {filled(form.parts[first], dict(zip(self.fields, key, strict=True)))}.* "
                   f"beside this {self.role}, got none; add it or remove both")
            for key, path in self.paths.items() if key not in self.used and self.role in form.required
        ]  # fmt: skip


def _index(tree: Tree, form: Form, role: str, broken: list[Broken], skip: set[str]) -> _Index:
    template = form.parts[role]
    shared = fields_of(next(iter(form.parts.values())))
    fields = tuple(field for field in fields_of(template) if field in shared)
    paths: dict[tuple[str, ...], str] = {}
    for found, path in tree.matches(template, VIDEOS if form.videos else PICTURES):
        key = tuple(found[field] for field in fields)
        if path in skip:
            continue
        if key in paths:
            broken.append(Broken(path, f"expected one {role} of this name, got {paths[key]} too; remove one"))
        else:
            paths[key] = path
    return _Index(role, fields, paths, set())


def _moves(form: Form) -> bool:
    return any(field in fields_of(form.parts[next(iter(form.parts))]) for field in _CLIP_FIELDS)


def _name(form: Form, fields: Mapping[str, str]) -> str:
    return "/".join(fields.values()) if _moves(form) else spelled(form.parts[next(iter(form.parts))], fields)


def _folded(key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.casefold() for part in key)
