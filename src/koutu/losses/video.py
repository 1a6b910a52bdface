"""Losses of clips: Robust Video Matting, Space-Time Memory, Deep Video Matting. Clips are folded (T·N, C, H, W)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from koutu.losses.laplacian import laplacian_rvm
from koutu.losses.terms import change, charbonnier, compose, sobel, weighted_mean


def rvm_terms(pred_fgr: Tensor, pred_pha: Tensor, true_fgr: Tensor, true_pha: Tensor, frames: int) -> dict[str, Tensor]:
    """The five parts of `rvm_matting`, already weighted, by name."""
    inside = (true_pha > 0).to(pred_fgr.dtype)
    pred_fgr, true_fgr = pred_fgr * inside, true_fgr * inside
    return {
        "pha_l1": F.l1_loss(pred_pha, true_pha),
        "pha_laplacian": laplacian_rvm(pred_pha, true_pha),
        "pha_coherence": 5 * coherence(pred_pha, true_pha, frames),
        "fgr_l1": F.l1_loss(pred_fgr, true_fgr),
        "fgr_coherence": 5 * coherence(pred_fgr, true_fgr, frames),
    }


def rvm_matting(pred_fgr: Tensor, pred_pha: Tensor, true_fgr: Tensor, true_pha: Tensor, frames: int) -> Tensor:
    """Alpha, detail and coherence of alpha, colour and coherence of colour where alpha > 0 (Lin et al., WACV 2022)."""
    return torch.stack(list(rvm_terms(pred_fgr, pred_pha, true_fgr, true_pha, frames).values())).sum()


def rvm_segmentation(pred_logits: Tensor, true_seg: Tensor) -> Tensor:
    """Binary cross-entropy of person logits (N, 1, H, W)."""
    return F.binary_cross_entropy_with_logits(pred_logits, true_seg)


def coherence(pred: Tensor, true: Tensor, frames: int) -> Tensor:
    """Mean squared error of the change from frame to frame: flicker, and lagging behind, cost."""
    return F.mse_loss(change(pred, frames), change(true, frames))


def stm_segmentation(pred_logits: Sequence[Tensor], true_labels: Sequence[Tensor]) -> Tensor:
    """Cross-entropy of objects (N, K + 1, H, W), background first, against indices (N, H, W), summed over frames.

    After Oh et al., ICCV 2019: frames after the first of a triplet, whose memories are the predictions themselves.
    """
    terms = [F.cross_entropy(logits, labels) for logits, labels in zip(pred_logits, true_labels, strict=True)]
    return torch.stack(terms).sum()


def dvm_alpha(pred_pha: Tensor, true_pha: Tensor, unknown: Tensor) -> Tensor:
    """Charbonnier distance over the unknown region and half as much over the rest (Sun et al., CVPR 2021)."""
    known = ~unknown.bool()
    return charbonnier(pred_pha, true_pha, unknown) + 0.5 * charbonnier(pred_pha, true_pha, known)


def dvm_composition(pred_pha: Tensor, fgr: Tensor, bgr: Tensor, src: Tensor, unknown: Tensor) -> Tensor:
    """Half the Charbonnier distance of the image composed anew, over the unknown region; colours as the network's."""
    return 0.5 * charbonnier(compose(fgr, bgr, pred_pha), src, unknown)


def dvm_gradient(pred_pha: Tensor, true_pha: Tensor, unknown: Tensor) -> Tensor:
    """Absolute error of alpha, where its slope is wrong: weighted by twice the difference of the Sobel slopes."""
    weight = 2 * (sobel(true_pha) - sobel(pred_pha).detach()).abs()
    return weighted_mean(weight * (pred_pha - true_pha).abs(), unknown)


def dvm_divergence(pred_pha: Tensor, true_pha: Tensor, eps: float = 1e-7) -> Tensor:
    """Kullback-Leibler divergence of alphas taken for distributions over the image, a mean over the batch."""
    pred, true = ((x + eps).flatten(1) / (x + eps).flatten(1).sum(dim=1, keepdim=True) for x in (pred_pha, true_pha))
    return (true * (true.log() - pred.log())).sum(dim=1).mean()


def dvm_temporal(pred_pha: Tensor, true_pha: Tensor, frames: int) -> Tensor:
    """Mean squared error of the change from frame to frame."""
    return coherence(pred_pha, true_pha, frames)
