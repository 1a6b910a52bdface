"""VGG's stages with pooling that remembers where each maximum was, and unpooling that puts values back there.

After Simonyan and Zisserman, "Very Deep Convolutional Networks", ICLR 2015, and Badrinarayanan et al., "SegNet", TPAMI
2017. Unpooling is by comparison, equal to PyTorch's and, unlike it, exportable.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions of each stage


def layer_names(stages: tuple[tuple[int, int], ...] = VGG16) -> list[list[tuple[str, int]]]:
    """("1_1", 64), ("1_2", 64) …: each stage's convolutions and their channels, by the names papers use."""
    return [[(f"{i}_{j}", c) for j in range(1, count + 1)] for i, (c, count) in enumerate(stages, start=1)]


def pool(x: Tensor) -> tuple[Tensor, Tensor]:
    """2×2 maxima (N, C, H/2, W/2) and where in the flat plane of x (N, C, H, W) each was; even sides."""
    return F.max_pool2d(x, 2, 2, return_indices=True)


def unpool(x: Tensor, where: Tensor) -> Tensor:
    """x (N, C, h, w) at its remembered places of a plane twice as large, zeros elsewhere: (N, C, 2h, 2w)."""
    height, width = x.shape[2] * 2, x.shape[3] * 2
    place = torch.arange(height * width, device=x.device).view(height, width)
    return torch.where(_doubled(where) == place, _doubled(x), torch.zeros_like(x[:, :1, :1, :1]))


def _doubled(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x[:, :, :, None, :, None].expand(n, c, h, 2, w, 2).reshape(n, c, 2 * h, 2 * w)
