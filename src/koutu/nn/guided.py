"""Guided filters: a result that is, in each small window, a straight line of the guide, so that it takes its edges.

After He et al., "Guided Image Filtering", ECCV 2010; He and Sun, "Fast Guided Filter", arXiv 1505.00996; and Wu et al.,
"Fast End-to-End Trainable Guided Filter", CVPR 2018, whose published layers these equal.
"""

from torch import Tensor
from torch.nn import functional as F


def box_mean(x: Tensor, radius: int) -> Tensor:
    """Mean over the (2·radius + 1)² window, of those pixels that exist; (N, C, H, W), shape kept."""
    return F.avg_pool2d(x, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)


def lines(guide: Tensor, target: Tensor, radius: int, eps: float) -> tuple[Tensor, Tensor]:
    """Slope and offset of the fits target ≈ slope · guide + offset in each window; both (N, C, H, W), channelwise.

    eps: contrast, as a variance of the guide, below which a window is taken for plain. A guide of one channel serves
    all channels of the target.
    """
    mean_guide, mean_target = box_mean(guide, radius), box_mean(target, radius)
    covariance = box_mean(guide * target, radius) - mean_guide * mean_target
    variance = box_mean(guide * guide, radius) - mean_guide * mean_guide
    slope = covariance / (variance + eps)
    return slope, mean_target - slope * mean_guide


def guided_filter(guide: Tensor, target: Tensor, radius: int, eps: float = 1e-8) -> Tensor:
    """The target (N, C, H, W) smoothed where the guide (N, 1 or C, H, W) is plain, with the guide's edges."""
    slope, offset = lines(guide, target, radius, eps)
    return box_mean(slope, radius) * guide + box_mean(offset, radius)


def fast_guided_filter(
    guide: Tensor, target: Tensor, large_guide: Tensor, radius: int, eps: float = 1e-8, *, align_corners: bool = True
) -> Tensor:
    """The target (N, C, h, w) at the size of `large_guide` (N, 1 or C, H, W), with its edges.

    guide (N, 1 or C, h, w) is the large guide made small. The fits are enlarged bilinearly, without another box mean;
    `align_corners` as the published layer has it.
    """
    slope, offset = (
        F.interpolate(x, size=large_guide.shape[-2:], mode="bilinear", align_corners=align_corners)
        for x in lines(guide, target, radius, eps)
    )
    return slope * large_guide + offset
