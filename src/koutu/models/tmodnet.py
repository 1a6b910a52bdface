"""Temporal MODNet: this project's engine, MODNet's three branches on a backbone that already knows people.

Branches and losses after Ke et al., "MODNet", AAAI 2022; the previous alpha is the fourth input channel. Ours: the
semantic branch is a whole MobileNetV3 U-Net at a size of its own, whatever the image's, that gives an alpha good
enough alone for simple scenes. An image may be seen twice, as it is and mirrored: by the same branch (`mirrored`), or
by a `second` one, which learned from other images, makes other mistakes, and may see people larger and unsqueezed. The
detail branch works at 1/2 and 1/4 of the image's size; the fusion branch answers with a correction of the semantic
alpha, everywhere or beside edges, and begins at zero. So a training begins exactly where the semantic branch stands.
Without the two, what the semantic branch says is enlarged, and the colours beside the outline place it
(`koutu.matting.local_colour`).
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models import bodypix, mediapipe
from koutu.models.checkpoint import differences
from koutu.models.modnet import TrainingOutputs, Trimapless
from koutu.nn.joint_unet import JointUNet, SeparableResidual, bounded
from koutu.nn.mobilenetv1 import MobileNetV1
from koutu.nn.mobilenetv3_unet import SELFIE, STEM, Block, MobileNetV3UNet
from koutu.nn.pixels import check, resize
from koutu.sizes import near_area
from koutu.types import ModelError

CELL = 2  # side of the cells that alpha is written in
_SUREST = 6.0  # of the logits of two branches before their mean: no branch overrules the other
_MOST = 1.0  # by which logits beside an edge are corrected: who is there, the semantic branches know better
_SPARE = 0.02  # what a sigmoid must reach beyond 0 and 1: plain places then become exactly 0 or 1


@dataclass(frozen=True)
class Config:
    """Shape of the network; the defaults are the packaged one."""

    temporal: bool = True  # the previous alpha is the fourth input channel
    blocks: tuple[Block, ...] = SELFIE  # of the semantic branch
    context: int = 128  # channels of its deepest features
    semantic_size: int = 256  # side of the square that the semantic branch sees, a multiple of 16
    mirrored: bool = False  # it also sees the mirror image: twice its cost, fewer mistakes
    second: tuple[int, ...] = ()  # as `decoder`, of a second semantic branch, which then sees the mirror image
    second_size: int = 0  # it sees images of `pixels` unsqueezed, as large as a square of this side; 0: as the first
    second_counts: float = 1.0  # how often what it says counts in the mean, where the first branch counts once
    agreement: float = 1.0  # factor on that mean: what two say alike is surer than what each says
    decoder: tuple[int, ...] = ()  # channels at 1/16 … 1/2 that join a second encoder's, of bodies; empty: without
    detail_channels: tuple[int, ...] = (16, 32)  # at 1/2 and at 1/4; empty: the semantic branch is all there is
    detail_blocks: int = 2  # residual blocks at 1/4
    edge: int = 0  # pixels of `low` beside an edge of which the fusion branch corrects, by `_MOST`; 0: all, by anything
    separable: bool = False  # the detail and fusion branches filter each channel alone, then mix: a fifth of the cost
    pixels: int = 512 * 288  # of the images it is shown

    def __post_init__(self) -> None:
        """Recipes and checkpoints write blocks as plain keys and values. Raises ModelError below 0."""
        if self.second_size < 0 or self.edge < 0:
            raise ModelError(
                f"expected second_size and edge of 0 or more, got {self.second_size} and {self.edge}; give others"
            )
        blocks = tuple(block if isinstance(block, Block) else Block(**block) for block in self.blocks)
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "detail_channels", tuple(self.detail_channels))
        object.__setattr__(self, "decoder", tuple(self.decoder))
        object.__setattr__(self, "second", tuple(self.second))


VARIANTS = {
    "temporal": Config(),
    "mirrored": Config(mirrored=True),
    "joint": Config(decoder=(96, 64, 32, 24), detail_channels=(16, 48), detail_blocks=3, separable=True),
    "twin": Config(
        second=(96, 64, 32, 24),
        second_size=384,
        agreement=2.0,
        edge=2,
        separable=True,
        pixels=196544,
    ),
    "semantic": Config(decoder=(96, 64, 32, 24), detail_channels=()),
    "single": Config(temporal=False),
}


@dataclass
class TemporalOutputs(TrainingOutputs):
    """MODNet's outputs; low: the semantic branch's own alpha (N, 1, S, S), S = `Config.semantic_size`.

    Of a network whose second branch sees another size, low has that one.

    logits: of pha (N, 1, H, W).
    """

    low: Tensor
    logits: Tensor


class Residual(nn.Module):
    """Two 3×3 convolutions beside the way through; shapes kept."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


