"""Pyramid pooling: a feature beside its means over coarser and coarser grids.

After Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017, as a widely used port of it has the layers: each mean
keeps its channels, and everything is joined by one 1×1.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.nn.pixels import resize


class GridMean(nn.Module):
    """Means over a grid of bins×bins; (N, C, H, W) → (N, C, bins, bins).

    As adaptive average pooling, by two small matrices, so that it is exported whatever the size.
    """

    def __init__(self, bins: int):
        super().__init__()
        self.bins = bins

    def forward(self, x: Tensor) -> Tensor:
        return self._weights(x, x.shape[2]) @ x @ self._weights(x, x.shape[3]).transpose(0, 1)

    def _weights(self, like: Tensor, side: int) -> Tensor:
        """(bins, side): each row averages the pixels of one bin, from ⌊i·side/bins⌋ to ⌈(i + 1)·side/bins⌉."""
        bin_, at = torch.arange(self.bins, device=like.device)[:, None], torch.arange(side, device=like.device)
        first, last = bin_ * side // self.bins, ((bin_ + 1) * side + self.bins - 1) // self.bins
        inside = ((at >= first) & (at < last)).to(like.dtype)
        return inside / inside.sum(dim=1, keepdim=True)


class PyramidPooling(nn.Module):
    """(N, inp, h, w) → (N, out, h, w)."""

    def __init__(self, inp: int, out: int, bins: tuple[int, ...] = (1, 2, 3, 6)):
        super().__init__()
        self.stages = nn.ModuleList(nn.Sequential(GridMean(b), nn.Conv2d(inp, inp, 1, bias=False)) for b in bins)
        self.bottleneck = nn.Conv2d((len(bins) + 1) * inp, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        priors = [resize(stage(x), x, align_corners=True) for stage in self.stages]
        return F.relu(self.bottleneck(torch.cat([*priors, x], dim=1)))
