"""Portrait matting by a network that makes a trimap and one that fills it in.

After Chen et al., "Semantic Human Matting", ACM MM 2018. Code and data were never released; what is known is the
architecture, the fusion α = F + U·α_r and the losses. Two re-implementations' layouts are configurations, and their
checkpoints load here key by key: `tsing90`, near the paper (PSPNet-50 and VGG-16), is the default; `light` is
lizhengwei's, on MobileNetV2.
Ours differs: the softmax is read as (background, unknown, foreground), the order of its labels, unless
`swapped_classes`; images of any size are mirrored to multiples of 16; `width` scales the large layout.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.nn.pixels import at_most, check, pad_to
from koutu.nn.ppm import PyramidPooling
from koutu.nn.resnet import RESNET50, BottleneckResNet
from koutu.nn.shm_light import LIGHT_MEAN, LightMNet, LightTNet
from koutu.nn.vgg import VGG16, layer_names, pool, unpool


@dataclass(frozen=True)
class Config:
    """Which layout, and whether weights want a published slip; the defaults are the paper-like network, correct."""

    layout: Literal["tsing90", "light"] = "tsing90"
    swapped_classes: bool = False  # the fusion takes (bg, fg, unknown): lizhengwei's weights were trained so
    width: float = 1.0  # of tsing90's M-Net and of the PSPNet's head
    depths: tuple[int, ...] = RESNET50  # of the PSPNet's encoder
    unused_classifier: bool = True  # tsing90's T-Net carries a classifier nobody calls; its weights are in the file


VARIANTS = {
    "tsing90": Config(),
    "light": Config(layout="light", swapped_classes=True),
    "light_corrected": Config(layout="light"),
}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """trimap: logits (N, 3, H, W) of background, unknown, foreground; alpha_r: what fills the unknown; pha: both."""

    trimap: Tensor
    alpha_r: Tensor
    pha: Tensor


class _Up(nn.Module):
    """Twice as large, a 3×3, batch norm and PReLU."""

    def __init__(self, inp: int, out: int):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(inp, out, 3, padding=1), nn.BatchNorm2d(out), nn.PReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True))


class TNet(nn.Module):
    """PSPNet on ResNet-50 at stride 8; (N, 3, H, W) → logits (N, 3, H, W), sides multiples of 8."""

    def __init__(self, cfg: Config):
        super().__init__()
        wide, mid, narrow = (max(4, int(c * cfg.width)) for c in (1024, 256, 64))
        self.feats = BottleneckResNet(3, cfg.depths, dilations=((1, 2), (1, 4)))
        self.psp = PyramidPooling(2048, wide)
        self.up_1, self.up_2, self.up_3 = _Up(wide, mid), _Up(mid, narrow), _Up(narrow, narrow)
        self.final = nn.Sequential(nn.Conv2d(narrow, 3, 1))
        self.drop_1, self.drop_2 = nn.Dropout2d(0.3), nn.Dropout2d(0.15)
        if cfg.unused_classifier:
            self.classifier = nn.Sequential(nn.Linear(wide, mid), nn.ReLU(), nn.Linear(mid, 3)).requires_grad_(False)

    def forward(self, img: Tensor) -> Tensor:
        x = self.drop_1(self.psp(self.feats(img)[-1]))
        x = self.drop_2(self.up_2(self.drop_2(self.up_1(x))))
        return self.final(self.drop_2(self.up_3(x)))


class MNet(nn.Module):
    """VGG-16 with four indexed pools, and back; image and trimap (N, 6, H, W) → alpha_r (N, 1, H, W), linear."""

    def __init__(self, cfg: Config):
        super().__init__()
        self.stages = [[(name, max(4, int(c * cfg.width))) for name, c in stage] for stage in layer_names(VGG16)]
        inp = 6
        for name, out in (layer for stage in self.stages for layer in stage):
            self.add_module(f"conv_{name}", _conv(inp, out, 3))
            inp = out
        for i, channels in zip(range(5, 0, -1), (512, 256, 128, 64, 64), strict=True):
            out = max(4, int(channels * cfg.width))
            self.add_module(f"deconv_{i}", _conv(inp, out, 5))
            inp = out
        self.conv_0 = nn.Conv2d(inp, 1, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        remembered = []
        for i, stage in enumerate(self.stages, start=1):
            for name, _ in stage:
                x = self.get_submodule(f"conv_{name}")(x)
            if i < len(self.stages):
                x, where = pool(x)
                remembered.append(where)
        x = self.get_submodule("deconv_5")(x)
        for i in range(4, 0, -1):
            x = self.get_submodule(f"deconv_{i}")(unpool(x, remembered[i - 1]))
        return self.conv_0(x)


def _conv(inp: int, out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inp, out, kernel, padding=kernel // 2), nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class SHM(Network):
    """src: (N, 3, H, W) RGB in [0, 1] of any size → fgr, which is src, and pha (N, 1, H, W). No memory, no hints."""

    needs: tuple[str, ...] = ()
    stride = 1
    makes_trimaps = True
    forwards = ("training_outputs", "trimap", "fused")

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        light = cfg.layout == "light"
        self.t_net = LightTNet() if light else TNet(cfg)
        self.m_net = LightMNet() if light else MNet(cfg)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) for images of (H, W): no side over 800, as the networks were trained together."""
        return at_most(size, 800)

    def forward(self, src: Tensor) -> tuple[Tensor, Tensor]:
        return src, self.training_outputs(src).pha.clamp(0, 1)

    def trimap(self, src: Tensor) -> Tensor:
        """The T-Net alone: probabilities (N, 3, H, W) of background, unknown and foreground."""
        check(src)
        height, width = src.shape[2:]
        return torch.softmax(self.t_net(self._normalised(pad_to(src, 16))), dim=1)[..., :height, :width]

    def training_outputs(self, src: Tensor) -> TrainingOutputs:
        """Trimap, filling and their fusion on the same input as `forward`; alphas not limited to [0, 1]."""
        check(src)
        height, width = src.shape[2:]
        out = self.heads(self._normalised(pad_to(src, 16)))
        return TrainingOutputs(*(x[..., :height, :width] for x in (out.trimap, out.alpha_r, out.pha)))

    def fused(self, src: Tensor, probabilities: Tensor) -> Tensor:
        """The M-Net alone: alpha (N, 1, H, W) for trimap probabilities (N, 3, H, W); sides multiples of 16."""
        check(src, 16)
        check(probabilities, 16, name="probabilities")
        alpha_r = self.m_net(torch.cat([self._normalised(src), probabilities], dim=1))
        return self._fused(probabilities, alpha_r)

    def heads(self, img: Tensor) -> TrainingOutputs:
        """All of it for a normalised BGR image (N, 3, H, W), sides multiples of 16."""
        trimap = self.t_net(img)
        probabilities = torch.softmax(trimap, dim=1)
        alpha_r = self.m_net(torch.cat([img, probabilities], dim=1))
        return TrainingOutputs(trimap, alpha_r, self._fused(probabilities, alpha_r))

    def _fused(self, probabilities: Tensor, alpha_r: Tensor) -> Tensor:
        unknown, fgr = (2, 1) if self.cfg.swapped_classes else (1, 2)
        return probabilities[:, fgr : fgr + 1] + probabilities[:, unknown : unknown + 1] * alpha_r

    def _normalised(self, src: Tensor) -> Tensor:
        bgr = src.flip(1)
        return bgr - bgr.new_tensor(LIGHT_MEAN).view(1, 3, 1, 1) / 255 if self.cfg.layout == "light" else bgr
