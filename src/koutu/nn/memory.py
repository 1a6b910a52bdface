"""A space-time memory of bounded size: what past frames looked like, and what was to be seen there.

After Oh et al., "Video Object Segmentation using Space-Time Memory Networks", ICCV 2019, §3.2. A bank has a fixed
number of slots, so that a long video costs no more than a short one and the read is exported with one shape.
"""

import torch
from torch import Tensor


def read(query: Tensor, keys: Tensor, values: Tensor, used: Tensor | None = None) -> Tensor:
    """query (N, K, h, w), keys (N, K, S, h, w), values (N, V, S, h, w) → what memory says (N, V, h, w).

    Softmax over all places of all slots of the keys' products with the query, over √K. used: (N, S), above 0 where a
    slot holds something; without it all do.
    """
    n, channels, slots, h, w = keys.shape
    affinity = keys.flatten(2).transpose(1, 2) @ query.flatten(2) / channels**0.5  # (N, S·h·w, h·w)
    if used is not None:
        empty = (used <= 0)[:, :, None].expand(n, slots, h * w).reshape(n, slots * h * w, 1)
        affinity = affinity.masked_fill(empty, torch.finfo(affinity.dtype).min)
    return (values.flatten(2) @ affinity.softmax(dim=1)).view(n, values.shape[1], h, w)


def write(bank: Tensor, slot: Tensor, item: Tensor) -> Tensor:
    """The bank (N, C, S, …) with item (N, C, …) in the slot of each (N,) index; a negative one changes nothing."""
    at = torch.arange(bank.shape[2], device=bank.device)
    here = (at[None] == slot[:, None]).view(len(bank), 1, bank.shape[2], *[1] * (bank.ndim - 3))
    return torch.where(here, item.unsqueeze(2), bank)
