"""A gated 1×1: the light head of MobileNetV3's segmentation network (Howard et al., ICCV 2019, §6.3)."""

from torch import Tensor, nn


class LRASPP(nn.Module):
    """(N, inp, h, w) → (N, out, h, w), each channel scaled by a gate from the whole image's mean."""

    def __init__(self, inp: int, out: int):
        super().__init__()
        self.aspp1 = nn.Sequential(nn.Conv2d(inp, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True))
        self.aspp2 = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(inp, out, 1, bias=False), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.aspp1(x) * self.aspp2(x)
