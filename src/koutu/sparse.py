"""Few pixels of a picture: where they lie, and what a coarser grid has there. Most of a matte is 0 or 255."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Alpha

STRIP = 64  # rows worked on at a time: temporaries stay in the cache, and cost no fresh pages of memory
RUN = 32000  # pixels worked on at a time, likewise; cv2 takes no more than 32767 in a row

MANY = 1 / 16  # share of a plane's pixels, from which on it is quicker to work on all

At: TypeAlias = NDArray[np.intp]
Box: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Rim:
    """Pixels of a plane (h, w) where 0 < alpha < 255: flat indices in order, rows, columns and alpha, all (N,)."""

    at: At
    rows: NDArray[np.uint16]
    columns: NDArray[np.uint16]
    alpha: Alpha

    def box(self, times: int = 1) -> Box:
        """The smallest part of a plane so many times larger that holds it."""
        rows, columns = (
            slice(times * int(index.min(initial=65535)), times * (int(index.max(initial=0)) + 1))
            for index in (self.rows, self.columns)
        )
        return rows, columns

    def runs(self) -> "Iterator[Rim]":
        """The same in pieces."""
        for i in range(0, len(self.at), RUN):
            run = slice(i, i + RUN)
            yield Rim(self.at[run], self.rows[run], self.columns[run], self.alpha[run])

    def inside(self, box: Box, grid: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Columns and rows in the pixels of a grid (h, w) that covers a part of the plane."""
        x, y = (
            (index.astype(np.float32) + np.float32(0.5 - part.start)) * np.float32(n / (part.stop - part.start)) - 0.5
            for index, part, n in ((self.columns, box[1], grid[1]), (self.rows, box[0], grid[0]))
        )
        return x, y


def rim_of(alpha: Alpha) -> Rim | None:
    """The rim of a matte (h, w); None if it is more than `MANY` of it."""
    width, parts, count = alpha.shape[1], [np.zeros(0, np.intp)], 0
    for top in range(0, alpha.shape[0], STRIP):
        part = np.flatnonzero(alpha[top : top + STRIP] - np.uint8(1) < 254)  # 0 becomes 255
        count += len(part)
        if count > max(RUN, MANY * alpha.size):
            return None
        parts.append(part + top * width)
    at = np.concatenate(parts)
    rows, columns = places(at, alpha.shape)
    return Rim(at, rows.astype(np.uint16), columns.astype(np.uint16), alpha.reshape(-1).take(at))


def places(at: At, size: tuple[int, ...]) -> tuple[At, At]:
    """Rows and columns of flat indices, in order, into a plane of `size` (h, w)."""
    height, width = size
    first = np.searchsorted(at, np.arange(height + 1) * width)
    rows = np.repeat(np.arange(height), np.diff(first))
    return rows, at - rows * width


def sampled(grid: NDArray, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray:
    """Bilinear values (C, N) of a grid (h, w) or (h, w, C) of at most four channels at N places, in its own pixels."""
    parts = [np.zeros((1 if grid.ndim == 2 else grid.shape[2], 0), grid.dtype)]
    for i in range(0, len(x), RUN):
        run = slice(i, i + RUN)
        part = cv2.remap(grid, x[None, run], y[None, run], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        parts.append(np.ascontiguousarray(part.reshape(part.shape[1], -1).T))
    return parts[1] if len(parts) == 2 else np.concatenate(parts, axis=1)
