"""Whether a solved matte can be believed: measures of which none needs a truth, and what they may be at most."""

from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.data.mattes.soft_matte import Solved
from koutu.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from koutu.types import Alpha, Rgb

_LOW, _HIGH = 26, 229  # alphas between which a pixel is neither person nor background: a tenth from either end
_EDGE = 5.0  # levels, within a standard deviation of the smoothing, from which colours rise to an edge
_BINS = 6  # of each channel of a histogram
_CELLS = 16  # along the longer side, in which colours are compared
_SPOT = 0.012  # of the longer side: disagreements thinner than twice this are the boundary's own


@dataclass(frozen=True)
class Measures:
    """What is known of a matte without its truth.

    bare: share of the boundary where the image has no edge. blur: mean width of the boundary, in % of the image's
    longer side. iou: of alpha > ½ and the mask. moved: area of spots thicker than a boundary where alpha and the mask
    disagree, of the mask's. overlap: of the colours of person and background beside the boundary, 0 none … 1 the same.
    disputed: area of such spots where teachers disagree, of the mask's; None where there are not several.
    """

    bare: float
    blur: float
    iou: float
    moved: float
    overlap: float
    disputed: float | None = None

    def as_dict(self) -> dict[str, float]:
        """By name, rounded; without what was not measured."""
        return {name: round(value, 4) for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Limits:
    """Beyond these a matte is rejected; chosen on portraits with true alphas, see docs/matte.md."""

    bare: float = 0.05
    blur: float = 1.6
    iou: float = 0.9
    moved: float = 0.02
    overlap: float = 0.55
    disputed: float = 0.1


def measured(
    rgb: Rgb, mask: NDArray[np.float32], solved: Solved, in_dispute: NDArray[np.bool_] | None = None
) -> Measures:
    """The measures of a matte of an image (H, W, 3) and its mask (H, W) in [0, 1].

    in_dispute: where teachers disagree (H, W), if several made the mask.
    """
    person, own = solved.alpha > 127, mask > 0.5
    union = float((person | own).sum())
    iou = float((person & own).sum()) / union if union else 1.0
    moved, overlap = spots(person ^ own, own), _overlap(rgb, solved.trimap)
    disputed = None if in_dispute is None else spots(in_dispute, own)
    return Measures(_bare(rgb, solved.alpha), _blur(solved), iou, moved, overlap, disputed)


def faults(measures: Measures, limits: Limits | None = None) -> list[str]:
    """Why a matte is rejected, in words; none if it is not."""
    limits = limits or Limits()
    found = []
    if measures.bare > limits.bare:
        found.append(f"{measures.bare:.0%} of the boundary has no edge of the image under it, over {limits.bare:.0%}")
    if measures.blur > limits.blur:
        found.append(f"boundary {measures.blur:.1f} % of the longer side wide, over {limits.blur:g}: smeared")
    if measures.iou < limits.iou:
        found.append(f"agrees with the mask to {measures.iou:.2f}, under {limits.iou:g}: something lost or gained")
    if measures.moved > limits.moved:
        found.append(f"left the mask in spots of {measures.moved:.1%} of it, over {limits.moved:.1%}")
    if measures.overlap > limits.overlap:
        found.append(f"colours of person and background overlap to {measures.overlap:.2f}, over {limits.overlap:g}")
    if measures.disputed is not None and measures.disputed > limits.disputed:
        found.append(f"the networks disagree on {measures.disputed:.1%} of the mask, over {limits.disputed:.1%}")
    return found


def doubtfulness(measures: Measures, limits: Limits | None = None) -> float:
    """The largest of the measures as a share of its limit: over 1 the matte is rejected."""
    limits = limits or Limits()
    return max(
        measures.bare / limits.bare,
        measures.blur / limits.blur,
        (1 - measures.iou) / (1 - limits.iou),
        measures.moved / limits.moved,
        measures.overlap / limits.overlap,
        (measures.disputed or 0) / limits.disputed,
    )


def _bare(rgb: Rgb, alpha: Alpha) -> float:
    """A mask that cuts through a coat, or took some wall along, has a boundary where no channel rises."""
    side = max(alpha.shape)
    sigma = max(1.0, 0.0015 * side)
    smooth = cv2.GaussianBlur(rgb, (0, 0), sigma).astype(np.float32)
    slopes = [cv2.magnitude(*(cv2.Sobel(c, cv2.CV_32F, *d) for d in ((1, 0), (0, 1)))) for c in cv2.split(smooth)]
    reach = max(2, round(0.006 * side))
    near = cv2.dilate(np.max(slopes, axis=0) * (sigma / 8), np.ones((2 * reach + 1,) * 2))
    outline = _outline(alpha)
    return float((near[outline] < _EDGE).mean()) if outline.any() else 0.0


def _blur(solved: Solved) -> float:
    alpha = solved.alpha
    mid = int(((alpha > _LOW) & (alpha < _HIGH)).sum())
    return 100 * mid / max(1.0, float(_outline(alpha).sum()) / 2) / max(alpha.shape)


def _outline(alpha: Alpha) -> NDArray[np.bool_]:
    """Two pixels wide, where alpha passes one half."""
    return cv2.morphologyEx((alpha > 127).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0


def spots(where: NDArray[np.bool_], own: NDArray[np.bool_]) -> float:
    """Area of what is true in `where` and thicker than a boundary, of that of the mask `own`, both (H, W)."""
    radius = max(2, round(_SPOT * max(own.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    thick = cv2.morphologyEx(where.astype(np.uint8), cv2.MORPH_OPEN, disc)
    return float(thick.sum()) / max(1.0, float(own.sum()))


def _overlap(rgb: Rgb, trimap: NDArray[np.uint8]) -> float:
    """Σ min(p, q) of the histograms of sure person and sure background, cell by cell along the boundary."""
    side = max(trimap.shape)
    reach = max(3, round(0.04 * side))
    near = cv2.dilate((trimap == UNKNOWN).astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0
    rows, columns = (np.arange(n) * _CELLS // side for n in trimap.shape)
    cell = rows[:, None] * _CELLS + columns
    front, back = (_histograms(rgb, cell, near & (trimap == kind)) for kind in (FOREGROUND, BACKGROUND))
    weight = np.bincount(cell[trimap == UNKNOWN], minlength=_CELLS**2).astype(np.float64)
    counts = [x.sum(axis=1) for x in (front, back)]
    weight[(counts[0] < 30) | (counts[1] < 30)] = 0  # too few to compare
    if not weight.any():
        return 0.0
    p, q = (x / np.maximum(n, 1)[:, None] for x, n in zip((front, back), counts, strict=True))
    return float((np.minimum(p, q).sum(axis=1) * weight).sum() / weight.sum())


def _histograms(rgb: Rgb, cell: NDArray, where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of every cell with its neighbours: (cells, bins), each count spread over the bins beside it."""
    level = rgb[where].astype(np.int64) * _BINS // 256
    at = ((cell[where] * _BINS + level[:, 0]) * _BINS + level[:, 1]) * _BINS + level[:, 2]
    counts = np.bincount(at, minlength=_CELLS**2 * _BINS**3).astype(np.float64)
    counts = counts.reshape(_CELLS, _CELLS, _BINS, _BINS, _BINS)
    for axis, share in ((0, 1.0), (1, 1.0), (2, 0.25), (3, 0.25), (4, 0.25)):
        low, high = np.zeros_like(counts), np.zeros_like(counts)
        ahead, behind = [slice(None)] * 5, [slice(None)] * 5
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        low[tuple(behind)], high[tuple(ahead)] = counts[tuple(ahead)], counts[tuple(behind)]
        counts = counts + share * (low + high)
    return counts.reshape(_CELLS**2, _BINS**3)
