"""Semantic-detail-fusion portrait matting without a trimap.

After Ke et al., "MODNet: Real-Time Trimap-Free Portrait Matting via Objective Decomposition", AAAI 2022, in the
layout of its published code, whose checkpoints load here key by key.
Ours differs: an optional fourth input channel carries the previous alpha (`temporal`); width, channel counts and the
normalisation are configurable, and the heads may work at half size; the defaults are the published network.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.nn.mobilenetv2 import MobileNetV2
from koutu.nn.pixels import check, short_side
from koutu.nn.resnet import ResNet
from koutu.nn.squeeze import IBNorm, SEBlock


@dataclass(frozen=True)
class Config:
    """Shape of the network; the defaults are the published one."""

    temporal: bool = False  # the previous alpha is the fourth input channel
    encoder: Literal["mobilenetv2", "resnet"] = "mobilenetv2"
    width: float = 1.0  # MobileNetV2 multiplier
    last_channels: int = 1280  # MobileNetV2's output at 1/32
    resnet_channels: tuple[int, ...] = (16, 32, 64, 128, 256)  # at 1/2 … 1/32
    resnet_depths: tuple[int, ...] = (1, 1, 2, 2)  # residual blocks at 1/4 … 1/32
    lr_channels: tuple[int, int] = (96, 32)  # low-resolution branch at 1/16 and 1/8
    hr_channels: int = 32  # high-resolution branch
    norm: Literal["ibn", "batch"] = "ibn"  # "batch" folds into the convolutions at export, "ibn" cannot
    subpixel: bool = False  # last layers at 1/2, four alphas per cell: the full-size layers cost a third of the time


VARIANTS = {"published": Config(), "temporal": Config(temporal=True)}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """semantic: (N, 1, H/16, W/16); detail and pha: (N, 1, H, W); all in [0, 1]. state: the next call's memory."""

    semantic: Tensor
    detail: Tensor
    pha: Tensor
    state: list[Tensor]


def _up(x: Tensor, factor: int = 2) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def _down(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=1 / factor, mode="bilinear", align_corners=False)


