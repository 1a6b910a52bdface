"""Matting against a photograph of the empty scene, refined at full resolution only where the matte is in doubt.

After Lin et al., "Real-Time High-Resolution Background Matting", CVPR 2021, in the layout of its published code, whose
checkpoints load here key by key.
Ours differs: images smaller than the budget of patches work; cutting and pasting of patches is by plain indexing.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.nn import patches
from koutu.nn.aspp import ASPP
from koutu.nn.mobilenetv2 import MobileNetV2
from koutu.nn.pixels import at_most, check, resize
from koutu.nn.resnet import RESNET50, RESNET101, BottleneckResNet


@dataclass(frozen=True)
class Config:
    """Shape of the network and of its refinement; the defaults are the published ResNet-50 one for 1080p."""

    backbone: Literal["mobilenetv2", "resnet50", "resnet101"] = "resnet50"
    refine: bool = True  # False: the base network alone, at the size of its input
    backbone_scale: float = 0.25  # of the image that the base network sees; published: 1/4 at 1080p, 1/8 at 2160p
    refine_mode: Literal["full", "sampling", "thresholding"] = "sampling"
    refine_sample_pixels: int = 80_000  # budget of `sampling`; published: 320 000 at 2160p
    refine_threshold: float = 0.1  # error above which `thresholding` refines
    refine_kernel_size: Literal[1, 3] = 3
    refine_prevent_oversampling: bool = True  # `sampling` leaves cells without any error alone


VARIANTS = {
    f"{backbone}{suffix}": Config(backbone=backbone, **options)
    for backbone in ("resnet50", "mobilenetv2", "resnet101")
    for suffix, options in {"": {}, "_base": {"refine": False}, "_k1": {"refine_kernel_size": 1}}.items()
}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """pha, err (N, 1, h, w), fgr (N, 3, h, w) in [0, 1] and hid (N, 32, h, w) of one scale.

    With refinement: `fine_pha`, `fine_fgr` at full size and `refined`, the map (N, 1, H/4, W/4) of what was refined;
    the others are then at the base network's scale.
    """

    pha: Tensor
    fgr: Tensor
    err: Tensor
    hid: Tensor
    fine_pha: Tensor | None = None
    fine_fgr: Tensor | None = None
    refined: Tensor | None = None


class _MobileNetEncoder(MobileNetV2):
    """Taps at 1/2, 1/4, 1/8 and 1/16."""

    def __init__(self):
        super().__init__(6, last_channels=0, nested=True)

    def forward(self, x: Tensor) -> list[Tensor]:
        at2, at4, at8, _, at16 = super().forward(x)
        return [at2, at4, at8, at16]


class _ResNetEncoder(BottleneckResNet):
    def __init__(self, depths: tuple[int, ...]):
        super().__init__(6, depths, dilations=((1, 1), (1, 2)))

    def forward(self, x: Tensor) -> list[Tensor]:
        at2, at4, at8, _, at16 = super().forward(x)
        return [at2, at4, at8, at16]


class Decoder(nn.Module):
    """Features from coarse to fine, and the input itself → (N, 37, h, w): 1 alpha, 3 residual, 1 error, 32 hidden."""

    outs = (128, 64, 48, 37)

    def __init__(self, inp: int, skips: tuple[int, int, int, int]):
        super().__init__()
        for i, (out, skip) in enumerate(zip(self.outs, skips, strict=True), start=1):
            self.add_module(f"conv{i}", nn.Conv2d(inp + skip, out, 3, padding=1, bias=i == 4))
            if i < 4:
                self.add_module(f"bn{i}", nn.BatchNorm2d(out))
            inp = out

    def forward(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        for i, skip in enumerate(skips, start=1):
            x = self.get_submodule(f"conv{i}")(torch.cat([resize(x, skip), skip], dim=1))
            if i < 4:
                x = F.relu(self.get_submodule(f"bn{i}")(x))
        return x


class Refiner(nn.Module):
    """Four convolutions without padding, at half and at full size, over chosen 4×4 cells or over all."""

    outs = (24, 16, 12, 4)

    def __init__(self, cfg: Config):
        super().__init__()
        self.cfg = cfg
        self.half_margin, self.full_margin = (3, 2) if cfg.refine_kernel_size == 3 else (0, 0)
        for i, (inp, out) in enumerate(zip((42, 24, 22, 12), self.outs, strict=True), start=1):
            self.add_module(f"conv{i}", nn.Conv2d(inp, out, cfg.refine_kernel_size, bias=i == 4))
            if i < 4:
                self.add_module(f"bn{i}", nn.BatchNorm2d(out))

    def forward(self, pair: Tensor, coarse: Tensor, err: Tensor) -> tuple[Tensor, Tensor]:
        """pair: src and bgr (N, 6, H, W); coarse: hid, pha and residual (N, 36, h, w); err (N, 1, h, w).

        Returns pha and residual (N, 4, H, W), and the map (N, 1, H/4, W/4) of what was refined.
        """
        height, width = pair.shape[2:]
        half, quarter = (height // 2, width // 2), (height // 4, width // 4)
        both = torch.cat([_at(coarse, half), _at(pair, half)], dim=1)
        if self.cfg.refine_mode == "full":
            edge = 2 * self.full_margin
            fine = self._layers(
                F.pad(both, (self.half_margin,) * 4),
                F.pad(pair, (self.full_margin,) * 4),
                (height + edge, width + edge),
            )
            return fine, torch.ones_like(pair[:, :1, ::4, ::4])
        chosen = self._select(_at(err, quarter))
        fine, where = _at(coarse[:, 32:], (height, width)), patches.cells(chosen)
        if not torch.onnx.is_in_onnx_export() and not len(where[0]):
            return fine, chosen
        side = 4 + 2 * self.full_margin
        cut_half = patches.crop(both, where, 2, self.half_margin)
        cut_full = patches.crop(pair, where, 4, self.full_margin)
        return patches.replace(fine, self._layers(cut_half, cut_full, (side, side)), where), chosen

    def _select(self, err: Tensor) -> Tensor:
        if self.cfg.refine_mode == "thresholding":
            return patches.select_above(err, self.cfg.refine_threshold)
        count, only_wrong = self.cfg.refine_sample_pixels // 16, self.cfg.refine_prevent_oversampling
        return patches.select_worst(err, count, only_wrong=only_wrong)

    def _layers(self, half: Tensor, full: Tensor, size: tuple[int, int]) -> Tensor:
        x = self._layer(self._layer(half, 1), 2)
        x = torch.cat([F.interpolate(x, size=size, mode="nearest"), full], dim=1)
        return self.get_submodule("conv4")(self._layer(x, 3))

    def _layer(self, x: Tensor, i: int) -> Tensor:
        return F.relu(self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(x)))


def _at(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class BackgroundMattingV2(Network):
    """src: (N, 3, H, W) RGB in [0, 1], sides multiples of 4; bgr: the same scene without anybody, aligned, like src.

    Returns fgr (N, 3, H, W) and pha (N, 1, H, W), both in [0, 1]. No memory.
    """

    needs: tuple[str, ...] = ("bgr",)
    stride = 4

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        if cfg.backbone == "mobilenetv2":
            self.backbone, skips, inp = _MobileNetEncoder(), (32, 24, 16, 6), 320
        else:
            depths = RESNET50 if cfg.backbone == "resnet50" else RESNET101
            self.backbone, skips, inp = _ResNetEncoder(depths), (512, 256, 64, 6), 2048
        self.aspp = ASPP(inp, 256, (3, 6, 9))
        self.decoder = Decoder(256, skips)
        if cfg.refine:
            self.refiner = Refiner(cfg)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Pictures of (H, W) are seen whole, to the nearest multiple of 4."""
        return at_most(size, max(size), self.stride)

    def forward(self, src: Tensor, bgr: Tensor) -> tuple[Tensor, Tensor]:
        out = self.training_outputs(src, bgr)
        if out.fine_fgr is None or out.fine_pha is None:
            return out.fgr, out.pha
        return out.fine_fgr, out.fine_pha

    def training_outputs(self, src: Tensor, bgr: Tensor) -> TrainingOutputs:
        """The coarse heads and, with refinement, the fine ones, on the same inputs as `forward`."""
        check(src, self.stride)
        check(bgr, self.stride, name="bgr")
        pair = torch.cat([src, bgr], dim=1)
        small = pair
        if self.cfg.refine and self.cfg.backbone_scale != 1:
            small = F.interpolate(
                pair, scale_factor=self.cfg.backbone_scale, mode="bilinear", align_corners=False,
                recompute_scale_factor=True,
            )  # fmt: skip
        *skips, deep = self.backbone(small)
        x = self.decoder(self.aspp(deep), [*reversed(skips), small])
        pha, residual, err, hid = x[:, :1].clamp(0, 1), x[:, 1:4], x[:, 4:5].clamp(0, 1), x[:, 5:].relu()
        fgr = (residual + small[:, :3]).clamp(0, 1)
        if not self.cfg.refine:
            return TrainingOutputs(pha, fgr, err, hid)
        fine, refined = self.refiner(pair, torch.cat([hid, pha, residual], dim=1), err)
        fine_fgr = (fine[:, 1:] + src).clamp(0, 1)
        return TrainingOutputs(pha, fgr, err, hid, fine[:, :1].clamp(0, 1), fine_fgr, refined)
