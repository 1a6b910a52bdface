"""Test sets composed from cut-outs and backgrounds with a fixed seed: plain, moving, or hard for one named cause.

Composition and motion follow RVM's evaluation (Lin et al., WACV 2022): I = αF + (1 − α)B on 8-bit values; foreground
and background glide between two random affine maps (±10°, ±0.1 of the side, 0.9 … 1.1, shear ±5°), eased at random.
Everything about a clip is drawn from the seed and the clip's name, so a set grown or cut keeps its other clips.
"""

import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from koutu.data.scenes.motion import random_affine
from koutu.data.sets.open import Broken, DataSet, Example
from koutu.evaluation import causes
from koutu.evaluation.causes import Layers
from koutu.evaluation.gallery import file_name
from koutu.evaluation.run import RATE, Progress
from koutu.evaluation.settings import SetRecipe
from koutu.media.background import Background
from koutu.media.background_spec import make_background
from koutu.types import Frame, InputError, KoutuError, OutputError, Rgb

_BACKGROUNDS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".mp4", ".mov", ".mkv", ".webm", ".avi"})
_TURN, _SHIFT, _ZOOM, _SHEAR = 10.0, 0.1, 0.1, 5.0


class Source(Protocol):
    """Cut-outs of one person, or frames of a moving one."""

    @property
    def name(self) -> str: ...
    @property
    def still(self) -> bool: ...
    def __len__(self) -> int: ...
    def examples(self) -> Iterator[Example | Broken]: ...


@dataclass(frozen=True)
class ComposedClip:
    """A cut-out on a background, made when it is read; the same every time."""

    name: str
    still: bool
    source: Source
    other: Source  # whom "two-people" puts beside
    background: Path
    recipe: SetRecipe

    def __len__(self) -> int:
        return self.recipe.frames if self.source.still else min(self.recipe.frames, len(self.source))

    def examples(self) -> Iterator[Example | Broken]:
        """Frames with src, pha, fgr and bgr; what cannot be read makes one Broken, and the clip ends."""
        rng = np.random.default_rng([self.recipe.seed, zlib.crc32(self.name.encode())])
        cause = causes.CAUSES[self.recipe.cause or "plain"](rng, len(self))
        paths = [_path(rng, len(self), moves=self.recipe.moves and not self.still) for _ in range(2)]
        broken: list[Broken] = []
        yield from cause.finish(self._frames(cause, paths, broken))
        yield from broken

    def _frames(self, cause: causes.Cause, paths: Sequence[Any], broken: list[Broken]) -> Iterator[Example]:
        try:
            with make_background(self.background, fit="cover") as behind:
                for at, layers in enumerate(self._layers(behind)):
                    if at == 0:
                        cause.begin(layers)
                    front, back = (path(at, layers.pha.shape) for path in paths)
                    now = cause.frame(cause.apply(layers).moved(front, back), at)
                    pha = np.float32(1 / 255) * now.pha
                    src = cause.light(composite(now.fgr, pha, now.bgr), now, at)
                    fgr = None if cause.relights else now.fgr
                    yield Example(f"{self.name}/{at:04d}", src, pha, False, fgr=fgr, bgr=now.bgr)
        except KoutuError as e:
            broken.append(Broken(self.name, str(e)))

    def _layers(self, behind: Background) -> Iterator[Layers]:
        """What every frame is made of; a still cut-out again and again."""
        cutouts = _cutouts(self.source)
        other = next(_cutouts(self.other)) if self.recipe.cause == "two-people" else None
        cutout = None
        for at in range(len(self)):
            if cutout is None or not self.source.still:
                fgr, pha = next(cutouts)
                size = self.recipe.size or (pha.shape[0], pha.shape[1])
                cutout = placed(fgr, pha, size)
                other = None if other is None else placed(*other, size)
            bgr = np.asarray(behind(Frame(cutout[0], at, RATE), cutout[1]))
            yield Layers(*cutout, bgr, other)


