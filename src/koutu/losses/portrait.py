"""Losses of matting without hints: MODNet and its self-supervised adaptation, U²-Net."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from koutu.losses.terms import l1

_SIGMA = 0.8  # of the 3×3 Gaussian that softens MODNet's semantic target


def coarse_target(true_pha: Tensor) -> Tensor:
    """MODNet's semantic target: alpha at 1/16 by bilinear sampling, then a 3×3 Gaussian with a reflected border.

    The published kernel is a 7-tap Gaussian (σ 0.8) whose outer taps are folded back into three.
    """
    small = F.interpolate(true_pha, scale_factor=1 / 16, mode="bilinear", align_corners=False)
    g = torch.exp(-(torch.arange(4, dtype=small.dtype, device=small.device) ** 2) / (2 * _SIGMA**2))
    taps = torch.stack([g[1] + g[2], g[0] + 2 * g[3], g[1] + g[2]]) / (g[0] + 2 * g[1:].sum())
    kernel = torch.outer(taps, taps)
    return F.conv2d(F.pad(small, (1, 1, 1, 1), mode="reflect"), kernel[None, None])


def modnet_semantic(pred_semantic: Tensor, true_pha: Tensor) -> Tensor:
    """10 · MSE at 1/16 (Ke et al., AAAI 2022, the published code's scale)."""
    return 10 * F.mse_loss(pred_semantic, coarse_target(true_pha))


def coarse_entropy(pred_semantic: Tensor, true_pha: Tensor) -> Tensor:
    """Mean binary cross-entropy at 1/16 against the soft coarse target; its gradient does not fade when far off."""
    return F.binary_cross_entropy(pred_semantic.clamp(1e-6, 1 - 1e-6), coarse_target(true_pha))


def near_boundary(true_pha: Tensor) -> Tensor:
    """1 on squares of 4×4 pixels that hold, or have beside them, more than one kind of alpha, else 0; shape kept."""
    most, least = F.max_pool2d(true_pha, 4), -F.max_pool2d(-true_pha, 4)
    mixed = F.max_pool2d(most, 3, 1, 1) + F.max_pool2d(-least, 3, 1, 1) > 0.05
    return F.interpolate(mixed.to(true_pha.dtype), true_pha.shape[-2:])


def boundary_weight(true_pha: Tensor) -> Tensor:
    """5 near the boundary, else 1; shape kept."""
    return 1 + 4 * near_boundary(true_pha)


def pixel_entropy(logits: Tensor, true_pha: Tensor, weight: Tensor) -> Tensor:
    """Weighted binary cross-entropy of every pixel, averaged over all, from logits (N, 1, H, W)."""
    return F.binary_cross_entropy_with_logits(logits, true_pha, weight=weight)


def modnet_detail(pred_detail: Tensor, true_pha: Tensor, trimap: Tensor) -> Tensor:
    """10 · L1 where the trimap (0, 0.5, 1) says unknown, averaged over all pixels."""
    return 10 * F.l1_loss(torch.where(trimap != 0.5, trimap, pred_detail), torch.where(trimap != 0.5, trimap, true_pha))


def modnet_matte(pred_pha: Tensor, true_pha: Tensor, trimap: Tensor, image: Tensor) -> Tensor:
    """Alpha L1 plus composition L1, both again ×4 over the unknown region; image (N, 3, H, W) in [−1, 1]."""
    unknown = torch.where(trimap != 0.5, trimap, pred_pha)
    alpha = F.l1_loss(pred_pha, true_pha) + 4 * F.l1_loss(unknown, true_pha)
    over = F.l1_loss(image * pred_pha, image * true_pha) + 4 * F.l1_loss(image * unknown, image * true_pha)
    return alpha + over


def u2net(pred_logits: Sequence[Tensor], true_pha: Tensor) -> Tensor:
    """Binary cross-entropy of U²-Net's fused and side results, each of weight 1, from logits; all (N, 1, H, W)."""
    parts = [F.binary_cross_entropy_with_logits(logits, true_pha) for logits in pred_logits]
    return torch.stack(parts).sum()


def modnet_consistency(pred_semantic: Tensor, pred_pha: Tensor) -> Tensor:
    """Self-supervised adaptation: the coarse and the fine head teach each other what they are sure of.

    100 · (MSE of the semantic head against the softened matte, and the other way round), targets detached and those
    under 0.01 taken for 0 (Ke et al., AAAI 2022, §3.4).
    """
    coarse = coarse_target(pred_pha)
    matte_says, semantic_says = (x.detach() * (x.detach() > 0.01) for x in (coarse, pred_semantic))
    return 100 * (F.mse_loss(pred_semantic, matte_says) + F.mse_loss(coarse, semantic_says))


def modnet_band(frozen_semantic: Tensor, frozen_pha: Tensor) -> Tensor:
    """Where the frozen copy sees a boundary, 5 % of the mean side wide; boolean (N, 1, H, W)."""
    height, width = frozen_pha.shape[-2:]
    semantic = F.interpolate(frozen_semantic, size=(height, width), mode="bilinear", align_corners=False)
    person = ((frozen_pha > 0.1) & (semantic > 0.1)).to(frozen_pha.dtype)
    side = max(3, int((height + width) / 2 * 0.05)) // 2 * 2 + 1
    grown, shrunk = F.max_pool2d(person, side, 1, side // 2), -F.max_pool2d(-person, side, 1, side // 2)
    return grown != shrunk


def modnet_preservation(
    pred_detail: Tensor, pred_pha: Tensor, frozen_detail: Tensor, frozen_pha: Tensor, band: Tensor
) -> Tensor:
    """Self-supervised adaptation keeps the boundary: mean absolute change of detail and of matte over the band.

    0 where nobody is, and the band is empty; published code divides by zero there.
    """
    return l1(pred_detail, frozen_detail, band) + l1(pred_pha, frozen_pha, band)
