"""Closed-form and KNN matting of large images in bounded memory, from a first guess of alpha.

The systems of Levin et al., TPAMI 2008, and Chen et al., TPAMI 2013, of the unknown pixels alone, in tiles; by the
library `pymatting`.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.classical import Method, library
from koutu.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from koutu.types import Rgb

Floats = NDArray[np.float32]

TILE = 900  # pixels a side of what is solved at once: about half a gigabyte
_MARGIN = 24  # pixels that tiles see of each other
_SHIFTS = (3e-3, 3e-2, 0.1, 0.5, 1.0, 10.0, 1e3, 1e5)  # smaller ones often fail, and pymatting prints when they do
_KEEP = 0.02  # weight of what a coarser solution says, where tiles could drift


def solve(rgb: Rgb, trimap: NDArray[np.uint8], guess: Floats, method: Method = "closed-form") -> Floats:
    """Alpha (H, W) in [0, 1], from where `guess` (H, W) is.

    Larger images than TILE are solved in tiles, which are drawn to the guess a little. Raises ModelError without
    pymatting.
    """
    alpha = np.where(trimap == UNKNOWN, guess, trimap / np.float32(255)).astype(np.float32)
    rows, columns = np.nonzero(trimap == UNKNOWN)
    if not len(rows):
        return alpha
    top, left = int(rows.min()), int(columns.min())
    bottom, right = int(rows.max()) + 1, int(columns.max()) + 1
    keep = _KEEP if max(bottom - top, right - left) > TILE else 0.0
    for y, y_end in _spans(top, bottom):
        for x, x_end in _spans(left, right):
            window = _window((y, y_end), trimap.shape[0]), _window((x, x_end), trimap.shape[1])
            part = _solved(rgb[window], trimap[window], guess[window], keep, method)
            inner = (
                slice(y - window[0].start, y_end - window[0].start),
                slice(x - window[1].start, x_end - window[1].start),
            )
            alpha[y:y_end, x:x_end] = part[inner]
    return alpha


def narrowed(trimap: NDArray[np.uint8], coarse: Floats) -> NDArray[np.uint8]:
    """The trimap at its own size with what a coarser solution (h, w) has settled taken for sure."""
    size = trimap.shape[1], trimap.shape[0]
    low = cv2.resize(cv2.erode(coarse, np.ones((3, 3))), size, interpolation=cv2.INTER_LINEAR)
    high = cv2.resize(cv2.dilate(coarse, np.ones((3, 3))), size, interpolation=cv2.INTER_LINEAR)
    unknown = trimap == UNKNOWN
    out = np.where(unknown & (high < 0.01), BACKGROUND, trimap)
    return np.where(unknown & (low > 0.99), FOREGROUND, out).astype(np.uint8)


def _solved(rgb: Rgb, trimap: NDArray[np.uint8], guess: Floats, keep: float, method: Method) -> Floats:
    unknown = (trimap == UNKNOWN).ravel()
    out = (trimap / 255).astype(np.float64).ravel()
    if not unknown.any() or min(trimap.shape) < 3:
        out[unknown] = guess.ravel()[unknown]
        return out.reshape(trimap.shape).astype(np.float32)
    solver = library()
    picture = np.ascontiguousarray(rgb, dtype=np.float64) / 255
    if method == "closed-form":
        laplacian = solver.cf_laplacian(picture, is_known=~unknown.reshape(trimap.shape))
    else:
        laplacian = solver.knn_laplacian(picture)
    rows = laplacian[unknown]
    pull = keep + 1e-6  # a little: a band without an end has no solution
    start = guess.ravel()[unknown].astype(np.float64)
    matrix = rows[:, unknown]
    matrix.setdiag(matrix.diagonal() + pull)
    right = pull * start - rows[:, ~unknown].dot(out[~unknown])
    rough = solver.ichol(matrix, shifts=_SHIFTS) if method == "closed-form" else solver.jacobi(matrix)
    out[unknown] = solver.cg(matrix, right, x0=start, M=rough, rtol=1e-5, maxiter=5000)
    return np.clip(out, 0, 1).reshape(trimap.shape).astype(np.float32)


def _spans(start: int, stop: int) -> list[tuple[int, int]]:
    parts = -(-(stop - start) // TILE)
    ends = [start + (stop - start) * i // parts for i in range(parts + 1)]
    return list(pairwise(ends))


def _window(span: tuple[int, int], limit: int) -> slice:
    return slice(max(0, span[0] - _MARGIN), min(limit, span[1] + _MARGIN))
