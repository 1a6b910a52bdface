"""Convolutions whose weight is kept at a largest singular value of one, and residual blocks of them.

After Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018, under the names that
checkpoints of the GCA-Matting family use: `module.weight_bar`, `module.weight_u`, `module.weight_v`.
Ours differs: a convolution draws its weight from a small module instead of having its own replaced before every call.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SpectralWeight(nn.Module):
    """Called, gives `weight_bar` over σ = uᵀWv, with W = `weight_bar` as a matrix (shape[0], rest).

    In training each call first brings u and v nearer to the first singular vectors by one power iteration; in
    evaluation they stay. They are parameters without gradient, as published, so that they count as such.
    """

    def __init__(self, *shape: int):
        super().__init__()
        bar = torch.empty(shape)
        self.weight_u = nn.Parameter(F.normalize(torch.randn(shape[0]), dim=0), requires_grad=False)
        self.weight_v = nn.Parameter(F.normalize(torch.randn(bar[0].numel()), dim=0), requires_grad=False)
        self.weight_bar = nn.Parameter(nn.init.xavier_uniform_(bar))

    def forward(self) -> Tensor:
        matrix, u, v = self.weight_bar.flatten(1), self.weight_u, self.weight_v
        if self.training:
            u, v = self._iterated(matrix)
        return self.weight_bar / torch.matmul(torch.matmul(u, matrix), v)

    @torch.no_grad()
    def _iterated(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        v = F.normalize(matrix.T @ self.weight_u, dim=0)
        u = F.normalize(matrix @ v, dim=0)
        self.weight_u.copy_(u)
        self.weight_v.copy_(v)
        return u, v


class SpectralConv2d(nn.Module):
    """(N, inp, H, W) → (N, out, H/s, W/s), or with `transposed` (N, out, s·H, s·W) from a kernel of 4. No bias."""

    def __init__(self, inp: int, out: int, kernel: int, stride: int = 1, *, transposed: bool = False):
        super().__init__()
        channels = (inp, out) if transposed else (out, inp)
        self.module = SpectralWeight(*channels, kernel, kernel)
        self.convolve = F.conv_transpose2d if transposed else F.conv2d
        self.stride, self.padding = stride, (kernel - 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, self.module(), stride=self.stride, padding=self.padding)


class _Block(nn.Module):
    """Two convolutions beside a shortcut, with names that the two kinds of blocks share."""

    def __init__(self, first: SpectralConv2d, mid: int, out: int, slope: float):
        super().__init__()
        self.conv1, self.bn1 = first, nn.BatchNorm2d(mid)
        self.conv2, self.bn2 = SpectralConv2d(mid, out, 3), nn.BatchNorm2d(out)
        self.slope = slope
        nn.init.zeros_(self.bn2.weight)

    def _joined(self, x: Tensor, shortcut: Tensor) -> Tensor:
        x = F.leaky_relu(self.bn1(self.conv1(x)), self.slope)
        return F.leaky_relu(self.bn2(self.conv2(x)) + shortcut, self.slope)


class DownBlock(_Block):
    """(N, inp, H, W) → (N, out, H/s, W/s)."""

    def __init__(self, inp: int, out: int, stride: int):
        super().__init__(SpectralConv2d(inp, out, 3, stride), out, out, slope=0.0)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.AvgPool2d(2), SpectralConv2d(inp, out, 1), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return self._joined(x, x if self.downsample is None else self.downsample(x))


class UpBlock(_Block):
    """(N, inp, H, W) → (N, out, s·H, s·W)."""

    def __init__(self, inp: int, out: int, stride: int):
        first = SpectralConv2d(inp, inp, 4, 2, transposed=True) if stride > 1 else SpectralConv2d(inp, inp, 3)
        super().__init__(first, inp, out, slope=0.2)
        self.upsample = None
        if stride > 1:
            up = nn.UpsamplingNearest2d(scale_factor=2)
            self.upsample = nn.Sequential(up, SpectralConv2d(inp, out, 1), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return self._joined(x, x if self.upsample is None else self.upsample(x))
