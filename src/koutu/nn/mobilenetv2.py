"""Image encoders shared by the networks: a picture in, features at falling resolution out."""

from torch import Tensor, nn

# MobileNetV2, Table 2 of Sandler et al., CVPR 2018: expansion, channels, repeats, stride of the first
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_TAPS = ((0, 1), (2, 3), (4, 6), (7, 13), (14, 18))  # first and last feature block of strides 2, 4, 8, 16, 32


def round_channels(channels: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `channels`, never more than 10 % below it."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


def _conv_bn(inp: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True) -> list[nn.Module]:
    conv = nn.Conv2d(inp, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(out), *([nn.ReLU6(inplace=True)] if act else [])]


class InvertedResidual(nn.Module):
    """Expand by a 1×1, filter each channel by a 3×3, project by a linear 1×1; (N, inp, H, W) → (N, out, H/s, W/s)."""

    def __init__(self, inp: int, out: int, stride: int, expansion: int):
        super().__init__()
        mid = inp * expansion
        expand = _conv_bn(inp, mid, 1) if expansion > 1 else []
        depthwise = _conv_bn(mid, mid, 3, stride=stride, groups=mid)
        self.conv = nn.Sequential(*expand, *depthwise, *_conv_bn(mid, out, 1, act=False))
        self.residual = stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNetV2 without its classifier. (N, inp, H, W) → five features at strides 2, 4, 8, 16, 32.

    `channels` holds their channel counts. After Sandler et al., "MobileNetV2: Inverted Residuals and Linear
    Bottlenecks", CVPR 2018. `last_channels` is the width of the final 1×1 (1280 in the paper).
    """

    def __init__(self, inp: int = 3, width: float = 1.0, last_channels: int = 1280):
        super().__init__()
        c = round_channels(32 * width)
        blocks: list[nn.Module] = [nn.Sequential(*_conv_bn(inp, c, 3, stride=2))]
        outs = [c]
        for expansion, channels, repeats, stride in _STAGES:
            for i in range(repeats):
                out = round_channels(channels * width)
                blocks.append(InvertedResidual(c, out, stride if i == 0 else 1, expansion))
                outs.append(c := out)
        blocks.append(nn.Sequential(*_conv_bn(c, last_channels, 1)))
        outs.append(last_channels)
        self.features = nn.Sequential(*blocks)
        self.channels = tuple(outs[last] for _, last in _TAPS)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for first, last in _TAPS:
            for i in range(first, last + 1):
                x = self.features[i](x)
            features.append(x)
        return features


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut; (N, inp, H, W) → (N, out, H/s, W/s)."""

    def __init__(self, inp: int, out: int, stride: int):
        super().__init__()
        conv1, bn1 = _conv_bn(inp, out, 3, stride=stride, act=False)
        conv2, bn2 = _conv_bn(out, out, 3, act=False)
        self.conv = nn.Sequential(conv1, bn1, nn.ReLU(inplace=True), conv2, bn2)
        same = stride == 1 and inp == out
        self.shortcut = nn.Identity() if same else nn.Sequential(*_conv_bn(inp, out, 1, stride=stride, act=False))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv(x) + self.shortcut(x))


class ResNet(nn.Module):
    """A small residual encoder of plain 3×3 convolutions. (N, inp, H, W) → five features at strides 2 … 32.

    After He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. Ours differs: five halvings by strided
    convolutions, no pooling. On CPUs with wide vectors it does several times the arithmetic of MobileNetV2 in the same
    time, because nothing is depthwise. `channels[i]` is the width at stride 2^(i+1); `depths` counts blocks a stride.
    """

    def __init__(self, inp: int, channels: tuple[int, ...], depths: tuple[int, ...]):
        super().__init__()
        self.channels = channels
        stem = nn.Sequential(*_conv_bn(inp, channels[0], 3, stride=2))
        stages: list[nn.Module] = [stem]
        for c, out, depth in zip(channels[:-1], channels[1:], depths, strict=True):
            blocks = [BasicBlock(c if i == 0 else out, out, 2 if i == 0 else 1) for i in range(depth)]
            stages.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in self.features:
            features.append(x := stage(x))
        return features
