"""Video matting with a recurrent decoder: four memories at falling resolution carry what was seen.

After Lin et al., "Robust High-Resolution Video Matting with Temporal Guidance", WACV 2022, in the layout of its
published code, whose checkpoints load here key by key.
Ours differs: memory starts as zeros of its true size, and the ratio of the reduced image belongs to the
configuration, so that one call has one meaning; the segmentation head is one of the training outputs.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.nn.gru import ConvGRU
from koutu.nn.guided import DeepGuidedFilter, fast_guided_filter
from koutu.nn.lraspp import LRASPP
from koutu.nn.mobilenetv3 import MobileNetV3
from koutu.nn.pixels import check, imagenet
from koutu.nn.resnet import BottleneckResNet

_DECODER = {"mobilenetv3": (80, 40, 32, 16), "resnet50": (128, 64, 32, 16)}


@dataclass(frozen=True)
class Config:
    """Shape of the network; the defaults are the published MobileNetV3 one."""

    backbone: Literal["mobilenetv3", "resnet50"] = "mobilenetv3"
    refiner: Literal["deep_guided_filter", "fast_guided_filter"] = "deep_guided_filter"  # the second has no weights
    downsample_ratio: float | None = None  # what the network sees, refined afterwards; None: at most 512 a side


VARIANTS = {"mobilenetv3": Config(), "resnet50": Config(backbone="resnet50")} | {
    f"{name}_fgf": Config(backbone=name, refiner="fast_guided_filter") for name in ("mobilenetv3", "resnet50")
}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """fgr (T·N, 3, H, W) and pha (T·N, 1, H, W) in [0, 1]; seg: person logits at the reduced size; state: memory."""

    fgr: Tensor
    pha: Tensor
    seg: Tensor
    state: list[Tensor]


class _MobileNetEncoder(MobileNetV3):
    def forward(self, x: Tensor) -> list[Tensor]:
        return super().forward(imagenet(x))


class _ResNetEncoder(BottleneckResNet):
    """Sees the image as it is: the published weights were trained without normalisation."""

    channels = (64, 256, 512, 2048)

    def __init__(self):
        super().__init__(dilations=((1, 1), (1, 2)))

    def forward(self, x: Tensor) -> list[Tensor]:
        at2, at4, at8, _, at16 = super().forward(x)
        return [at2, at4, at8, at16]


class _Memory(nn.Module):
    """A ConvGRU on the second half of the channels."""

    def __init__(self, channels: int):
        super().__init__()
        self.middle = channels // 2
        self.gru = ConvGRU(self.middle)

    def remember(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        kept, memory = self.gru(x[:, self.middle :], memory)
        return torch.cat([x[:, : self.middle], kept], dim=1), memory


class _Upsampling(_Memory):
    def __init__(self, inp: int, skip: int, out: int):
        super().__init__(out)
        conv = nn.Conv2d(inp + skip + 3, out, 3, padding=1, bias=False)
        self.conv = nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True))

    def forward(self, x: Tensor, skip: Tensor, src: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv(torch.cat([_double(x, src), skip, src], dim=1))
        return self.remember(x, memory)


class _Output(nn.Module):
    def __init__(self, inp: int, out: int):
        super().__init__()
        layers: list[nn.Module] = []
        for c in (inp + 3, out):
            layers += [nn.Conv2d(c, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor, src: Tensor) -> Tensor:
        return self.conv(torch.cat([_double(x, src), src], dim=1))


def _double(x: Tensor, like: Tensor) -> Tensor:
    """Twice as large, cut to the size of `like`, which may be odd."""
    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return x[:, :, : like.shape[2], : like.shape[3]]


class RecurrentDecoder(nn.Module):
    """Features, finest first, and the image → hid (T·N, 16, H, W) and the four new memories, finest first."""

    def __init__(self, features: tuple[int, int, int], bottleneck: int, outs: tuple[int, int, int, int]):
        super().__init__()
        self.decode4 = _Memory(bottleneck)
        self.decode3 = _Upsampling(bottleneck, features[2], outs[0])
        self.decode2 = _Upsampling(outs[0], features[1], outs[1])
        self.decode1 = _Upsampling(outs[1], features[0], outs[2])
        self.decode0 = _Output(outs[2], outs[3])

    def forward(self, src: Tensor, features: list[Tensor], memory: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
        at2, at4, at8 = (src2 := _halve(src)), (src4 := _halve(src2)), _halve(src4)
        x, memory4 = self.decode4.remember(features[3], memory[3])
        x, memory3 = self.decode3(x, features[2], at8, memory[2])
        x, memory2 = self.decode2(x, features[1], at4, memory[1])
        x, memory1 = self.decode1(x, features[0], at2, memory[0])
        return self.decode0(x, src), [memory1, memory2, memory3, memory4]


def _halve(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)


class _Projection(nn.Module):
    def __init__(self, inp: int, out: int):
        super().__init__()
        self.conv = nn.Conv2d(inp, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class RVM(Network):
    """src: (T·N, 3, H, W) RGB in [0, 1] of any size, a clip folded time-major; state: four memories of batch N.

    Returns fgr (T·N, 3, H, W), pha (T·N, 1, H, W), both in [0, 1], and the four memories after the last frame.
    """

    needs: tuple[str, ...] = ()
    stride = 1
    reduces_itself = True

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        self.backbone = _MobileNetEncoder() if cfg.backbone == "mobilenetv3" else _ResNetEncoder()
        at2, at4, at8, last = self.backbone.channels
        self._bottleneck, self._outs = (128 if cfg.backbone == "mobilenetv3" else 256), _DECODER[cfg.backbone]
        self.aspp = LRASPP(last, self._bottleneck)
        self.decoder = RecurrentDecoder((at2, at4, at8), self._bottleneck, self._outs)
        self.project_mat = _Projection(self._outs[3], 4)
        self.project_seg = _Projection(self._outs[3], 1)
        if cfg.refiner == "deep_guided_filter":
            self.refiner = DeepGuidedFilter(self._outs[3])

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Pictures of (H, W) are seen whole; `downsample_ratio` reduces them."""
        return size

    def initial_state(self, src: Tensor) -> list[Tensor]:
        """Empty memories for images the size of src (N, 3, H, W)."""
        ratio = self._ratio(src)
        height, width = int(src.shape[2] * ratio), int(src.shape[3] * ratio)
        state = []
        for channels in (*self._outs[2::-1], self._bottleneck):
            height, width = (height + 1) // 2, (width + 1) // 2
            state.append(src.new_zeros(len(src), channels // 2, height, width))
        return state

    def forward(self, src: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        base, hid, memory = self._hidden(src, state)
        return *self._matte(src, base, hid), *memory

    def training_outputs(self, src: Tensor, *state: Tensor) -> TrainingOutputs:
        """Matte, segmentation logits and memory on the same inputs as `forward`."""
        base, hid, memory = self._hidden(src, state)
        fgr, pha = self._matte(src, base, hid)
        return TrainingOutputs(fgr, pha, self.project_seg(hid), memory)

    def _ratio(self, src: Tensor) -> float:
        ratio = self.cfg.downsample_ratio
        return min(512 / max(int(src.shape[2]), int(src.shape[3])), 1.0) if ratio is None else ratio

    def _hidden(self, src: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, list[Tensor]]:
        check(src)
        if len(state) != 4:
            raise ValueError(f"expected 4 state tensors, got {len(state)}; start with initial_state(src)")
        base, ratio = src, self._ratio(src)
        if ratio != 1:
            base = F.interpolate(
                src, scale_factor=ratio, mode="bilinear", align_corners=False, recompute_scale_factor=False
            )
        features = self.backbone(base)
        features[3] = self.aspp(features[3])
        return base, *self.decoder(base, features, state)

    def _matte(self, src: Tensor, base: Tensor, hid: Tensor) -> tuple[Tensor, Tensor]:
        residual = self.project_mat(hid)  # of the foreground colour, then alpha
        if base is not src:
            guide, fine = (torch.cat([x, x.mean(dim=1, keepdim=True)], dim=1) for x in (base, src))
            if self.cfg.refiner == "deep_guided_filter":
                residual = self.refiner(guide, residual, fine, hid)
            else:
                residual = fast_guided_filter(
                    guide, residual, fine, radius=1, eps=1e-5, align_corners=False, count_outside=True
                )
        return (residual[:, :3] + src).clamp(0, 1), residual[:, 3:].clamp(0, 1)
