"""The parts that training losses are made of; tensors (N, C, H, W) in [0, 1] unless said.

`where` is a mask (N, 1, H, W) of the pixels that count, boolean or of weights; without it all count. A mask without a
pixel gives 0, never NaN.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def weighted_mean(x: Tensor, where: Tensor | None = None, extra: float = 0.0) -> Tensor:
    """Mean of x over the mask and over all channels. `extra` is added to the count, as some published code does."""
    if where is None:
        return x.mean()
    weight = where.to(x.dtype)
    return (x * weight).sum() / ((weight.sum() + extra) * x.shape[1]).clamp(min=1e-8)


def l1(pred: Tensor, true: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean absolute difference over the mask."""
    return weighted_mean((pred - true).abs(), where)


def charbonnier(
    pred: Tensor, true: Tensor, where: Tensor | None = None, *, eps2: float = 1e-12, extra: float = 0.0
) -> Tensor:
    """Mean of √(difference² + eps2) over the mask: an absolute difference whose slope is smooth at 0."""
    return weighted_mean(((pred - true) ** 2 + eps2).sqrt(), where, extra)


def compose(fgr: Tensor, bgr: Tensor, pha: Tensor) -> Tensor:
    """I = αF + (1 − α)B, broadcast over the channels of F and B."""
    return pha * fgr + (1 - pha) * bgr


def sobel(x: Tensor, eps: float = 1e-6) -> Tensor:
    """Slope of each channel, √(gx² + gy² + eps), by Sobel kernels over 8 with the border repeated; shape kept."""
    gx, gy = _slopes(x)
    return (gx**2 + gy**2 + eps).sqrt()


def sobel_l1(pred: Tensor, true: Tensor) -> Tensor:
    """Mean absolute difference of the two Sobel slopes, each direction by itself."""
    return (_slopes(pred - true)).abs().mean(dim=(1, 2, 3, 4)).sum()


def _slopes(x: Tensor) -> Tensor:
    """(2, N, C, H, W)."""
    kernel = x.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    groups = x.shape[1]
    weight = torch.stack([kernel, kernel.T])[:, None].repeat(groups, 1, 1, 1)
    out = F.conv2d(padded, weight, groups=groups)
    return torch.stack([out[:, 0::2], out[:, 1::2]])


def change(clip: Tensor, frames: int) -> Tensor:
    """What each frame but the first has over the one before: (T·N, C, H, W), time-major → (T − 1, N, C, H, W)."""
    if len(clip) % frames or frames < 2:
        raise ValueError(f"expected a clip of {frames} ≥ 2 frames folded into the batch, got {len(clip)} images")
    unfolded = clip.unflatten(0, (frames, -1))
    return unfolded[1:] - unfolded[:-1]


def gan_generator(fake_score: Tensor) -> Tensor:
    """½ (D(fake) − 1)², after Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017."""
    return 0.5 * ((fake_score - 1) ** 2).mean()


def gan_discriminator(real_score: Tensor, fake_score: Tensor) -> Tensor:
    """½ (D(real) − 1)² + ½ D(fake)², the other side of `gan_generator`."""
    return 0.5 * ((real_score - 1) ** 2).mean() + 0.5 * (fake_score**2).mean()
