"""Trimaps from alphas: where a pixel is surely foreground, surely background, or to be decided."""

import torch
from torch import Tensor
from torch.nn import functional as F


def trimap_from_alpha(pha: Tensor, radius: int, *, sure: float = 0.9, trace: float = 0.0) -> Tensor:
    """pha: (N, 1, H, W) in [0, 1] → the same shape in {0, 0.5, 1}; unknown reaches `radius` pixels both ways.

    Square dilation of pha > `trace` against square erosion of pha ≥ `sure`, as MODNet's author describes
    (issue 108 of the published repository).
    """
    size = 2 * radius + 1

    def dilate(mask: Tensor) -> Tensor:
        return F.max_pool2d(mask, size, 1, radius)

    maybe_fgr = dilate((pha > trace).to(pha))
    sure_fgr = 1 - dilate((pha < sure).to(pha))
    return torch.where(sure_fgr > 0.5, torch.ones_like(pha), torch.where(maybe_fgr > 0.5, 0.5, torch.zeros_like(pha)))
