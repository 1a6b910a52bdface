"""Clips and the frames taken of them: videos, and folders of images in natural order."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from koutu.color import to_rgb
from koutu.data.mattes.clip_plan import ClipPlan
from koutu.data.mattes.one import RECORDS
from koutu.data.sets.fitting import shrunk
from koutu.data.sets.tree import PICTURES, VIDEOS, natural
from koutu.matting.shots import CUT_DIFFERENCE, CUT_SIZE
from koutu.media.image import read_image
from koutu.media.reader import open_video
from koutu.types import InputError, Rgb

_DIGITS = 6  # of a frame's name


@dataclass(frozen=True)
class ClipFrames:
    """Every `step`-th frame of a clip, `count` in all, their longer side at most `long_side`; iterated at will.

    Gives (name, (H, W, 3) uint8): the frame's number in a video from 0, the image's name in a folder.
    """

    path: Path
    count: int
    step: int = 1
    long_side: int = 0

    def __iter__(self) -> Iterator[tuple[str, Rgb]]:
        frames = _of_folder(self.path, self.step) if self.path.is_dir() else _of_video(self.path, self.step)
        size = None
        for name, rgb in frames:
            if size is not None and rgb.shape != size:
                sizes = [f"{shape[1]}×{shape[0]}" for shape in (size, rgb.shape)]
                raise InputError(
                    f"{self.path}: expected frames of {sizes[0]} as at first, got {sizes[1]} at {name}; part it there"
                )
            size = rgb.shape
            yield name, shrunk(rgb, self.long_side)


def taken(path: Path, plan: ClipPlan, long_side: int = 0) -> ClipFrames:
    """The frames that a plan takes of a clip that is whole; raises InputError."""
    held = len(images_by_name(path)) if path.is_dir() else _count(path)
    if not held:
        raise InputError(f"{path}: expected images of frames in the folder, got none; name the folder that holds them")
    step = max(plan.every, -(-held // plan.frames) if plan.frames else 1)
    return ClipFrames(path, -(-held // step), step, long_side)


def find_clips(root: Path) -> dict[str, Path]:
    """Name → video or folder of frames, in natural order; none where images lie, or nothing of the kind.

    Mattes of an earlier run are no clip. Raises InputError for two clips of one name, and videos beside images.
    """
    if root.is_file():
        return {root.stem: root} if root.suffix.lower() in VIDEOS else {}
    if not root.is_dir():
        return {}
    try:
        held = sorted((p for p in root.iterdir() if not p.name.startswith(".")), key=lambda path: natural(path.name))
        images, videos = (
            [p for p in held if p.is_file() and p.suffix.lower() in kinds] for kinds in (PICTURES, VIDEOS)
        )
        if images and videos:
            raise InputError(f"{root}: expected images or videos, got {images[0]} and {videos[0]}; part them")
        if images:
            return {}
        folders = [p for p in held if p.is_dir() and not (p / RECORDS).is_dir() and _images(p)]
        clips = [p for p in held if p in folders or p in videos]
    except OSError as e:
        raise InputError(f"{root}: expected a folder that can be read, got {e.strerror}; check its permissions") from e
    found: dict[str, Path] = {}
    for path in clips:
        name = path.name if path.is_dir() else path.stem
        if name in found:
            raise InputError(f"{path}: expected one clip of this name, got {found[name]} too; rename one")
        found[name] = path
    return found


def images_by_name(path: Path) -> dict[str, Path]:
    """Name without ending → image of a folder, in natural order; raises InputError for two of one name."""
    found: dict[str, Path] = {}
    for image in _images(path):
        if image.stem in found:
            raise InputError(f"{image}: expected one image of this name, got {found[image.stem]} too; rename one")
        found[image.stem] = image
    return found


def cut_between(before: Rgb, after: Rgb) -> bool:
    """Whether a shot ends between two frames: much has changed, and in most places; who enters is seen in few."""
    small = [cv2.resize(x, CUT_SIZE[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) for x in (before, after)]
    change = np.abs(small[0] - small[1]).mean(axis=2)
    return float(change.mean()) > CUT_DIFFERENCE and float(np.median(change)) > CUT_DIFFERENCE / 3


def _of_video(path: Path, step: int) -> Iterator[tuple[str, Rgb]]:
    with open_video(path) as reader:
        for number, frame in enumerate(reader):
            if number % step == 0:
                yield f"{number:0{_DIGITS}}", to_rgb(frame.picture, frame.size)


def _of_folder(path: Path, step: int) -> Iterator[tuple[str, Rgb]]:
    for name, image in list(images_by_name(path).items())[::step]:
        yield name, read_image(image)


def _images(path: Path) -> list[Path]:
    found = [p for p in path.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith(".")]
    return sorted(found, key=lambda image: natural(image.name))


def _count(path: Path) -> int:
    """Frames of a video, all of which can be decoded."""
    with open_video(path) as reader:
        count = sum(1 for _ in reader)
        if reader.lost:
            raise InputError(f"{path}: expected a whole clip, got {reader.lost}; repair it or leave it out")
    return count
