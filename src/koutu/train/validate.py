"""Validation as in use: short clips of people who were not trained on, with the network's own past."""

from itertools import pairwise

import cv2
import numpy as np
import torch

from koutu.data.history import random_affine
from koutu.data.synthesis import Synthesis
from koutu.models.modnet import MODNet

FRAMES = 4


@torch.no_grad()
def closed_loop(model: MODNet, synthesis: Synthesis, clips: int = 64) -> dict[str, float]:
    """MAD ×1000 of first and last frames of `clips` moving stills, and dtSSD ×100, all on the network's own history."""
    model.eval()
    first, last, flicker = [], [], []
    for seed in range(clips):
        rng = np.random.default_rng((7, seed))
        sample = synthesis(rng)
        rgba = np.dstack([sample.rgb, sample.pha])
        end = random_affine(sample.pha.shape, rng, turn=4, shift=0.06, zoom=0.06)
        start = np.array([[1.0, 0, 0], [0, 1, 0]])
        state, pairs = [], []
        for t in range(FRAMES):
            matrix = start + (end - start) * t / (FRAMES - 1)
            moved = cv2.warpAffine(rgba, matrix, rgba.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
            src = torch.from_numpy(moved[..., :3]).permute(2, 0, 1)[None].float() / 255
            state = state or model.initial_state(src)
            _, pha, *state = model(src, *state)
            pairs.append((pha[0, 0].numpy(), moved[..., 3].astype(np.float32) / 255))
        first.append(np.abs(pairs[0][0] - pairs[0][1]).mean())
        last.append(np.abs(pairs[-1][0] - pairs[-1][1]).mean())
        steps = [(p1 - p0) - (g1 - g0) for (p0, g0), (p1, g1) in pairwise(pairs)]
        flicker.append(np.mean([np.sqrt(np.mean(s**2)) for s in steps]))
    return {
        "val_first_mad": round(1000 * float(np.mean(first)), 2),
        "val_last_mad": round(1000 * float(np.mean(last)), 2),
        "val_dtssd": round(100 * float(np.mean(flicker)), 3),
    }
