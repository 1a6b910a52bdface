"""The check that every export passes: a real clip rolled out by the file and by torch, each with its own memory."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.engines.exported.backend import ExportedBackend
from koutu.export.defaults import FRAMES
from koutu.export.deployed import Deployed
from koutu.export.job import Watch
from koutu.media.reader import open_video
from koutu.metrics.video import PRINTED, dtssd
from koutu.types import InputError, KoutuError

UPRIGHT = 12  # frames of the same clip turned upright, where the size is any


class ParityError(KoutuError, ValueError):
    """The exported file and torch part too far; nothing was written."""

    exit_code = 9


@dataclass(frozen=True)
class Bounds:
    """What an export may differ by: largest and mean |difference| of alpha, and dtSSD × 100."""

    largest: float
    mean: float
    dtssd: float


# Set by what was measured (docs/export.md), with room for other networks and processors.
BOUNDS = {
    "fp32": Bounds(0.01, 1e-4, 0.02),
    "fp16": Bounds(0.1, 1e-3, 0.2),
    "int8": Bounds(0.8, 2e-3, 1.0),
}


@dataclass(frozen=True)
class ClipDifference:
    """What it differs by over the frames of a clip; `size`: (H, W) of the pictures."""

    clip: str
    frames: int
    size: tuple[int, int]
    largest: float
    mean: float
    dtssd: float

    def within(self, bounds: Bounds) -> bool:
        """Whether all are numbers and none is beyond its bound."""
        pairs = ((self.largest, bounds.largest), (self.mean, bounds.mean), (self.dtssd, bounds.dtssd))
        return all(isfinite(found) and found <= allowed for found, allowed in pairs)


def pictures(path: Path, backend: Any, frames: int, *, upright: bool = False) -> NDArray[Any]:
    """The first `frames` pictures of a clip (T, h, w, 3) uint8 in the size that a file wants; a short clip is looped.

    upright: the sides of what is asked for change places. Raises InputError for a clip of fewer than two frames.
    """
    with open_video(path) as reader:
        size = reader.size[::-1] if upright else reader.size
        size = backend.network_size(size)
        found = [to_rgb(frame.picture, size) for frame in islice(reader, frames)]
    if len(found) < 2:
        raise InputError(f"{path}: expected a clip of two frames or more, got {len(found)}; give a longer one")
    return np.stack([found[i % len(found)] for i in range(frames)])


def rolled_out(backend: Any, rgb: NDArray[Any]) -> list[NDArray[np.float32]]:
    """Alphas (h, w) of a clip (T, h, w, 3) by a backend with its own memory, the first frame seen twice as in use."""
    state = backend.initial_state(rgb.shape[1:3])
    phas = []
    for t, frame in enumerate((rgb[0], *rgb)):
        _, pha, state = backend(frame, state)
        if t:
            phas.append(pha)
    return phas


def both_rolled_out(first: Any, second: Any, rgb: NDArray[Any]) -> list[list[NDArray[np.float32]]]:
    """`rolled_out` of two backends at the same time: each leaves a core idle, and neither waits for the other."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda backend: rolled_out(backend, rgb), (first, second)))


class Reference:
    """The network in torch, rolled out as a backend is."""

    def __init__(self, module: Deployed):
        self._module = module

    def initial_state(self, size: tuple[int, int]) -> list[Any]:
        """Empty memory for pictures of (H, W)."""
        return self._module.initial_state(size)

    def __call__(self, rgb: NDArray[Any], state: list[Any]) -> tuple[None, NDArray[np.float32], list[Any]]:
        pha, state = self._module.step(rgb, state)
        return None, pha.numpy(), state


def compared(
    found: Sequence[NDArray[np.float32]], true: Sequence[NDArray[np.float32]], clip: str, size: tuple[int, int]
) -> ClipDifference:
    """Figures of two sequences of alphas; NaN where there are alphas that are no numbers."""
    if not all(np.isfinite(pha).all() for pha in (*found, *true)):
        return ClipDifference(clip, len(found), size, nan, nan, nan)
    off = [np.abs(a - b) for a, b in zip(found, true, strict=True)]
    steps = [
        dtssd(np.clip(a, 0, 1), np.clip(b, 0, 1), np.clip(after, 0, 1), np.clip(then, 0, 1))
        for (a, after), (b, then) in zip(pairwise(found), pairwise(true), strict=True)
    ]
    worst, mean = max(float(x.max()) for x in off), float(np.mean([x.mean() for x in off]))
    return ClipDifference(clip, len(off), size, worst, mean, PRINTED["dtssd"] * float(np.mean(steps)))


def figures(
    backend: ExportedBackend, module: Deployed, clips: Sequence[Path], frames: int, watch: Watch
) -> list[ClipDifference]:
    """How the file differs from torch on each clip, and where its size is any, on the first one upright too."""
    plans = [(clip, frames, False) for clip in clips]
    if module.geometry.size is None:
        plans.append((clips[0], UPRIGHT, True))
    results = []
    for i, (clip, count, upright) in enumerate(plans):
        watch(i, len(plans), f"parity on {clip.name}")
        rgb = pictures(clip, backend, count, upright=upright)
        found, true = both_rolled_out(backend, Reference(module), rgb)
        name = clip.name + (", upright" if upright else "")
        results.append(compared(found, true, name, (rgb.shape[1], rgb.shape[2])))
    return results


def largest_on_noise(backend: Any, module: Deployed) -> float:
    """The largest difference of alpha between a file of any size and torch, over frames of moving noise."""
    stride = module.network.stride
    scene = np.random.default_rng(0).integers(0, 256, (4 * stride, 5 * stride, 3), np.uint8)
    rgb = np.stack([np.roll(scene, 3 * t, axis=1) for t in range(FRAMES)])
    size = (4 * stride, 5 * stride)
    return compared(rolled_out(backend, rgb), rolled_out(Reference(module), rgb), "noise", size).largest


def require_parity(found: Sequence[ClipDifference], bounds: Bounds, name: str, true: str, remedy: str) -> None:
    """Raise ParityError with the figures of the first clip that is beyond the bounds; `true`: what `name` should do."""
    for row in found:
        if not row.within(bounds):
            raise ParityError(
                f"expected {name} to stay within {bounds.largest:g} (largest), {bounds.mean:g} (mean) and "
                f"{bounds.dtssd:g} (dtSSD × 100) of {true}, got {row.largest:.2g}, {row.mean:.2g} and {row.dtssd:.2g} "
                f"on {row.frames} frames of {row.clip}; nothing was written. {remedy}"
            )
