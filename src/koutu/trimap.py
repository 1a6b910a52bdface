"""Trimaps: where a pixel is surely foreground, surely background, or to be decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

BACKGROUND, UNKNOWN, FOREGROUND = 0, 128, 255


def trimap_from_mask(mask: NDArray[Any], radius: int, *, sure: float = 0.9, trace: float = 0.1) -> NDArray[np.uint8]:
    """A mask or alpha (H, W), uint8 or float in [0, 1] → {0, 128, 255}: unknown within `radius` pixels of its edge.

    Dilation of what is over `trace` against erosion of what is over `sure`, both by a disc.
    """
    level = mask / 255 if mask.dtype == np.uint8 else mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    sure_fgr = cv2.erode((level > sure).astype(np.uint8), disc)
    maybe_fgr = cv2.dilate((level > trace).astype(np.uint8), disc)
    trimap = np.where(sure_fgr > 0, FOREGROUND, np.where(maybe_fgr > 0, UNKNOWN, BACKGROUND))
    return trimap.astype(np.uint8)


def snapped(trimap: NDArray[Any]) -> NDArray[np.uint8]:
    """Any grey picture (H, W) uint8 as a trimap: its darkest and brightest sixth are sure, all else is unknown."""
    return np.where(trimap < 43, BACKGROUND, np.where(trimap > 212, FOREGROUND, UNKNOWN)).astype(np.uint8)


def trimap_from_alpha(pha: Tensor, radius: int, *, sure: float = 0.9, trace: float = 0.0) -> Tensor:
    """pha: (N, 1, H, W) in [0, 1] → the same shape in {0, 0.5, 1}; unknown reaches `radius` pixels both ways.

    Square dilation of pha > `trace` against square erosion of pha ≥ `sure`, as MODNet's author describes
    (issue 108 of the published repository).
    """
    import torch

    maybe_fgr = _dilated((pha > trace).to(pha), radius)
    sure_fgr = 1 - _dilated((pha < sure).to(pha), radius)
    return torch.where(sure_fgr > 0.5, torch.ones_like(pha), torch.where(maybe_fgr > 0.5, 0.5, torch.zeros_like(pha)))


def _dilated(mask: Tensor, radius: int) -> Tensor:
    """The maximum over squares of 2·radius + 1; in runs of doubling length, as pooling with large windows is slow."""
    import torch
    from torch.nn import functional as F

    mask = F.pad(mask, (radius, radius, radius, radius))
    for dim in (-1, -2):
        reach, size = 1, 2 * radius + 1
        while reach < size:
            shift = min(reach, size - reach)
            length = mask.shape[dim] - shift
            mask = torch.maximum(mask.narrow(dim, 0, length), mask.narrow(dim, shift, length))
            reach += shift
    return mask
