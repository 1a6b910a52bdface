"""Masks of people out of COCO (instances, panoptic) and YouTube-VIS: images and clips that show at least one person.

All people of an image make one mask. A crowd, marked as a whole, counts as people: left out, it would teach that
people are background. Truths that are hidden (YouTube-VIS's valid and test) are None.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from koutu.data.sets.example import Broken, Clip, Example, Frames
from koutu.data.sets.pairs import Content
from koutu.data.sets.reading import assembled
from koutu.extras import pip_line
from koutu.media.image import read_image
from koutu.types import InputError, KoutuError

PERSON = "person"

Size = tuple[int, int]
Truth = Callable[[], NDArray[np.bool_]]


@dataclass(frozen=True)
class Segments:
    """The union of polygons and run-length codes, decoded when called."""

    parts: Sequence[Any]
    size: Size

    def __call__(self) -> NDArray[np.bool_]:
        """(H, W)."""
        from pycocotools import mask as codec

        whole = np.zeros(self.size, bool)
        for part in self.parts:
            coded = part
            if isinstance(part, list) or isinstance(part["counts"], list):
                coded = codec.frPyObjects(part, *self.size)  # pyright: ignore[reportArgumentType]
            found = np.asarray(codec.decode(coded))  # pyright: ignore[reportArgumentType]
            whole |= (found.any(2) if found.ndim == 3 else found) > 0
        return whole


@dataclass(frozen=True)
class Panoptic:
    """Where an image's red + 256 green + 65536 blue is one of the numbers."""

    path: Path
    numbers: Sequence[int]

    def __call__(self) -> NDArray[np.bool_]:
        """(H, W); raises InputError."""
        try:
            with Image.open(self.path) as image:
                rgb = np.asarray(image.convert("RGB"), np.uint32)
        except (OSError, SyntaxError, ValueError) as e:
            raise InputError(f"{self.path}: expected a whole image, got {e}; fetch it again") from e
        return np.isin(rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2], list(self.numbers))


@dataclass(frozen=True)
class MaskedFrames(Frames):
    """Pictures and their masks. rows: (name, image, truth or None where it is hidden)."""

    rows: Sequence[tuple[str, Path, Truth | None]]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def first_file(self) -> Path:
        """What the first image is read from."""
        return self.rows[0][1]

    def read(self, start: int, stop: int) -> Iterator[Example | Broken]:
        """Those from `start` to before `stop`."""
        for name, path, truth in self.rows[start:stop]:
            try:
                pha = None if truth is None else truth().astype(np.float32)
                yield assembled(name, {"src": read_image(path), "pha": pha, "binary": True})
            except (KoutuError, TypeError, ValueError, KeyError) as e:
                yield Broken(
                    name, str(e) if isinstance(e, KoutuError) else f"expected a mask as COCO codes it, got {e}"
                )


def instances(path: Path, pictures: Path) -> Content:
    """instances_*.json; `pictures` holds the files it names."""
    content = _read(path, "images", "annotations", "categories")
    require_codec()
    images, person = {image["id"]: image for image in content["images"]}, _person(content, path)
    parts: dict[int, list[Any]] = defaultdict(list)
    for note in content["annotations"]:
        if note["category_id"] == person:
            parts[note["image_id"]].append(note["segmentation"])
    rows = [
        (images[key]["file_name"], Segments(found, (images[key]["height"], images[key]["width"])))
        for key, found in parts.items() if key in images
    ]  # fmt: skip
    return _stills(rows, pictures)


def panoptic(path: Path, pictures: Path) -> Content:
    """panoptic_*.json beside a folder of its name with the masks."""
    content = _read(path, "images", "annotations", "categories")
    names, person = {image["id"]: image["file_name"] for image in content["images"]}, _person(content, path)
    rows = []
    for note in content["annotations"]:
        numbers = [s["id"] for s in note["segments_info"] if s["category_id"] == person]
        if numbers and note["image_id"] in names:
            masks = path.with_suffix("") if path.with_suffix("").is_dir() else path.parent.parent / path.stem
            rows.append((names[note["image_id"]], Panoptic(masks / note["file_name"], numbers)))
    return _stills(rows, pictures)


def youtube_vis(path: Path, pictures: Path) -> Content:
    """instances.json of a split; `pictures` is its JPEGImages."""
    content = _read(path, "videos", "categories")
    require_codec()
    hidden, person = not content.get("annotations"), _person(content, path)
    people: dict[int, list[list[Any]]] = defaultdict(list)
    for note in content.get("annotations") or []:
        if note["category_id"] == person:
            people[note["video_id"]].append(note["segmentations"])
    clips, broken = [], []
    for video in content["videos"]:
        if not hidden and video["id"] not in people:
            continue
        rows = []
        for at, file in enumerate(video["file_names"]):
            parts = [tracks[at] for tracks in people[video["id"]] if tracks[at]]
            truth = None if hidden else Segments(parts, (video["height"], video["width"]))
            rows.append((str(Path(file).with_suffix("")), pictures / file, truth))
        clips.append(Clip(str(Path(video["file_names"][0]).parent), False, MaskedFrames(rows)))
    return Content(clips, broken, False)


def require_codec() -> None:
    """Raise InputError if pycocotools, which decodes the masks, is not installed."""
    try:
        import pycocotools.mask  # noqa: F401
    except ImportError as e:
        raise InputError(f"expected pycocotools, which decodes COCO's masks, got none; {pip_line('data')}") from e


def _stills(rows: Sequence[tuple[str, Truth]], pictures: Path) -> Content:
    clips, broken = [], []
    there = {path.name for path in pictures.iterdir()} if pictures.is_dir() else set()
    for file, truth in sorted(rows, key=lambda row: row[0]):
        name = Path(file).stem
        if file in there:
            clips.append(Clip(name, True, MaskedFrames([(name, pictures / file, truth)])))
        else:
            broken.append(Broken(name, f"expected the image {pictures / file}, got none; fetch it"))
    return Content(clips, broken, False)


def _read(path: Path, *keys: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: expected annotations as JSON, got {e}; fetch it again") from e
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise InputError(f"{path}: expected annotations with {', '.join(keys)}, got none of {', '.join(missing)}")
    return content


def _person(content: dict[str, Any], path: Path) -> int:
    """The number of the category, which differs from set to set."""
    names = {category["name"]: category["id"] for category in content["categories"]}
    if PERSON not in names:
        raise InputError(f"{path}: expected a category {PERSON!r}, got {', '.join(names)}; this set shows nobody")
    return names[PERSON]
