"""A recurrent unit whose gates are convolutions: memory with a place in the image.

After Ballas et al., "Delving Deeper into Convolutional Networks for Learning Video Representations", ICLR 2016.
"""

import torch
from torch import Tensor, nn


class ConvGRU(nn.Module):
    """x (T·N, C, h, w), a clip folded time-major, and memory (N, C, h, w) → the same shapes.

    Every frame's new memory is its output.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels
        self.ih = nn.Sequential(nn.Conv2d(2 * channels, 2 * channels, 3, padding=1), nn.Sigmoid())
        self.hh = nn.Sequential(nn.Conv2d(2 * channels, channels, 3, padding=1), nn.Tanh())

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        frames = []
        for frame in x.split(len(memory)):
            memory = self.step(frame, memory)
            frames.append(memory)
        return torch.cat(frames), memory

    def step(self, x: Tensor, memory: Tensor) -> Tensor:
        """One frame and its memory (both (N, C, h, w)) → the new memory."""
        reset, update = self.ih(torch.cat([x, memory], dim=1)).split(self.channels, dim=1)
        candidate = self.hh(torch.cat([x, reset * memory], dim=1))
        return (1 - update) * memory + update * candidate
