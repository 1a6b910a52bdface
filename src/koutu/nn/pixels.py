"""What networks do to images before and after their layers: normalise, pad, resize, check."""

import torch
from torch import Tensor
from torch.nn import functional as F

from koutu.sizes import whole

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def imagenet(src: Tensor) -> Tensor:
    """RGB in [0, 1] with the mean and spread of ImageNet taken out; (N, 3, H, W), shape kept."""
    mean, std = (src.new_tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _STD))
    return (src - mean) / std


def resize(x: Tensor, like: Tensor, *, align_corners: bool = False) -> Tensor:
    """x (N, C, h, w) at the size of `like` (…, H, W), bilinearly."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=align_corners)


def pad_to(x: Tensor, stride: int, *, mode: str = "reflect", least: int = 0) -> Tensor:
    """x (N, C, H, W) enlarged at its right and bottom to multiples of `stride`, by at least `least` pixels.

    Reflected as often as it takes, so that any size from 1×1 can be padded.
    """
    height, width = x.shape[-2:]
    rows = _missing(height, stride, least)
    columns = _missing(width, stride, least)
    if mode == "reflect" and not torch.onnx.is_in_onnx_export() and (rows >= height or columns >= width):
        return x[..., _reflected(height, rows, x), :][..., _reflected(width, columns, x)]
    return F.pad(x, (0, columns, 0, rows), mode=mode)


def _missing(size: int, stride: int, least: int) -> int:
    return (size + least + stride - 1) // stride * stride - size


def _reflected(size: int, more: int, like: Tensor) -> Tensor:
    period = max(1, 2 * size - 2)
    index = torch.arange(size + more, device=like.device) % period
    return torch.where(index < size, index, period - index)


def short_side(size: tuple[int, int], side: int, stride: int = 1) -> tuple[int, int]:
    """(h, w) of images (H, W) whose shorter side shall be `side`, both multiples of `stride`."""
    scale = side / min(size)
    return whole(size[0] * scale, stride), whole(size[1] * scale, stride)


def at_most(size: tuple[int, int], longest: int, stride: int = 1) -> tuple[int, int]:
    """(h, w) of images (H, W) whose longer side shall not exceed `longest`, both multiples of `stride`."""
    scale = min(1.0, longest / max(size))
    return whole(size[0] * scale, stride), whole(size[1] * scale, stride)


def check(src: Tensor, stride: int = 1, channels: int = 3, name: str = "src") -> None:
    """Raise ValueError unless src is (N, channels, H, W) with sides that are multiples of `stride`."""
    if src.ndim != 4 or src.shape[1] != channels:
        raise ValueError(f"expected {name} (N, {channels}, H, W), got {tuple(src.shape)}; give images in a batch")
    if src.shape[2] % stride or src.shape[3] % stride:
        raise ValueError(
            f"expected {name} (N, {channels}, H, W) with H and W multiples of {stride}, got {tuple(src.shape)}; "
            "resize or pad the image first"
        )
