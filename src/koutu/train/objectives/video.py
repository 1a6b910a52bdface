"""Objectives of networks that watch clips: RVM's matting and segmentation, STM's triplets, DVM."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from koutu.losses.video import (
    dvm_alpha,
    dvm_composition,
    dvm_divergence,
    dvm_gradient,
    dvm_temporal,
    rvm_segmentation,
    rvm_terms,
    stm_segmentation,
)
from koutu.nn.pixels import imagenet
from koutu.train.batch import Batch
from koutu.train.objectives.objective import Network, Objective, unknown_of


class RVMMatting(Objective):
    """Lin et al., WACV 2022: alpha, detail, coherence, and colour where there is foreground."""

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        out = network.training_outputs(batch.src, *_memory(network, batch))
        return rvm_terms(out.fgr.float(), out.pha.float(), batch.fgr, batch.pha, batch.frames)


class RVMSegmentation(Objective):
    """The pass that keeps it from forgetting what people are: person or not, of clips or of stills."""

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        logits = network.training_outputs(batch.src, *_memory(network, batch)).seg.float()
        true = F.interpolate(batch.pha, size=logits.shape[-2:], mode="area")
        return {"segmentation": rvm_segmentation(logits, (true > 0.5).to(logits.dtype))}


class STMObjective(Objective):
    """Oh et al., ICCV 2019: the first frame's truth is memorised, the others are found and memorised as found.

    Two objects, person and unknown, where the network has two.
    """

    needs = ("trimap",)

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        n, objects = len(batch.prev), network.cfg.objects
        trimap = batch.hints["trimap"]
        truth = [batch.pha > 0.5] if objects == 1 else [trimap == 1, unknown_of(trimap)]
        masks = torch.cat(truth, dim=1).to(batch.src.dtype)
        labels = (masks * torch.arange(1, objects + 1, device=masks.device).view(1, -1, 1, 1)).sum(dim=1).long()
        frames = list(zip(batch.src.split(n), masks.split(n), labels.split(n), strict=True))
        state = network.initial_state(frames[0][0])
        found = []
        for i, (src, mask, _) in enumerate(frames):
            out = network.training_outputs(src, *state, annotation=mask if i == 0 else None)
            state = out.state
            if i:
                found.append(out.logits.float())
        return {"segmentation": stm_segmentation(found, [label for _, _, label in frames[1:]])}


class DVMObjective(Objective):
    """Sun et al., CVPR 2021: alpha, composition, slope, divergence, change over time, and the sharpened matte."""

    exact = True
    defaults: Mapping[str, Any] = {"temporal": 1.0, "refine": 1.0}

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        trimap = batch.hints["trimap"]
        out = network.training_outputs(batch.src, *_memory(network, batch), trimap=trimap)
        pha, unknown = out.pha.float(), unknown_of(trimap)
        fgr, bgr, src = (imagenet(x) for x in (batch.fgr, batch.bgr, batch.src))
        parts = {
            "alpha": dvm_alpha(pha, batch.pha, unknown),
            "composition": dvm_composition(pha, fgr, bgr, src, unknown),
            "gradient": dvm_gradient(pha, batch.pha, unknown),
            "divergence": dvm_divergence(pha, batch.pha),
        }
        if batch.frames > 1:
            parts["temporal"] = self.options["temporal"] * dvm_temporal(pha, batch.pha, batch.frames)
        if out.refined is not None:
            parts["refined"] = self.options["refine"] * dvm_alpha(out.refined.float(), batch.pha, unknown)
        return parts


def _memory(network: Network, batch: Batch) -> list[Tensor]:
    """Empty memory for the batch's clips."""
    return network.initial_state(batch.src[: len(batch.prev)])


OBJECTIVES = {"rvm": RVMMatting, "rvm-segmentation": RVMSegmentation, "stm": STMObjective, "dvm": DVMObjective}
