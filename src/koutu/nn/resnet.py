"""Residual networks of bottlenecks, plain or dilated, under the names that published checkpoints use.

After He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; dilated stages after Yu et al., "Dilated
Residual Networks", CVPR 2017. As in every published checkpoint, it is the 3×3 convolution that strides.
"""

from torch import Tensor, nn

from koutu.nn.mobilenetv2 import conv_bn

RESNET50, RESNET101 = (3, 4, 6, 3), (3, 4, 23, 3)


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut; (N, inp, H, W) → (N, 4·planes, H/s, W/s)."""

    def __init__(self, inp: int, planes: int, stride: int = 1, dilation: int = 1):
        super().__init__()
        out = 4 * planes
        self.conv1 = nn.Conv2d(inp, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1 or inp != out:
            self.downsample = nn.Sequential(nn.Conv2d(inp, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)


def bottlenecks(
    inp: int, planes: int, count: int, stride: int = 1, *, first_dilation: int = 1, dilation: int = 1
) -> nn.Sequential:
    """One stage: (N, inp, H, W) → (N, 4·planes, H/s, W/s). The first block strides and has a dilation of its own."""
    first = Bottleneck(inp, planes, stride, first_dilation)
    return nn.Sequential(first, *[Bottleneck(4 * planes, planes, 1, dilation) for _ in range(count - 1)])


class BottleneckResNet(nn.Module):
    """ResNet-50 or deeper without its classifier. (N, inp, H, W) → five features: the stem's at 1/2 and four stages'.

    `channels` holds their channel counts: 64, 256, 512, 1024, 2048. `dilations` holds (first block's, other blocks')
    dilation of stages 3 and 4; a stage whose other blocks dilate keeps its input's size. `features[0]` is taken before
    the pooling.
    """

    channels = (64, 256, 512, 1024, 2048)

    def __init__(
        self,
        inp: int = 3,
        depths: tuple[int, ...] = RESNET50,
        dilations: tuple[tuple[int, int], tuple[int, int]] = ((1, 1), (1, 1)),
    ):
        super().__init__()
        self.conv1 = nn.Conv2d(inp, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = bottlenecks(64, 64, depths[0])
        self.layer2 = bottlenecks(256, 128, depths[1], 2)
        self.layer3 = dilated_stage(512, 256, depths[2], *dilations[0])
        self.layer4 = dilated_stage(1024, 512, depths[3], *dilations[1])

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(features[0])
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            features.append(x := stage(x))
        return features


def dilated_stage(inp: int, planes: int, count: int, first: int, others: int) -> nn.Sequential:
    """A stage that halves the size, or, where its later blocks dilate, keeps it."""
    return bottlenecks(inp, planes, count, 1 if others > 1 else 2, first_dilation=first, dilation=others)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut; (N, inp, H, W) → (N, out, H/s, W/s)."""

    def __init__(self, inp: int, out: int, stride: int):
        super().__init__()
        conv1, bn1 = conv_bn(inp, out, 3, stride=stride, act=False)
        conv2, bn2 = conv_bn(out, out, 3, act=False)
        self.conv = nn.Sequential(conv1, bn1, nn.ReLU(inplace=True), conv2, bn2)
        same = stride == 1 and inp == out
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_bn(inp, out, 1, stride=stride, act=False))
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
        stem = nn.Sequential(*conv_bn(inp, channels[0], 3, stride=2))
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