def compose(cutouts: DataSet, backgrounds: Sequence[Path], recipe: SetRecipe | None = None) -> DataSet:
    """A set with truth from a set of cut-outs; clip i stands on background i of a shuffled list, again and again.

    Raises InputError for a set without cut-outs, no backgrounds, or a cause that is not one of `causes.CAUSES` or that
    needs clips.
    """
    recipe = recipe or SetRecipe()
    if not backgrounds:
        raise InputError("expected backgrounds to compose on, got none; name a folder of images")
    if recipe.cause and recipe.cause not in causes.CAUSES:
        raise InputError(f"expected a cause out of {', '.join(causes.CAUSES)}, got {recipe.cause!r}")
    if recipe.frames < 2 and recipe.cause in causes.MOVING:
        raise InputError(f"expected clips for {recipe.cause}, got stills; ask for 2 frames or more")
    sources: list[Source] = [*cutouts.clips]
    if not sources:
        raise InputError(f"expected cut-outs in {cutouts.root}, got none; give a set with foregrounds and alphas")
    order = np.random.default_rng(recipe.seed).permutation(len(backgrounds))
    sources, backgrounds = causes.chosen(recipe.cause, sources, list(backgrounds))
    order = order[order < len(backgrounds)]
    clips = [
        ComposedClip(source.name, recipe.frames < 2, source, sources[(i + len(sources) // 2) % len(sources)],
                     backgrounds[order[i % len(order)]], recipe)
        for i, source in enumerate(sources)
    ]  # fmt: skip
    name = f"{cutouts.name}-{recipe.cause or 'plain'}{'' if recipe.frames < 2 else f'-{recipe.frames}'}"
    return replace(cutouts, name=name, clips=clips, cutouts=False)


def backgrounds_in(folder: Path) -> list[Path]:
    """Pictures and videos of a folder, by name; raises InputError if there is none."""
    if not folder.is_dir():
        raise InputError(f"expected a folder of backgrounds, got {folder}; name one")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _BACKGROUNDS)
    if not found:
        raise InputError(f"expected images or videos in {folder}, found none ({' '.join(sorted(_BACKGROUNDS))})")
    return found


def save_set(data: DataSet, folder: Path, progress: Progress = lambda done, total, clip: None) -> list[Broken]:
    """Write a composed set as RVM's evaluation lays it out: folder/CLIP/{com,pha,fgr,bgr}/0000.png. The folder is new.

    Returns what could not be composed. Raises OutputError; what was written so far is then removed.
    """
    if folder.exists():
        raise OutputError(f"expected a new folder, but {folder} is there; remove it or name another")
    part = folder.with_name(f".{folder.name}.part")
    broken: list[Broken] = []
    try:
        shutil.rmtree(part, ignore_errors=True)
        for i, clip in enumerate(data.clips):
            progress(i, len(data.clips), clip.name)
            for at, example in enumerate(clip.examples()):
                if isinstance(example, Broken):
                    broken.append(example)
                    break
                _save_frame(example, part / file_name(clip.name), at)
        part.rename(folder)
    except OSError as e:
        raise OutputError(f"{folder} could not be written: {e.strerror or e}; make room or name another") from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return broken


def _save_frame(example: Example, folder: Path, at: int) -> None:
    pha = None if example.pha is None else np.rint(example.pha * 255).astype(np.uint8)
    parts = {"com": example.src, "pha": pha, "fgr": example.fgr, "bgr": example.bgr}
    for role, picture in parts.items():
        if picture is not None:
            (folder / role).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / role / f"{at:04d}.png", compress_level=1)


def composite(fgr: Rgb, pha: NDArray[Any], bgr: Rgb) -> Rgb:
    """αF + (1 − α)B, rounded to the nearest level."""
    alpha = pha[..., None]
    return np.rint(fgr * alpha + bgr * (1 - alpha)).astype(np.uint8)


def placed(fgr: Rgb, pha: NDArray[Any], size: tuple[int, int]) -> tuple[Rgb, NDArray[Any]]:
    """A cut-out on a canvas (H, W): as large as fits, its lower edge on the canvas's, in the middle."""
    if pha.shape == size:
        return fgr, pha
    scale = min(size[0] / pha.shape[0], size[1] / pha.shape[1])
    height, width = (max(1, min(side, round(own * scale))) for own, side in zip(pha.shape, size, strict=True))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fgr, pha = (np.asarray(cv2.resize(x, (width, height), interpolation=how)) for x in (fgr, pha))
    left = (size[1] - width) // 2
    around = (size[0] - height, 0), (left, size[1] - width - left)
    return np.pad(fgr, (*around, (0, 0)), mode="edge"), np.pad(pha, around)


def _cutouts(source: Source) -> Iterator[tuple[Rgb, NDArray[np.uint8]]]:
    """Every frame's colours (H, W, 3) and alpha (H, W), both uint8; raises InputError at the first without."""
    for example in source.examples():
        if isinstance(example, Broken):
            raise InputError(f"{example.name}: {example.reason}")
        if example.fgr is None or example.pha is None:
            raise InputError(f"{source.name}: expected foreground and alpha, got an image without; give cut-outs")
        yield example.fgr, np.rint(example.pha * 255).astype(np.uint8)


def _path(rng: np.random.Generator, frames: int, *, moves: bool) -> Any:
    """(frame, size) → a (2, 3) matrix, gliding between two random maps; the identity if it does not move."""
    draws = rng.integers(2**31, size=2)
    ease = _EASINGS[int(rng.integers(len(_EASINGS)))]

    def at(frame: int, size: tuple[int, int]) -> NDArray[np.float64]:
        if not moves:
            return np.eye(2, 3)
        ends = [
            random_affine(size, np.random.default_rng(draw), turn=_TURN, shift=_SHIFT, zoom=_ZOOM, shear=_SHEAR)
            for draw in draws
        ]
        share = ease(frame / max(1, frames - 1))
        return ends[0] * (1 - share) + ends[1] * share

    return at


_EASINGS = (
    lambda t: t,
    lambda t: t * t,
    lambda t: 1 - (1 - t) ** 2,
    lambda t: t * t * (3 - 2 * t),
    lambda t: t**3,
    lambda t: (1 - np.cos(np.pi * t)) / 2,
    lambda t: (1 - np.cos(4 * np.pi * t)) / 2,  # there and back, twice
)
