"""A MODNet that adapts itself to a user's own clip, written only if held-out runs of it say that it is better."""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from koutu.engines.backend import NetworkShape
from koutu.models import load_checkpoint
from koutu.models.modnet import Trimapless
from koutu.train.adapt_clip import LEAST, Excerpt, Sampled, Watch, sample
from koutu.train.adapt_learn import Adapter, Epoch
from koutu.train.adapt_measure import Measured, Verdict, peopled, roll
from koutu.train.adapt_options import AdaptOptions
from koutu.types import InputError, ModelError, OutputError
from koutu.zoo import DEFAULT, MODELS, SAMPLE, checkpoint_of

HELD_OUT = 4  # every so manieth run is measured and not learnt from
GUARD_FRAMES = 64  # of the packaged sample clip
PIXELS = 256 * 448  # what other checkpoints than the packaged ones are shown, if nothing is said
LEARNERS = ("modnet", "tmodnet")  # networks whose semantic head and matte can teach each other


@dataclass(frozen=True)
class Adaptation:
    """What came of it: held-out measures before and after, the epochs, the one that is best (from 1; 0 is none).

    `after` and `verdict` are of the best epoch, of the least bad one if none is accepted. path: the file that was
    written, None if the network stays as it was.
    """

    clip: str
    sampled: Sampled
    held_out: tuple[Excerpt, ...]
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
    model: str = DEFAULT,
    weights: str | os.PathLike[str] | None = None,
    options: AdaptOptions | None = None,
    watch: Watch = lambda *_: None,
) -> Adaptation:
    """Adapt MODNet to a clip and write it to `output` (.onnx) if that made it better; otherwise nothing is written.

    model: packaged weights, or "modnet" or "tmodnet" with `weights`, a checkpoint of it. Raises
    InputError for a clip that cannot be read, is too short or shows nobody, OutputError, or ModelError.
    """
    given, clip, target = options or AdaptOptions(), Path(clip), _target(Path(output), Path(clip))
    network, name, pixels = _network(model, weights)
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
    return replace(done, path=target)


def _split(network: Trimapless, runs: Sequence[Excerpt], clip: Path) -> tuple[list[Excerpt], list[Excerpt]]:
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


def _network(model: str, weights: str | os.PathLike[str] | None) -> tuple[Trimapless, str, int]:
    """The network, its name and the pixels it is shown."""
    card = MODELS.get(model)
    if card is not None and weights is None:
        return load_checkpoint(checkpoint_of(model), card.network), model, card.pixels
    if model not in LEARNERS:
        raise ModelError(
            f"expected {' or '.join(LEARNERS)}, whose semantic head and matte can teach each other, got {model}; "
            f"use {DEFAULT}, or one of these with its checkpoint as --weights"
        )
    if weights is None:
        raise ModelError(f"expected a checkpoint of {model}, got none; give the file with --weights")
    return load_checkpoint(Path(weights), model), f"{model} of {Path(weights).name}", PIXELS


def check_report(path: Path, *others: Path) -> None:
    """Raise OutputError, before minutes of work, unless a report can be written there."""
    if path.suffix not in (".html", ".json"):
        raise OutputError(f"{path}: expected a report that ends in .html or .json, got {path.suffix!r}; name one")
    _writable(path, *others)


def _target(path: Path, clip: Path) -> Path:
    """The network's file, looked at before minutes of work."""
    if path.suffix != ".onnx":
        raise OutputError(f"{path}: expected a file name that ends in .onnx, got {path.suffix!r}; name one")
    _writable(path, clip)
    return path


def _writable(path: Path, *others: Path) -> None:
    if path.is_dir():
        raise OutputError(f"{path}: expected a file to write, got a folder; add a file name")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: expected a folder that can be written to, got {path.parent}; choose another")
    if any(os.path.realpath(path) == os.path.realpath(other) for other in others):
        raise OutputError(f"{path}: expected a name of its own, got that of another file of this run; choose another")


def _write(network: Trimapless, target: Path, name: str, pixels: int) -> None:
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
