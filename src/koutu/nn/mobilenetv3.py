"""MobileNetV3-Large with its last stage dilated, in the layout of torchvision's checkpoints.

After Howard et al., "Searching for MobileNetV3", ICCV 2019, Table 1. Its batch norms divide by √(variance + 0.001), a
hundred times the usual epsilon: with another, published weights give visibly different mattes.
"""

from torch import Tensor, nn

from koutu.nn.mobilenetv2 import round_channels
from koutu.nn.squeeze import SqueezeExcite

# kernel, expanded channels, channels, squeeze, hard swish, stride, dilation
_BLOCKS = (
    (3, 16, 16, False, False, 1, 1), (3, 64, 24, False, False, 2, 1), (3, 72, 24, False, False, 1, 1),
    (5, 72, 40, True, False, 2, 1), (5, 120, 40, True, False, 1, 1), (5, 120, 40, True, False, 1, 1),
    (3, 240, 80, False, True, 2, 1), (3, 200, 80, False, True, 1, 1), (3, 184, 80, False, True, 1, 1),
    (3, 184, 80, False, True, 1, 1), (3, 480, 112, True, True, 1, 1), (3, 672, 112, True, True, 1, 1),
    (5, 672, 160, True, True, 1, 2), (5, 960, 160, True, True, 1, 2), (5, 960, 160, True, True, 1, 2),
)  # fmt: skip
_TAPS = (1, 3, 6, 16)  # the last feature block of strides 2, 4, 8, 16


def _conv(
    inp: int, out: int, kernel: int, act: type[nn.Module] | None, stride: int = 1, groups: int = 1, dilation: int = 1
) -> nn.Sequential:
    conv = nn.Conv2d(inp, out, kernel, stride, kernel // 2 * dilation, dilation, groups, bias=False)
    norm = nn.BatchNorm2d(out, eps=1e-3, momentum=0.01)
    return nn.Sequential(conv, norm, *([act(inplace=True)] if act else []))


class _Block(nn.Module):
    def __init__(self, inp: int, spec: tuple[int, int, int, bool, bool, int, int]):
        super().__init__()
        kernel, mid, out, squeeze, swish, stride, dilation = spec
        act = nn.Hardswish if swish else nn.ReLU
        layers: list[nn.Module] = [_conv(inp, mid, 1, act)] if mid != inp else []
        layers.append(_conv(mid, mid, kernel, act, stride, mid, dilation))
        if squeeze:
            layers.append(SqueezeExcite(mid, round_channels(mid // 4)))
        layers.append(_conv(mid, out, 1, None))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.residual else self.block(x)


class MobileNetV3(nn.Module):
    """(N, 3, H, W) → four features of 16, 24, 40 and 960 channels (`channels`) at strides 2, 4, 8, 16."""

    channels = (16, 24, 40, 960)

    def __init__(self):
        super().__init__()
        blocks: list[nn.Module] = [_conv(3, 16, 3, nn.Hardswish, stride=2)]
        inp = 16
        for spec in _BLOCKS:
            blocks.append(_Block(inp, spec))
            inp = spec[2]
        blocks.append(_conv(inp, 960, 1, nn.Hardswish))
        self.features = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for i, block in enumerate(self.features):
            x = block(x)
            if i in _TAPS:
                features.append(x)
        return features
