"""How good a shape is: held-out composed scenes, two frames each, with the network's own memory, at its own size."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from koutu.data.packs.pack import Pack
from koutu.data.scenes.sample import Scenes
from koutu.models.space import Choice, Space
from koutu.models.supernet import extract
from koutu.models.tmodnet import TMODNet
from koutu.nn.pixels import resize
from koutu.sizes import near_area
from koutu.train.batch import Batch, Samples, collate
from koutu.train.recipe import Pass, Recipe

SIDE = 448  # of the scenes


class Judge:
    """Call it with a choice: mean |alpha − truth| × 1000 of what the supernet's part says of `clips` scenes."""

    def __init__(self, network: TMODNet, space: Space, recipe: Recipe, held_out: Sequence[int], *, clips: int):
        self.network, self.space = network, space
        shown = replace(recipe.stages[-1].passes[0].scenes, strands=0.0)
        scenes = Scenes(Pack(recipe.people), Pack(recipe.backgrounds), held_out, shown)
        samples = Samples(scenes, Pass("", batch=1, frames=2), (), seed=(11,), steps=clips)
        self.clips: list[Batch] = [collate([samples.sample(i, SIDE)]) for i in range(clips)]

    @torch.no_grad()
    def __call__(self, choice: Choice) -> float:
        return mean_error(extract(self.network, self.space, choice), self.clips, choice.pixels)


@torch.no_grad()
def mean_error(network: TMODNet, clips: Sequence[Batch], pixels: int) -> float:
    """Mean |alpha − truth| × 1000 of a network that is shown `pixels` pixels, over all frames."""
    errors = []
    for clip in clips:
        size = near_area((int(clip.src.shape[-2]), int(clip.src.shape[-1])), pixels, network.stride)
        src = F.interpolate(clip.src, size=size, mode="bilinear", antialias=True)
        state: list[Tensor] = network.initial_state(src[:1])
        for frame, true in zip(src.split(1), clip.pha.split(1), strict=True):
            _, pha, *state = network(frame, *state)
            errors.append(float((resize(pha.float(), true) - true).abs().mean()))
    return 1000 * float(np.mean(errors))
