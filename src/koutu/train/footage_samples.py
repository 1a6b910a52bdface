"""Training samples of real clips: a frame, its rough mask and its photograph cropped alike, and another place."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.scenes.backgrounds import BackgroundDraw
from koutu.data.scenes.hints import view
from koutu.data.scenes.sample import Scene
from koutu.matting.plate import align
from koutu.train.batch import Samples
from koutu.train.footage import FootageClips
from koutu.train.recipe import Pass
from koutu.types import InputError

NEEDS = ("bgr", "seg", "mask")  # what can be had without a truth
ELSEWHERE = "elsewhere"
_SMALLEST = 0.6  # of the largest square in a frame, a crop's side
_PIXELS = 16  # every so manieth is asked whether it is the person's


class FootageSamples(Samples):
    """Samples whose pha is the rough mask and whose fgr is src: no objective that asks for the truth may have them.

    The photograph stands as hint "bgr" as it was taken, brought into line with the frame unless `footage` says not to;
    masks are changed as those of made scenes. Hint "elsewhere" is some other place to put the person before.
    """

    def __init__(self, clips: FootageClips, places: BackgroundDraw, given: Pass, needs: Sequence[str], **options: Any):
        unknown = [need for need in needs if need not in NEEDS]
        if unknown:
            raise InputError(f"expected a network that footage will do for, got one that needs {', '.join(unknown)}")
        super().__init__(None, given, needs, **options)  # type: ignore[arg-type]
        self.clips, self.places = clips, places

    def sample(self, number: int, size: int) -> dict[str, NDArray[Any]]:
        """The arrays of one frame, uint8, (1, size, size[, C]) each; prev (size, size)."""
        rng = np.random.default_rng((*self.seed, number))
        plate, frames = self.clips.held[int(rng.integers(len(self.clips.held)))]
        rgba = self.clips.pack[frames[int(rng.integers(len(frames)))]]
        src, bgr = np.ascontiguousarray(rgba[..., :3]), self.clips.pack[plate]
        if self.given.footage.align:
            bgr = align(bgr, src)
        part = _part(rgba[..., 3], rng)
        flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
        src, pha, bgr = (_resized(x[part], size)[None, :, flip] for x in (src, rgba[..., 3], bgr))
        scene = Scene(src, pha, src, bgr, np.zeros_like(pha[0]), coloured=False)
        hints = view(scene, [need for need in self.needs if need != "bgr"], rng)
        hints |= {"bgr": bgr, ELSEWHERE: self.places.texture(rng, (size, size))[None]}
        plain = {name: getattr(scene, name) for name in ("src", "pha", "fgr", "bgr", "prev")}
        arrays = plain | {f"hint {name}": hint for name, hint in hints.items()}
        return {name: np.ascontiguousarray(x) for name, x in arrays.items()}


def _part(mask: NDArray[Any], rng: np.random.Generator) -> tuple[slice, slice]:
    """A square that some pixel of the person lies in; anywhere if nobody is there."""
    side = round(min(mask.shape) * rng.uniform(_SMALLEST, 1))
    person = np.argwhere(mask[::_PIXELS, ::_PIXELS] > 127) * _PIXELS
    at = person[int(rng.integers(len(person)))] if len(person) else rng.uniform(0, 1, 2) * mask.shape
    corner = [
        round(min(max(0.0, float(x) - rng.uniform(0, side)), whole - side))
        for x, whole in zip(at, mask.shape, strict=True)
    ]
    return slice(corner[0], corner[0] + side), slice(corner[1], corner[1] + side)


def _resized(picture: NDArray[Any], size: int) -> NDArray[Any]:
    how = cv2.INTER_AREA if size < picture.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size, size), interpolation=how))
