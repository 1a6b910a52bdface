"""MobileNetV2: inverted residuals of depthwise convolutions, in the two layouts that published checkpoints use.

After Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

from torch import Tensor, nn

# MobileNetV2, Table 2 of Sandler et al., CVPR 2018: expansion, channels, repeats, stride of the first
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_TAPS = ((0, 1), (2, 3), (4, 6), (7, 13), (14, 18))  # first and last feature block of strides 2, 4, 8, 16, 32
_DILATED = 14  # the last block that strides


def round_channels(channels: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `channels`, never more than 10 % below it."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


def conv_bn(
    inp: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1, dilation: int = 1, act: bool = True
) -> list[nn.Module]:
    """A convolution that keeps the size (unless it strides), batch norm and, with `act`, ReLU6."""
    padding = kernel // 2 * dilation
    conv = nn.Conv2d(inp, out, kernel, stride, padding, dilation, groups, bias=False)
    return [conv, nn.BatchNorm2d(out), *([nn.ReLU6(inplace=True)] if act else [])]


class InvertedResidual(nn.Module):
    """Expand by a 1×1, filter each channel by a 3×3, project by a linear 1×1; (N, inp, H, W) → (N, out, H/s, W/s).

    `nested` groups each convolution with its norm, as torchvision's checkpoints have it; `always_expand` has the first
    1×1 even where it does not widen.
    """

    def __init__(
        self,
        inp: int,
        out: int,
        stride: int,
        expansion: int,
        *,
        dilation: int = 1,
        nested: bool = False,
        always_expand: bool = False,
    ):
        super().__init__()
        mid = inp * expansion
        parts = [conv_bn(inp, mid, 1)] if expansion > 1 or always_expand else []
        parts.append(conv_bn(mid, mid, 3, stride=stride, groups=mid, dilation=dilation))
        layers = [nn.Sequential(*part) for part in parts] if nested else [layer for part in parts for layer in part]
        self.conv = nn.Sequential(*layers, *conv_bn(mid, out, 1, act=False))
        self.residual = stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNetV2 without its classifier. (N, inp, H, W) → five features at strides 2, 4, 8, 16, 32.

    `channels` holds their channel counts. `last_channels` is the width of the final 1×1 (1280 in the paper); 0 leaves
    it away, and dilates the last stages so that the fifth feature is at stride 16.
    """

    def __init__(self, inp: int = 3, width: float = 1.0, last_channels: int = 1280, *, nested: bool = False):
        super().__init__()
        c = round_channels(32 * width)
        blocks: list[nn.Module] = [nn.Sequential(*conv_bn(inp, c, 3, stride=2))]
        outs = [c]
        for expansion, channels, repeats, stride in _STAGES:
            for i in range(repeats):
                out = round_channels(channels * width)
                late = (
                    not last_channels and len(blocks) >= _DILATED
                )  # the block that would have strided and those after
                block = InvertedResidual(
                    c, out, 1 if late or i else stride, expansion, nested=nested,
                    dilation=2 if late and len(blocks) > _DILATED else 1,
                )  # fmt: skip
                blocks.append(block)
                outs.append(c := out)
        if last_channels:
            blocks.append(nn.Sequential(*conv_bn(c, last_channels, 1)))
            outs.append(last_channels)
        self.features = nn.Sequential(*blocks)
        self.taps = (*_TAPS[:-1], (14, len(blocks) - 1))
        self.channels = tuple(outs[last] for _, last in self.taps)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for first, last in self.taps:
            for i in range(first, last + 1):
                x = self.features[i](x)
            features.append(x)
        return features