class Conv(nn.Module):
    """Convolution with bias, then norm and ReLU unless `plain`. (N, inp, H, W) → (N, out, H/s, W/s)."""

    def __init__(self, inp: int, out: int, kernel: int, *, stride: int = 1, norm: str = "ibn", plain: bool = False):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(inp, out, kernel, stride, kernel // 2))
        if not plain:
            self.layers.append(IBNorm(out) if norm == "ibn" else nn.BatchNorm2d(out))
            self.layers.append(nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class MatteHead(nn.Sequential):
    """Features at 1/2 and the image → alpha logits: two convolutions at full size, or at 1/2 with `subpixel`.

    x: (N, C, H/2, W/2), img: (N, 3, H, W) → (N, 1, H, W).
    """

    def __init__(self, inp: int, mid: int, cfg: Config):
        cells = 4 if cfg.subpixel else 1
        super().__init__(Conv(inp + 3 * cells, mid, 3, norm=cfg.norm), Conv(mid, cells, 1, plain=True))
        self.subpixel = cfg.subpixel

    def forward(self, x: Tensor, img: Tensor) -> Tensor:  # type: ignore[override]
        if self.subpixel:
            return F.pixel_shuffle(super().forward(torch.cat([x, F.pixel_unshuffle(img, 2)], dim=1)), 2)
        return super().forward(torch.cat([_up(x), img], dim=1))


class Backbone(nn.Module):
    """The encoder under the name that published checkpoints use."""

    def __init__(self, cfg: Config):
        super().__init__()
        inp = 4 if cfg.temporal else 3
        if cfg.encoder == "resnet":
            self.model = ResNet(inp, tuple(cfg.resnet_channels), tuple(cfg.resnet_depths))
        else:
            self.model = MobileNetV2(inp, cfg.width, cfg.last_channels)

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.model(x)


class LowResolutionBranch(nn.Module):
    """Where the person is: encoder features at 1/32 → lr8x (N, C, H/8, W/8)."""

    def __init__(self, cfg: Config, backbone: Backbone):
        super().__init__()
        mid, out = cfg.lr_channels
        last = backbone.model.channels[-1]
        self.backbone = backbone  # shared with MODNet.backbone: the published state dict names it twice
        self.se_block = SEBlock(last)
        self.conv_lr16x = Conv(last, mid, 5, norm=cfg.norm)
        self.conv_lr8x = Conv(mid, out, 5, norm=cfg.norm)
        self.conv_lr = Conv(out, 1, 3, stride=2, plain=True)

    def forward(self, enc32x: Tensor) -> Tensor:
        return self.conv_lr8x(_up(self.conv_lr16x(_up(self.se_block(enc32x)))))

    def semantic(self, lr8x: Tensor) -> Tensor:
        """Coarse alpha (N, 1, H/16, W/16), a training head."""
        return torch.sigmoid(self.conv_lr(lr8x))


class HighResolutionBranch(nn.Module):
    """What the boundary looks like: image and shallow features → hr2x (N, C, H/2, W/2)."""

    def __init__(self, cfg: Config, enc2x: int, enc4x: int):
        super().__init__()
        c, norm = cfg.hr_channels, cfg.norm
        self.tohr_enc2x = Conv(enc2x, c, 1, norm=norm)
        self.conv_enc2x = Conv(c + 3, c, 3, stride=2, norm=norm)
        self.tohr_enc4x = Conv(enc4x, c, 1, norm=norm)
        self.conv_enc4x = Conv(2 * c, 2 * c, 3, norm=norm)
        lr = cfg.lr_channels[1]
        self.conv_hr4x = nn.Sequential(
            Conv(2 * c + lr + 3, 2 * c, 3, norm=norm), Conv(2 * c, 2 * c, 3, norm=norm), Conv(2 * c, c, 3, norm=norm)
        )
        self.conv_hr2x = nn.Sequential(
            Conv(2 * c, 2 * c, 3, norm=norm), Conv(2 * c, c, 3, norm=norm), Conv(c, c, 3, norm=norm),
            Conv(c, c, 3, norm=norm),
        )  # fmt: skip
        self.conv_hr = MatteHead(c, c, cfg)

    def forward(self, img: Tensor, enc2x: Tensor, enc4x: Tensor, lr8x: Tensor) -> Tensor:
        enc2x = self.tohr_enc2x(enc2x)
        hr4x = self.conv_enc2x(torch.cat([_down(img, 2), enc2x], dim=1))
        hr4x = self.conv_enc4x(torch.cat([hr4x, self.tohr_enc4x(enc4x)], dim=1))
        hr4x = self.conv_hr4x(torch.cat([hr4x, _up(lr8x), _down(img, 4)], dim=1))
        return self.conv_hr2x(torch.cat([_up(hr4x), enc2x], dim=1))

    def detail(self, img: Tensor, hr2x: Tensor) -> Tensor:
        """Alpha that is right near the boundary (N, 1, H, W), a training head."""
        return torch.sigmoid(self.conv_hr(hr2x, img))


class FusionBranch(nn.Module):
    """Both together: lr8x and hr2x → pha (N, 1, H, W)."""

    def __init__(self, cfg: Config):
        super().__init__()
        c, lr, norm = cfg.hr_channels, cfg.lr_channels[1], cfg.norm
        self.conv_lr4x = Conv(lr, c, 5, norm=norm)
        self.conv_f2x = Conv(2 * c, c, 3, norm=norm)
        self.conv_f = MatteHead(c, c // 2, cfg)

    def forward(self, img: Tensor, lr8x: Tensor, hr2x: Tensor) -> Tensor:
        f2x = self.conv_f2x(torch.cat([_up(self.conv_lr4x(_up(lr8x))), hr2x], dim=1))
        return torch.sigmoid(self.conv_f(f2x, img))


class Trimapless(Network):
    """What MODNet and `tmodnet` share: images alone in, the previous pha as memory where `cfg.temporal` says so.

    A subclass has `cfg`, `stride`, `training_outputs`, and `_branches`, whose last result is pha.
    """

    needs: tuple[str, ...] = ()
    remembers_alpha = True
    any_size = True
    stride = 32
    cfg: Any

    def initial_state(self, src: Tensor) -> list[Tensor]:
        """Empty memory for images the size of src (N, 3, H, W): an empty alpha."""
        return [src.new_zeros(len(src), 1, *src.shape[-2:])] if self.cfg.temporal else []

    def forward(self, src: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        clip = self.cfg.temporal and len(state) == 1 and len(src) != len(state[0])
        phas = []
        for frame in src.split(len(state[0])) if clip else (src,):  # a split into one is an operator that some lack
            phas.append(self._branches(frame, state)[-1])
            state = (phas[-1],) if self.cfg.temporal else state
        return src, torch.cat(phas) if clip else phas[0], *state

    def training_outputs(self, src: Tensor, *state: Tensor) -> TrainingOutputs:
        """All heads on the same inputs as `forward`. Raises NotImplementedError here."""
        raise NotImplementedError

    def _branches(self, src: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _require(self, state: tuple[Tensor, ...]) -> None:
        if len(state) != int(self.cfg.temporal):
            raise ValueError(
                f"expected {int(self.cfg.temporal)} state tensor(s), got {len(state)}; start with initial_state(src)"
            )


class MODNet(Trimapless):
    """src: (N, 3, H, W) RGB in [0, 1], H and W multiples of 32; state: the previous pha (N, 1, H, W), or none.

    With memory, a clip may come folded time-major, src (T·N, 3, H, W). Returns fgr, which is src because the network
    sees alpha only, pha (T·N, 1, H, W) and the new state.
    """

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        self.backbone = Backbone(cfg)
        enc2x, enc4x = self.backbone.model.channels[:2]
        self.lr_branch = LowResolutionBranch(cfg, self.backbone)
        self.hr_branch = HighResolutionBranch(cfg, enc2x, enc4x)
        self.f_branch = FusionBranch(cfg)
        self.apply(_initialise)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) for images of (H, W): the shorter side 512, as published weights were used."""
        return short_side(size, 512, self.stride)

    def training_outputs(self, src: Tensor, *state: Tensor) -> TrainingOutputs:
        """All three heads on the same inputs as `forward`."""
        img, lr8x, hr2x, pha = self._branches(src, state)
        semantic, detail = self.lr_branch.semantic(lr8x), self.hr_branch.detail(img, hr2x)
        return TrainingOutputs(semantic, detail, pha, [pha] if self.cfg.temporal else [])

    def _branches(self, src: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        self._require(state)
        check(src, self.stride)
        img = (src - 0.5) / 0.5
        enc2x, enc4x, *_, enc32x = self.backbone(torch.cat([img, *[(s - 0.5) / 0.5 for s in state]], dim=1))
        lr8x = self.lr_branch(enc32x)
        hr2x = self.hr_branch(img, enc2x, enc4x, lr8x)
        return img, lr8x, hr2x, self.f_branch(img, lr8x, hr2x)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_uniform_(module.weight, mode="fan_in", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
