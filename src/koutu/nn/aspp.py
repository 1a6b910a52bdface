"""Atrous spatial pyramid pooling: one feature seen through several dilations and as a whole-picture mean.

After Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", arXiv 1706.05587, under
torchvision's names.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from koutu.nn.pixels import resize


class ASPP(nn.Module):
    """(N, inp, h, w) → (N, out, h, w): a 1×1, one 3×3 per rate and the mean, joined by a 1×1 with dropout 0.5.

    `conv` makes the convolutions.
    """

    def __init__(
        self,
        inp: int,
        out: int,
        rates: tuple[int, ...],
        *,
        conv: Callable[..., nn.Module] = nn.Conv2d,
        drop: float = 0.5,
    ):
        super().__init__()
        branches: list[nn.Module] = [_branch(conv(inp, out, 1, bias=False), out)]
        branches += [_branch(conv(inp, out, 3, padding=r, dilation=r, bias=False), out) for r in rates]
        branches.append(nn.Sequential(nn.AdaptiveAvgPool2d(1), *_branch(conv(inp, out, 1, bias=False), out)))
        self.convs = nn.ModuleList(branches)
        joined = conv((len(rates) + 2) * out, out, 1, bias=False)
        self.project = nn.Sequential(*_branch(joined, out), nn.Dropout(drop))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(torch.cat([resize(branch(x), x) for branch in self.convs], dim=1))


def _branch(conv: nn.Module, out: int) -> nn.Sequential:
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True))
