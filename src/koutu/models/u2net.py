"""Salient-object segmentation by a U-net whose every stage is a U-net.

After Qin et al., "U²-Net: Going Deeper with Nested U-Structure for Salient Object Detection", Pattern Recognition 2020,
in the layout of its published code, whose checkpoints load here key by key.
Ours differs: heads are given as logits for training; the published scripts' stretching of each result to 0 … 1, which
finds somebody in an empty image, is an option. Published weights were used at 320×320; any size from 1×1 runs. It
segments: edges are a pixel or two soft, and it keeps no memory of a video.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.models.mediapipe import convolutions
from koutu.nn.pixels import check, imagenet, resize
from koutu.types import ModelError

_LEVELS = (7, 6, 5, 4, 4, 4)  # of the stages' own U-nets; the last two dilate instead of pooling


@dataclass(frozen=True)
class Config:
    """Middle and output channels of stages 1 … 6 and of the decoder's 5 … 1; the defaults are the large network."""

    encoder: tuple[tuple[int, int], ...] = ((32, 64), (32, 128), (64, 256), (128, 512), (256, 512), (256, 512))
    decoder: tuple[tuple[int, int], ...] = ((256, 512), (128, 256), (64, 128), (32, 64), (16, 64))
    by_maximum: bool = True  # divide by the image's brightest value first, as published weights expect
    stretch: bool = False  # the published scripts' last step: each result's least becomes 0, its greatest 1


SMALL = Config(encoder=((16, 64),) * 6, decoder=((16, 64),) * 5)  # U²-Net-p of the paper
VARIANTS = {"u2net": Config(), "u2netp": SMALL}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """Logits of the fused and of the six side results, finest first, each (N, 1, H, W)."""

    fused: Tensor
    sides: tuple[Tensor, ...]


def _pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2, stride=2, ceil_mode=True)


class ConvNormRelu(nn.Module):
    """A 3×3 convolution, batch norm and ReLU; (N, inp, H, W) → (N, out, H, W)."""

    def __init__(self, inp: int, out: int, dilation: int = 1):
        super().__init__()
        self.conv_s1 = nn.Conv2d(inp, out, 3, padding=dilation, dilation=dilation)
        self.bn_s1: nn.Module = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn_s1(self.conv_s1(x)))


class ResidualU(nn.Module):
    """A U-net of `levels` beside a shortcut; `dilated` widens its view by dilation, not by pooling. Size kept."""

    def __init__(self, levels: int, inp: int, mid: int, out: int, *, dilated: bool = False):
        super().__init__()
        self.levels, self.dilated = levels, dilated
        self.rebnconvin = ConvNormRelu(inp, out)
        for i in range(1, levels + 1):
            dilation = 2 ** (i - 1) if dilated else 2 if i == levels else 1
            self.add_module(f"rebnconv{i}", ConvNormRelu(out if i == 1 else mid, mid, dilation))
        for i in range(levels - 1, 0, -1):
            dilation = 2 ** (i - 1) if dilated else 1
            self.add_module(f"rebnconv{i}d", ConvNormRelu(2 * mid, out if i == 1 else mid, dilation))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x = self.rebnconvin(x)
        features: list[Tensor] = []
        for i in range(1, self.levels):
            pooled = x if i == 1 or self.dilated else _pool(x)
            features.append(x := self.get_submodule(f"rebnconv{i}")(pooled))
        x = self.get_submodule(f"rebnconv{self.levels}")(x)
        for i in range(self.levels - 1, 0, -1):
            feature = features[i - 1]
            x = self.get_submodule(f"rebnconv{i}d")(torch.cat([resize(x, feature), feature], dim=1))
        return x + shortcut


class U2Net(Network):
    """src: (N, 3, H, W) RGB in [0, 1] of any size → fgr, which is src, and pha (N, 1, H, W). No memory, no hints."""

    needs: tuple[str, ...] = ()
    any_size = True
    stride = 1

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        outs = [out for _, out in cfg.encoder]
        for i, (levels, (mid, out)) in enumerate(zip(_LEVELS, cfg.encoder, strict=True), start=1):
            inp = 3 if i == 1 else outs[i - 2]
            self.add_module(f"stage{i}", ResidualU(levels, inp, mid, out, dilated=i > 4))
        below = outs[-1]
        for i, (mid, out) in zip(range(5, 0, -1), cfg.decoder, strict=True):
            inp = below + outs[i - 1]
            self.add_module(f"stage{i}d", ResidualU(_LEVELS[i - 1], inp, mid, out, dilated=i > 4))
            below = out
        seen = [out for _, out in reversed(cfg.decoder)] + outs[-1:]
        for i, channels in enumerate(seen, start=1):
            self.add_module(f"side{i}", nn.Conv2d(channels, 1, 3, padding=1))
        self.outconv = nn.Conv2d(len(seen), 1, 1)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) for images of (H, W): always 320×320, as published weights were trained."""
        return 320, 320

    def forward(self, src: Tensor) -> tuple[Tensor, Tensor]:
        pha = torch.sigmoid(self.training_outputs(src).fused)
        if self.cfg.stretch:
            least, most = pha.amin(dim=(1, 2, 3), keepdim=True), pha.amax(dim=(1, 2, 3), keepdim=True)
            pha = (pha - least) / (most - least).clamp(min=1e-6)
        return src, pha

    def training_outputs(self, src: Tensor) -> TrainingOutputs:
        """All seven heads on the same input as `forward`."""
        check(src)
        if self.cfg.by_maximum:
            src = src / src.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)
        return self.heads(imagenet(src))

    def heads(self, img: Tensor) -> TrainingOutputs:
        """All seven heads on a normalised image (N, 3, H, W)."""
        x, features = img, []
        for i in range(1, 7):
            features.append(x := self.get_submodule(f"stage{i}")(x if i == 1 else _pool(x)))
        decoded = [x]  # coarsest first
        for i in range(5, 0, -1):
            feature = features[i - 1]
            decoded.append(x := self.get_submodule(f"stage{i}d")(torch.cat([resize(x, feature), feature], dim=1)))
        sides = [self.get_submodule(f"side{i}")(x) for i, x in enumerate(reversed(decoded), start=1)]
        sides = [resize(side, img) for side in sides]
        return TrainingOutputs(self.outconv(torch.cat(sides, dim=1)), tuple(sides))


def from_onnx(path: Path) -> dict[str, Tensor]:
    """The state dict of the small network (`SMALL`) from an ONNX file of it, whose convolutions have its norms in them.

    They stand in the file in the order in which they run. Raises ModelError if the file is another network.
    """
    network, found = U2Net(SMALL), convolutions(path)
    convs = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    shapes = [[conv.weight.shape, conv.weight.shape[:1]] for conv in convs.values()]
    if [[x.shape for x in pair] for pair in found] != shapes:
        raise ModelError(
            f"expected U²-Net-p in {path}, got a network of {len(found)} other convolutions; give that one's file"
        )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # nothing is left for it to do
            nn.init.constant_(module.running_var, 1 - module.eps)  # type: ignore[arg-type]
    return network.state_dict() | {
        f"{name}.{part}": x for (name, pair) in zip(convs, found, strict=True)
        for part, x in zip(("weight", "bias"), pair, strict=True)
    }  # fmt: skip
