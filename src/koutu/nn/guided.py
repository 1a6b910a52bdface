"""Guided filters: a result that is, in each small window, a straight line of the guide, so that it takes its edges.

After He et al., "Guided Image Filtering", ECCV 2010; He and Sun, "Fast Guided Filter", arXiv 1505.00996; and Wu et al.,
"Fast End-to-End Trainable Guided Filter", CVPR 2018, whose published layers these equal.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.nn.pixels import resize


def box_mean(x: Tensor, radius: int, *, count_outside: bool = False) -> Tensor:
    """Mean over the (2·radius + 1)² window, of those pixels that exist; (N, C, H, W), shape kept.

    `count_outside` takes pixels outside for zeros, which darkens the border, as a published filter does.
    """
    return F.avg_pool2d(x, 2 * radius + 1, stride=1, padding=radius, count_include_pad=count_outside)


def lines(
    guide: Tensor, target: Tensor, radius: int, eps: float, *, count_outside: bool = False
) -> tuple[Tensor, Tensor]:
    """Slope and offset of the fits target ≈ slope · guide + offset in each window; both (N, C, H, W), channelwise.

    eps: contrast, as a variance of the guide, below which a window is taken for plain. A guide of one channel serves
    all channels of the target.
    """
    mean = partial(box_mean, radius=radius, count_outside=count_outside)
    mean_guide, mean_target, variance, covariance = moments(guide, target, mean)
    slope = covariance / (variance + eps)
    return slope, mean_target - slope * mean_guide


def moments(guide: Tensor, target: Tensor, mean: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Local means of guide and target, variance of the guide, covariance of both; each (N, C, H, W)."""
    mean_guide, mean_target = mean(guide), mean(target)
    variance = mean(guide * guide) - mean_guide * mean_guide
    return mean_guide, mean_target, variance, mean(guide * target) - mean_guide * mean_target


def guided_filter(guide: Tensor, target: Tensor, radius: int, eps: float = 1e-8) -> Tensor:
    """The target (N, C, H, W) smoothed where the guide (N, 1 or C, H, W) is plain, with the guide's edges."""
    slope, offset = lines(guide, target, radius, eps)
    return box_mean(slope, radius) * guide + box_mean(offset, radius)


def fast_guided_filter(
    guide: Tensor,
    target: Tensor,
    large_guide: Tensor,
    radius: int,
    eps: float = 1e-8,
    *,
    align_corners: bool = True,
    count_outside: bool = False,
) -> Tensor:
    """The target (N, C, h, w) at the size of `large_guide` (N, 1 or C, H, W), with its edges.

    guide (N, 1 or C, h, w) is the large guide made small. The fits are enlarged bilinearly, without another box mean.
    `align_corners` as the published layer has it; Robust Video Matting's has neither it nor counts of what exists.
    """
    slope, offset = lines(guide, target, radius, eps, count_outside=count_outside)
    slope = resize(slope, large_guide, align_corners=align_corners)
    return slope * large_guide + resize(offset, large_guide, align_corners=align_corners)


class AdaptiveNorm(nn.Module):
    """A learned mixture of the input itself and its batch norm (Chen et al., ICCV 2017); shape kept."""

    def __init__(self, channels: int):
        super().__init__()
        self.w_0 = nn.Parameter(torch.tensor([1.0]))
        self.w_1 = nn.Parameter(torch.tensor([0.0]))
        self.bn = nn.BatchNorm2d(channels, momentum=0.999, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return self.w_0 * x + self.w_1 * self.bn(x)


class ConvGuidedFilter(nn.Module):
    """A fast guided filter that learns its window and its slope; guide and target of three channels.

    After Wu et al., CVPR 2018: the window is a dilated 3×3, divided by its own answer to ones, so that pixels outside
    do not count. guide, target (N, 3, h, w) and large_guide (N, 3, H, W) → (N, 3, H, W).
    """

    def __init__(self, radius: int = 1, hidden: int = 32):
        super().__init__()
        self.box_filter = nn.Conv2d(3, 3, 3, padding=radius, dilation=radius, groups=3, bias=False)
        self.conv_a = nn.Sequential(
            nn.Conv2d(6, hidden, 1, bias=False), AdaptiveNorm(hidden), nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 1, bias=False), AdaptiveNorm(hidden), nn.ReLU(inplace=True),
            nn.Conv2d(hidden, 3, 1, bias=False),
        )  # fmt: skip
        nn.init.ones_(self.box_filter.weight)

    def forward(self, guide: Tensor, target: Tensor, large_guide: Tensor) -> Tensor:
        count = self.box_filter(torch.ones_like(guide[:1]))
        mean_guide, mean_target, variance, covariance = moments(guide, target, lambda x: self.box_filter(x) / count)
        slope = self.conv_a(torch.cat([covariance, variance], dim=1))
        offset = mean_target - slope * mean_guide
        return resize(slope, large_guide, align_corners=True) * large_guide + resize(
            offset, large_guide, align_corners=True
        )


class DeepGuidedFilter(nn.Module):
    """The refiner of Lin et al., WACV 2022: slopes are computed from statistics and from the network's features.

    guide, target (N, 4, h, w), large_guide (N, 4, H, W), hid (N, C, h, w) → the target at H×W.
    """

    def __init__(self, hid: int = 16, channels: int = 4, hidden: int = 16):
        super().__init__()
        self.box_filter = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.conv = nn.Sequential(
            nn.Conv2d(2 * channels + hid, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1),
        )  # fmt: skip
        nn.init.constant_(self.box_filter.weight, 1 / 9)

    def forward(self, guide: Tensor, target: Tensor, large_guide: Tensor, hid: Tensor) -> Tensor:
        mean_guide, mean_target, variance, covariance = moments(guide, target, self.box_filter)
        slope = self.conv(torch.cat([covariance, variance, hid], dim=1))
        offset = mean_target - slope * mean_guide
        return resize(slope, large_guide) * large_guide + resize(offset, large_guide)
