"""What a gate or int8 scales are calibrated on: made scenes of people held out from training, videos of one's own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.data.packs.pack import Pack, split
from koutu.data.scenes.config import SceneConfig
from koutu.data.scenes.sample import Scenes
from koutu.export.defaults import SceneSources
from koutu.media.reader import open_video
from koutu.types import InputError

SIZES = ((720, 1280), (720, 1280), (1280, 720))  # that scenes in turn stand for, made in the network's size of them
_SEED = 5  # first number of every scene's seed, unlike those of training and validation

Sizing = Callable[[tuple[int, int]], tuple[int, int]]  # (H, W) of a picture → (h, w) that the network is shown
Watch = Callable[[int, int, str], None]  # done, of how many, what is going on


@dataclass(frozen=True)
class CalibrationClip:
    """Pictures (T, h, w, 3) uint8 in the network's size; pha (T, h, w) uint8 where the truth is known."""

    src: NDArray[Any]
    pha: NDArray[Any] | None = None


def made(given: SceneSources, sizing: Sizing, watch: Watch = lambda *_: None) -> Iterator[CalibrationClip]:
    """Scenes of people that training held out, on the packed places, in landscape and every third upright.

    Raises InputError for packs that cannot be read.
    """
    people, backgrounds = Pack(given.people), Pack(given.backgrounds)
    names = {entry.source for entry in backgrounds.entries}
    cfg = SceneConfig(strands=0.0, background_weights=tuple((name, 1.0) for name in sorted(names)))
    scenes = Scenes(people, backgrounds, split(people, given.held_out)[1], cfg)
    for i in range(given.scenes):
        watch(i, given.scenes, "making scenes")
        size = sizing(SIZES[i % len(SIZES)])
        scene = scenes(np.random.default_rng((_SEED, given.seed, i)), size, given.frames)
        yield CalibrationClip(scene.src, scene.pha)


def clip_of(path: Path, sizing: Sizing, *, frames: int = 120) -> CalibrationClip:
    """The first frames of a video; raises InputError if there are not at least two."""
    with open_video(path) as reader:
        size = sizing(reader.size)
        pictures = [to_rgb(frame.picture, size) for frame in islice(reader, frames)]
    if len(pictures) < 2:
        raise InputError(f"{path}: expected a video of two frames or more, got {len(pictures)}; give a longer one")
    return CalibrationClip(np.stack(pictures))


def halves(clip: CalibrationClip) -> list[CalibrationClip]:
    """One clip as two, the second of which is later."""
    middle = len(clip.src) // 2
    return [
        CalibrationClip(clip.src[part], None if clip.pha is None else clip.pha[part])
        for part in (slice(middle), slice(middle, None))
    ]
