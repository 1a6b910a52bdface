"""The guided refinement of `koutu.matting.refine` as a part of the network: a small alpha and a large picture in."""

import torch
from torch import Tensor
from torch.nn import functional as F

from koutu.matting.refine import EPS, RADIUS

_LUMA = (0.299, 0.587, 0.114)


def refined(pha: Tensor, src: Tensor, halvings: int) -> Tensor:
    """pha (N, 1, h, w) at the size of src (N, 3, H, W), with its edges; both in [0, 1].

    halvings: as of `shrunk`, which made the small picture. The same arithmetic as on planes at runtime, but everywhere
    instead of near the edges alone, and without the rounding to 255 levels between.
    """
    red, green, blue = src.split(1, dim=1)
    guide = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    size = pha.shape[-2:]
    small_guide = shrunk(guide, (size[0], size[1]), halvings)
    slope = _slope(pha, small_guide)
    large = src.shape[-2:]
    alpha = F.interpolate(pha, size=large, mode="bicubic", align_corners=False).clamp(0, 1)
    a, b = (_enlarged(x, large) for x in (slope, -slope * small_guide))
    return (alpha + a * guide + b).clamp(0, 1)


def shrunk(x: Tensor, size: tuple[int, int], halvings: int) -> Tensor:
    """x (N, C, H, W) at `size` (h, w): halved so many times, then bilinear, as `koutu.color.shrink` does it."""
    for _ in range(halvings):
        x = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _enlarged(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _slope(pha: Tensor, guide: Tensor) -> Tensor:
    """Slope (N, 1, h, w) of the local fits pha ≈ slope · guide + offset."""
    mean_guide, mean_pha = _mean(guide), _mean(pha)
    covariance = _mean(guide * pha) - mean_guide * mean_pha
    return _mean(covariance / (_mean(guide * guide) - mean_guide * mean_guide + EPS))


def _mean(x: Tensor) -> Tensor:
    """Mean over the window, the picture mirrored at its border with the border pixel twice."""
    for axis in (2, 3):
        end = x.shape[axis]
        first = [x.narrow(axis, i, 1) for i in range(RADIUS - 1, -1, -1)]
        last = [x.narrow(axis, end - 1 - i, 1) for i in range(RADIUS)]
        x = torch.cat([*first, x, *last], dim=axis)
    return F.avg_pool2d(x, 2 * RADIUS + 1, stride=1)
