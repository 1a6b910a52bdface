"""MODNet learning from runs of a clip without any truth: the sub-objectives consistency of Ke et al., AAAI 2022, §3.4.

The semantic head and the matte teach each other, and a frozen copy, renewed every epoch, keeps the boundary, as in the
published code. Ours: histories of a network with memory, and the choice of the epoch. A term for steadiness along the
motion was tried and left out, because it brought nothing that could be measured.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import Tensor

from koutu.losses.portrait import modnet_band, modnet_consistency, modnet_preservation
from koutu.models.modnet import TrainingOutputs, Trimapless
from koutu.train.adapt_clip import Excerpt, Watch
from koutu.train.adapt_measure import Measured, Verdict, judge, largest_change, measure, roll, tensor
from koutu.train.adapt_options import AdaptOptions
from koutu.types import ModelError

PATIENCE = 3  # epochs without a better one, after which it ends


@dataclass(frozen=True)
class Epoch:
    """Mean loss of an epoch and how the network did on the held-out runs after it."""

    loss: float
    verdict: Verdict


class Adapter:
    """A network learning from runs of a clip, an epoch at a time."""

    def __init__(
        self, network: Trimapless, runs: Sequence[Excerpt], options: AdaptOptions, watch: Watch = lambda *_: None
    ):
        self.network, self.runs, self.options, self.watch = copy.deepcopy(network), list(runs), options, watch
        self.original = network
        self.network.eval()  # of what MODNet is made of, only the statistics of its norms differ in training
        self.optimiser = torch.optim.Adam(self.network.parameters(), options.lr, betas=(0.9, 0.99))
        self.order = np.random.default_rng(options.seed)
        self.started, self.steps = monotonic(), 0

    def run(self, held_out: Sequence[Excerpt], guard: Sequence[Excerpt]) -> tuple[Trimapless, dict[str, Any]]:
        """The network of the best epoch, and the fields of an Adaptation that tell how it went."""
        before, kept = measure(self.original, held_out), measure(self.original, guard)
        epochs: list[Epoch] = []
        best, ended = 0, "all epochs were run"
        choice: tuple[Any, Measured, Verdict] | None = None
        while len(epochs) < self.options.epochs:
            loss = self.epoch(len(epochs))
            after = measure(self.network, held_out)
            verdict = judge(before, after, largest_change(kept, measure(self.network, guard)))
            epochs.append(Epoch(loss, verdict))
            if choice is None or _better(verdict, choice[2]):
                choice, best = (copy.deepcopy(self.network.state_dict()), after, verdict), len(epochs)
            if self.late:
                ended = f"the {self.options.minutes:g} minutes were over"
                break
            if len(epochs) - best >= PATIENCE:
                ended = f"{PATIENCE} epochs brought nothing better"
                break
        assert choice is not None
        self.network.load_state_dict(choice[0])
        return self.network, {
            "before": before, "after": choice[1], "verdict": choice[2], "epochs": tuple(epochs),
            "best": best if choice[2].accepted else 0, "ended": ended, "seconds": monotonic() - self.started,
        }  # fmt: skip

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return monotonic() - self.started > 60 * self.options.minutes

    def epoch(self, number: int = 0) -> float:
        """Every pair of neighbours of every run once, in a new order; the mean loss. It ends early when time is over.

        The frozen copy is what the network was at the beginning; histories are of its making.
        """
        frozen = copy.deepcopy(self.network)
        losses = []
        for index in self.order.permutation(len(self.runs)):
            run = self.runs[index]
            kept = roll(frozen, run)
            offset = 1 + int(self.order.integers(2))
            for t in range(offset, len(run) - 1, 2):
                losses.append(self.step(run, t, kept))
                self._tell(number, losses)
            if self.late:
                break
        return float(np.mean(losses))

    def step(self, run: Excerpt, t: int, kept: Sequence[TrainingOutputs]) -> float:
        """One step on frames t and t + 1; kept: what the frozen copy makes of the run. Raises ModelError on NaN."""
        pairs = list(zip(self._pair(run, t, kept), kept[t : t + 2], strict=True))
        loss = torch.stack([_consistency(out) + _preservation(out, old) for out, old in pairs]).mean()
        if not torch.isfinite(loss):
            raise ModelError(f"adapting diverged, the loss is {loss.item()} after {self.steps} steps; try a lower --lr")
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip)
        self.optimiser.step()
        self.steps += 1
        return loss.item()

    def _pair(self, run: Excerpt, t: int, kept: Sequence[TrainingOutputs]) -> Iterator[TrainingOutputs]:
        state = kept[t - 1].state
        for frame in tensor(run.frames[t : t + 2]).split(1):
            out = self.network.training_outputs(frame, *state)
            state = out.state
            yield out

    def _tell(self, number: int, losses: Sequence[float]) -> None:
        every = self.options.epochs * sum((len(run) - 1) // 2 for run in self.runs)
        passed = (monotonic() - self.started) / (60 * self.options.minutes)
        total = max(self.steps, min(every, int(self.steps / max(1e-9, passed))))
        self.watch(self.steps, total, f"epoch {number + 1}  loss {np.mean(losses):.4f}")


def _consistency(out: TrainingOutputs) -> Tensor:
    return modnet_consistency(out.semantic, out.pha)


def _preservation(out: TrainingOutputs, kept: TrainingOutputs) -> Tensor:
    """0 where nobody is: then there is no boundary to keep."""
    band = modnet_band(kept.semantic, kept.pha)
    return modnet_preservation(out.detail, out.pha, kept.detail, kept.pha, band)


def _better(new: Verdict, old: Verdict) -> bool:
    """An accepted epoch before any other, then the lower score."""
    if new.accepted != old.accepted:
        return new.accepted
    return new.score < old.score or not math.isfinite(old.score)
