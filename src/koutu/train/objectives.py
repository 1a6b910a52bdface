"""What each network is trained to minimise: one function a system, from a batch to a loss and its named parts."""

import torch
from torch import Tensor

from koutu import losses
from koutu.models.modnet import MODNet
from koutu.trimap import trimap_from_alpha

SEMANTIC, DETAIL, MATTE = 1.0, 1.0, 1.0
ENTROPY = 0.5  # ours: from random weights the semantic head learns several times faster by cross-entropy


def modnet(model: MODNet, src: Tensor, prev: Tensor, true_pha: Tensor) -> dict[str, Tensor]:
    """MODNet's three terms and a cross-entropy on the first; "loss" is their sum.

    src (N, 3, H, W), prev and true_pha (N, 1, H, W), all in [0, 1].
    """
    out = model.training_outputs(src, *([prev] if model.cfg.temporal else []))
    radius = int(torch.randint(2, 1 + max(3, src.shape[-1] // 24), ()))
    trimap = trimap_from_alpha(true_pha, radius)
    image = (src - 0.5) / 0.5
    semantic = out.semantic.float()
    parts = {
        "semantic": SEMANTIC * losses.modnet_semantic(semantic, true_pha),
        "entropy": ENTROPY * losses.coarse_entropy(semantic, true_pha),
        "detail": DETAIL * losses.modnet_detail(out.detail.float(), true_pha, trimap),
        "matte": MATTE * losses.modnet_matte(out.pha.float(), true_pha, trimap, image),
    }
    return {"loss": torch.stack(list(parts.values())).sum(), **{k: v.detach() for k, v in parts.items()}}
