"""Two encoders that know different people, one decoder: faces near the camera, and whole bodies and groups.

The U-Net of `mobilenetv3_unet` stays as it is; MobileNetV1 looks at the same picture, and a decoder of depthwise and
1×1 convolutions joins the features of both, depth by depth. It answers with a correction of the U-Net's logits that
begins at zero, so a training begins where the U-Net stands. Those logits reach into the hundreds, where nothing could
correct them any more, so they are bounded first.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.nn.mobilenetv1 import CHANNELS, MobileNetV1
from koutu.nn.mobilenetv3_unet import STEM, Block, MobileNetV3UNet

BOUND = 40.0  # of logits: the U-Net's own answers reach into the hundreds


def bounded(logits: Tensor) -> Tensor:
    """Within ±`BOUND`; shape kept."""
    return logits.clamp(-BOUND, BOUND)


class Mix(nn.Sequential):
    """All channels mixed, normalised over the batch; at rest one 1×1 convolution. (N, inp, H, W) → (N, out, H, W)."""

    def __init__(self, inp: int, out: int):
        super().__init__(nn.Conv2d(inp, out, 1, bias=False), nn.BatchNorm2d(out))


class SeparableResidual(nn.Module):
    """Each channel filtered by 3×3, then all mixed, beside the way through; begins as the way through; shapes kept."""

    def __init__(self, channels: int):
        super().__init__()
        self.filter = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.mix, self.back = Mix(channels, channels), Mix(channels, channels)
        nn.init.zeros_(self.back[1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.back(torch.relu(self.mix(self.filter(x))))


class Join(nn.Module):
    """Deep features (N, inp, h, w) and both encoders' (N, beside, 2h, 2w) → (N, out, 2h, 2w)."""

    def __init__(self, inp: int, beside: int, out: int, blocks: int):
        super().__init__()
        self.reduce, self.beside = Mix(inp, out), Mix(beside, out)
        self.blocks = nn.Sequential(*[SeparableResidual(out) for _ in range(blocks)])

    def forward(self, deep: Tensor, beside: Tensor) -> Tensor:
        deep = F.interpolate(self.reduce(deep), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.blocks(torch.relu(deep + self.beside(beside)))


class JointUNet(nn.Module):
    """x (N, inp, H, W) as `MobileNetV3UNet` → logits (N, 1, H, W), features (N, decoder[3], H/2, W/2).

    decoder: its channels at 1/16, 1/8, 1/4 and 1/2.
    """

    def __init__(self, inp: int, blocks: tuple[Block, ...], context: int, decoder: Sequence[int]):
        super().__init__()
        self.faces = MobileNetV3UNet(inp, blocks, context)
        self.bodies = MobileNetV1(inp)
        kept = [STEM, *(blocks[i].channels for i in self.faces.ends[:2])]  # of the U-Net at 1/2, 1/4 and 1/8
        deep, *widths = decoder
        self.deep = Mix(context + CHANNELS[3], deep)
        self.whole = nn.Conv2d(CHANNELS[3], deep, 1)
        self.deepest = nn.Sequential(SeparableResidual(deep), SeparableResidual(deep))
        self.join8x = Join(deep, kept[2] + CHANNELS[2], widths[0], 2)
        self.join4x = Join(widths[0], kept[1] + CHANNELS[1], widths[1], 1)
        self.join2x = Join(widths[1], kept[0] + CHANNELS[0], widths[2], 1)
        self.correction = nn.Conv2d(widths[2], 4, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits, faces2x, faces4x, faces8x, faces16x = self.faces.depths(x)
        bodies2x, bodies4x, bodies8x, bodies16x = self.bodies(x)
        whole = self.whole(F.adaptive_avg_pool2d(bodies16x, 1))
        y = self.deepest(torch.relu(self.deep(torch.cat([faces16x, bodies16x], dim=1)) + whole))
        y = self.join8x(y, torch.cat([faces8x, bodies8x], dim=1))
        y = self.join4x(y, torch.cat([faces4x, bodies4x], dim=1))
        y = self.join2x(y, torch.cat([faces2x, bodies2x], dim=1))
        return bounded(logits) + F.pixel_shuffle(self.correction(y), 2), y
