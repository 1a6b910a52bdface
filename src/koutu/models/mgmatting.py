"""Matting guided by any coarse mask, refined from the coarse scale to the fine one where the matte is in doubt.

After Yu et al., "Mask Guided Matting via Progressive Refinement Network", CVPR 2021, in the layout of its published
code, whose checkpoints load here key by key.
Ours differs: the regions of doubt are found on the network's device, by a convolution, so the whole inference exports
(images over 64 pixels a side); `width` is configurable. As in the published code there is no foreground head.
"""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.nn.pixels import check, imagenet, pad_to, resize
from koutu.nn.spectral import DownBlock, SpectralConv2d, UpBlock


@dataclass(frozen=True)
class Config:
    """Shape of the network and of its inference; the defaults are the published ones for portraits."""

    width: int = 32  # channels at 1/2; 16 times as many at 1/32
    threshold: float | None = 0.5  # mask over this is 1, else 0; published: 128 of 255; None: the mask as it is
    border: int = 32  # pixels mirrored around the image, a multiple of 32; 0 as in the published validation
    widths: tuple[int, int] = (15, 7)  # of the ellipses that widen the doubt at 1/8 and at 1/4


VARIANTS = {"published": Config(), "trimap": Config(threshold=169.5 / 255)}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """Alphas of the heads at 1/1, 1/4 and 1/8, each (N, 1, H, W) in [0, 1]; `refined` joins them."""

    os1: Tensor
    os4: Tensor
    os8: Tensor


