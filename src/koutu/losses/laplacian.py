"""The four Laplacian losses of the field: all compare pyramids of detail, none is another's equal.

| | kernel | a level's weight | residual | divided by |
|---|---|---|---|---|
| `laplacian_rvm` | binomial, reflected border | 2^k | left out | 5 |
| `laplacian_gca` | binomial, reflected border | 2^k | left out | the mask's sum |
| `laplacian_sim` | binomial, reflected border | 1 | left out | – |
| `laplacian_p3m` | sum of two Gaussians, repeated border | 1 | counted | – |
"""

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 5


def laplacian_rvm(pred: Tensor, true: Tensor) -> Tensor:
    """Of Robust Video Matting: means of absolute differences, doubled at each level, over five; (N, 1, H, W)."""
    pairs = zip(_details(pred), _details(true), strict=True)
    return sum_of([2**k * F.l1_loss(a, b) for k, (a, b) in enumerate(pairs)]) / LEVELS


def laplacian_gca(pred: Tensor, true: Tensor, where: Tensor | None = None) -> Tensor:
    """Of GCA and Mask Guided Matting: doubled at each level, each a mean over the mask made as small by picking."""
    terms = []
    for k, (a, b) in enumerate(zip(_details(pred), _details(true), strict=True)):
        weight = torch.ones_like(a) if where is None else _picked(where, k).to(a.dtype)
        terms.append(2**k * ((a - b).abs() * weight).sum() / (weight.sum() + 1e-8))
    return sum_of(terms)


def laplacian_sim(pred: Tensor, true: Tensor) -> Tensor:
    """Of Semantic Image Matting's code: every level counts the same. (Hou and Liu's paper and FBA's double them.)"""
    return sum_of([F.l1_loss(a, b) for a, b in zip(_details(pred), _details(true), strict=True)])


def laplacian_p3m(pred: Tensor, true: Tensor) -> Tensor:
    """Of P3M, AIM and GFM: what a 5×5 blur takes away, on halved blurs, and the last blur itself.

    Their kernel is the sum, not the product, of two squared Gaussians (σ 1); the border is repeated.
    """
    g = torch.exp(-(torch.arange(-2.0, 3.0, dtype=pred.dtype, device=pred.device) ** 2))
    kernel = g[:, None] + g[None, :]
    kernel, terms, difference = kernel / kernel.sum(), [], pred - true
    for _ in range(LEVELS):
        if min(difference.shape[-2:]) < 2:
            break
        blurred = _blur(difference, kernel, "replicate")
        terms.append((difference - blurred).abs().mean())
        difference = F.avg_pool2d(blurred, 2)
    return sum_of([*terms, difference.abs().mean()])


def sum_of(terms: list[Tensor]) -> Tensor:
    """The sum of scalars."""
    return torch.stack(terms).sum()


def _details(x: Tensor) -> list[Tensor]:
    """What each level has over its own reduced copy. Sides are cut to even ones; levels too small are left out."""
    kernel, levels = _binomial(x), []
    for _ in range(LEVELS):
        x = x[..., : x.shape[-2] // 2 * 2, : x.shape[-1] // 2 * 2]
        if min(x.shape[-2:]) < 4 and levels:
            break
        small = _blur(x, kernel, "reflect")[..., ::2, ::2]
        levels.append(x - _enlarge(small, kernel))
        x = small
    return levels


def _enlarge(x: Tensor, kernel: Tensor) -> Tensor:
    """Twice as large: zeros between the pixels, then the same blur, four times as strong."""
    n, c, height, width = x.shape
    spread = x.new_zeros(n, c, height, 2, width, 2)
    spread[..., 0, :, 0] = x
    return _blur(spread.view(n, c, 2 * height, 2 * width), 4 * kernel, "reflect")


def _binomial(like: Tensor) -> Tensor:
    taps = like.new_tensor([1, 4, 6, 4, 1]) / 16
    return torch.outer(taps, taps)


def _blur(x: Tensor, kernel: Tensor, border: str) -> Tensor:
    channels = x.shape[1]
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode=border), kernel.expand(channels, 1, 5, 5), groups=channels)


def _picked(x: Tensor, level: int) -> Tensor:
    for _ in range(level):
        x = x[..., : x.shape[-2] // 2 * 2, : x.shape[-1] // 2 * 2][..., ::2, ::2]
    return x
