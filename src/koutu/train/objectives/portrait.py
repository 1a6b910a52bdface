"""Objectives of networks that need images only: MODNet, U²-Net, Semantic Human Matting's three steps."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from koutu.losses.guided import shm_matting, shm_trimap
from koutu.losses.laplacian import laplacian_rvm
from koutu.losses.portrait import (
    boundary_weight,
    coarse_entropy,
    modnet_detail,
    modnet_matte,
    modnet_semantic,
    pixel_entropy,
    u2net,
)
from koutu.losses.video import coherence
from koutu.models.modnet import Trimapless
from koutu.models.tmodnet import TemporalOutputs, TMODNet
from koutu.train.batch import Batch
from koutu.train.objectives.objective import Network, Objective
from koutu.trimap import trimap_from_alpha


class OnOwnPast(Objective):
    """A network whose previous alpha is now and then its own: option own_history, as `MODNetObjective` tells it."""

    kind: type[Trimapless] = Trimapless

    def __init__(self, network: Network, options: Mapping[str, Any] | None = None):
        super().__init__(network, options)
        assert isinstance(network, self.kind)
        self.temporal = network.cfg.temporal

    def _memory(self, network: Network, batch: Batch, done: float) -> list[Tensor]:
        """What the first frame is seen with: the previous alpha, made up or the network's own; or nothing."""
        if not self.temporal:
            return []
        drawn = done >= 1 - self.options["own_history"] and torch.rand(()) < 0.5
        return [self._own(network, batch) if drawn else batch.prev]

    @torch.no_grad()
    def _own(self, network: Network, batch: Batch) -> Tensor:
        """What the network makes of the first frame with the made-up past: the past of the next frame."""
        training = [module for module in network.modules() if module.training]  # not all: some norms are held
        network.eval()
        pha = self._answer(network, batch.src[: len(batch.prev)], batch.prev).float()
        for module in training:
            module.training = True
        return pha

    def _answer(self, network: Network, src: Tensor, prev: Tensor) -> Tensor:
        return network(src, prev)[1]


