"""Validation as in use: clips of people who were not trained on, each network with its hints and its own past."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from koutu.data.packs.pack import Pack
from koutu.data.scenes.sample import Scenes
from koutu.models.base import Network
from koutu.train.batch import Batch, Samples, collate
from koutu.train.recipe import Pass, Recipe

GRID = 6  # clips shown


class Validation:
    """Call it with weights and a network of their kind: MAD × 1000 of first and last frames, dtSSD × 100.

    shown: a grid (H, W, 3) uint8 of the last call's first clips: image, truth, prediction, of first and last frame.
    """

    def __init__(self, people: Pack, backgrounds: Pack, held_out: Sequence[int], recipe: Recipe):
        last = recipe.stages[-1].passes[0]
        self.size = recipe.validation_size or last.sizes[-1][1]
        self.clips, self.frames = recipe.validation_clips, max(2, recipe.validation_frames)
        self.scenes = Scenes(people, backgrounds, held_out, replace(last.scenes, strands=0.0, crowd=0.0))
        self.shown: np.ndarray | None = None

    @torch.no_grad()
    def __call__(self, weights: Mapping[str, Tensor], network: Network) -> dict[str, float]:
        network = copy.deepcopy(network)
        network.load_state_dict(weights)
        network.eval()
        device = next(network.parameters()).device
        given = Pass("", batch=1, frames=self.frames)
        samples = Samples(self.scenes, given, network.needs, seed=(7,), steps=self.clips)
        first, last, flicker, shown = [], [], [], []
        for i in range(self.clips):
            batch = collate([samples.sample(i, self.size)]).to(device)
            phas = roll_out(network, batch)
            errors = [float((p - t).abs().mean()) for p, t in zip(phas, batch.pha, strict=True)]
            first.append(errors[0])
            last.append(errors[-1])
            pairs = pairwise(zip(phas, batch.pha, strict=True))
            changes = [((p1 - p0) - (t1 - t0)).square().mean().sqrt() for (p0, t0), (p1, t1) in pairs]
            flicker.append(float(torch.stack(changes).mean()))
            if i < GRID:
                shown.append(_strip(batch, phas))
        self.shown = np.vstack(shown)
        mean = {
            "val_first": 1000 * np.mean(first),
            "val_last": 1000 * np.mean(last),
            "val_dtssd": 100 * np.mean(flicker),
        }
        return {name: round(float(value), 4) for name, value in mean.items()}


def roll_out(network: Network, batch: Batch) -> Tensor:
    """Frame by frame with the network's own memory; pha (T, 1, H, W)."""
    state = network.initial_state(batch.src[:1])
    hints = {name: batch.hints[name] for name in network.needs}
    phas = []
    for t, src in enumerate(batch.src.split(1)):
        given = {} if network.propagates and t else {name: hint[t : t + 1] for name, hint in hints.items()}
        _, pha, *state = network(src, *state, **given)
        phas.append(pha.float())
    return torch.cat(phas)


def _strip(batch: Batch, phas: Tensor) -> np.ndarray:
    """First and last frame, truth and prediction side by side, uint8."""
    panels = []
    for t in (0, -1):
        panels += [batch.src[t], batch.pha[t].expand(3, -1, -1), phas[t].expand(3, -1, -1)]
    wide = torch.cat(panels, dim=2).clamp(0, 1).permute(1, 2, 0)
    return (wide * 255).round().byte().cpu().numpy()
