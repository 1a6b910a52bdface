"""A MODNet that adapts itself to the user's own clip without any truth, and is kept only if that made it better.

Sub-objectives consistency of Ke et al., "MODNet", AAAI 2022, §3.4, as its published code has it: the semantic head and
the matte teach each other, a frozen copy, renewed every epoch, keeps the boundary. Ours: histories of a network with
memory, steadiness along the motion, and the judgement on held-out runs and on other content.
"""

import copy
import json
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from koutu.losses.portrait import modnet_band, modnet_consistency, modnet_preservation
from koutu.losses.terms import l1
from koutu.models import load_checkpoint
from koutu.models.modnet import MODNet, TrainingOutputs
from koutu.runtime.backends import NetworkShape
from koutu.train.adapt_clip import LEAST, Run, Sampled, Watch, sample
from koutu.train.adapt_measure import Measured, Verdict, judge, largest_change, measure, peopled, roll, tensor
from koutu.types import InputError, ModelError, OutputError
from koutu.zoo import DEFAULT, SAMPLE, WEIGHTS

HELD_OUT = 4  # every so manieth run is measured and not learnt from
GUARD_FRAMES = 32  # of the packaged sample clip
PATIENCE = 3  # epochs without a better one, after which it ends
PIXELS = 256 * 448  # what other checkpoints than the packaged one are shown, if nothing is said
PACKAGED = {"file": "modnet-small.pt", "pixels": 36_864}


@dataclass(frozen=True)
class Options:
    """frames: how many are sampled; minutes: of adapting, at most; motion: weight of steadiness; pixels: 0 as usual."""

    frames: int = 160
    minutes: float = 3.0
    epochs: int = 10
    lr: float = 1e-5
    motion: float = 1.0
    clip: float = 1.0  # largest norm of the gradient
    pixels: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """Mean loss of an epoch and how the network did on the held-out runs after it."""

    loss: float
    verdict: Verdict


@dataclass(frozen=True)
class Adaptation:
    """What came of it: held-out measures before and after, the epochs, the one that is best (from 1; 0 is none).

    `after` and `verdict` are of the best epoch, of the least bad one if none is accepted. path: the file that was
    written, None if the network stays as it was.
    """

    clip: str
    sampled: Sampled
    held_out: tuple[Run, ...]
    before: Measured
    after: Measured
    verdict: Verdict
    epochs: tuple[Epoch, ...]
    best: int
    ended: str
    seconds: float
    path: Path | None = None

    @property
    def accepted(self) -> bool:
        """Whether the adapted network is better."""
        return self.verdict.accepted


def adapt(
    clip: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    options: Options | None = None,
    watch: Watch = lambda *_: None,
) -> Adaptation:
    """Adapt MODNet to a clip and write it to `output` (.onnx) if that made it better; otherwise nothing is written.

    weights: a checkpoint of MODNet, the packaged one if None. Raises InputError for a clip that cannot be read, is too
    short or shows nobody, OutputError, or ModelError.
    """
    given, clip, target = options or Options(), Path(clip), _target(Path(output), Path(clip))
    network, name, pixels = _network(weights)
    pixels = given.pixels or pixels
    card = {"name": name, "pixels": pixels, "stride": network.stride, "states": {}}
    sizing = NetworkShape(target, {"koutu": json.dumps(card)}).network_size
    sampled = sample(clip, sizing, frames=given.frames, watch=watch)
    watch(0, 0, "matting it as it is")
    learnt_from, held_out = _split(network, sampled.runs, clip)
    guard = sample(SAMPLE / "talk.mp4", sizing, frames=GUARD_FRAMES).runs
    adapted, found = Adapter(network, learnt_from, given, watch).run(held_out, guard)
    done = Adaptation(clip.name, sampled, tuple(held_out), **found)
    if not done.accepted:
        return done
    watch(0, 0, "writing it")
    _write(adapted, target, f"{name} adapted to {clip.name}", pixels)
    return Adaptation(**vars(done) | {"path": target})


