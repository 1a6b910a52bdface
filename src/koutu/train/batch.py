"""What a network is shown in a step, and where the samples come from: each from a seed of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from koutu.data.scenes.hints import view
from koutu.data.scenes.sample import Scenes
from koutu.train.recipe import Pass
from koutu.types import InputError

_SHAPE, _ORDER = 1, 2  # streams of the seeds that shapes and cuts, and scenes used again, are drawn from
_REMEMBERED = 192  # scenes that a worker keeps to use again


@dataclass(frozen=True)
class Batch:
    """Clips folded time-major: src, fgr, bgr (T·N, 3, H, W), pha (T·N, 1, H, W), all in [0, 1]; prev (N, 1, H, W).

    hints: what the network or the objective needs beside, (T·N, C, H, W); trimaps are exactly 0, 0.5 and 1.
    """

    src: Tensor
    pha: Tensor
    fgr: Tensor
    bgr: Tensor
    prev: Tensor
    hints: dict[str, Tensor]
    frames: int = 1

    def to(self, device: Any) -> "Batch":
        """The same on another device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("hints", "frames")}
        hints = {name: hint.to(device, non_blocking=True) for name, hint in self.hints.items()}
        return replace(self, **{k: v.to(device, non_blocking=True) for k, v in moved.items()}, hints=hints)


class Samples(Dataset):
    """Clip i of a run is made from the seed (seed, stream, i): not from workers, nor from where a run resumed.

    A process of `world` takes batch after batch of its own `rank`; `start`: the step to begin with.
    """

    def __init__(
        self,
        scenes: Scenes,
        given: Pass,
        needs: Sequence[str],
        *,
        seed: tuple[int, ...],
        steps: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
    ):
        self.scenes, self.given, self.needs, self.seed = scenes, given, tuple(needs), seed
        self.steps, self.start, self.rank, self.world = steps, start, rank, world
        self._block, self._order = -1, np.empty(0, int)
        self._kept: dict[int, dict[str, np.ndarray]] = {}  # scenes that serve more than one sample

    def __len__(self) -> int:
        return (self.steps - self.start) * self.given.batch

    def __getitem__(self, i: int) -> dict[str, np.ndarray]:
        step, place = divmod(i, self.given.batch)
        step += self.start
        number = (step * self.world + self.rank) * self.given.batch + place
        try:
            rng = np.random.default_rng((*self.seed, number, _SHAPE))
            size = size_at(self._made_at(number, step), self.given, self.steps)
            sample = self.sample(number, size) if self.given.reuse == 1 else varied(self._again(number, size), rng)
            return _cut(sample, shape_of(size, self.given, (*self.seed, step, _SHAPE)), rng)
        except Exception as e:
            raise InputError(f"sample {number} of seed {self.seed} could not be made: {type(e).__name__}: {e}") from e

    def _made_at(self, number: int, step: int) -> int:
        """The step whose size a sample has: where scenes are used again, the first of its block."""
        block = self.given.reuse * _REMEMBERED
        return step if self.given.reuse == 1 else number // block * block // (self.world * self.given.batch)

    def _again(self, number: int, size: int) -> dict[str, np.ndarray]:
        """A scene of the sample's block, drawn so that each serves `reuse` times."""
        block, place = divmod(number, self.given.reuse * _REMEMBERED)
        if block != self._block:
            self._block, self._kept = block, {}
            self._order = np.random.default_rng((*self.seed, block, _ORDER)).permutation(self.given.reuse * _REMEMBERED)
        scene = block * self.given.reuse * _REMEMBERED + int(self._order[place]) // self.given.reuse
        if scene not in self._kept:
            self._kept[scene] = self.sample(scene, size)
        return self._kept[scene]

    def sample(self, number: int, size: int) -> dict[str, np.ndarray]:
        """The arrays of one clip, uint8, (T, H, W[, C]) each; prev (H, W)."""
        rng = np.random.default_rng((*self.seed, number))
        scene = self.scenes(rng, size, self.given.frames)
        plain = {name: getattr(scene, name) for name in ("src", "pha", "fgr", "bgr", "prev")}
        return plain | {f"hint {name}": hint for name, hint in view(scene, self.needs, rng).items()}


def size_at(step: int, given: Pass, steps: int) -> int:
    """Side of the samples of a step."""
    return next((size for until, size in given.sizes if step < until * steps), given.sizes[-1][1])


def shape_of(size: int, given: Pass, seed: tuple[int, ...]) -> tuple[int, int]:
    """(h, w) of the samples of a step: the longer side as `size`, the shorter a multiple of 16."""
    ratio = given.aspect ** np.random.default_rng(seed).uniform(-1, 1)
    return min(size, round(size / ratio / 16) * 16), min(size, round(size * ratio / 16) * 16)


def _cut(arrays: dict[str, np.ndarray], shape: tuple[int, int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Some part of that shape of every array."""
    height, width = arrays["prev"].shape
    top, left = rng.integers(0, height - shape[0] + 1), rng.integers(0, width - shape[1] + 1)
    part = slice(top, top + shape[0]), slice(left, left + shape[1])
    return {name: x[part] if name == "prev" else x[(slice(None), *part)] for name, x in arrays.items()}


def varied(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A window of every array at the size of the whole, mirrored every second time; src darker, paler or tinted."""
    height, width = arrays["prev"].shape
    share, flip = rng.uniform(0.7, 1.0), rng.random() < 0.5
    top, left = rng.uniform(0, 1 - share, 2) * (height, width)
    window = np.array([[1 / share, 0, -left / share], [0, 1 / share, -top / share]])
    if flip:
        window[0] = -window[0] + [0, 0, width - 1]
    tone = rng.uniform(0.85, 1.15) * rng.uniform(0.94, 1.06, 3), rng.uniform(0.85, 1.2)
    table = np.clip(255 * np.outer(np.linspace(0, 1, 256) ** tone[1], tone[0]), 0, 255).astype(np.uint8)

    def seen(name: str, picture: np.ndarray) -> np.ndarray:
        flags = cv2.INTER_NEAREST if name == "hint trimap" else cv2.INTER_LINEAR
        out = cv2.warpAffine(picture, window, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.LUT(out, table[None]) if name == "src" else out)

    return {
        name: seen(name, x) if name == "prev" else np.stack([seen(name, frame) for frame in x])
        for name, x in arrays.items()
    }


def collate(samples: Sequence[dict[str, np.ndarray]]) -> Batch:
    """Clips into a batch; made in the loader's workers."""
    tensors = {name: torch.from_numpy(np.stack([s[name] for s in samples])) for name in samples[0]}
    folded = {name: _folded(x, name) for name, x in tensors.items()}
    hints = {name.removeprefix("hint "): x for name, x in folded.items() if name.startswith("hint ")}
    plain = {name: x for name, x in folded.items() if not name.startswith("hint ")}
    return Batch(**plain, hints=hints, frames=tensors["src"].shape[1])


def _folded(x: Tensor, name: str) -> Tensor:
    """uint8 (N, T, H, W[, C]) or (N, H, W) → float (T·N, C, H, W) in [0, 1]."""
    if name == "prev":
        return x[:, None].float() / 255
    x = x[..., None] if x.ndim == 4 else x
    x = x.transpose(0, 1).flatten(0, 1).permute(0, 3, 1, 2).float()
    if name == "hint trimap":
        return (x / 127.5).round() / 2
    return (x / 255).contiguous(memory_format=torch.channels_last)
