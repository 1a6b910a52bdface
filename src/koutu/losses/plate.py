"""Losses of matting against a clean plate: Background Matting, first and second version."""

from torch import Tensor
from torch.nn import functional as F

from koutu.losses.terms import compose, gan_generator, l1, sobel, sobel_l1, weighted_mean


def bgmv1_composition(pred_pha: Tensor, pred_fgr: Tensor, src: Tensor, bgr: Tensor) -> Tensor:
    """Absolute error of the image composed anew; where alpha > 0.95 the image itself is its foreground."""
    fgr = src.where(pred_pha > 0.95, pred_fgr)
    return l1(compose(fgr, bgr, pred_pha), src)


def bgmv1_supervised(
    pred_pha: Tensor, pred_fgr: Tensor, true_pha: Tensor, true_fgr: Tensor, src: Tensor, bgr: Tensor
) -> Tensor:
    """Alpha + 2 foreground where anybody is + composition + slope of alpha (Sengupta et al., CVPR 2020, stage one).

    Published code works in [−1, 1]: its values are twice these.
    """
    foreground = l1(pred_fgr, true_fgr, true_pha > 0.005)
    composition = bgmv1_composition(pred_pha, pred_fgr, src, bgr)
    return l1(pred_pha, true_pha) + 2 * foreground + composition + sobel_l1(pred_pha, true_pha)


def bgmv1_adversarial(
    pred_pha: Tensor,
    pred_fgr: Tensor,
    teacher_pha: Tensor,
    teacher_fgr: Tensor,
    src: Tensor,
    bgr: Tensor,
    fake_score: Tensor,
    weight: float = 1.0,
) -> Tensor:
    """The generator's side of stage two, on unlabelled footage: deceive, and stay near the frozen teacher.

    fake_score: the discriminator's answer to the person over another background. `weight` halves every two epochs.
    """
    near = bgmv1_composition(pred_pha, pred_fgr, src, bgr) + l1(pred_pha, teacher_pha)
    near = near + 0.5 * sobel_l1(pred_pha, teacher_pha) + l1(pred_fgr, teacher_fgr, teacher_pha > 0.005)
    return gan_generator(fake_score) + weight * 0.05 * near


def bgmv2_base(pred_pha: Tensor, pred_fgr: Tensor, pred_err: Tensor, true_pha: Tensor, true_fgr: Tensor) -> Tensor:
    """Alpha, its slope, foreground where alpha is not 0, and the error map (Lin et al., CVPR 2021)."""
    error = F.mse_loss(pred_err, (pred_pha.detach() - true_pha).abs())
    return _matte(pred_pha, pred_fgr, true_pha, true_fgr) + error


def bgmv2_refine(
    fine_pha: Tensor,
    fine_fgr: Tensor,
    pred_pha: Tensor,
    pred_fgr: Tensor,
    pred_err: Tensor,
    true_pha: Tensor,
    true_fgr: Tensor,
) -> Tensor:
    """The same at full size and at the base network's, whose error map learns the enlarged alpha's error.

    That target is not detached, as in the published code: the error map pulls at alpha as well.
    """
    small_pha, small_fgr = (_at(x, pred_pha) for x in (true_pha, true_fgr))
    error = F.mse_loss(_at(pred_err, true_pha), (_at(pred_pha, true_pha) - true_pha).abs())
    return _matte(fine_pha, fine_fgr, true_pha, true_fgr) + _matte(pred_pha, pred_fgr, small_pha, small_fgr) + error


def _matte(pred_pha: Tensor, pred_fgr: Tensor, true_pha: Tensor, true_fgr: Tensor) -> Tensor:
    inside = (true_pha != 0).to(pred_fgr.dtype)
    foreground = weighted_mean((pred_fgr * inside - true_fgr * inside).abs())
    return l1(pred_pha, true_pha) + l1(sobel(pred_pha), sobel(true_pha)) + foreground


def _at(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
