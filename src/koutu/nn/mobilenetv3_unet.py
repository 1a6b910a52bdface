"""A small MobileNetV3 with a gated U-shaped decoder: where a person is, for a few dozen million operations.

The defaults have the layout of MediaPipe's selfie segmentation (Google, Apache-2.0), so that a training can begin
where it ended. Blocks after Howard et al., "Searching for MobileNetV3", ICCV 2019. It has no norm layers: published
files have them folded into the convolutions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Block:
    """kernel of the depthwise convolution, expanded and resulting channels, hidden channels of the gate (0: none)."""

    kernel: int
    expanded: int
    channels: int
    hidden: int = 0
    swish: bool = False
    stride: int = 1


SELFIE = (
    Block(3, 16, 16, 8, stride=2), Block(3, 72, 24, stride=2), Block(3, 88, 24), Block(5, 96, 32, 24, True, 2),
    Block(5, 128, 32, 32, True), Block(5, 128, 32, 32, True), Block(5, 96, 32, 24, True), Block(5, 96, 32, 24, True),
)  # fmt: skip
STEM = 16


class Conv(nn.Conv2d):
    """Convolution with bias whose padding lies, at stride 2, right and below only, as TensorFlow's does."""

    def __init__(self, inp: int, out: int, kernel: int = 1, *, stride: int = 1, groups: int = 1):
        super().__init__(inp, out, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)
        self.before, self.after = (kernel - 2) // 2, (kernel - 1) // 2

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        if self.stride[0] > 1:
            x = F.pad(x, (self.before, self.after, self.before, self.after))
            if self.training and self.groups > 1:  # the same numbers; a strided backward pass takes 4 × as long
                return F.conv2d(x, self.weight, self.bias, groups=self.groups)[..., ::2, ::2]
        return super().forward(x)


class ChannelGate(nn.Module):
    """A factor in [0, 1] for each channel, out of the means of all; (N, C, H, W) → (N, C, 1, 1)."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.squeeze, self.excite = Conv(channels, hidden), Conv(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))


class InvertedResidual(nn.Module):
    """(N, inp, H, W) → (N, channels, H/s, W/s): expand, filter each channel, gate, reduce."""

    def __init__(self, inp: int, block: Block):
        super().__init__()
        self.expand = Conv(inp, block.expanded)
        self.depthwise = Conv(block.expanded, block.expanded, block.kernel, stride=block.stride, groups=block.expanded)
        self.gate = ChannelGate(block.expanded, block.hidden) if block.hidden else None
        self.reduce = Conv(block.expanded, block.channels)
        self.act = nn.Hardswish() if block.swish else nn.ReLU()
        self.residual = block.stride == 1 and inp == block.channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.depthwise(self.act(self.expand(x))))
        y = self.reduce(y * self.gate(y) if self.gate is not None else y)
        return x + y if self.residual else y


class Context(nn.Module):
    """What the whole image says, by channel, on the deepest features; (N, inp, h, w) → (N, out, h, w)."""

    def __init__(self, inp: int, out: int):
        super().__init__()
        self.local, self.whole = Conv(inp, out), Conv(inp, out)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.whole(F.adaptive_avg_pool2d(x, 1)))
        return torch.relu(self.local(x)) * gate


class Up(nn.Module):
    """Deep features (N, inp, h, w) and shallower ones (N, out, 2h, 2w) → (N, out, 2h, 2w)."""

    def __init__(self, inp: int, out: int):
        super().__init__()
        self.reduce, self.gate = Conv(inp, out), ChannelGate(out, out)
        self.mix, self.filter = Conv(out, out), Conv(out, out, 3, groups=out)

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        # 1×1 before it is enlarged: the same result for less work
        deep = F.interpolate(self.reduce(deep), scale_factor=2.0, mode="bilinear", align_corners=False)
        x = torch.relu(self.mix(shallow * self.gate(shallow + deep) + deep))
        return x + torch.relu(self.filter(x))


class MobileNetV3UNet(nn.Module):
    """x (N, inp, H, W), H and W multiples of 16, RGB in [0, 1] first → logits (N, 1, H, W), features (N, 16, H/2, W/2).

    blocks: of strides 2, 2, 2 (a new stage each) and 1; the output of a stage's last block goes to the decoder.
    """

    def __init__(self, inp: int = 3, blocks: tuple[Block, ...] = SELFIE, context: int = 128):
        super().__init__()
        self.stem = Conv(inp, STEM, 3, stride=2)
        widths = [STEM, *(block.channels for block in blocks)]
        self.blocks = nn.ModuleList(InvertedResidual(i, block) for i, block in zip(widths, blocks, strict=False))
        self.ends = [i for i in range(len(blocks)) if i + 1 == len(blocks) or blocks[i + 1].stride > 1]
        if len(self.ends) != 3:
            raise ValueError(f"expected blocks with three of stride 2, the first among them, got {len(self.ends)}")
        first, second, last = (blocks[i].channels for i in self.ends)
        self.context = Context(last, context)
        self.up8x, self.up4x, self.up2x = Up(context, second), Up(second, first), Up(first, STEM)
        self.head = nn.ConvTranspose2d(STEM, 1, 2, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits, dec2x, *_ = self.depths(x)
        return logits, dec2x

    def depths(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Logits, and the decoder's features at 1/2, 1/4, 1/8 and 1/16."""
        x = enc2x = F.hardswish(self.stem(x))
        kept = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.ends:
                kept.append(x)
        enc4x, enc8x, enc16x = kept
        dec16x = self.context(enc16x)
        dec8x = self.up8x(dec16x, enc8x)
        dec4x = self.up4x(dec8x, enc4x)
        dec2x = self.up2x(dec4x, enc2x)
        return self.head(dec2x), dec2x, dec4x, dec8x, dec16x
