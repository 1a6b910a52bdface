"""Objectives of networks with a trimap or a mask: Deep Image Matting, Mask Guided Matting, IGF, SIM."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor

from koutu.losses.guided import (
    dim_alpha,
    dim_composition,
    igf_alpha,
    igf_gabor,
    mgmatting,
    sim_attention,
    sim_colours,
    sim_compositions,
    sim_detail,
    sim_features,
)
from koutu.losses.terms import gan_discriminator, gan_generator
from koutu.models.igf import Discriminator
from koutu.models.mgmatting import refined
from koutu.models.sim_classifier import SIMClassifier, semantic_map
from koutu.nn.gabor import gabor_bank
from koutu.nn.pixels import imagenet
from koutu.train.batch import Batch
from koutu.train.objectives.objective import Network, Objective, unknown_of


class DIMObjective(Objective):
    """Xu et al., CVPR 2017. step: "encoder-decoder", "refine" (alpha alone, of the sharpened matte), or "joint"."""

    exact = True
    defaults: Mapping[str, Any] = {"step": "encoder-decoder", "weight": 0.5}

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        trimap = batch.hints["trimap"]
        out, unknown = network.training_outputs(batch.src, trimap), unknown_of(trimap)
        parts, weight = {}, self.options["weight"]
        if self.options["step"] != "refine":
            pha = out.pha.float()
            parts["alpha"] = weight * dim_alpha(pha, batch.pha, unknown)
            composition = dim_composition(pha, batch.fgr, batch.bgr, batch.src, unknown)
            parts["composition"] = (1 - weight) * composition
        if self.options["step"] != "encoder-decoder" and out.refined is not None:
            parts["refined"] = dim_alpha(out.refined.float(), batch.pha, unknown)
        return parts


class MGMattingObjective(Objective):
    """Yu et al., CVPR 2021: three scales, each taught where the coarser one is in doubt.

    warmup: share of the stage in which a trimap says where; up to three times as long a coin does. composition: 0 in
    the recipe for real-world portraits.
    """

    needs = ("trimap",)
    exact = True
    defaults: Mapping[str, Any] = {"warmup": 0.05, "composition": 1.0, "widths": (30, 15)}

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        out = network.training_outputs(batch.src, batch.hints["mask"])
        os1, os4, os8 = (x.float() for x in (out.os1, out.os4, out.os8))
        warmup = self.options["warmup"]
        if done < warmup or (done < 3 * warmup and bool(torch.rand(()) < 0.5)):
            where = unknown_of(batch.hints["trimap"]).to(os1.dtype)
            at4, at1 = (torch.where(where > 0, fine, coarse) for fine, coarse in ((os4, os8), (os1, os4)))
            where4 = where1 = where
        else:
            wide, narrow = (int(torch.randint(1, width, ())) for width in self.options["widths"])
            (at4, where4), (at1, where1) = refined(os8, os4, wide), refined(os4, os1, narrow)
        weights = (where1, where4, torch.ones_like(os8))
        loss = mgmatting(
            (at1, at4, os8), batch.pha, weights, imagenet(batch.fgr), imagenet(batch.bgr), imagenet(batch.src),
            composition=self.options["composition"],
        )  # fmt: skip
        return {"matting": loss}


class IGFObjective(Objective):
    """Li et al., ICME 2020: everywhere and near the boundary, Gabor answers, and a critic of (image, mask, alpha)."""

    defaults: Mapping[str, Any] = {"gabor": 1.0, "adversarial": 0.01, "critic_channels": 32, "radius": 7}

    def __init__(self, network: Network, options: Mapping[str, Any] | None = None):
        super().__init__(network, options)
        self.bank = gabor_bank()
        self.critic = Discriminator(self.options["critic_channels"]) if self.options["adversarial"] else None
        self._last: tuple[Tensor, ...] = ()

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        mask = batch.hints["mask"]
        pha = network.training_outputs(batch.src, mask).pha.float()
        parts = {
            "alpha": igf_alpha(pha, batch.pha, self.options["radius"]),
            "gabor": self.options["gabor"] * igf_gabor(pha, batch.pha, self.bank),
        }
        if self.critic is not None:
            parts["adversarial"] = self.options["adversarial"] * gan_generator(self.critic(batch.src, mask, pha))
            self._last = batch.src, mask, pha.detach(), batch.pha
        return parts

    def critic_loss(self) -> Tensor:
        src, mask, pred, true = self._last
        assert self.critic is not None
        return gan_discriminator(self.critic(src, mask, true), self.critic(src, mask, pred))


class SIMObjective(Objective):
    """Sun et al., CVPR 2021: alpha, composition, colours, detail and slopes in the unknown region.

    classifier: a checkpoint of SIM's classifier, whose activation maps the network is then given and whose features of
    predicted and true alpha must agree (weight `features`); without one both are left out.
    """

    needs = ("trimap",)
    exact = True
    defaults: Mapping[str, Any] = {"classifier": "", "features": 0.1, "colours": 1.0, "detail": 1.0, "attention": 1.0}

    def __init__(self, network: Network, options: Mapping[str, Any] | None = None):
        super().__init__(network, options)
        self.classifier: SIMClassifier | None = None
        if self.options["classifier"]:
            from koutu.models.checkpoint import fill

            self.classifier = cast("SIMClassifier", fill(SIMClassifier(), self.options["classifier"]))
            self.classifier.requires_grad_(False)

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        trimap, given = batch.hints["trimap"], self.options
        semantic = None
        if self.classifier is not None:
            semantic = semantic_map(self.classifier.eval(), batch.src, trimap)
        out, unknown = network.training_outputs(batch.src, trimap, semantic), unknown_of(trimap)
        pha, fgr, bgr, attention = (x.float() for x in (out.pha, out.fgr, out.bgr, out.attention))
        true = batch.pha, batch.fgr, batch.bgr
        parts = {
            "alpha": dim_alpha(pha, batch.pha, unknown, extra=1.0),
            "composition": sim_compositions(pha, fgr, bgr, true, batch.src, unknown),
            "colours": given["colours"] * sim_colours(fgr, bgr, batch.fgr, batch.bgr, trimap),
            "detail": given["detail"] * sim_detail(pha, batch.pha, fgr, batch.fgr),
            "attention": given["attention"] * sim_attention(attention, pha, fgr, bgr, batch.src, unknown),
        }
        if self.classifier is not None:
            seen = [self.classifier(torch.cat([imagenet(batch.src), alpha], dim=1)) for alpha in (pha, batch.pha)]
            parts["features"] = given["features"] * sim_features(seen[0].features, seen[1].features)
        return parts


OBJECTIVES = {"dim": DIMObjective, "mgmatting": MGMattingObjective, "igf": IGFObjective, "sim": SIMObjective}
