"""Data sets of the field as they lie on disk: found by what is there, read one example at a time, nothing skipped."""

import os
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

from koutu.data.sets import rendered, video_folder, videomatting108
from koutu.data.sets.annotated import COCO_FILES, YOUTUBE_VIS_FILES, coco_splits, youtube_vis_splits
from koutu.data.sets.example import Broken, Clip, DataSet, Example, Frames
from koutu.data.sets.layouts import GENERAL, LAYOUTS, Form
from koutu.data.sets.pairs import Content, complete, content, present
from koutu.data.sets.tree import PICTURES, VIDEOS, Tree
from koutu.types import InputError

__all__ = ["Broken", "Clip", "DataSet", "Example", "Frames", "layout_names", "open_dataset", "open_splits"]

AUTO = "auto"
_TOPS = 30  # folders in the root, at most, for one of them to be the set's own

Splits: TypeAlias = Mapping[str, Callable[[], Content]]


def open_dataset(root: str | os.PathLike[str], layout: str = AUTO, split: str = AUTO) -> DataSet:
    """The split of the data set in a folder (or of a video file); docs/datasets.md lists layouts and their splits.

    layout: found by what is there. split: of those that are there the first test split, or else the first; a word
    that several begin with, such as "test", takes the first of them. Only names are read. Raises InputError with what
    was looked for and what was found.
    """
    name, splits = _found(Path(root), layout)
    if split == AUTO:
        split = next(iter(splits))
    chosen = next((s for s in splits if s == split), None) or next((s for s in splits if s.startswith(f"{split}-")), "")
    if not chosen:
        raise InputError(f"{root}: expected the split {split} of {name}, got {', '.join(splits)}; choose one of them")
    return _opened(Path(root), name, chosen, splits)


def open_splits(root: str | os.PathLike[str], layout: str = AUTO) -> list[DataSet]:
    """Every split that is there; raises InputError as `open_dataset`."""
    name, splits = _found(Path(root), layout)
    return [_opened(Path(root), name, split, splits) for split in splits]


def layout_names() -> list[str]:
    """What `layout` may be."""
    return [
        *(name for name in LAYOUTS if name not in GENERAL),
        *_SPECIAL,
        *(name for name in LAYOUTS if name in GENERAL),
    ]


def _opened(root: Path, layout: str, split: str, splits: Splits) -> DataSet:
    held = splits[split]()
    if not held.clips:
        few = "".join(f"\n  {item.name}: {item.reason}" for item in held.broken[:3])
        raise InputError(f"{root}: expected complete examples of {layout} ({split}), got none{few}")
    name = Path(os.path.abspath(root)).name
    return DataSet(
        name if len(splits) == 1 else f"{name}-{split}", layout, split, root, held.clips, held.broken, held.cutouts
    )


def _found(root: Path, layout: str) -> tuple[str, Splits]:
    """The layout and its splits that are there."""
    if not root.exists():
        raise InputError(f"{root}: expected a data set, got nothing of this name; check the path")
    names = layout_names()
    if layout not in (AUTO, *names):
        raise InputError(f"expected a layout out of {', '.join(names)}, got {layout!r}; choose one, or auto")
    if root.is_file():
        return "video", video_folder.single(root)
    tree = Tree(root)
    tops = tree.folders() if len(tree.folders()) <= _TOPS else []
    tried = names if layout == AUTO else [layout]
    groups = [n for n in tried if n not in GENERAL], [n for n in tried if n in GENERAL]
    # Complete examples anywhere come before files that lack their other half, whose error tells what is missing.
    for whole, group in ((whole, group) for whole in (True, False) for group in groups):
        if found := _first(tree, group, whole=whole):
            return found
        inside = {top: found for top in tops if (found := _first(Tree(root / top), group, whole=whole))}
        if len(inside) > 1:
            few = ", ".join(f"{top} ({name})" for top, (name, _) in inside.items())
            raise InputError(f"{root}: expected one data set, got several: {few}; name one of the folders")
        if inside:
            return next(iter(inside.values()))
    raise InputError(_explained(tree, tried))


def _first(tree: Tree, layouts: list[str], *, whole: bool) -> tuple[str, Splits] | None:
    """The first layout that has files; whole: complete examples."""
    found = ((name, splits) for name in layouts if (splits := _splits(tree, name)))
    return next((each for each in found if not whole or any(split().clips for split in each[1].values())), None)


def _splits(tree: Tree, layout: str) -> Splits:
    if layout in _SPECIAL:
        return _SPECIAL[layout][1](tree)
    found: dict[str, Callable[[], Content]] = {}
    for split, forms in LAYOUTS[layout].items():
        here = [form for form in forms if present(tree, form)]
        there = next((form for form in here if complete(tree, form)), here[0] if here else None)
        if there is not None and not (layout == "folder" and split == "pictures" and found):
            found[split] = cache(partial(content, tree, there))
    paired = {split: held for split, held in found.items() if held().clips} if layout in GENERAL else {}
    return paired or found


def _explained(tree: Tree, layouts: list[str]) -> str:
    """What lies there, and for each layout what would have to."""
    here = [*(f"{name}/" for name in tree.folders()), *tree.files()]
    lines = [
        f"{tree.root}: expected a data set, got {', '.join(here[:8]) or 'an empty folder'}{', …' * (len(here) > 8)}"
    ]
    for layout in layouts:
        if layout in _SPECIAL:
            lines.append(f"  {layout}: looked for {_SPECIAL[layout][0]}, found none")
            continue
        forms = [form for forms in LAYOUTS[layout].values() for form in forms]
        shown = forms if len(layouts) == 1 else [max(forms, key=lambda form: len(_there(tree, form)))]
        lines += [f"  {layout}: looked for {_described(tree, form)}" for form in shown]
    return "\n".join([*lines, "give --layout and the set's own top folder; docs/datasets.md shows what each expects"])


def _there(tree: Tree, form: Form) -> list[str]:
    endings = VIDEOS if form.videos else PICTURES
    return [role for role in form.required if next(tree.matches(form.parts[role], endings), None)]


def _described(tree: Tree, form: Form) -> str:
    found = _there(tree, form)
    parts = (f"{role} at {_short(form.parts[role])} ({'found' if role in found else 'none'})" for role in form.required)
    return " and ".join(parts)


def _short(template: str) -> str:
    """Long lists of words cut."""
    return re.sub(r"\(((?:[^|)]*\|){3})[^)]*\)", r"(\1…)", template)


# Layouts that no table describes: what they look for, and how.
_SPECIAL: dict[str, tuple[str, Callable[[Tree], Splits]]] = {
    "rendered": (rendered.LOOKED_FOR, rendered.splits),
    "videomatting108": (videomatting108.LOOKED_FOR, videomatting108.splits),
    "coco": (COCO_FILES, coco_splits),
    "youtube-vis": (YOUTUBE_VIS_FILES, youtube_vis_splits),
    "video": (video_folder.LOOKED_FOR, video_folder.splits),
}
