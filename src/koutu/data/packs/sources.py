"""What is to be packed: sets of people or of backgrounds, who of them belongs together, and what stays out."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from koutu.data.sets.example import Broken, Clip, DataSet
from koutu.data.sets.open import AUTO, open_dataset, open_splits
from koutu.data.sets.pairs import PictureFrames
from koutu.data.sets.tree import PICTURES, VIDEOS, Tree, natural
from koutu.data.sets.videos import VideoFrames
from koutu.types import InputError

_FOR_TRAINING = ("all", "pictures")  # splits, beside those that begin with "train", that no test is hidden in
_TRUTHS = {"pha", "mask", "truth", "rgba", "channel3"}  # roles of files


@dataclass(frozen=True)
class Source:
    """A set to pack. group: an expression that finds, in a clip's or an image's name, who or what it shows.

    The groups it captures, joined, or else all it matches, name the group. licence: in your words. class_: "clean",
    "research", or "" if nobody said (docs/data.md).
    """

    name: str
    root: Path
    layout: str = AUTO
    split: str = AUTO
    group: str = ""
    licence: str = ""
    class_: str = ""


@dataclass(frozen=True)
class Opened:
    """A source found on disk: its clips, the group of each by name, and what names alone show to be unusable.

    split: layout and split in words, of a set of people. exclude: names of frames. excluded: names of all clips,
    images and frames that are left out because somebody said so. others: files of a folder of backgrounds that are
    neither images nor videos.
    """

    source: Source
    clips: Sequence[Clip]
    groups: dict[str, str]
    broken: Sequence[Broken]
    split: str = ""
    exclude: frozenset[str] = frozenset()
    excluded: Sequence[str] = ()
    others: int = 0

    def group(self, clip: Clip) -> str:
        """Of the form "SET/GROUP", as a recipe's `exclude` wants it."""
        return f"{self.source.name}/{self.groups[clip.name]}"


def open_people(source: Source) -> Opened:
    """A data set of docs/datasets.md, of its splits the one to train on; raises InputError.

    Where there is none but test splits, one must be named: what is tested on must not be learned from by accident.
    """
    if source.split != AUTO:
        data = open_dataset(source.root, source.layout, source.split)
    else:
        data = _to_train_on(open_splits(source.root, source.layout))
    if not any(_has_truth(clip) for clip in data.clips):
        raise InputError(
            f"{source.root}: expected mattes, masks or alpha channels, got images alone; make mattes with "
            "koutu data matte"
        )
    return replace(_opened(source, data.clips, data.broken), split=f"{data.layout}, {data.split}")


def open_backgrounds(source: Source) -> Opened:
    """Every image and video in a folder and the folders in it, or a single file; raises InputError."""
    root = source.root
    if not root.exists():
        raise InputError(f"{root}: expected images or videos, got nothing of this name; check the path")
    if (source.layout, source.split) != (AUTO, AUTO):
        raise InputError(f"{root}: backgrounds are any images and videos; leave layout and split out")
    if root.is_file():
        root, files = root.parent, [root.name]
    else:
        files = _all_files(Tree(root))
    usable = [file for file in files if Path(file).suffix.lower() in PICTURES | VIDEOS]
    if not usable:
        raise InputError(f"{source.root}: expected images or videos, got {len(files)} other files; name their folder")
    stems = [os.path.splitext(file)[0] for file in usable]
    clips = [
        _background(root, file, stem if stems.count(stem) == 1 else file)
        for file, stem in zip(usable, stems, strict=True)
    ]
    opened = _opened(source, sorted(clips, key=lambda clip: natural(clip.name)), [])
    return replace(opened, others=len(files) - len(usable))


def without(opened: Sequence[Opened], names: Iterable[str]) -> list[Opened]:
    """The same without these clips, images, groups or frames, each named as it is or as SET/NAME.

    Raises InputError for a name that nothing has.
    """
    left, unknown = list(opened), set(names)
    for at, item in enumerate(opened):
        lead = f"{item.source.name}/"
        own = {name: name.removeprefix(lead) for name in names}
        clips = {clip.name for clip in item.clips}
        frames = {name for name, short in own.items() if any(_is_frame(short, clip) for clip in item.clips)}
        known = clips | set(item.groups.values()) | {broken.name for broken in item.broken}
        unknown -= frames | {name for name, short in own.items() if {name, short} & known}
        out = {*own, *own.values()}
        gone = {c.name for c in item.clips if c.name in out or item.groups[c.name] in out}
        exclude = frozenset(own[name] for name in frames)
        left[at] = replace(
            item,
            clips=[c for c in item.clips if c.name not in gone],
            broken=[b for b in item.broken if b.name not in out],
            exclude=exclude,
            excluded=sorted({*gone, *exclude, *(b.name for b in item.broken if b.name in out)}, key=natural),
        )
    if unknown:
        raise InputError(
            f"expected names to exclude that the sets have, got {', '.join(sorted(unknown)[:5])}; correct them"
        )
    return left


def names_in(given: Sequence[str]) -> list[str]:
    """Names as they are given, and those in text files among them, one a line; # begins a remark."""
    names = []
    for item in given:
        if not Path(item).is_file():
            names.append(item)
            continue
        try:
            lines = Path(item).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as e:
            raise InputError(f"{item}: expected a text of names, one a line, got {e}; name such a file") from e
        names += [name for line in lines if (name := line.partition("#")[0].strip())]
    return names


def _to_train_on(splits: Sequence[DataSet]) -> DataSet:
    train = [data for data in splits if data.split.startswith("train")]
    if fit := train or [data for data in splits if data.split in _FOR_TRAINING]:
        return fit[0]
    names = ", ".join(data.split for data in splits)
    raise InputError(f"{splits[0].root}: expected a split to train on, got {names}; choose one with --split")


def _has_truth(clip: Clip) -> bool:
    """Whether names promise one."""
    if isinstance(clip.frames, VideoFrames):
        return clip.frames.alpha is not None
    return not isinstance(clip.frames, PictureFrames) or bool(_TRUTHS & set(clip.frames.roles))


def _opened(source: Source, clips: Sequence[Clip], broken: Sequence[Broken]) -> Opened:
    if not source.group:
        return Opened(source, clips, {clip.name: clip.group or clip.name for clip in clips}, broken)
    try:
        pattern = re.compile(source.group)
    except re.error as e:
        raise InputError(f"expected a regular expression for groups, got {source.group!r} ({e}); correct it") from e
    found = {clip.name: pattern.search(clip.name) for clip in clips}
    if lacking := [name for name, match in found.items() if match is None or not _named(match)]:
        raise InputError(
            f"{source.root}: expected {source.group!r} to find a group in every name, got none in {len(lacking)}, such "
            f"as {lacking[0]}; widen it"
        )
    return Opened(source, clips, {name: _named(match) for name, match in found.items() if match}, broken)


def _named(match: re.Match[str]) -> str:
    return "-".join(part for part in match.groups() if part) if match.re.groups else match[0]


def _background(root: Path, file: str, name: str) -> Clip:
    if Path(file).suffix.lower() in VIDEOS:
        return Clip(name, False, VideoFrames(name, root / file, None, "src"))
    return Clip(name, True, PictureFrames(root, ("src",), [(name, (file,))]))


def _all_files(tree: Tree, inside: str = "") -> list[str]:
    lead = f"{inside}/" if inside else ""
    files = [lead + name for name in tree.files(inside)]
    return files + [file for name in tree.folders(inside) for file in _all_files(tree, lead + name)]


def _is_frame(name: str, clip: Clip) -> bool:
    return not clip.still and name.startswith(f"{clip.name}/")
