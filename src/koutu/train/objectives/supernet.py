"""Training a supernet: the largest shape learns as always, smaller ones from the truth and from the largest."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from koutu.models.space import Choice, Space
from koutu.models.supernet import Training, part
from koutu.models.tmodnet import TMODNet
from koutu.train.batch import Batch
from koutu.train.objectives.objective import Network
from koutu.train.objectives.portrait import MODNetObjective
from koutu.trimap import trimap_from_alpha
from koutu.types import InputError

GENES = 0.1, 0.6  # share of a shape's genes that are drawn, at the beginning and at the end


class SupernetObjective(MODNetObjective):
    """The largest shape at every step, the sandwich rule of Yu and Huang, ICCV 2019, and `drawn` others.

    As Cai et al., ICLR 2020, shrink progressively: drawn shapes differ from the largest in few genes at first and in
    more later (`GENES`), and the smallest, which would only disturb, joins them in the second half.
    shapes: weight of the smaller ones' losses, each an L1 distance to the truth and to the largest shape's alpha, four
    times as much over the unknown region. One process only: smaller shapes' gradients are not shared between several.
    """

    defaults: Mapping[str, Any] = {**MODNetObjective.defaults, "drawn": 2, "shapes": 1.0}

    def __init__(self, network: Network, options: Mapping[str, Any] | None = None):
        super().__init__(network, options)
        if not isinstance(network, TMODNet):
            raise InputError(f"expected tmodnet as a supernet, got {type(network).__name__}; correct the recipe")
        self.space = Space(network.cfg)
        self._whole = [network]  # in a list: its weights are not the objective's

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        parts = super().forward(network, batch, done)
        state = [batch.prev] if self.temporal else []
        with torch.no_grad():
            taught = network.training_outputs(batch.src, *state).pha.float()
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        share = GENES[0] + (GENES[1] - GENES[0]) * done
        shapes = [self.space.draw(rng, share) for _ in range(self.options["drawn"])]
        if done >= 0.5 and torch.rand(()) < 0.5:
            shapes[0] = self.space.smallest()
        unknown = trimap_from_alpha(batch.pha, max(3, batch.src.shape[-1] // 40)) == 0.5
        smaller = [self._smaller(shape, batch, state, taught, unknown) for shape in shapes]
        return parts | {"shapes": self.options["shapes"] * torch.stack(smaller).mean()}

    def _smaller(self, shape: Choice, batch: Batch, state: list[Tensor], taught: Tensor, unknown: Tensor) -> Tensor:
        small, weights = part(self._whole[0], self.space, shape)
        given = {f"network.{name}": weight for name, weight in weights.items()}
        out = torch.func.functional_call(Training(small.train()), given, (batch.src, *state))
        pha = out.pha.float()
        off = (pha - batch.pha).abs() + (pha - taught).abs()
        return (off * (1 + 4 * unknown)).mean()


OBJECTIVES = {"supernet": SupernetObjective}
