"""Matting with a trimap and with knowledge of what is matted: hair, glass, fire, nets and sixteen classes more.

After Sun et al., "Semantic Image Matting", CVPR 2021, in the layout of its published code, whose checkpoints load here
key by key. The classes come from `koutu.models.sim_classifier`, a network and a checkpoint of its own.
Ours differs: the maps of distances to the trimap's known regions are made on the network's device; `width` and
`depths` are configurable. Training needs batches of two or more, for the normalisation of whole-picture means.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from koutu.models.base import Network
from koutu.nn.aspp import ASPP
from koutu.nn.distance import click_maps
from koutu.nn.pixels import check, imagenet, resize
from koutu.nn.resnet import RESNET50, bottlenecks, dilated_stage

_CLASSES = 20


@dataclass(frozen=True)
class Config:
    """Shape of the network and of its inference; the defaults are the published ones."""

    width: int = 64  # channels of the stem; 32 times as many in the deepest feature
    depths: tuple[int, ...] = RESNET50  # bottlenecks a stage
    keep_known: bool = True  # alpha is 0 and 1 where the trimap says so
    colours: bool = False  # forward gives the colour head's foreground; the published inference leaves it out


VARIANTS = {"published": Config(), "colours": Config(colours=True)}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """pha (N, 1, H, W), fgr and bgr (N, 3, H, W), all in [0, 1].

    attention: (N, 3, H, W) in [0, 1], shares of alpha's, the foreground's and the background's slopes in the image's.
    """

    pha: Tensor
    fgr: Tensor
    bgr: Tensor
    attention: Tensor


def mirrored(x: Tensor) -> Tensor:
    """x (N, C, H, W) enlarged at its right and bottom to the next multiples of 8, by 1 to 8 pixels, edge repeated."""
    for dim in (2, 3):
        size = x.shape[dim]
        at = torch.arange((size // 8 + 1) * 8, device=x.device) % (2 * size)
        x = x.index_select(dim, torch.minimum(at, 2 * size - 1 - at))
    return x


class StandardisedConv2d(nn.Conv2d):
    """Its weight has, for every output channel, a mean of 0 and a spread of 1 (Qiao et al., arXiv 1903.10520)."""

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        spread = (weight.var(dim=(1, 2, 3), keepdim=True) + 1e-12).sqrt() + 1e-5
        return self._conv_forward(input, weight / spread, self.bias)


class Encoder(nn.Module):
    """Picture, clicks and known regions (N, 11, H, W), and classes (N, 20, H, W) → features at 1/2, 1/4 and 1/8."""

    def __init__(self, w: int, depths: tuple[int, ...]):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(11, w, 3, 2, 1, bias=False), nn.BatchNorm2d(w)
        self.conv1_side = nn.Conv2d(_CLASSES, w, 7, 2, 3, bias=False)
        self.conv2, self.bn2 = nn.Conv2d(w, w, 3, padding=1, bias=False), nn.BatchNorm2d(w)
        self.conv3, self.bn3 = nn.Conv2d(w, 2 * w, 3, padding=1, bias=False), nn.BatchNorm2d(2 * w)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        self.layer1 = bottlenecks(2 * w, w, depths[0])
        self.layer2 = bottlenecks(4 * w, 2 * w, depths[1], 2)
        self.layer3 = dilated_stage(8 * w, 4 * w, depths[2], 1, 2)
        self.layer4 = dilated_stage(16 * w, 8 * w, depths[3], 2, 4)

    def forward(self, x: Tensor, semantic: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.relu(self.bn1(self.conv1(x) + self.conv1_side(semantic)))
        at2 = self.relu(self.bn3(self.conv3(self.relu(self.bn2(self.conv2(x))))))
        at4 = self.layer1(self.maxpool(at2))
        return at2, at4, self.layer4(self.layer3(self.layer2(at4)))


class Decoder(nn.Module):
    """Features at 1/2, 1/4, 1/8, and the image and known regions (N, 8, H, W) → hidden (N, w, H, W) and both joined.

    The heads: `conv_up4_alpha` and `conv_up4_fb` on the latter, `conv_up4_attn` on the hidden alone.
    """

    def __init__(self, w: int):
        super().__init__()
        self.global_module = ASPP(32 * w, 4 * w, (12, 24, 36), conv=StandardisedConv2d)
        self.conv_up1 = nn.Sequential(*_conv(36 * w, 4 * w), *_conv(4 * w, 4 * w))
        self.conv_up2 = nn.Sequential(*_conv(8 * w, 4 * w))
        self.conv_up3 = nn.Sequential(*_conv(6 * w, w))
        self.conv_up4_alpha, self.conv_up4_fb, self.conv_up4_attn = _head(w + 8, 1), _head(w + 8, 6), _head(w, 3)

    def forward(self, features: tuple[Tensor, Tensor, Tensor], given: Tensor) -> tuple[Tensor, Tensor]:
        at2, at4, deep = features
        x = self.conv_up1(torch.cat([deep, self.global_module(deep)], dim=1))
        x = self.conv_up2(torch.cat([resize(x, at4), at4], dim=1))
        x = resize(self.conv_up3(torch.cat([resize(x, at2), at2], dim=1)), given)
        return x, torch.cat([x, given], dim=1)


def _conv(inp: int, out: int) -> tuple[nn.Module, ...]:
    return StandardisedConv2d(inp, out, 3, padding=1), nn.BatchNorm2d(out), nn.LeakyReLU()


def _head(inp: int, out: int) -> nn.Sequential:
    first, second = nn.Conv2d(inp, 32, 3, padding=1), nn.Conv2d(32, 16, 3, padding=1)
    return nn.Sequential(first, nn.LeakyReLU(), second, nn.LeakyReLU(), nn.Conv2d(16, out, 1, bias=False))


class SIM(Network):
    """src: (N, 3, H, W) RGB in [0, 1], any size; trimap: (N, 1, H, W) of 0, 0.5 and 1.

    semantic: (N, 20, H, W) in [0, 1] from `sim_classifier.semantic_map`; without it zeros, as of a class never seen.
    clicks: (N, 6, H, W) from `nn.distance.click_maps`, for engines that should not make them. Both may instead have the
    size of `mirrored(src)`: made of the mirrored image, they are the published code's to the last pixel.
    Returns fgr (N, 3, H, W), src itself unless `colours`, and pha (N, 1, H, W). No memory.
    """

    needs: tuple[str, ...] = ("trimap",)
    stride = 1

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        self.encoder, self.decoder = Encoder(cfg.width, cfg.depths), Decoder(cfg.width)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Pictures of (H, W) are seen whole, as published weights were used."""
        return size

    def forward(
        self, src: Tensor, trimap: Tensor, semantic: Tensor | None = None, clicks: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        given = self._given(src, trimap, semantic, clicks)
        (_, joined), known = self._features(*given), given[1]
        pha = self.decoder.conv_up4_alpha(joined).clamp(0, 1)
        if self.cfg.keep_known:
            pha = torch.maximum(pha * (1 - known[:, :1]), known[:, 1:])
        height, width = src.shape[2:]
        if not self.cfg.colours:
            return src, pha[..., :height, :width]
        fgr = torch.sigmoid(self.decoder.conv_up4_fb(joined)[:, :3])
        return fgr[..., :height, :width], pha[..., :height, :width]

    def training_outputs(
        self, src: Tensor, trimap: Tensor, semantic: Tensor | None = None, clicks: Tensor | None = None
    ) -> TrainingOutputs:
        """All heads on the same inputs as `forward`; alpha as it is, neither overwritten nor limited to [0, 1].

        Beyond those limits a gradient must still reach it: from random weights all of it may lie there.
        """
        out = self._heads(*self._given(src, trimap, semantic, clicks))
        height, width = src.shape[2:]
        return TrainingOutputs(*(x[..., :height, :width] for x in (out.pha, out.fgr, out.bgr, out.attention)))

    def heads(self, src: Tensor, known: Tensor, clicks: Tensor, semantic: Tensor) -> TrainingOutputs:
        """The network itself: channels 3, 2 (sure background, sure foreground), 6 and 20, sides multiples of 8."""
        out = self._heads(src, known, clicks, semantic)
        return TrainingOutputs(out.pha.clamp(0, 1), out.fgr, out.bgr, out.attention)

    def _heads(self, src: Tensor, known: Tensor, clicks: Tensor, semantic: Tensor) -> TrainingOutputs:
        hidden, joined = self._features(src, known, clicks, semantic)
        pha = self.decoder.conv_up4_alpha(joined)
        colours = torch.sigmoid(self.decoder.conv_up4_fb(joined))
        attention = torch.sigmoid(self.decoder.conv_up4_attn(hidden))
        return TrainingOutputs(pha, colours[:, :3], colours[:, 3:], attention.roll(1, dims=1))

    def _features(self, src: Tensor, known: Tensor, clicks: Tensor, semantic: Tensor) -> tuple[Tensor, Tensor]:
        check(src, 8)
        img = imagenet(src)
        features = self.encoder(torch.cat([img, clicks, known], dim=1), semantic)
        return self.decoder(features, torch.cat([img, src, known], dim=1))

    def _given(
        self, src: Tensor, trimap: Tensor, semantic: Tensor | None, clicks: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        check(src)
        img, trimap = mirrored(src), _fitted(trimap, src, 1, "trimap")
        known = torch.cat([trimap == 0, trimap == 1], dim=1).to(src.dtype)
        clicks = click_maps(known) if clicks is None else _fitted(clicks, src, 6, "clicks")
        if semantic is None:
            return img, known, clicks, img.new_zeros(len(img), _CLASSES, *img.shape[2:])
        return img, known, clicks, _fitted(semantic, src, _CLASSES, "semantic")


def _fitted(x: Tensor, src: Tensor, channels: int, name: str) -> Tensor:
    """A hint at the size of `mirrored(src)`."""
    check(x, channels=channels, name=name)
    if x.shape[2:] == src.shape[2:]:
        return mirrored(x)
    large = tuple(side // 8 * 8 + 8 for side in src.shape[2:])
    if tuple(x.shape[2:]) != large:
        raise ValueError(f"expected {name} of src's size or {large}, got {tuple(x.shape[2:])}; fit it to the image")
    return x
