"""Small squares of an image taken out at chosen cells, and put back: work only where it is needed.

After Lin et al., "Real-Time High-Resolution Background Matting", CVPR 2021, §3.2. The published code has several ways
to cut and to paste, of equal result, for the sake of various engines; plain indexing replaces them all, and is exported
as GatherND and ScatterND.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

Cells = tuple[Tensor, Tensor, Tensor]  # batch index, row and column of each chosen cell, each (P,)


def select_worst(err: Tensor, count: int, *, only_wrong: bool = True) -> Tensor:
    """The `count` cells of greatest error in each image, or all of them if there are fewer; err (N, 1, h, w).

    Returns a map (N, 1, h, w) of 0 and 1. `only_wrong` leaves out cells without any error.
    """
    flat = err.flatten(1)
    chosen = flat.topk(min(count, int(err.shape[2]) * int(err.shape[3])), dim=1, sorted=False).indices
    selection = torch.zeros_like(flat).scatter(1, chosen, torch.ones_like(chosen, dtype=flat.dtype))
    if only_wrong:
        selection = selection * (flat > 0)
    return selection.view_as(err)


def select_above(err: Tensor, threshold: float) -> Tensor:
    """The cells whose error exceeds the threshold, as a map (N, 1, h, w) of 0 and 1."""
    return (err > threshold).to(err.dtype)


def cells(selection: Tensor) -> Cells:
    """Where a map (N, 1, h, w) is not 0."""
    batch, row, column = torch.nonzero(selection[:, 0], as_tuple=True)
    return batch, row, column


def crop(x: Tensor, where: Cells, size: int, padding: int = 0) -> Tensor:
    """The chosen cells of `size`×`size` pixels with a margin: (N, C, h·size, w·size) → (P, C, s, s).

    s = size + 2·padding; what lies outside the image is 0.
    """
    batch, row, column = where
    steps = torch.arange(size + 2 * padding, device=x.device)
    rows = (row * size)[:, None] + steps
    columns = (column * size)[:, None] + steps
    pixels = F.pad(x, (padding,) * 4).permute(0, 2, 3, 1)
    return pixels[batch[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def replace(x: Tensor, patches: Tensor, where: Cells) -> Tensor:
    """x (N, C, h·s, w·s) with its chosen cells replaced by patches (P, C, s, s); x itself is left as it is."""
    n, c, height, width = x.shape
    size = patches.shape[-1]
    grid = x.view(n, c, height // size, size, width // size, size).permute(0, 2, 4, 1, 3, 5)
    grid = grid.index_put(where, patches)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(n, c, height, width)
