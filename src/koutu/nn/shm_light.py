"""The two parts of a light Semantic Human Matting: MobileNetV2's features with a ladder back up, and a shallow filler.

The layout of lizhengwei's re-implementation; its choice of interpolation and activation is not documented, and taken
here as bilinear without aligned corners and as ReLU (ReLU6 in MobileNetV2's own blocks).
"""

from torch import Tensor, nn
from torch.nn import functional as F

from koutu.nn.mobilenetv2 import InvertedResidual, conv_bn

LIGHT_MEAN = (114.0, 121.0, 134.0)  # of blue, green, red, of 255

# output channels, repeats, stride of the first, of MobileNetV2's stages
_BLOCKS = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2))


class Features(nn.Module):
    """MobileNetV2 with an unstrided first layer; (N, 3, H, W) → features at 1, 1/2, 1/4, 1/8 and 1/16."""

    def __init__(self):
        super().__init__()
        self.head_conv = nn.Sequential(*conv_bn(3, 32, 3))
        self.block_1 = InvertedResidual(32, 16, 1, 1, always_expand=True)
        inp = 16
        for i, (out, count, stride) in enumerate(_BLOCKS, start=2):
            blocks = [InvertedResidual(inp if j == 0 else out, out, stride if j == 0 else 1, 6) for j in range(count)]
            self.add_module(f"block_{i}", nn.Sequential(*blocks))
            inp = out
        self.block_7 = InvertedResidual(inp, 320, 1, 6)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.block_1(self.head_conv(x))
        features = [x]
        for i in range(2, 7):
            x = self.get_submodule(f"block_{i}")(x)
            if i in (2, 3, 5):
                features.append(x)
        return [*features, self.block_7(x)]


class LightTNet(nn.Module):
    """(N, 3, H, W) → logits (N, 3, H, W) of background, unknown, foreground; sides multiples of 16."""

    def __init__(self):
        super().__init__()
        self.feature = Features()
        inp = 320
        for i, out in zip(range(5, 1, -1), (96, 32, 24, 16), strict=True):
            self.add_module(f"s{i}_up_conv", nn.Sequential(_Double(), *_conv(inp, out)))
            self.add_module(f"s{i - 1}_fusion", nn.Sequential(*_conv(out, out)))
            inp = out
        self.last_conv = nn.Conv2d(inp, 3, 3, padding=1)

    def forward(self, img: Tensor) -> Tensor:
        *skips, x = self.feature(img)
        for i, skip in zip(range(5, 1, -1), reversed(skips), strict=True):
            x = self.get_submodule(f"s{i - 1}_fusion")(self.get_submodule(f"s{i}_up_conv")(x) + skip)
        return self.last_conv(x)


class _Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _conv(inp: int, out: int, *, bias: bool = True) -> list[nn.Module]:
    return [nn.Conv2d(inp, out, 3, padding=1, bias=bias), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]


class LightMNet(nn.Module):
    """Picture and trimap (N, 6, H, W) → alpha_r (N, 1, H, W), linear; sides multiples of 16.

    `en_conv_bn_relu_5` is in published files and never called.
    """

    def __init__(self):
        super().__init__()
        inp = 6
        for i, out in enumerate((16, 32, 64, 128, 128), start=1):
            self.add_module(f"en_conv_bn_relu_{i}", nn.Sequential(*_conv(inp, out, bias=False)))
            inp = out
        self.get_submodule("en_conv_bn_relu_5").requires_grad_(False)
        for i, out in enumerate((128, 64, 32, 16), start=1):
            self.add_module(f"de_conv_bn_relu_{i}", nn.Sequential(*_conv(inp, out, bias=False)))
            self.add_module(f"deconv_{i}", nn.ConvTranspose2d(out, out, 5, 2, 2, output_padding=1, bias=False))
            inp = out
        self.conv = nn.Conv2d(inp, 1, 5, padding=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, 5):
            x = F.max_pool2d(self.get_submodule(f"en_conv_bn_relu_{i}")(x), 2)
        for i in range(1, 5):
            x = self.get_submodule(f"deconv_{i}")(self.get_submodule(f"de_conv_bn_relu_{i}")(x))
        return self.conv(x)