def uncertain(pha: Tensor, width: int) -> Tensor:
    """1 within an ellipse `width` pixels wide of an alpha from 1/255 to 254/255, else 0; (N, 1, H, W), no gradient.

    The ellipse is OpenCV's, an even one off its centre. A sum over it is positive where any pixel is in doubt.
    """
    doubt = ((pha >= 1 / 255) & (pha <= 1 - 1 / 255)).to(pha.dtype)
    around = (width // 2, width - 1 - width // 2) * 2
    return (F.conv2d(F.pad(doubt, around), pha.new_tensor(_ellipse(width))[None, None]) > 0.5).to(pha.dtype)


def refined(coarse: Tensor, fine: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """`fine` where `coarse` is uncertain, else `coarse`; and that region. All (N, 1, H, W).

    Training applies it with random widths, to os8 and os4 (1 … 29), then to the raw os4 and os1 (1 … 14), and weighs
    each scale's losses by its region; so outside of it what is called fine teaches the coarse head.
    """
    where = uncertain(coarse, width)
    return torch.where(where > 0, fine, coarse), where


def _ellipse(width: int) -> list[list[float]]:
    radius = width // 2
    reaches = [round(sqrt(radius**2 - (y - radius) ** 2)) for y in range(width)]
    return [[float(abs(x - radius) <= reach) for x in range(width)] for reach in reaches]


def _stage(block: type[DownBlock | UpBlock], inp: int, out: int, count: int, stride: int = 2) -> nn.Sequential:
    return nn.Sequential(block(inp, out, stride), *[block(out, out, 1) for _ in range(count - 1)])


def _skip(inp: int, out: int) -> nn.Sequential:
    pairs = [[SpectralConv2d(c, out, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(out)] for c in (inp, out)]
    return nn.Sequential(*pairs[0], *pairs[1])


class Encoder(nn.Module):
    """Picture and mask (N, 4, H, W) → the deep feature at 1/32 and five skips at 1, 1/2, 1/4, 1/8 and 1/16."""

    def __init__(self, w: int):
        super().__init__()
        self.conv1, self.bn1 = SpectralConv2d(4, w, 3, 2), nn.BatchNorm2d(w)
        self.conv2, self.bn2 = SpectralConv2d(w, w, 3), nn.BatchNorm2d(w)
        self.conv3, self.bn3 = SpectralConv2d(w, 2 * w, 3, 2), nn.BatchNorm2d(2 * w)
        self.layer1 = _stage(DownBlock, 2 * w, 2 * w, 3, stride=1)
        self.layer2 = _stage(DownBlock, 2 * w, 4 * w, 4)
        self.layer3 = _stage(DownBlock, 4 * w, 8 * w, 4)
        self.layer_bottleneck = _stage(DownBlock, 8 * w, 16 * w, 2)
        pairs = ((4, w), (w, w), (2 * w, 2 * w), (4 * w, 4 * w), (8 * w, 8 * w))
        self.shortcut = nn.ModuleList(_skip(*pair) for pair in pairs)
        nn.init.zeros_(self.conv1.module.weight_bar[:, 3:])

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = [x, F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))]
        x = F.relu(self.bn3(self.conv3(features[1])))
        for stage in (self.layer1, self.layer2, self.layer3):
            features.append(x := stage(x))
        skips = [skip(feature) for skip, feature in zip(self.shortcut, features, strict=True)]
        return self.layer_bottleneck(x), skips


class ASPP(nn.Module):
    """(N, c, h, w) → the same, seen through dilations of 2, 4 and 8; c/2 channels a branch, names of their own."""

    def __init__(self, c: int):
        super().__init__()
        for i, rate in enumerate((1, 2, 4, 8, 1), start=1):
            kernel, padding = (3, rate) if rate > 1 else (1, 0)
            self.add_module(f"aspp{i}", nn.Conv2d(c, c // 2, kernel, padding=padding, dilation=rate, bias=False))
            self.add_module(f"aspp{i}_bn", nn.BatchNorm2d(c // 2))
        self.conv2, self.bn2 = nn.Conv2d(5 * c // 2, c, 1, bias=False), nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        branches = [self._branch(x, i) for i in (1, 2, 3, 4)]
        branches.append(resize(self._branch(F.adaptive_avg_pool2d(x, 1), 5), x))
        return F.relu(self.bn2(self.conv2(torch.cat(branches, dim=1))))

    def _branch(self, x: Tensor, i: int) -> Tensor:
        return F.relu(self.get_submodule(f"aspp{i}_bn")(self.get_submodule(f"aspp{i}")(x)))


class Decoder(nn.Module):
    """The deep feature and the five skips → logits at 1, 1/4 and 1/8, all enlarged to (N, 1, H, W)."""

    def __init__(self, w: int):
        super().__init__()
        self.layer1 = _stage(UpBlock, 16 * w, 8 * w, 2)
        self.layer2 = _stage(UpBlock, 8 * w, 4 * w, 3)
        self.layer3 = _stage(UpBlock, 4 * w, 2 * w, 3)
        self.layer4 = _stage(UpBlock, 2 * w, w, 2)
        self.conv1, self.bn1 = SpectralConv2d(w, w, 4, 2, transposed=True), nn.BatchNorm2d(w)
        self.refine_OS1, self.refine_OS4, self.refine_OS8 = _head(w, w), _head(2 * w, w), _head(4 * w, w)

    def forward(self, x: Tensor, skips: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        at8 = self.layer2(self.layer1(x) + skips[4]) + skips[3]
        at4 = self.layer3(at8) + skips[2]
        at2 = self.layer4(at4) + skips[1]
        at1 = F.leaky_relu(self.bn1(self.conv1(at2)), 0.2) + skips[0]
        os1 = self.refine_OS1(at1)
        return os1, resize(self.refine_OS4(at4), os1), resize(self.refine_OS8(at8), os1)


def _head(inp: int, mid: int) -> nn.Sequential:
    first, last = nn.Conv2d(inp, mid, 3, padding=1, bias=False), nn.Conv2d(mid, 1, 3, padding=1)
    nn.init.xavier_uniform_(first.weight)
    nn.init.xavier_uniform_(last.weight)
    return nn.Sequential(first, nn.BatchNorm2d(mid), nn.LeakyReLU(0.2, inplace=True), last)


class MGMatting(Network):
    """src: (N, 3, H, W) RGB in [0, 1], any size; mask: (N, 1, H, W) in [0, 1], a segmentation, an alpha, a trimap.

    Returns fgr (N, 3, H, W), which is src because the network sees alpha only, and pha (N, 1, H, W). No memory.
    """

    needs: tuple[str, ...] = ("mask",)
    stride = 1

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        self.encoder, self.aspp, self.decoder = Encoder(cfg.width), ASPP(16 * cfg.width), Decoder(cfg.width)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Pictures of (H, W) are seen whole, as published weights were used."""
        return size

    def forward(self, src: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        border, (wide, narrow) = self.cfg.border, self.cfg.widths
        out = self.heads(self._padded(src, mask, border))
        pha, _ = refined(refined(out.os8, out.os4, wide)[0], out.os1, narrow)
        return src, pha[..., border : border + src.shape[2], border : border + src.shape[3]]

    def training_outputs(self, src: Tensor, mask: Tensor) -> TrainingOutputs:
        """The three heads before they are joined; as in the published training, no border is added."""
        out = self.heads(self._padded(src, mask, 0))
        return TrainingOutputs(*(x[..., : src.shape[2], : src.shape[3]] for x in (out.os1, out.os4, out.os8)))

    def heads(self, x: Tensor) -> TrainingOutputs:
        """The network itself on the normalised image and the mask (N, 4, H, W), H and W multiples of 32."""
        check(x, 32, channels=4, name="picture and mask")
        deep, skips = self.encoder(x)
        return TrainingOutputs(*((torch.tanh(x) + 1) / 2 for x in self.decoder(self.aspp(deep), skips)))

    def _padded(self, src: Tensor, mask: Tensor, border: int) -> Tensor:
        check(src)
        check(mask, channels=1, name="mask")
        if mask.shape[2:] != src.shape[2:]:
            raise ValueError(
                f"expected a mask of src's size {tuple(src.shape[2:])}, got {tuple(mask.shape[2:])}; fit it"
            )
        if self.cfg.threshold is not None:
            mask = (mask > self.cfg.threshold).to(src.dtype)
        both = pad_to(torch.cat([imagenet(src), mask], dim=1), 32, least=border)
        return F.pad(both, (border, 0, border, 0), mode="reflect")
