"""MobileNetV1 down to 1/16 (Howard et al., arXiv 1704.04861): depthwise and 1×1 convolutions in turn.

The widths are those of BodyPix ×0.5 (Google, Apache-2.0), so that a training can begin where it ended. Like the
published file it has no norm layers: they are folded into the convolutions.
"""

from torch import Tensor, nn
from torch.nn import functional as F

STEM = 16
LAYERS = ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), *[(256, 1)] * 7)  # channels and stride
CHANNELS = (32, 64, 128, 256)  # of the features at 1/2, 1/4, 1/8 and 1/16


class Filter(nn.Conv2d):
    """A 3×3 convolution with bias; at stride 2 over even sizes it is centred on the first or, `late`, second pixel.

    Early and late in turn keep the features of all depths within a quarter of a cell of their cells' middles.
    """

    def __init__(self, inp: int, out: int, *, stride: int = 1, groups: int = 1, late: bool = False):
        super().__init__(inp, out, 3, stride, 1 if stride == 1 else 0, groups=groups)
        self.late = late

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        if self.stride[0] == 1:
            return super().forward(x)
        x = F.pad(x, (0, 1, 0, 1) if self.late else (1, 0, 1, 0))
        if self.training and self.groups > 1:  # the same numbers; a strided depthwise backward pass takes 4 × as long
            return F.conv2d(x, self.weight, self.bias, groups=self.groups)[..., ::2, ::2]
        return super().forward(x)


class Separable(nn.Module):
    """Each channel filtered, then all mixed: (N, inp, H, W) → (N, out, H/s, W/s), in [0, 6]."""

    def __init__(self, inp: int, out: int, *, stride: int = 1, late: bool = False):
        super().__init__()
        self.depthwise = Filter(inp, inp, stride=stride, groups=inp, late=late)
        self.pointwise = nn.Conv2d(inp, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(self.pointwise(F.relu6(self.depthwise(x))))


class MobileNetV1(nn.Module):
    """x (N, inp, H, W), H and W multiples of 16, RGB in [0, 1] first → features at 1/2, 1/4, 1/8 and 1/16."""

    def __init__(self, inp: int = 3):
        super().__init__()
        self.stem = Filter(inp, STEM, stride=2)
        layers, width, late = [], STEM, True
        for out, stride in LAYERS:
            layers.append(Separable(width, out, stride=stride, late=late))
            width, late = out, late != (stride == 2)
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem(2 * x - 1))
        kept = []
        for layer, (_, stride) in zip(self.layers, LAYERS, strict=True):
            if stride == 2:
                kept.append(x)
            x = layer(x)
        return [*kept, x]
