"""Matting against a photograph of the empty scene, a rough segmentation and, for video, four neighbouring frames.

After Sengupta et al., "Background Matting: The World is Your Green Screen", CVPR 2020, in the layout of its published
code, whose checkpoints load here key by key.
Ours differs: the motion frames reach the network. In the published code a slip feeds their selector the background
again, and the released weights were trained so: load them with `motion_ignored`. Published results are of square crops
around the person, 512 pixels a side; here the whole image is seen.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from koutu.models.base import Network
from koutu.nn.pixels import at_most, check

_GREY = (0.299, 0.587, 0.114)
SURE = 0.95  # alpha from which the image itself is the foreground


@dataclass(frozen=True)
class Config:
    """Shape of the network; the defaults are the published one but for the slip."""

    channels: int = 64  # of the first layers and of each selector
    shared_blocks: int = 7
    head_blocks: int = 3  # of the alpha and of the foreground head
    motion_ignored: bool = False  # the published code's slip, which released weights need


VARIANTS = {"corrected": Config(), "published": Config(motion_ignored=True)}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """pha (N, 1, H, W) in [0, 1] and fgr (N, 3, H, W) as the head gave it, not limited to [0, 1]."""

    pha: Tensor
    fgr: Tensor


def _conv(inp: int, out: int, kernel: int = 3, stride: int = 1, *, bias: bool = True) -> list[nn.Module]:
    padding = 1 if kernel == 3 else 0
    conv = nn.Conv2d(inp, out, kernel, stride, padding, bias=bias)
    return [conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True)]


def _encoder(inp: int, c: int, halvings: int = 2) -> nn.Sequential:
    later = [layer for i in range(halvings) for layer in _conv(c << i, c << i + 1, stride=2)]
    return nn.Sequential(nn.ReflectionPad2d(3), *_conv(inp, c, 7), *later)


def _up() -> nn.Module:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


class ResidualBlock(nn.Module):
    """Two reflecting 3×3 convolutions added to their input; shape kept."""

    def __init__(self, c: int):
        super().__init__()
        first = [nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), nn.BatchNorm2d(c), nn.ReLU(inplace=True)]
        self.conv_block = nn.Sequential(*first, nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), nn.BatchNorm2d(c))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class BackgroundMatting(Network):
    """src: (N, 3, H, W) RGB in [0, 1], sides multiples of 4; bgr: the scene without anybody, aligned, like src.

    seg: (N, 1, H, W) rough person mask in [0, 1], its edges blurred; motion: (N, 4, H, W) grey frames, published two
    before and two after, 20 apart; without it, the frame itself four times, as for photographs. Returns fgr
    (N, 3, H, W), which is src where alpha > 0.95, and pha (N, 1, H, W), both in [0, 1]. No memory.
    """

    needs: tuple[str, ...] = ("bgr", "seg")
    stride = 4
    largest_above = 0.05  # published post-processing: of what is over this alpha, only the largest part stays

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        c = cfg.channels
        self.model_enc1 = _encoder(3, c, halvings=1)
        self.model_enc2 = nn.Sequential(*_conv(2 * c, 4 * c, stride=2))
        self.model_enc_back, self.model_enc_seg, self.model_enc_multi = (_encoder(inp, c) for inp in (3, 1, 4))
        self.comb_back, self.comb_seg, self.comb_multi = (
            nn.Sequential(*_conv(8 * c, c, 1, bias=False)) for _ in range(3)
        )
        trunk = [ResidualBlock(4 * c) for _ in range(cfg.shared_blocks)]
        self.model_res_dec = nn.Sequential(*_conv(7 * c, 4 * c, 1, bias=False), *trunk)
        self.model_res_dec_al, self.model_res_dec_fg = (
            nn.Sequential(*[ResidualBlock(4 * c) for _ in range(cfg.head_blocks)]) for _ in range(2)
        )
        last = [nn.ReflectionPad2d(3), nn.Conv2d(c, 1, 7), nn.Tanh()]
        self.model_al_out = nn.Sequential(_up(), *_conv(4 * c, 2 * c), _up(), *_conv(2 * c, c), *last)
        self.model_dec_fg1 = nn.Sequential(_up(), *_conv(4 * c, 2 * c))
        self.model_fg_out = nn.Sequential(_up(), *_conv(4 * c, c), nn.ReflectionPad2d(3), nn.Conv2d(c, 3, 7))
        self.apply(_initialise)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) for images of (H, W): the longer side 512."""
        return at_most(size, 512, self.stride)

    def forward(self, src: Tensor, bgr: Tensor, seg: Tensor, motion: Tensor | None = None) -> tuple[Tensor, Tensor]:
        out = self.training_outputs(src, bgr, seg, motion)
        return src.where(out.pha > SURE, out.fgr.clamp(0, 1)), out.pha

    def training_outputs(self, src: Tensor, bgr: Tensor, seg: Tensor, motion: Tensor | None = None) -> TrainingOutputs:
        """Both heads on the same inputs as `forward`."""
        check(src, self.stride)
        check(bgr, self.stride, name="bgr")
        check(seg, self.stride, 1, "seg")
        if motion is None:
            grey = (src * src.new_tensor(_GREY).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
            motion = grey.expand(-1, 4, -1, -1)
        check(motion, self.stride, 4, "motion")
        pha, fgr = self.heads(*(2 * x - 1 for x in (src, bgr, seg, motion)))
        return TrainingOutputs((pha + 1) / 2, (fgr + 1) / 2)

    def heads(self, img: Tensor, bgr: Tensor, seg: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha (N, 1, H, W) and foreground (N, 3, H, W) in [−1, 1], of inputs in [−1, 1]."""
        shallow = self.model_enc1(img)
        deep = self.model_enc2(shallow)
        back, rough, moving = self.model_enc_back(bgr), self.model_enc_seg(seg), self.model_enc_multi(motion)
        third = back if self.cfg.motion_ignored else moving
        pairs = ((self.comb_back, back), (self.comb_seg, rough), (self.comb_multi, third))
        chosen = [select(torch.cat([deep, prior], dim=1)) for select, prior in pairs]
        x = self.model_res_dec(torch.cat([deep, *chosen], dim=1))
        pha = self.model_al_out(self.model_res_dec_al(x))
        fgr = self.model_dec_fg1(self.model_res_dec_fg(x))
        return pha, self.model_fg_out(torch.cat([fgr, shallow], dim=1))


class Discriminator(nn.Module):
    """Composites (N, 3, H, W) in [−1, 1] → (N, 1, h, w), near 1 where a patch looks like a photograph.

    The patch discriminator of Isola et al., CVPR 2017, that stage two of Background Matting trains against.
    """

    def __init__(self, channels: int = 64, halvings: int = 3):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 4, 2, 2), nn.LeakyReLU(0.2, inplace=True)]
        c = channels
        for stride in (*[2] * (halvings - 1), 1):
            out = min(2 * c, 512)
            norm = nn.InstanceNorm2d(out)
            layers += [nn.Conv2d(c, out, 4, stride, 2), norm, nn.LeakyReLU(0.2, inplace=True)]
            c = out
        self.layer0 = nn.Sequential(*layers, nn.Conv2d(c, 1, 4, 1, 2))

    def forward(self, com: Tensor) -> Tensor:
        return self.layer0(com)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight, gain=2**0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.2)