class MODNetObjective(OnOwnPast):
    """Ke et al., AAAI 2022: semantic, detail and matte; for the temporal network on its previous alpha.

    entropy (ours): from random weights the semantic head learns several times faster with a cross-entropy beside.
    own_history: share of the stage, at its end, in which half of the batches start from the network's own alpha of the
    same frame. coherence: weight of the change between frames of clips, as RVM has it. low: weight of what a semantic
    branch that can stand alone answers at 1/2, where there is one. laplacian: weight of alpha's pyramid, as RVM has it.
    pixels: weight of the cross-entropy of every pixel's logit, again ×4 near the boundary: of an alpha that is sure and
    wrong the other losses have next to no gradient, so that a boundary in a wrong place stays there.
    """

    defaults: Mapping[str, Any] = {
        "semantic": 1.0, "entropy": 0.5, "detail": 1.0, "matte": 1.0, "coherence": 5.0, "own_history": 0.0,
        "low": 2.0, "laplacian": 0.0, "pixels": 0.0,
    }  # fmt: skip

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        given = self.options
        state = self._memory(network, batch, done)
        outs = []
        for src in batch.src.split(len(batch.prev)):
            outs.append(out := network.training_outputs(src, *state))
            state = [x.detach() for x in out.state]
        semantic, detail, pha = (
            torch.cat([getattr(o, n) for o in outs]).float() for n in ("semantic", "detail", "pha")
        )
        radius = int(torch.randint(2, 1 + max(3, batch.src.shape[-1] // 24), ()))
        trimap, image = trimap_from_alpha(batch.pha, radius), (batch.src - 0.5) / 0.5
        parts = {
            "semantic": given["semantic"] * modnet_semantic(semantic, batch.pha),
            "entropy": given["entropy"] * coarse_entropy(semantic, batch.pha),
            "detail": given["detail"] * modnet_detail(detail, batch.pha, trimap),
            "matte": given["matte"] * modnet_matte(pha, batch.pha, trimap, image),
        }
        if isinstance(outs[0], TemporalOutputs):
            low = torch.cat([o.low for o in outs]).float()
            true = F.adaptive_avg_pool2d(batch.pha, (low.shape[-2], low.shape[-1]))
            parts["low"] = given["low"] * F.l1_loss(low, true)
            if given["pixels"]:
                logits = torch.cat([o.logits for o in outs])
                parts["pixels"] = given["pixels"] * pixel_entropy(logits, batch.pha, boundary_weight(batch.pha))
        if given["laplacian"]:
            parts["laplacian"] = given["laplacian"] * laplacian_rvm(pha, batch.pha)
        if batch.frames > 1:
            parts["coherence"] = given["coherence"] * coherence(pha, batch.pha, batch.frames)
        return parts


class SemanticObjective(OnOwnPast):
    """A semantic branch that can stand alone, alone and at its own size: a fraction of the cost of all branches.

    pixels and laplacian: as `MODNetObjective`; alpha: weight of the absolute error, ×5 near the boundary. own_history:
    as `MODNetObjective`.
    """

    kind = TMODNet
    defaults: Mapping[str, Any] = {"pixels": 1.0, "alpha": 1.0, "laplacian": 1.0, "own_history": 0.0}

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        given = self.options
        state = self._memory(network, batch, done)
        said = []
        for src in batch.src.split(len(batch.prev)):
            said.append(network.begin(src, *state)[0].float())
            state = [network.low(said[-1].detach(), src)] if self.temporal else []
        logits = torch.cat(said)
        true = F.interpolate(batch.pha, logits.shape[-2:], mode="bilinear", antialias=True).clamp(0, 1)
        pha, weight = torch.sigmoid(logits), boundary_weight(true)
        return {
            "pixels": given["pixels"] * pixel_entropy(logits, true, weight),
            "alpha": given["alpha"] * ((pha - true).abs() * weight).mean(),
            "laplacian": given["laplacian"] * laplacian_rvm(pha, true),
        }

    def _answer(self, network: Network, src: Tensor, prev: Tensor) -> Tensor:
        return network.low(network.begin(src, prev)[0].float(), prev)


class U2NetObjective(Objective):
    """Qin et al., Pattern Recognition 2020: cross-entropy of the fused and all six side results."""

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        out = network.training_outputs(batch.src)
        return {"entropy": u2net([out.fused.float(), *(side.float() for side in out.sides)], batch.pha)}


class SHMTrimap(Objective):
    """Chen et al., ACM MM 2018, first step: the T-Net alone learns trimaps."""

    needs = ("trimap",)

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        logits = network.trimap(batch.src).float().clamp(min=1e-7).log()
        return {"trimap": shm_trimap(logits, batch.hints["trimap"])}


class SHMFilling(Objective):
    """Second step: the M-Net alone fills true trimaps."""

    needs = ("trimap",)
    exact = True

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        trimap = batch.hints["trimap"]
        classes = torch.cat([trimap == 0, trimap == 0.5, trimap == 1], dim=1).to(batch.src.dtype)
        pha = network.fused(batch.src, classes).float()
        return {"matting": shm_matting(pha, batch.pha, batch.fgr, batch.bgr, batch.src)}


class SHMObjective(Objective):
    """Third step: both together; the trimap counts 0.01."""

    needs = ("trimap",)
    exact = True
    defaults: Mapping[str, Any] = {"trimap": 0.01}

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        out = network.training_outputs(batch.src)
        matting = shm_matting(out.pha.float(), batch.pha, batch.fgr, batch.bgr, batch.src)
        trimap = shm_trimap(out.trimap.float(), batch.hints["trimap"])
        return {"matting": matting, "trimap": self.options["trimap"] * trimap}


OBJECTIVES = {
    "modnet": MODNetObjective,
    "semantic": SemanticObjective,
    "u2net": U2NetObjective,
    "shm-trimap": SHMTrimap,
    "shm-filling": SHMFilling,
    "shm": SHMObjective,
}
