"""A network's convolutions in eight bits where that costs little: one static QDQ file for ONNX Runtime and OpenVINO.

Activations are uint8 with a scale for each tensor, weights int8 with one for each channel, as both engines have quick
kernels for. Scales come from clips that the network runs on; which layers stay in float32 from what each does, alone,
to alpha on other clips.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from koutu.engines.early_exit import parts_of
from koutu.engines.exported.backend import ExportedBackend
from koutu.engines.onnxruntime import OnnxBackend
from koutu.export.clips import CalibrationClip, Watch
from koutu.export.defaults import TOLERANCE
from koutu.export.int8.trial import Feeds, Trial
from koutu.files import whole_file
from koutu.types import InputError, ModelError

STEP = 4  # frames of a clip from one that is used to the next


@dataclass(frozen=True)
class Quantised:
    """What came of it; errors are mean |difference to float32| × 1000 of alpha, on clips that gave no scales.

    error: of the file that was written; whole: with every layer in eight bits; kept: layers left in float32, the most
    sensitive first; sensitivity: of each layer alone, empty if none had to be kept; layers: how many there were.
    """

    path: Path
    error: float
    whole: float
    layers: int
    kept: tuple[str, ...] = ()
    sensitivity: dict[str, float] = field(default_factory=dict)


def quantise(
    source: Path,
    out: Path,
    clips: Sequence[CalibrationClip],
    *,
    tolerance: float = TOLERANCE,
    watch: Watch = lambda *_: None,
) -> Quantised:
    """Write the network of `source`, a float32 ONNX file of koutu's, to `out` with as many int8 layers as may be.

    Every second clip gives scales, if of the first one's size, and the others tell the error. tolerance: what it may
    be, in thousandths of alpha; layers stay in float32 until it is kept. If the network's two parts for the gate lie
    beside `source`, they go beside `out`, the low-resolution one as it is. Raises InputError with fewer than two clips,
    ModelError for a file that is quantised already.
    """
    if len(clips) < 2:
        raise InputError(f"expected two clips or more to quantise by, got {len(clips)}; give another, or a longer one")
    if source.resolve() == out.resolve():
        raise InputError(f"expected another file than {source} to write, got the same; name another with -o")
    network = OnnxBackend(source)
    if network.card.get("precision", "float32") != "float32":
        raise ModelError(f"expected a float32 network, {source} is {network.card['precision']} already; name another")
    recordings = [recorded(network, clip) for clip in clips]
    (low, rest), targets = parts_of(source), parts_of(out)
    if low.is_file() and rest.is_file():
        begin = OnnxBackend(low)
        begun = [[feeds | _begun(begin, feeds) for feeds in clip] for clip in recordings]
        quantised(rest, targets[1], begun, tolerance, watch)
        with whole_file(targets[0]) as file:
            file.write(low.read_bytes())
    return quantised(source, out, recordings, tolerance, watch)


def recorded(network: OnnxBackend | ExportedBackend, clip: CalibrationClip) -> list[Feeds]:
    """Inputs of every `STEP`-th frame of a clip, with the memory that the network has by then."""
    feeds: list[Feeds] = []
    state = network.initial_state((clip.src.shape[1], clip.src.shape[2]))
    for t, rgb in enumerate((clip.src[0], *clip.src)):  # the first is seen twice, as in use
        if t % STEP == 0:
            feeds.append(network.feeds(rgb, state))
        state = network(rgb, state)[2]
    return feeds


def _begun(begin: OnnxBackend, feeds: Feeds) -> Feeds:
    """What the gate's low-resolution branch gives to the other."""
    found = begin.run(feeds)
    return {name: found[name] for name in ("logits", "features")}


def quantised(
    source: Path, out: Path, recordings: Sequence[Sequence[Feeds]], tolerance: float, watch: Watch
) -> Quantised:
    """As `quantise`, of one file and the inputs of its frames, clip by clip, recorded already."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder), source, recordings)
        layers, found = trial.layers(), {}
        trial.write(layers)
        error = whole = trial.error()
        kept: list[str] = []
        if whole > tolerance:
            for i, layer in enumerate(layers):
                watch(i, len(layers), f"measuring the layers of {source.name}")
                trial.write([layer])
                found[layer] = trial.error()
            order = sorted(found, key=lambda layer: -found[layer])
            error, kept = _fewest(trial, order, tolerance)
        trial.save(out, trial.card | {"precision": "int8", "kept": kept, "error": round(error, 4)})
    return Quantised(out, error, whole, len(layers), tuple(kept), found)


def _fewest(trial: Trial, order: list[str], tolerance: float) -> tuple[float, list[str]]:
    """Keep the fewest of the most sensitive layers in float32 that the tolerance asks for; the trial's file is that."""
    low, high = 0, len(order)  # too few, enough
    best = 0.0
    while high - low > 1:
        middle = (low + high) // 2
        trial.write(order[middle:])
        error = trial.error()
        low, high, best = (low, middle, error) if error <= tolerance else (middle, high, best)
    trial.write(order[high:])
    return best, order[:high]
