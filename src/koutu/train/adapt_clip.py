"""Runs of consecutive frames spread over a clip, at a network's size, with the motion between them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.matting.shots import CUT_DIFFERENCE, CUT_SIZE, MAX_GAP
from koutu.media.reader import VideoReader, open_video
from koutu.metrics.no_reference import consistent, flow
from koutu.types import Frame, InputError, Rgb

LENGTH = 16  # frames of a run: with less history, the memory still fills, which looks like flicker
LEAST = 4  # runs: fewer cannot be split into those learnt from and those held out
_SPARE = 4  # times the wanted number are kept before every second goes: how long a file says it is may be wrong


@dataclass(frozen=True)
class Excerpt:
    """frames (T, h, w, 3) uint8, the first of them number `first` of the clip.

    backward (T − 1, h, w, 2): where each pixel was in the frame before; known (T − 1, h, w): where that can be trusted.
    """

    frames: NDArray[np.uint8]
    backward: NDArray[np.float32]
    known: NDArray[np.bool_]
    first: int

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class Sampled:
    """The runs of a clip in order; size: (h, w) of their frames; frames: of the whole clip; lost: what was damaged."""

    runs: tuple[Excerpt, ...]
    size: tuple[int, int]
    frames: int
    lost: str


Sizing = Callable[[tuple[int, int]], tuple[int, int]]  # (H, W) of an image → (h, w) that the network is shown
Watch = Callable[[int, int, str], None]  # done, of how many, what is going on


def sample(clip: Path, sizing: Sizing, *, frames: int, watch: Watch = lambda *_: None) -> Sampled:
    """About `frames` frames of a clip in runs of `LENGTH` without a cut, spread evenly; the clip is read once.

    Raises InputError for a clip that cannot be read, or that is too short.
    """
    wanted, every, count = max(LEAST, frames // LENGTH), 1, 0
    kept: list[tuple[int, int, list[Rgb]]] = []
    with open_video(clip) as reader:
        size = sizing(reader.size)
        for index, (last, stretch) in enumerate(_stretches(reader)):
            count = last
            watch(last, max(last, reader.frame_count or 0), "reading the clip")
            if not stretch or index % every:
                continue
            kept.append((index, last - LENGTH, [to_rgb(frame.picture, size) for frame in stretch]))
            if len(kept) > _SPARE * wanted:
                every *= 2
                kept = [k for k in kept if k[0] % every == 0]
        lost = str(reader.lost)
    if len(kept) < LEAST:
        raise InputError(
            f"{clip}: expected at least {LEAST} stretches of {LENGTH} frames without a cut, got {len(kept)} in "
            f"{count} frames; give a longer clip"
        )
    chosen = np.unique(np.linspace(0, len(kept) - 1, min(wanted, len(kept))).round().astype(int))
    runs = []
    for done, i in enumerate(chosen):
        watch(done, len(chosen), "following the motion")
        runs.append(run_of(kept[i][2], kept[i][1]))
    return Sampled(tuple(runs), size, count, lost)


def run_of(pictures: list[Rgb], first: int = 0) -> Excerpt:
    """A run of RGB images (h, w, 3) uint8 with the motion between them."""
    flows, trusted = [], []
    for previous, current in pairwise(pictures):
        backward = flow(previous, current)
        flows.append(backward)
        trusted.append(consistent(backward, flow(current, previous), previous, current))
    return Excerpt(np.stack(pictures), np.stack(flows), np.stack(trusted), first)


def _stretches(reader: VideoReader) -> Iterator[tuple[int, list[Frame]]]:
    """`LENGTH` frames of one shot each with the count of frames so far; at the end the count, and nothing."""
    stretch: list[Frame] = []
    before, count = None, 0
    for frame in reader:
        count += 1
        thumbnail = to_rgb(frame.picture, CUT_SIZE).astype(np.float32)
        if stretch and before is not None and _cut(stretch[-1], frame, before, thumbnail):
            stretch = []
        stretch.append(frame)
        before = thumbnail
        if len(stretch) == LENGTH:
            yield count, stretch
            stretch = []
    yield count, []


def _cut(last: Frame, frame: Frame, before: Rgb, thumbnail: Rgb) -> bool:
    if not 0 < frame.seconds - last.seconds <= MAX_GAP:
        return True
    return float(cv2.absdiff(thumbnail, before).mean()) > CUT_DIFFERENCE
