"""Squeeze-and-excitation, and the half batch, half instance norm that goes with it in portrait matting.

After Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, and Pan et al., "Two at Once: Enhancing Learning and
Generalization Capacities via IBN-Net", ECCV 2018.
"""

import torch
from torch import Tensor, nn


class IBNorm(nn.Module):
    """Batch norm on the first half of the channels, plain instance norm on the rest; shape kept."""

    def __init__(self, channels: int):
        super().__init__()
        self.split = channels // 2
        self.bnorm = nn.BatchNorm2d(self.split)
        self.inorm = nn.InstanceNorm2d(channels - self.split, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.bnorm(x[:, : self.split]), self.inorm(x[:, self.split :])], dim=1)


class SEBlock(nn.Module):
    """Scale each channel by a gate computed from all channels' means; shape kept."""

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        hidden = channels // reduction
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, channels, bias=False), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(x.mean(dim=(2, 3)))[:, :, None, None]


class SqueezeExcite(nn.Module):
    """The same gate by 1×1 convolutions, ended by a hard sigmoid; shape kept."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)
        self.relu = nn.ReLU(inplace=True)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.fc2(self.relu(self.fc1(x.mean(dim=(2, 3), keepdim=True)))))
