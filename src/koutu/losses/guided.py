"""Losses of matting with a trimap or a mask: Deep Image Matting, Mask Guided Matting, IGF, SHM, SIM.

`unknown` is the region (N, 1, H, W) where the trimap does not decide.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from koutu.losses.laplacian import laplacian_gca, laplacian_sim
from koutu.losses.terms import charbonnier, compose, l1, sobel, weighted_mean


def dim_alpha(pred_pha: Tensor, true_pha: Tensor, unknown: Tensor, *, extra: float = 0.0) -> Tensor:
    """Charbonnier distance over the unknown region (Xu et al., CVPR 2017).

    extra: added to the count of pixels; 1 in one published implementation.
    """
    return charbonnier(pred_pha, true_pha, unknown, extra=extra)


def dim_composition(
    pred_pha: Tensor, fgr: Tensor, bgr: Tensor, src: Tensor, unknown: Tensor, *, extra: float = 0.0
) -> Tensor:
    """The same of the image composed anew from the true colours, a mean over its channels."""
    return charbonnier(compose(fgr, bgr, pred_pha), src, unknown, extra=extra)


def dim_matting(
    pred_pha: Tensor, true_pha: Tensor, fgr: Tensor, bgr: Tensor, src: Tensor, unknown: Tensor, weight: float = 0.5
) -> Tensor:
    """weight · alpha + (1 − weight) · composition."""
    alpha, composition = dim_alpha(pred_pha, true_pha, unknown), dim_composition(pred_pha, fgr, bgr, src, unknown)
    return weight * alpha + (1 - weight) * composition


def mgmatting(
    pred_phas: Sequence[Tensor],
    true_pha: Tensor,
    weights: Sequence[Tensor],
    fgr: Tensor,
    bgr: Tensor,
    src: Tensor,
    *,
    composition: float = 1.0,
) -> Tensor:
    """Alpha, composition and detail of the three scales, finest first, each over its own weight mask (N, 1, H, W).

    After Yu et al., CVPR 2021: the code's scale weights 2 : 1 : 1 over five (the paper says 3 : 2 : 1). Colours as the
    network's. `composition` is 0 in the recipe for real-world portraits.
    """
    terms = []
    for pha, weight, share in zip(pred_phas, weights, (0.4, 0.2, 0.2), strict=True):
        composed = weighted_mean((compose(fgr, bgr, pha) - src).abs(), weight)
        terms.append(
            share * (l1(pha, true_pha, weight) + composition * composed + laplacian_gca(pha, true_pha, weight))
        )
    return torch.stack(terms).sum()


def boundary_band(true_pha: Tensor, radius: int) -> Tensor:
    """Pixels within `radius`, in both directions, of an alpha that is neither 0 nor 1 or of a hard edge; boolean."""
    side = 2 * radius + 1
    most = F.max_pool2d(true_pha, side, 1, radius)
    least = -F.max_pool2d(-true_pha, side, 1, radius)
    return most - least > 0.02


def igf_alpha(pred_pha: Tensor, true_pha: Tensor, radius: int = 7) -> Tensor:
    """Mean absolute error everywhere, and again over the boundary's band (Li et al., ICME 2020; weights are ours)."""
    return l1(pred_pha, true_pha) + l1(pred_pha, true_pha, boundary_band(true_pha, radius))


def igf_gabor(pred_pha: Tensor, true_pha: Tensor, bank: Tensor) -> Tensor:
    """Mean absolute difference of the answers of oriented filters; bank (K, 1, k, k)."""
    radius = bank.shape[-1] // 2
    return F.conv2d(pred_pha - true_pha, bank.to(pred_pha), padding=radius).abs().mean()


def shm_matting(
    pred_pha: Tensor, true_pha: Tensor, fgr: Tensor, bgr: Tensor, src: Tensor, gamma: float = 0.5
) -> Tensor:
    """gamma · alpha + (1 − gamma) · composition over the whole image (Chen et al., ACM MM 2018)."""
    alpha = charbonnier(pred_pha, true_pha, eps2=1e-6)
    return gamma * alpha + (1 - gamma) * charbonnier(compose(fgr, bgr, pred_pha), src, eps2=1e-6)


def shm_trimap(pred_logits: Tensor, true_trimap: Tensor) -> Tensor:
    """Cross-entropy of (background, unknown, foreground) logits against a trimap of 0, 0.5, 1.

    End to end it counts 0.01 beside `shm_matting`.
    """
    return F.cross_entropy(pred_logits, (2 * true_trimap[:, 0]).round().long())


def sim_colours(
    pred_fgr: Tensor, pred_bgr: Tensor, fgr: Tensor, bgr: Tensor, trimap: Tensor, *, everywhere: bool = False
) -> Tensor:
    """Charbonnier distance of foreground and background colours where they can be seen (Sun et al., CVPR 2021).

    everywhere: the published code's mask of the foreground, `trimap ≥ 0`, which is always true; meant was ≥ 0.5.
    """
    seen = torch.ones_like(trimap) if everywhere else (trimap >= 0.5).to(trimap.dtype)
    return charbonnier(pred_fgr, fgr, seen) + charbonnier(pred_bgr, bgr, trimap <= 0.5)


def sim_compositions(
    pred_pha: Tensor,
    pred_fgr: Tensor,
    pred_bgr: Tensor,
    true: tuple[Tensor, Tensor, Tensor],
    src: Tensor,
    unknown: Tensor,
) -> Tensor:
    """The image composed anew in three ways, over the unknown region; true: alpha, foreground, background.

    Predicted alpha with true colours, true alpha with predicted colours, and all predicted.
    """
    true_pha, fgr, bgr = true
    ways = ((fgr, bgr, pred_pha), (pred_fgr, pred_bgr, true_pha), (pred_fgr, pred_bgr, pred_pha))
    return torch.stack([charbonnier(compose(*way), src, unknown) for way in ways]).sum()


def sim_detail(pred_pha: Tensor, true_pha: Tensor, pred_fgr: Tensor, fgr: Tensor) -> Tensor:
    """Laplacian losses of alpha and of the foreground's colours."""
    return laplacian_sim(pred_pha, true_pha) + laplacian_sim(pred_fgr, fgr)


def sim_attention(
    attention: Tensor, pred_pha: Tensor, pred_fgr: Tensor, pred_bgr: Tensor, src: Tensor, unknown: Tensor
) -> Tensor:
    """The image's slope as a mixture, by attention (N, 3, H, W), of those of alpha, foreground and background."""
    slopes = [sobel(x.mean(dim=1, keepdim=True)) for x in (pred_pha, pred_fgr, pred_bgr)]
    mixed = (torch.cat(slopes, dim=1) * attention).sum(dim=1, keepdim=True)
    return l1(mixed, sobel(src.mean(dim=1, keepdim=True)), unknown)


def sim_features(pred_features: Sequence[Tensor], true_features: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of a classifier's features of predicted and true alpha, summed over the layers."""
    pairs = zip(pred_features, true_features, strict=True)
    return torch.stack([F.l1_loss(pred, true.detach()) for pred, true in pairs]).sum()