class Adapter:
    """A network learning from runs of a clip, an epoch at a time."""

    def __init__(self, network: MODNet, runs: Sequence[Run], options: Options, watch: Watch = lambda *_: None):
        self.network, self.runs, self.options, self.watch = copy.deepcopy(network), list(runs), options, watch
        self.original = network
        self.network.eval()  # of what MODNet is made of, only the statistics of its norms differ in training
        self.optimiser = torch.optim.Adam(self.network.parameters(), options.lr, betas=(0.9, 0.99))
        self.order = np.random.default_rng(options.seed)
        self.started, self.steps = monotonic(), 0

    def run(self, held_out: Sequence[Run], guard: Sequence[Run]) -> tuple[MODNet, dict[str, Any]]:
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

    def step(self, run: Run, t: int, kept: Sequence[TrainingOutputs]) -> float:
        """One step on frames t and t + 1; kept: what the frozen copy makes of the run. Raises ModelError on NaN."""
        pairs = list(zip(self._pair(run, t, kept), kept[t : t + 2], strict=True))
        loss = torch.stack([_consistency(out) + _preservation(out, old) for out, old in pairs]).mean()
        if self.network.cfg.temporal and self.options.motion:
            loss = loss + self.options.motion * steadiness(pairs[0][0].pha, pairs[1][0].pha, run, t + 1)
        if not torch.isfinite(loss):
            raise ModelError(f"adapting diverged, the loss is {loss.item()} after {self.steps} steps; try a lower --lr")
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip)
        self.optimiser.step()
        self.steps += 1
        return loss.item()

    def _pair(self, run: Run, t: int, kept: Sequence[TrainingOutputs]) -> Iterator[TrainingOutputs]:
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


def steadiness(previous: Tensor, pha: Tensor, run: Run, t: int) -> Tensor:
    """Mean |α_t − α_{t−1} along the motion| where the motion is known; pha (1, 1, h, w) of frame t. 0 if nowhere."""
    flow, known = torch.from_numpy(run.backward[t - 1]), torch.from_numpy(run.known[t - 1])
    height, width = pha.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([(x + flow[..., 0] + 0.5) * 2 / width - 1, (y + flow[..., 1] + 0.5) * 2 / height - 1], dim=-1)
    before = F.grid_sample(previous, place[None], padding_mode="border", align_corners=False)
    return l1(pha, before, known[None, None])


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


def _split(network: MODNet, runs: Sequence[Run], clip: Path) -> tuple[list[Run], list[Run]]:
    """Runs to learn from, and those to be measured: every so manieth that shows somebody."""
    shown = [peopled(torch.cat([out.pha for out in roll(network, run)]).numpy()) for run in runs]
    if sum(shown) < LEAST:
        raise InputError(
            f"{clip}: expected somebody in at least {LEAST} of the {len(runs)} stretches looked at, the network finds "
            f"somebody in {sum(shown)}; give a clip that shows a person, or more --frames"
        )
    someone = [i for i, there in enumerate(shown) if there]
    held_out = set(someone[HELD_OUT // 2 :: HELD_OUT])
    return [r for i, r in enumerate(runs) if i not in held_out], [runs[i] for i in sorted(held_out)]


def _network(weights: str | os.PathLike[str] | None) -> tuple[MODNet, str, int]:
    """The network, its name and the pixels it is shown."""
    packaged = weights is None
    path = WEIGHTS / str(PACKAGED["file"]) if weights is None else Path(weights)
    network = load_checkpoint(path, "modnet")
    return network, DEFAULT if packaged else f"modnet of {path.name}", int(PACKAGED["pixels"]) if packaged else PIXELS


def _target(path: Path, clip: Path) -> Path:
    """The file to write, looked at before minutes of work."""
    if path.suffix != ".onnx" or path.is_dir():
        raise OutputError(f"{path}: expected a file name that ends in .onnx; name one")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: expected a folder that can be written to, got {path.parent}; choose another")
    if path.exists() and clip.exists() and os.path.samefile(path, clip):
        raise OutputError(f"{path}: expected another file than the clip; choose another name")
    return path


def _write(network: MODNet, target: Path, name: str, pixels: int) -> None:
    """The ONNX file, whole or not at all."""
    try:
        from koutu.export.onnx import export_onnx

        with tempfile.TemporaryDirectory(prefix=".koutu-", dir=target.parent) as folder:
            made = Path(folder) / "adapted.onnx"
            export_onnx(network, made, name=name, pixels=pixels)
            os.replace(made, target)
    except RuntimeError as e:
        raise ModelError(f"the adapted network could not be exported ({e}); nothing was written") from e
    except OSError as e:
        raise OutputError(f"{target} could not be written ({e.strerror or e}); choose another place") from e
