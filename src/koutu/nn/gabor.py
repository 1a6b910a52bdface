"""Oriented filters that answer to edges and strands: a Gaussian times a wave.

The bank of Li et al., "Inductive Guided Filter", ICME 2020, as its authors' later code keeps it: 16 directions.
"""

import math

import torch
from torch import Tensor


def gabor_kernel(
    size: int = 5, sigma: float = 0.5, theta: float = 0.0, wavelength: float = 5.0, gamma: float = 0.5
) -> Tensor:
    """(size, size), the wave along direction `theta`, as OpenCV's `getGaborKernel` with its phase of π/2."""
    at = torch.arange(size // 2, -(size // 2) - 1, -1, dtype=torch.float64)
    y, x = at[:, None], at[None, :]
    along = x * math.cos(theta) + y * math.sin(theta)
    across = -x * math.sin(theta) + y * math.cos(theta)
    bell = torch.exp(-(along**2 + (gamma * across) ** 2) / (2 * sigma**2))
    return bell * torch.cos(2 * math.pi * along / wavelength + math.pi / 2)


def gabor_bank(directions: int = 16, step: float = math.pi / 8) -> Tensor:
    """(directions, 1, 5, 5) for `losses.igf_gabor`; the second half of the published 16 are the first turned around."""
    return torch.stack([gabor_kernel(theta=k * step) for k in range(directions)])[:, None].float()
