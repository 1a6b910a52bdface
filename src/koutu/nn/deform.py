"""Convolution whose taps look where the network points, each with a weight of its own.

After Zhu et al., "Deformable ConvNets v2: More Deformable, Better Results", CVPR 2019. In plain tensor operations, so
that it runs on any device and is exported to ONNX from opset 16 (as GridSample) without an operator of its own; a
compiled kernel is faster.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def deform_conv(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (N, C, H, W), offset (N, 2·G·K, H, W), mask (N, G·K, H, W), weight (O, C, k, k), K = k² → (N, O, H, W).

    Each of G groups of channels has its own offsets, (y, x) of each tap in pixels, row by row of the kernel. Stride 1,
    zeros outside, the size kept.
    """
    n, c, height, width = x.shape
    taps = weight.shape[-1] ** 2
    groups = mask.shape[1] // taps
    offset = offset.reshape(n * groups, taps, 2, height, width)
    mask = mask.reshape(n * groups, 1, taps, height * width)
    side = weight.shape[-1]
    reach = torch.arange(side, device=x.device, dtype=x.dtype) - side // 2
    rows = torch.arange(height, device=x.device, dtype=x.dtype)[:, None] + offset[:, :, 0]
    columns = torch.arange(width, device=x.device, dtype=x.dtype) + offset[:, :, 1]
    rows = rows + reach.repeat_interleave(side).view(1, taps, 1, 1)
    columns = columns + reach.repeat(side).view(1, taps, 1, 1)
    # grid_sample's own units: −1 and 1 are the outer edges of the first and last pixel
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    grid = grid.reshape(n * groups, taps, height * width, 2)
    seen = F.grid_sample(x.reshape(n * groups, c // groups, height, width), grid, align_corners=False)
    columns_of_x = (seen * mask).reshape(n, c * taps, height * width)
    out = weight.reshape(weight.shape[0], c * taps) @ columns_of_x
    out = out.view(n, weight.shape[0], height, width)
    return out if bias is None else out + bias.view(1, -1, 1, 1)


class ModulatedDeformConv(nn.Module):
    """A 3×3 of that kind, whose offsets and weights a second feature gives; both (N, C, H, W) → (N, C, H, W)."""

    def __init__(self, channels: int, groups: int = 8):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.conv_offset_mask = nn.Conv2d(channels, 3 * groups * 9, 3, padding=1)
        nn.init.kaiming_uniform_(self.weight, nonlinearity="linear")
        nn.init.zeros_(self.conv_offset_mask.weight)
        nn.init.zeros_(self.conv_offset_mask.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, pointer: Tensor) -> Tensor:
        first, second, mask = self.conv_offset_mask(pointer).chunk(3, dim=1)
        return deform_conv(x, torch.cat([first, second], dim=1), torch.sigmoid(mask), self.weight, self.bias)