def _block(channels: int, cfg: Config) -> nn.Module:
    return SeparableResidual(channels) if cfg.separable else Residual(channels)


def _mix(channels: int, cfg: Config) -> nn.Module:
    if not cfg.separable:
        return nn.Conv2d(channels, channels, 3, padding=1)
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, groups=channels), nn.Conv2d(channels, channels, 1))


class DetailBranch(nn.Module):
    """The image and what the semantic branch says → (N, C, H/2, W/2): what the boundary looks like."""

    def __init__(self, inp: int, semantic: int, cfg: Config):
        super().__init__()
        fine, coarse = cfg.detail_channels
        self.picture = nn.Conv2d(inp, fine, 2 * CELL, stride=CELL, padding=CELL // 2)
        self.down = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.semantic = nn.Conv2d(semantic + 1, coarse, 1)
        self.blocks = nn.Sequential(*[_block(coarse, cfg) for _ in range(cfg.detail_blocks)])
        self.back = nn.Conv2d(coarse, fine, 1)
        self.mix = _mix(fine, cfg)
        self.head = nn.Conv2d(fine, CELL * CELL, 1)

    def forward(self, x: Tensor, features: Tensor, low: Tensor) -> Tensor:
        fine = torch.relu(self.picture(x))
        coarse = self.down(fine)
        coarse = self.blocks(torch.relu(coarse + self._said(features, low, coarse)))
        # 1×1 before it is enlarged: the same result for less work
        fine = fine + F.interpolate(self.back(coarse), scale_factor=2.0, mode="bilinear", align_corners=False)
        return torch.relu(fine + self.mix(torch.relu(fine)))

    def _said(self, features: Tensor, low: Tensor, like: Tensor) -> Tensor:
        """`semantic` of both at the size of `like`, one by one: engines are quick with 16 channels, not with 17."""
        plain, of_low = self.semantic.weight[:, :-1], self.semantic.weight[:, -1:]
        said = F.conv2d(resize(features, like), plain, self.semantic.bias)
        return said + F.conv2d(resize(F.avg_pool2d(torch.tanh(low / 4), 2), like), of_low)

    def detail(self, x: Tensor) -> Tensor:
        """Alpha that is right near the boundary (N, 1, H, W), a training head."""
        return torch.sigmoid(F.pixel_shuffle(self.head(x), CELL))


class FusionBranch(nn.Module):
    """Detail features at 1/2 and semantic logits → alpha logits (N, 1, H, W)."""

    def __init__(self, cfg: Config):
        super().__init__()
        channels = cfg.detail_channels[0]
        self.bounded, self.edge = bool(cfg.decoder), cfg.edge
        self.mix = _mix(channels, cfg)
        self.correction = nn.Conv2d(channels, CELL * CELL, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)  # type: ignore[arg-type]

    def forward(self, detail: Tensor, low: Tensor) -> Tensor:
        correction = F.pixel_shuffle(self.correction(torch.relu(self.mix(detail))), CELL)
        if self.edge:
            correction = _MOST * torch.tanh(correction / _MOST) * resize(self._beside_edges(low), correction)
        return resize(bounded(low) if self.bounded else low, correction) + correction

    def _beside_edges(self, low: Tensor) -> Tensor:
        """By how much alpha differs within `edge` pixels of each pixel: 0 where all are the same, 1 at an outline."""
        alpha = torch.sigmoid(low)
        most, rest = (F.max_pool2d(x, 2 * self.edge + 1, 1, self.edge) for x in (alpha, 1 - alpha))
        return most + rest - 1


class TMODNet(Trimapless):
    """src: (N, 3, H, W) RGB in [0, 1], H and W multiples of 8; state: the previous pha (N, 1, H, W), or none.

    With memory, a clip may come folded time-major, src (T·N, 3, H, W). Returns fgr, which is src because the network
    sees alpha only, pha (T·N, 1, H, W) and the new state.
    """

    stride = 8
    begins_from_onnx = True
    forwards = ("training_outputs", "begin")

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        inp = 4 if cfg.temporal else 3
        self.semantic_branch = (
            JointUNet(inp, cfg.blocks, cfg.context, cfg.decoder)
            if cfg.decoder
            else MobileNetV3UNet(inp, cfg.blocks, cfg.context)
        )
        if cfg.second:
            self.second_branch = JointUNet(inp, cfg.blocks, cfg.context, cfg.second)
        if cfg.detail_channels:
            self.detail_branch = DetailBranch(inp, cfg.decoder[-1] if cfg.decoder else STEM, cfg)
            self.fusion_branch = FusionBranch(cfg)

    @property
    def begin_is_all(self) -> bool:
        """Whether `low` says all that the network can: nothing is left for `finish` to do."""
        return not (self.cfg.detail_channels or self.cfg.mirrored or self.cfg.second)

    @property
    def hands_over(self) -> int:
        """How much of what `begin` gives `finish` needs: the logits, and the features if there is a detail branch."""
        return 2 if self.cfg.detail_channels else 1

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of about `cfg.pixels` pixels, at the aspect of images of (H, W)."""
        return near_area(size, self.cfg.pixels, self.stride)

    def begin(self, src: Tensor, *state: Tensor) -> tuple[Tensor, Tensor]:
        """The semantic branch once, on the image the right way round: what `low` and `finish` go on from.

        Logits (N, 1, S, S) and features (N, 16, S/2, S/2), S = `cfg.semantic_size`.
        """
        return self.semantic_branch(self._small(self._given(src, state)))

    def low(self, logits: Tensor, like: Tensor) -> Tensor:
        """What `begin` says alone, for simple scenes: alpha (N, 1, H, W), the size of `like`.

        Enlarged as `finish` does it, so that the two are the same wherever there is nothing to correct.
        """
        return _alpha(resize(logits, like))

    def finish(self, src: Tensor, *state: Tensor, logits: Tensor, features: Tensor) -> Tensor:
        """The costly part: what `begin` gave for the same inputs → what the whole network says, alpha (N, 1, H, W).

        Without a detail branch the features are not looked at.
        """
        x = self._given(src, state)
        if self.cfg.second:
            logits = self._with_second(logits, x)
        elif self.cfg.mirrored:
            mirrored = self.semantic_branch(self._small(x).flip(-1))
            logits = _both_ways(logits, mirrored[0])
            if self.cfg.detail_channels:
                features = _both_ways(features, mirrored[1])
        return _alpha(self._fused(x, logits, features)[1])

    def training_outputs(self, src: Tensor, *state: Tensor) -> TemporalOutputs:
        """All heads on the same inputs as `forward`."""
        low, detail, logits = self._logits(src, state)
        detail = torch.sigmoid(logits) if detail is None else self.detail_branch.detail(detail)
        low, pha = torch.sigmoid(low.float()), _stretched(logits)
        pha = pha + (pha.clamp(0, 1) - pha).detach()  # what is sure and wrong still learns
        semantic = F.adaptive_avg_pool2d(low, (src.shape[-2] // 16, src.shape[-1] // 16))
        return TemporalOutputs(semantic, detail, pha, [pha] if self.cfg.temporal else [], low, logits)

    def begin_from(self, path: Path) -> None:
        """Fill an encoder from another network's file (ONNX): MediaPipe's selfie segmentation, or BodyPix ×0.5.

        From the former on, pha is that network's answer; the latter fills the second encoder. The previous alpha counts
        for nothing yet. Raises ModelError for another file or if `cfg.blocks` were changed.
        """
        branches = [self.semantic_branch, *([self.second_branch] if self.cfg.second else [])]
        joint = [branch for branch in branches if isinstance(branch, JointUNet)]
        if joint and bodypix.is_bodypix(path):
            for branch in joint:
                _fill(branch.bodies, bodypix.from_onnx(path), path)
            return
        for branch in branches:
            _fill(branch.faces if isinstance(branch, JointUNet) else branch, mediapipe.from_onnx(path), path)

    def _branches(self, src: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        low, _, logits = self._logits(src, state)
        return low, _alpha(logits)

    def _logits(self, src: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | None, Tensor]:
        x = self._given(src, state)
        low, features = self._semantic(x)
        return low, *self._fused(x, low, features)

    def _fused(self, x: Tensor, low: Tensor, features: Tensor) -> tuple[Tensor | None, Tensor]:
        """The detail branch's features (N, C, H/2, W/2), if it is there, and the logits of alpha (N, 1, H, W)."""
        if not self.cfg.detail_channels:
            return None, resize(low, x).float()
        detail = self.detail_branch(x, features, low)
        return detail, self.fusion_branch(detail, low).float()

    def _semantic(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, 1, S, S) and features (N, 16, S/2, S/2)."""
        small = self._small(x)
        if self.cfg.second:
            logits, features = self.semantic_branch(small)
            return self._with_second(logits, x), features
        if not self.cfg.mirrored or (self.training and torch.rand(()) < 0.5):  # either must do without the other
            return self.semantic_branch(small)
        logits, features = self.semantic_branch(torch.cat([small, small.flip(-1)]))
        return _both_ways(*logits.chunk(2)), _both_ways(*features.chunk(2))

    def _with_second(self, logits: Tensor, x: Tensor) -> Tensor:
        """Logits (N, 1, S, S) and what the second branch says of x's mirror image: their mean, neither all too sure.

        As large as what the second branch sees.
        """
        mirrored = self.second_branch(self._seen_by_second(x).flip(-1))[0]
        plain, mirrored = resize(_unsure(logits), mirrored), _unsure(mirrored)
        return self.cfg.agreement * _both_ways(plain, mirrored, self.cfg.second_counts)

    def _small(self, x: Tensor) -> Tensor:
        side = self.cfg.semantic_size
        return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)

    def _seen_by_second(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) at its own shape, people not squeezed, sides multiples of 16; a square if no size is given."""
        if not self.cfg.second_size:
            return self._small(x)
        part = min(1024, round(1024 * self.cfg.second_size / self.cfg.pixels**0.5))  # no floats: H, W may be symbols
        size = tuple((side * part // 1024 + 15) // 16 * 16 for side in x.shape[-2:])
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

    def _given(self, src: Tensor, state: tuple[Tensor, ...]) -> Tensor:
        self._require(state)
        check(src, self.stride)
        return torch.cat([src, *state], dim=1)


def _fill(branch: MobileNetV3UNet | MobileNetV1, state: dict[str, Tensor], path: Path) -> None:
    """Weights of a network for images alone, with nothing for the channels of `branch` that are more."""
    stem = state["stem.weight"]
    missing = branch.stem.in_channels - stem.shape[1]
    state["stem.weight"] = torch.cat([stem, stem.new_zeros(len(stem), missing, *stem.shape[2:])], dim=1)
    if found := differences(state, branch.state_dict()):
        raise ModelError(f"expected the semantic branch of {path}, got {'; '.join(found)}; keep the default blocks")
    branch.load_state_dict(state)


def _unsure(logits: Tensor) -> Tensor:
    """Logits within ±`_SUREST`; in training, what is surer and wrong still learns."""
    within = logits.clamp(-_SUREST, _SUREST)
    return logits + (within - logits).detach() if logits.requires_grad else within


def _both_ways(plain: Tensor, mirrored: Tensor, counts: float = 1.0) -> Tensor:
    """What was said of a picture and, counting `counts` times, of its mirror image, both (N, C, H, W): their mean."""
    return (plain + mirrored.flip(-1) * counts) / (1 + counts)


def _stretched(logits: Tensor) -> Tensor:
    return (1 + 2 * _SPARE) * torch.sigmoid(logits) - _SPARE


def _alpha(logits: Tensor) -> Tensor:
    return _stretched(logits).clamp(0, 1)
