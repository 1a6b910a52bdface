"""Where COCO and YouTube-VIS keep their annotations and images."""

from collections.abc import Callable, Iterable
from pathlib import Path

from koutu.data.sets import coco
from koutu.data.sets.pairs import Content
from koutu.data.sets.tree import Tree

COCO_FILES = "annotations/instances_{split}.json or panoptic_{split}.json, and pictures in {split} or images/{split}"
YOUTUBE_VIS_FILES = "{split}/instances.json and {split}/JPEGImages"
_JSON = frozenset({".json"})
_IMAGES = ("{split}", "images/{split}", "images")

Splits = dict[str, Callable[[], Content]]


def coco_splits(tree: Tree) -> Splits:
    """val2017, train2017, panoptic-val2017, …"""
    kinds = (("", "instances_{split}", coco.instances), ("panoptic-", "panoptic_{split}", coco.panoptic))
    found: Splits = {}
    for prefix, name, read in kinds:
        for split, content in _splits(tree, (f"annotations/{name}", name), _IMAGES, read):
            found.setdefault(prefix + split, content)
    return found


def youtube_vis_splits(tree: Tree) -> Splits:
    """valid, train, test."""
    return dict(_splits(tree, ("{split}/instances",), ("{split}/JPEGImages",), coco.youtube_vis))


def _splits(
    tree: Tree, templates: Iterable[str], pictures: Iterable[str], read: Callable[[Path, Path], Content]
) -> Iterable[tuple[str, Callable[[], Content]]]:
    """Splits with their annotations and a folder of images, those for validation first."""
    matches = [match for template in templates for match in tree.matches(template, _JSON)]
    for fields, path in sorted(matches, key=lambda match: not match[0]["split"].lower().startswith("val")):
        folders = (tree.root / folder.format(**fields) for folder in pictures)
        there = next((folder for folder in folders if folder.is_dir()), None)
        if there is not None:
            yield fields["split"], lambda path=tree.root / path, there=there: read(path, there)
