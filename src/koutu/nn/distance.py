"""How near each pixel is to what a trimap is sure of: exact Euclidean distances, on any device.

The squared distance in the plane is the least sum of squares along one axis, then along the other, after Saito and
Toriwaki, "New Algorithms for Euclidean Distance Transformation", Pattern Recognition 1994.
"""

import torch
from torch import Tensor

_SIGMAS = (6.4, 25.6, 51.2)  # 0.02, 0.08 and 0.16 of 320 pixels
_FAR = 1e5  # distance to a region that is not there: its nearness is zero
_AT_ONCE = 2**17  # numbers worked on at a time, so that they stay in a processor's cache


def click_maps(known: Tensor) -> Tensor:
    """Nearness to sure background, then to sure foreground, each at three scales: (N, 2, H, W) → (N, 6, H, W).

    known: 1 where sure, else 0. exp(−d² / 2σ²) of the distance d, in [0, 1]; zeros for a region without a pixel. The
    hint of FBA Matting (Forte and Pitié, arXiv 2003.07711) and of its successors.
    """
    squared = squared_distance(known > 0.5).to(known.dtype).unsqueeze(2)
    spread = 2 * known.new_tensor(_SIGMAS).view(3, 1, 1).square()
    return torch.exp(-squared / spread).flatten(1, 2)


def squared_distance(region: Tensor) -> Tensor:
    """Each pixel's squared distance to the nearest of `region`; (N, C, H, W) bool → float32, 1e10 if there is none.

    Takes N·C·H·W times the largest distance in additions: up to a few seconds for a trimap of 1920×1080. Traces take
    them at once, N·C·H·W·max(H, W) numbers: 250 MB at 320×320; make the clicks of larger ones outside of the network.
    """
    if torch.jit.is_tracing():  # type: ignore[attr-defined]
        squared = torch.where(region, 0.0, _FAR**2).float()
        return _nearest_at_once(_nearest_at_once(squared.transpose(2, 3)).transpose(2, 3))
    squared = _along_columns(region).square().clamp(max=_FAR**2)
    rows = squared.flatten(0, 2).split(max(1, _AT_ONCE // region.shape[3]))
    return torch.cat([_nearest(part) for part in rows]).view(region.shape)


def _along_columns(region: Tensor) -> Tensor:
    """Distance to the nearest of the region above or below."""
    at = torch.arange(region.shape[2], device=region.device).float().view(-1, 1)
    above = torch.where(region, at, -_FAR).cummax(dim=2).values
    below = torch.where(region, at, 2 * _FAR).flip(2).cummin(dim=2).values.flip(2)
    return torch.minimum(at - above, below - at)


def _nearest(squared: Tensor) -> Tensor:
    """For every place i of the last axis, the least of squared[j] + (i − j)²; stops where none can become less."""
    least = squared.clone()
    for k in range(1, squared.shape[1]):
        if k % 8 == 1 and k * k >= least.max():
            break
        right, left = least[:, k:], least[:, :-k]
        torch.minimum(right, squared[:, :-k] + k * k, out=right)
        torch.minimum(left, squared[:, k:] + k * k, out=left)
    return least


def _nearest_at_once(squared: Tensor) -> Tensor:
    at = torch.arange(squared.shape[-1], device=squared.device).float()
    return (squared.unsqueeze(-2) + (at[:, None] - at).square()).amin(dim=-1)
