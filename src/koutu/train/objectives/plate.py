"""Objectives of matting against a clean plate: Background Matting's two stages, Background Matting V2's two."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from koutu.losses.plate import bgmv1_adversarial, bgmv1_supervised, bgmv2_base, bgmv2_refine
from koutu.losses.terms import compose, gan_discriminator
from koutu.models.bgmv1 import Discriminator
from koutu.train.batch import Batch
from koutu.train.objectives.objective import Network, Objective


class BGMv1Supervised(Objective):
    """Sengupta et al., CVPR 2020, first stage: composites whose truth is known."""

    exact = True

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        hints = batch.hints
        out = network.training_outputs(batch.src, hints["bgr"], hints["seg"])
        pha, fgr = out.pha.float(), out.fgr.float()
        return {"matting": bgmv1_supervised(pha, fgr, batch.pha, batch.fgr, batch.src, hints["bgr"])}


class BGMv1Adversarial(Objective):
    """Second stage, on footage without truth: stay near the frozen first stage, and deceive a critic.

    The critic is shown the person over other backgrounds (hint "elsewhere", or those of the batch's other clips), and
    photographs as they are. `halvings`: how often the teacher's weight halves over the stage.
    """

    truth = False
    defaults: Mapping[str, Any] = {"critic_channels": 64, "halvings": 7}

    def __init__(self, network: Network, options: Mapping[str, Any] | None = None):
        super().__init__(network, options)
        self.critic = Discriminator(self.options["critic_channels"])
        self.teacher = copy.deepcopy(network).eval().requires_grad_(False)
        self._last: tuple[Tensor, ...] = ()

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        hints = batch.hints
        out = network.training_outputs(batch.src, hints["bgr"], hints["seg"])
        pha, fgr = out.pha.float(), out.fgr.float()
        with torch.no_grad():
            teacher = self.teacher.training_outputs(batch.src, hints["bgr"], hints["seg"])
        elsewhere = hints.get("elsewhere")
        fake = compose(fgr, hints["bgr"].roll(1, dims=0).flip(-1) if elsewhere is None else elsewhere, pha)
        assert self.critic is not None
        score = self.critic(2 * fake - 1)
        weight = 0.5 ** (self.options["halvings"] * done)
        loss = bgmv1_adversarial(
            pha, fgr, teacher.pha.float(), teacher.fgr.float(), batch.src, hints["bgr"], score, weight
        )
        self._last = 2 * fake.detach() - 1, 2 * batch.src - 1
        return {"adversarial": loss}

    def critic_loss(self) -> Tensor:
        fake, real = self._last
        assert self.critic is not None
        return gan_discriminator(self.critic(real), self.critic(fake))


class BGMv2Base(Objective):
    """Lin et al., CVPR 2021, first stage: the base network, with its own error as a task."""

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        out = network.training_outputs(batch.src, batch.hints["bgr"])
        pha, fgr, err = out.pha.float(), out.fgr.float(), out.err.float()
        true_pha, true_fgr = (_at(x, pha) for x in (batch.pha, batch.fgr))
        return {"base": bgmv2_base(pha, fgr, err, true_pha, true_fgr)}


class BGMv2Refine(Objective):
    """Second stage: base and refiner together."""

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        out = network.training_outputs(batch.src, batch.hints["bgr"])
        fine_pha, fine_fgr, pha, fgr, err = (x.float() for x in (out.fine_pha, out.fine_fgr, out.pha, out.fgr, out.err))
        return {"refine": bgmv2_refine(fine_pha, fine_fgr, pha, fgr, err, batch.pha, batch.fgr)}


def _at(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return torch.nn.functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


OBJECTIVES = {
    "bgmv1": BGMv1Supervised,
    "bgmv1-adversarial": BGMv1Adversarial,
    "bgmv2-base": BGMv2Base,
    "bgmv2-refine": BGMv2Refine,
}
