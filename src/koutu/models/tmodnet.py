"""Temporal MODNet: this project's engine, MODNet's three branches on a backbone that already knows people.

Branches and losses after Ke et al., "MODNet", AAAI 2022; the previous alpha is the fourth input channel. Ours: the
semantic branch is a whole MobileNetV3 U-Net at half size that gives an alpha of its own, good enough alone for simple
scenes; the detail branch sees the picture at full size as cells of 2×2 pixels; the fusion branch answers with a
correction of the semantic alpha and begins at zero. So a training begins exactly where the semantic branch stands.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.checkpoint import differences
from koutu.models.mediapipe import from_onnx
from koutu.models.modnet import TrainingOutputs, Trimapless
from koutu.nn.mobilenetv3_unet import SELFIE, STEM, Block, MobileNetV3UNet
from koutu.nn.pixels import check, near_area
from koutu.types import ModelError

CELL = 2  # side of the cells that the detail branch works on, and the factor between picture and semantic branch


@dataclass(frozen=True)
class Config:
    """Shape of the network; the defaults are the packaged one."""

    temporal: bool = True  # the previous alpha is the fourth input channel
    blocks: tuple[Block, ...] = SELFIE  # of the semantic branch
    context: int = 128  # channels of its deepest features
    detail_channels: int = 16
    pixels: int = 512 * 288  # of the pictures it is shown

    def __post_init__(self) -> None:
        """Recipes and checkpoints write blocks as plain keys and values."""
        blocks = tuple(block if isinstance(block, Block) else Block(**block) for block in self.blocks)
        object.__setattr__(self, "blocks", blocks)


VARIANTS = {"temporal": Config(), "single": Config(temporal=False)}


@dataclass
class TemporalOutputs(TrainingOutputs):
    """MODNet's outputs and low: the semantic branch's own alpha (N, 1, H/2, W/2)."""

    low: Tensor


class DetailBranch(nn.Module):
    """Cells of the picture and semantic features → (N, C, H/2, W/2): what the boundary looks like."""

    def __init__(self, inp: int, channels: int):
        super().__init__()
        self.picture = nn.Conv2d(inp * CELL * CELL, channels, 3, padding=1)
        self.semantic = nn.Conv2d(STEM, channels, 1)
        self.mix = nn.Conv2d(channels, channels, 3, padding=1)
        self.head = nn.Conv2d(channels, CELL * CELL, 1)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        x = self.picture(F.pixel_unshuffle(x, CELL))
        x = torch.relu(x + _up(self.semantic(features)))
        return x + torch.relu(self.mix(x))

    def detail(self, x: Tensor) -> Tensor:
        """Alpha that is right near the boundary (N, 1, H, W), a training head."""
        return torch.sigmoid(F.pixel_shuffle(self.head(x), CELL))


class FusionBranch(nn.Module):
    """Detail features and semantic logits, both at 1/2 → alpha logits (N, 1, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.mix = nn.Conv2d(channels + 1, channels, 3, padding=1)
        self.correction = nn.Conv2d(channels, CELL * CELL, 1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)  # type: ignore[arg-type]

    def forward(self, detail: Tensor, low: Tensor) -> Tensor:
        x = torch.relu(self.mix(torch.cat([detail, torch.tanh(low / 4)], dim=1)))
        return _up(low) + F.pixel_shuffle(self.correction(x), CELL)


class TMODNet(Trimapless):
    """src: (N, 3, H, W) RGB in [0, 1], H and W multiples of 32; state: the previous pha (N, 1, H, W), or none.

    With memory, a clip may come folded time-major, src (T·N, 3, H, W). Returns fgr, which is src because the network
    sees alpha only, pha (T·N, 1, H, W) and the new state.
    """

    stride = 16 * CELL

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        inp = 4 if cfg.temporal else 3
        self.semantic_branch = MobileNetV3UNet(inp, cfg.blocks, cfg.context)
        self.detail_branch = DetailBranch(inp, cfg.detail_channels)
        self.fusion_branch = FusionBranch(cfg.detail_channels)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of about `cfg.pixels` pixels, at the aspect of pictures of (H, W)."""
        return near_area(size, self.cfg.pixels, self.stride)

    def low(self, src: Tensor, *state: Tensor) -> tuple[Tensor, Tensor]:
        """The semantic branch alone, for simple scenes: its alpha (N, 1, H, W) and its features (N, 16, H/4, W/4)."""
        logits, features = self._semantic(self._given(src, state))
        return torch.sigmoid(_up(logits)), features

    def training_outputs(self, src: Tensor, *state: Tensor) -> TemporalOutputs:
        """All heads on the same inputs as `forward`."""
        low, detail, pha = self._branches(src, state)
        low = torch.sigmoid(low.float())
        semantic = F.avg_pool2d(low, 16 // CELL)
        detail = self.detail_branch.detail(detail)
        return TemporalOutputs(semantic, detail, pha, [pha] if self.cfg.temporal else [], low)

    def begin_from(self, path: Path) -> None:
        """Fill the semantic branch from MediaPipe's selfie segmentation (ONNX): pha is then that network's answer.

        The previous alpha counts for nothing yet. Raises ModelError for another file or if `cfg.blocks` were changed.
        """
        state, branch = from_onnx(path), self.semantic_branch
        stem = state["stem.weight"]
        missing = branch.stem.in_channels - stem.shape[1]
        state["stem.weight"] = torch.cat([stem, stem.new_zeros(len(stem), missing, *stem.shape[2:])], dim=1)
        if found := differences(state, branch.state_dict()):
            raise ModelError(f"expected the semantic branch of {path}, got {'; '.join(found)}; keep the default blocks")
        branch.load_state_dict(state)

    def _branches(self, src: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        x = self._given(src, state)
        low, features = self._semantic(x)
        detail = self.detail_branch(x, features)
        return low, detail, torch.sigmoid(self.fusion_branch(detail, low))

    def _semantic(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.semantic_branch(F.avg_pool2d(x, CELL))

    def _given(self, src: Tensor, state: tuple[Tensor, ...]) -> Tensor:
        self._require(state)
        check(src, self.stride)
        return torch.cat([src, *state], dim=1)


def _up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=float(CELL), mode="bilinear", align_corners=False)
