"""What a data set gives: images with their truth, one at a time, and what could not be read."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from koutu.types import Rgb


@dataclass(frozen=True)
class Example:
    """One image or frame, read into memory; parts that the set does not have are None.

    src: (H, W, 3) uint8, the composed image. pha: (H, W) float32 in [0, 1], the true alpha. binary: the truth is a
    mask, not a matte. fgr, bgr: (H, W, 3) uint8. trimap: (H, W) uint8 {0, 128, 255}. flow: (H, W, 2) float32, pixels to
    the next frame as (dx, dy), NaN where invalid. name: unique within the set, "clip/frame" or the image's stem.
    """

    name: str
    src: Rgb | None
    pha: NDArray | None
    binary: bool
    fgr: Rgb | None = None
    bgr: Rgb | None = None
    trimap: NDArray | None = None
    flow: NDArray | None = None


@dataclass(frozen=True)
class Broken:
    """Something that should be there and cannot be used; reason: what was expected and what was found."""

    name: str
    reason: str


class Frames(ABC):
    """Where a clip's examples come from."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, start: int, stop: int) -> Iterator[Example | Broken]:
        """Those from `start` to before `stop`, in order."""

    @property
    def first_file(self) -> Path | None:
        """What the first image is read from; None where that is no image of its own."""
        return None


@dataclass(frozen=True)
class Clip:
    """Frames that follow each other, or a single image (`still`): no memory is carried then.

    group: whom it shows, where the set says so; licence: likewise. whole: made to be kept with all its frames.
    """

    name: str
    still: bool
    frames: Frames
    group: str = ""
    licence: str = ""
    whole: bool = False

    def __len__(self) -> int:
        return len(self.frames)

    def examples(self, start: int = 0, stop: int | None = None) -> Iterator[Example | Broken]:
        """In order, one in memory at a time; as many as len() says if nothing is broken."""
        return self.frames.read(start, len(self) if stop is None else min(stop, len(self)))


@dataclass(frozen=True)
class DataSet:
    """A split of a data set, found on disk; nothing but names has been read yet.

    broken: what names alone show to be unusable, such as pairs with a missing half. cutouts: the set has foregrounds
    and alphas only, to be composed before a network sees them (src is None).
    """

    name: str
    layout: str
    split: str
    root: Path
    clips: Sequence[Clip]
    broken: Sequence[Broken]
    cutouts: bool
