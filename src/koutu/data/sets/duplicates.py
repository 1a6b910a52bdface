"""Pictures that show the same, found by hashes of what they look like; quick enough for a hundred thousand of them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.types import Rgb

NEAR = 6  # bits of the coarse hash, 64, that may differ
_ALSO = 36  # bits of the fine hash, 256: studio portraits of different people agree in the coarse one
_BLOCK = 1024  # hashes compared at a time with all of their bucket
_BITS = np.array([bin(i).count("1") for i in range(1 << 16)], np.uint8)

Mark = NDArray[np.uint64]  # (5,): the coarse hash, and the fine one


def mark(rgb: Rgb) -> Mark:
    """What an image (H, W, 3) uint8 looks like: which low frequencies of its brightness lie above their median.

    Stays nearly the same when an image is scaled, compressed, made lighter or grey; not when mirrored or cropped.
    """
    grey = cv2.cvtColor(cv2.resize(rgb, (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    waves = cv2.dct(grey.astype(np.float32))
    return np.concatenate([_hash(waves[:side, :side]) for side in (8, 16)])


def alike(marks: Sequence[Mark], near: int = NEAR) -> list[list[int]]:
    """Groups of indexes whose images look like another of their group: at most `near` of 64 coarse bits differ."""
    if not marks:
        return []
    distinct, where = np.unique(np.stack(marks), axis=0, return_inverse=True)
    parents = list(range(len(distinct)))

    def top(i: int) -> int:
        while parents[i] != i:
            parents[i] = parents[parents[i]]
            i = parents[i]
        return i

    for left, right in _near_pairs(distinct[:, 0], near):
        if _distance(distinct[left, 1:], distinct[right, 1:]).sum() <= _ALSO:
            parents[top(left)] = top(right)
    groups: dict[int, list[int]] = {}
    for index, i in enumerate(where.ravel().tolist()):
        groups.setdefault(top(i), []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def _hash(waves: NDArray[Any]) -> Mark:
    levels = waves.ravel()
    return np.packbits(levels > np.median(levels[1:])).view(np.uint64)  # the first is the mean brightness


def _near_pairs(hashes: Mark, near: int) -> Iterator[tuple[int, int]]:
    """Pairs at most `near` apart: cut in near + 1 pieces, two such hashes have at least one piece in common."""
    for start, stop in pairwise(np.linspace(0, 64, near + 2).round().astype(int).tolist()):
        pieces = (hashes >> np.uint64(start)) & np.uint64((1 << (stop - start)) - 1)
        order = np.argsort(pieces, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(pieces[order])) + 1):
            for at in range(0, len(bucket), _BLOCK):
                rows = bucket[at : at + _BLOCK]
                close = _distance(hashes[rows][:, None], hashes[bucket[at:]][None]) <= near
                for i, j in np.argwhere(np.triu(close, 1)):
                    yield int(rows[i]), int(bucket[at + j])


def _distance(left: Mark, right: Mark) -> NDArray[np.uint8]:
    """Bits in which 64-bit numbers differ."""
    differ = np.ascontiguousarray(left ^ right)
    return _BITS[differ.view(np.uint16).reshape(*differ.shape, 4)].sum(-1, dtype=np.uint8)
