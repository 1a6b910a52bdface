"""A guided filter whose lines a network predicts: a coarse mask and an image in, alpha = A · image + b out.

After Li et al., "Inductive Guided Filter: Real-Time Deep Matting with Weakly Annotated Masks on Mobile Devices", ICME
2020. No code was published. Known are the inputs, the light hourglass with depthwise convolutions in its first stages
and its shortcuts, two residual blocks in its neck, spatial attention, the linear transform, and the losses (global,
local, Gabor, adversarial with a discriminator of image, mask and alpha). Channel counts, kernel sizes, the place of
the attention and the size at which A and b are predicted are ours.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.nn.pixels import at_most, check, pad_to, resize

_STRIDE = 16


@dataclass(frozen=True)
class Config:
    """Shape of the network."""

    channels: tuple[int, int, int, int] = (16, 32, 64, 128)  # at 1/2, 1/4, 1/8 and 1/16
    blocks: int = 2  # residual, in the neck


VARIANTS = {"default": Config()}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """pha (N, 1, H, W) before it is limited to [0, 1]; slope (N, 3, H/2, W/2) and offset (N, 1, H/2, W/2)."""

    pha: Tensor
    slope: Tensor
    offset: Tensor


def _conv(inp: int, out: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inp, out, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def _separable(inp: int, out: int, stride: int = 1) -> nn.Sequential:
    depthwise = nn.Conv2d(inp, inp, 3, stride, 1, groups=inp, bias=False)
    pointwise = nn.Conv2d(inp, out, 1, bias=False)
    return nn.Sequential(
        depthwise, nn.BatchNorm2d(inp), nn.ReLU(inplace=True), pointwise, nn.BatchNorm2d(out), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.conv = nn.Sequential(_conv(c, c), nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv(x))


class IGF(Network):
    """src: (N, 3, H, W) RGB in [0, 1] of any size; mask: (N, 1, H, W) in [0, 1], coarse.

    Returns fgr (N, 3, H, W), which is src because the network sees alpha only, and pha (N, 1, H, W). No memory.
    """

    needs: tuple[str, ...] = ("mask",)
    stride = 1

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        c = cfg.channels
        self.down = nn.ModuleList(
            [_separable(4, c[0], 2), _separable(c[0], c[1], 2), _conv(c[1], c[2], 2), _conv(c[2], c[3], 2)]
        )
        self.neck = nn.Sequential(*[_Residual(c[3]) for _ in range(cfg.blocks)])
        self.shortcuts = nn.ModuleList(nn.Conv2d(k, k, 3, padding=1, groups=k) for k in c[:3])
        self.up = nn.ModuleList(_conv(inp, out) for inp, out in zip(c[1:], c[:3], strict=True))
        self.attention = nn.Conv2d(c[0], 1, 7, padding=3)
        self.head = nn.Conv2d(c[0], 4, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) for images of (H, W): no side over 1024; A and b are smooth and cheap to enlarge."""
        return at_most(size, 1024)

    def forward(self, src: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return src, self.training_outputs(src, mask).pha.clamp(0, 1)

    def training_outputs(self, src: Tensor, mask: Tensor) -> TrainingOutputs:
        """The lines and what they give on the same inputs as `forward`."""
        check(src)
        check(mask, channels=1, name="mask")
        x = pad_to(torch.cat([2 * src - 1, 2 * mask - 1], dim=1), _STRIDE)
        size, features = x, []
        for stage in self.down:
            features.append(x := stage(x))
        x = self.neck(x)
        for i in range(len(self.up) - 1, -1, -1):
            x = self.up[i](resize(x, features[i])) + self.shortcuts[i](features[i])
        lines = self.head(x * torch.sigmoid(self.attention(x)))
        # Untrained, the filter gives the mask back: b is predicted as a change to it.
        slope, offset = lines[:, :3], lines[:, 3:]
        height, width = src.shape[2:]
        large = resize(lines, size)[..., :height, :width]
        pha = (large[:, :3] * src).sum(dim=1, keepdim=True) + large[:, 3:] + mask
        return TrainingOutputs(pha, slope, offset)


class Discriminator(nn.Module):
    """Picture, mask and alpha (N, 3 + 1 + 1, H, W) → scores (N, 1, h, w), near 1 where an alpha looks drawn by hand."""

    def __init__(self, channels: int = 32, halvings: int = 3):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(5, channels, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        c = channels
        for _ in range(halvings - 1):
            layers += [nn.Conv2d(c, 2 * c, 4, 2, 1), nn.InstanceNorm2d(2 * c), nn.LeakyReLU(0.2, inplace=True)]
            c *= 2
        self.layers = nn.Sequential(*layers, nn.Conv2d(c, 1, 3, padding=1))

    def forward(self, src: Tensor, mask: Tensor, pha: Tensor) -> Tensor:
        return self.layers(torch.cat([src, mask, pha], dim=1))
