"""Matting with a trimap by an encoder-decoder that remembers where its maxima were, and a small network that sharpens.

After Xu et al., "Deep Image Matting", CVPR 2017. The authors published no code: the paper's layout is the default, and
three re-implementations' layouts, whose checkpoints load here, are configurations: huochaitiantang's under its own
names, mmagic's by renaming, IndexNet's port under the same names with `bn…` beside each `conv…`.
Ours differs: images of any size are mirrored to multiples of 32; `width` scales every layer for training from little.
"""

import re
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.nn.pixels import at_most, check, imagenet, pad_to
from koutu.nn.vgg import VGG16, layer_names, pool, unpool


@dataclass(frozen=True)
class Config:
    """Shape of the network; the defaults are the paper's."""

    width: float = 1.0
    neck_kernel: Literal[1, 3, 7] = 7
    neck_channels: int = 4096
    skips: bool = False  # each decoder layer's input is added to the encoder's feature before its pooling
    encoder_norm: bool = False
    refine: bool = True
    alpha: Literal["sigmoid", "clip"] = "sigmoid"  # how the decoder's last map becomes an alpha
    keep_known: bool = True  # alpha is 0 and 1 where the trimap says so


VARIANTS = {
    "paper": Config(),
    "paper_stage1": Config(refine=False),
    "mmagic": Config(neck_kernel=1, neck_channels=512),
    "mmagic_stage1": Config(neck_kernel=1, neck_channels=512, refine=False),
    "huochaitiantang": Config(neck_kernel=3, neck_channels=512, skips=True),
    "huochaitiantang_stage1": Config(neck_kernel=3, neck_channels=512, skips=True, refine=False),
    "huochaitiantang_noskip": Config(neck_kernel=3, neck_channels=512),
    "indexnet": Config(encoder_norm=True, refine=False, alpha="clip"),
}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """pha (N, 1, H, W): the encoder-decoder's; refined: the same sharpened, or None without `refine`; in [0, 1]."""

    pha: Tensor
    refined: Tensor | None


class DIM(Network):
    """src: (N, 3, H, W) RGB in [0, 1] of any size; trimap: (N, 1, H, W) of 0, 0.5 and 1.

    Returns fgr (N, 3, H, W), which is src because the network sees alpha only, and pha (N, 1, H, W). No memory.
    """

    needs: tuple[str, ...] = ("trimap",)
    stride = 1

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()

        def scaled(channels: int) -> int:
            return max(4, int(channels * cfg.width))

        self.stages = [[(name, scaled(c)) for name, c in stage] for stage in layer_names()]
        inp = 4
        for name, out in (layer for stage in self.stages for layer in stage):
            self.add_module(f"conv{name}", nn.Conv2d(inp, out, 3, padding=1))
            if cfg.encoder_norm:
                self.add_module(f"bn{name}", nn.BatchNorm2d(out))
            inp = out
        neck = scaled(cfg.neck_channels)
        self.conv6_1 = nn.Conv2d(inp, neck, cfg.neck_kernel, padding=cfg.neck_kernel // 2)
        self.deconv6_1 = nn.Conv2d(neck, scaled(512), 1)
        inp = scaled(512)
        for i, out in zip(range(5, 0, -1), (512, 256, 128, 64, 64), strict=True):
            self.add_module(f"deconv{i}_1", nn.Conv2d(inp, scaled(out), 5, padding=2))
            inp = scaled(out)
        self.deconv1 = nn.Conv2d(inp, 1, 5, padding=2)
        if cfg.refine:
            mid = scaled(64)
            self.refine_conv1 = nn.Conv2d(4, mid, 3, padding=1)
            self.refine_conv2 = nn.Conv2d(mid, mid, 3, padding=1)
            self.refine_conv3 = nn.Conv2d(mid, mid, 3, padding=1)
            self.refine_pred = nn.Conv2d(mid, 1, 3, padding=1)
        self.apply(_initialise)
        with torch.no_grad():
            self.get_submodule("conv1_1").weight[:, 3] = 0  # type: ignore[index]

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) for images of (H, W): whole, but no side over 1600."""
        return at_most(size, 1600)

    @staticmethod
    def rename(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """mmagic's names (`backbone.encoder.layer1.0.conv.weight` …) to ours; others as they are."""
        if not any(key.startswith("backbone.") for key in state):
            return state

        def ours(key: str) -> str:
            key = re.sub(r"^backbone\.encoder\.layer6\.(?:0\.)?(?:conv\.)?", "conv6_1.", key)
            key = re.sub(
                r"^backbone\.encoder\.layer(\d)\.(\d)\.(?:conv\.)?", lambda m: f"conv{m[1]}_{int(m[2]) + 1}.", key
            )
            return re.sub(r"^(backbone\.decoder|refiner)\.(\w+)\.(?:conv\.)?", r"\2.", key)

        return {ours(key): value for key, value in state.items()}

    def forward(self, src: Tensor, trimap: Tensor) -> tuple[Tensor, Tensor]:
        out = self.training_outputs(src, trimap)
        pha = out.pha if out.refined is None else out.refined
        if self.cfg.keep_known:
            pha = torch.where((trimap > 0) & (trimap < 1), pha, trimap)
        return src, pha

    def training_outputs(self, src: Tensor, trimap: Tensor) -> TrainingOutputs:
        """Alpha before and after sharpening on the same inputs as `forward`, known pixels as the network has them."""
        check(src)
        check(trimap, channels=1, name="trimap")
        height, width = src.shape[2:]
        out = self.heads(pad_to(torch.cat([imagenet(src), trimap], dim=1), 2 ** len(VGG16)))
        refined = None if out.refined is None else out.refined[..., :height, :width]
        return TrainingOutputs(out.pha[..., :height, :width], refined)

    def heads(self, x: Tensor) -> TrainingOutputs:
        """Both alphas of a normalised image and its trimap (N, 4, H, W), sides multiples of 32."""
        raw = self._decoded(*self._encoded(x))
        if self.cfg.alpha == "clip":
            return TrainingOutputs(raw.clamp(0, 1), None)
        pha = torch.sigmoid(raw)
        if not self.cfg.refine:
            return TrainingOutputs(pha, None)
        y = torch.cat([x[:, :3], pha], dim=1)
        for conv in (self.refine_conv1, self.refine_conv2, self.refine_conv3):
            y = F.relu(conv(y))
        return TrainingOutputs(pha, torch.sigmoid(raw + self.refine_pred(y)))

    def _encoded(self, x: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        remembered = []
        for stage in self.stages:
            for name, _ in stage:
                x = self.get_submodule(f"conv{name}")(x)
                x = F.relu(self.get_submodule(f"bn{name}")(x) if self.cfg.encoder_norm else x)
            feature = x
            x, where = pool(feature)
            remembered.append((feature, where))
        return x, remembered

    def _decoded(self, x: Tensor, remembered: list[tuple[Tensor, Tensor]]) -> Tensor:
        x = F.relu(self.deconv6_1(F.relu(self.conv6_1(x))))
        for i in range(5, 0, -1):
            feature, where = remembered[i - 1]
            x = unpool(x, where) + feature if self.cfg.skips else unpool(x, where)
            x = F.relu(self.get_submodule(f"deconv{i}_1")(x))
        return self.deconv1(x)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
