"""Learning from another network: any backend of koutu as the teacher, on any image, mixed ones included."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from koutu.engines.backend import Backend
from koutu.models.modnet import TrainingOutputs as SemanticOutputs
from koutu.train.batch import Batch
from koutu.train.objectives.objective import Network, Objective
from koutu.types import InputError

_SURE = 0.01  # an answer surer than this counts as this
CELL = 8  # pixels a side; teachers know where somebody is better than where the edge runs


class Distillation(Objective):
    """Cross-entropy with a teacher's alpha on cells of 8×8 pixels, after Beyer et al., CVPR 2022: patient, consistent.

    sharpen: factor on the teacher's logits, as matting wants its sure answers surer; mirrored: it also answers to the
    mirror image, and both logits count half: fewer mistakes.
    teacher: "NAME" or "NAME=FILE" of what `koutu` runs without hints. mix: probability that two images are blended,
    which makes images nobody has seen; the teacher answers to what the network sees. weight: of the whole. alone: teach
    only a semantic branch that can stand alone, at a fraction of the cost.
    Networks with memory see every image as a first one.
    """

    defaults: Mapping[str, Any] = {
        "teacher": "",
        "mix": 0.5,
        "weight": 1.0,
        "sharpen": 1.0,
        "mirrored": False,
        "alone": False,
        "threads": 1,
    }

    def __init__(self, network: Network, options: Mapping[str, Any] | None = None):
        super().__init__(network, options)
        if self.options["alone"] and "begin" not in network.forwards:
            raise InputError(
                "expected a network whose semantic branch can stand alone, "
                f"got {type(network).__name__}; leave alone out"
            )
        if not self.options["teacher"]:
            raise InputError("expected a teacher to learn from, got none; set options.teacher to NAME=FILE")
        from koutu.zoo import load_named

        self._teacher: Backend = load_named(self.options["teacher"], threads=self.options["threads"])
        if self._teacher.needs:
            raise InputError(f"expected a teacher that needs images only, got {self._teacher.name}; name another")

    def forward(self, network: Network, batch: Batch, done: float) -> dict[str, Tensor]:
        src = batch.src
        if float(torch.rand(())) < self.options["mix"]:
            share = 0.5 + 0.5 * torch.rand(len(src), 1, 1, 1, device=src.device)
            src = share * src + (1 - share) * src.roll(1, dims=0)
        true = self.answers(src)
        state = network.initial_state(src)
        weight = self.options["weight"]
        if self.options["alone"]:
            low = torch.sigmoid(network.begin(src, *state)[0].float())
            cells = F.adaptive_avg_pool2d(low, (true.shape[-2], true.shape[-1]))
            return {"distilled": weight * _entropy(cells, true)}
        if not network.needs:
            out = network.training_outputs(src, *state)
            parts = {"distilled": weight * _entropy(_cells(out.pha), true)}
            if isinstance(out, SemanticOutputs):
                small = F.adaptive_avg_pool2d(true, (out.semantic.shape[-2], out.semantic.shape[-1]))
                parts["distilled semantic"] = weight * _entropy(out.semantic, small)
            return parts
        raise InputError(f"expected a network without hints, got {type(network).__name__}")

    @torch.no_grad()
    def answers(self, src: Tensor) -> Tensor:
        """The teacher's alpha of (N, 3, H, W) in cells: (N, 1, H/8, W/8)."""
        size = src.shape[-2] // CELL, src.shape[-1] // CELL
        logits = torch.stack([self._answer(picture, size) for picture in src])
        if self.options["mirrored"]:
            logits = (logits + torch.stack([self._answer(picture, size) for picture in src.flip(-1)]).flip(-1)) / 2
        return torch.sigmoid(self.options["sharpen"] * logits).to(src.device)

    def _answer(self, picture: Tensor, cells: tuple[int, int]) -> Tensor:
        rgb = (picture.permute(1, 2, 0).float() * 255).round().byte().cpu().numpy()
        size = self._teacher.network_size((rgb.shape[0], rgb.shape[1]))
        smaller = size[0] < rgb.shape[0]
        fitted = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        _, pha, _ = self._teacher(np.asarray(fitted), self._teacher.initial_state(size))
        small = cv2.resize(np.asarray(pha, np.float32), cells[::-1], interpolation=cv2.INTER_AREA)
        return torch.from_numpy(np.asarray(small))[None].logit(eps=1e-4)


def _cells(pha: Tensor) -> Tensor:
    return F.avg_pool2d(pha.float(), CELL)


def _entropy(pred: Tensor, true: Tensor) -> Tensor:
    pred = pred.float()
    held = pred.clamp(_SURE, 1 - _SURE)
    return F.binary_cross_entropy(pred + (held - pred).detach(), true)  # what is sure and wrong still learns


OBJECTIVES = {"distil": Distillation}
