"""What an image's unknown region is made of: the classifier whose activation maps SIM reads.

After Sun et al., "Semantic Image Matting", CVPR 2021, and for the maps Zhou et al., "Learning Deep Features for
Discriminative Localization", CVPR 2016, in the layout of SIM's published code, whose checkpoints load here key by key.
Ours differs: every image of a batch is scaled by itself; windows larger than the image shrink to it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.models.sim import SIM, mirrored
from koutu.nn.pixels import check, imagenet, resize
from koutu.nn.resnet import RESNET50, BottleneckResNet

CLASSES = (
    "defocus", "fire", "fur", "glass_ice", "hair_easy", "hair_hard", "insect", "motion", "net", "plant_flower",
    "plant_leaf", "plant_tree", "plastic_bag", "sharp", "smoke_cloud", "spider_web", "texture_holed", "texture_smooth",
    "water_drop", "water_spray",
)  # fmt: skip
WINDOWS = (320, 800)  # sides of the squares that the classifier is shown
_UNKNOWN = 128 / 255  # its level in an 8-bit trimap


@dataclass(frozen=True)
class Classified:
    """logits (N, 20); activation (N, 20, H/32, W/32), each place's share in them, without bias.

    features: of the four stages and the last one's mean (N, 2048, 1, 1), for losses that compare them.
    """

    logits: Tensor
    activation: Tensor
    features: list[Tensor]


class SIMClassifier(BottleneckResNet):
    """ResNet-50 on the image, mean and spread of ImageNet taken out, and a trimap or an alpha: (N, 4, H, W)."""

    def __init__(self, depths: tuple[int, ...] = RESNET50):
        super().__init__(4, depths)
        self.fc = nn.Linear(self.channels[-1], len(CLASSES))

    def forward(self, x: Tensor) -> Classified:  # type: ignore[override]
        features = super().forward(x)[1:]
        mean = F.adaptive_avg_pool2d(features[-1], 1)
        activation = F.conv2d(features[-1], self.fc.weight[:, :, None, None])
        return Classified(self.fc(mean.flatten(1)), activation, [*features, mean])


class InformedSIM(Network):
    """SIM whose classifier, as published, says what the unknown region is made of. Inputs, outputs: as SIM's."""

    needs = SIM.needs
    stride = SIM.stride

    def __init__(self, sim: SIM, classifier: SIMClassifier):
        super().__init__()
        self.sim, self.classifier = sim, classifier

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """As of SIM."""
        return self.sim.network_size(size)

    def forward(self, src: Tensor, trimap: Tensor) -> tuple[Tensor, Tensor]:
        return self.sim(src, trimap, semantic_map(self.classifier, mirrored(src), mirrored(trimap)))


@torch.no_grad()
def semantic_map(classifier: SIMClassifier, src: Tensor, trimap: Tensor, windows: tuple[int, ...] = WINDOWS) -> Tensor:
    """src (N, 3, H, W) in [0, 1] and trimap (N, 1, H, W) of 0, 0.5, 1 → SIM's `semantic` (N, 20, H, W) in [0, 1].

    Activations averaged over windows that overlap by half, then stretched to 0 … 1 over all classes and places of a
    image; 0 where the trimap is sure. Windows without an unknown pixel are left out, so it cannot be exported. The
    classifier should be in evaluation mode.
    """
    check(src)
    check(trimap, channels=1, name="trimap")
    unknown = (trimap != 0) & (trimap != 1)
    x = torch.cat([imagenet(src), torch.where(unknown, _UNKNOWN, trimap)], dim=1)
    pairs = zip(x.split(1), unknown.split(1), strict=True)
    return torch.cat([_stretched(_averaged(classifier, *pair, windows)) for pair in pairs]) * unknown


def _averaged(classifier: SIMClassifier, x: Tensor, unknown: Tensor, windows: tuple[int, ...]) -> Tensor:
    height, width = x.shape[2:]
    total, count = x.new_zeros(1, len(CLASSES), height, width), x.new_zeros(1, 1, height, width)
    for h, w in dict.fromkeys((min(side, height), min(side, width)) for side in windows):
        places = [(top, left) for top in _starts(height, h) for left in _starts(width, w)]
        for top, left in places:
            here = (..., slice(top, top + h), slice(left, left + w))
            if unknown[here].any():
                total[here] += resize(classifier(x[here]).activation, total[here])
                count[here] += 1
    return total / count.clamp(min=1)


def _starts(side: int, window: int) -> list[int]:
    return [*range(0, side - window, max(1, window // 2)), side - window]


def _stretched(x: Tensor) -> Tensor:
    low, high = x.amin(), x.amax()
    return (x - low) / (high - low).clamp(min=torch.finfo(x.dtype).tiny)
