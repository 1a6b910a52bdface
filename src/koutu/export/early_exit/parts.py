"""A network in two files for the gate (`koutu.engines.early_exit`): what is cheap and alone, and what finishes it.

NAME-low.onnx: rgb (1, H, W, 3) uint8 and the memory → pha (1, 1, H, W), the semantic branch's alpha alone; logits and
features (of networks with a detail branch), what the other part goes on from; signs (K,), what tells how simple the
scene is. NAME-rest.onnx: the same inputs, logits and features → pha (1, 1, H, W), to the bit what NAME.onnx gives.

Two files, not one with an If node: the decision lies between the parts and needs a stream's own past. In one file the
graph would have to decide, or the caller a frame too late; and as two, each is an ordinary file of fixed shapes that
every engine optimises whole. Nothing is computed twice; handing logits and features over costs less than 0.3 ms.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.engines.early_exit import HANDED, SIGNS, UNTRIED, GatedBackend, parts_of
from koutu.engines.onnxruntime import OnnxBackend
from koutu.export.deployed import as_source, of_any_size
from koutu.export.parity import largest_on_noise
from koutu.export.trace import compact, traced, write_described
from koutu.models.tmodnet import TMODNet

TOLERANCE = 1e-4  # largest alpha difference between both parts and the whole network in one frame
_CELL = 8  # side of the cells, in pixels of half the semantic size, that doubt gathers in
_LEAST = 1e-5  # added before the logarithm: nothing at all is a number too


class Beginning(nn.Module):
    """rgb (1, H, W, 3) uint8 and the memory → pha, logits, features where somebody wants them, signs."""

    def __init__(self, network: TMODNet):
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        src = as_source(rgb)
        logits, features = self.network.begin(src, *state)
        handed = (logits, features)[: self.network.hands_over]
        return self.network.low(logits, src), *handed, signs(logits)


class Rest(nn.Module):
    """The same inputs, then what the beginning hands over → pha."""

    def __init__(self, network: TMODNet):
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor, *given: Tensor) -> Tensor:
        state, handed = given[: -self.network.hands_over], given[-self.network.hands_over :]
        return self.network.finish(as_source(rgb), *state, logits=handed[0], features=handed[-1])


def signs(logits: Tensor) -> Tensor:
    """How simple the scene looks to the semantic branch: logarithms (K,) of what `SIGNS` names, of (1, 1, S, S).

    doubt: how much of the picture is unsure; gathered: the same, counted twice where it fills whole cells instead of
    following a line; boundary: how long the outline is.
    """
    pha = F.avg_pool2d(torch.sigmoid(logits), 2)
    doubt = 4 * pha * (1 - pha)
    gathered = F.avg_pool2d(doubt, _CELL).square()
    steps = (pha[..., 1:, :] - pha[..., :-1, :]).abs().mean() + (pha[..., :, 1:] - pha[..., :, :-1]).abs().mean()
    found = {"doubt": doubt.mean(), "gathered": gathered.mean(), "boundary": steps}
    return torch.stack([found[name] for name in SIGNS]).add(_LEAST).log()


def export_parts(network: TMODNet, path: Path, *, name: str, pixels: int) -> tuple[Path, Path]:
    """Write both parts of the network that is exported as `path` beside it, not calibrated yet; returns their paths.

    Raises RuntimeError, leaving neither, if together they are not the network.
    """
    module = of_any_size(network)
    inputs = module.example()
    with torch.no_grad():
        begun = network.begin(as_source(inputs["rgb"]), *list(inputs.values())[1:])
    handed = dict(zip(HANDED, begun[: network.hands_over], strict=False))
    given, card = {**inputs, **handed}, module.card(name, pixels)
    targets = parts_of(path)
    pieces = [target.with_suffix(".part") for target in targets]
    try:
        beginning = compact(traced(Beginning(network), inputs, ("pha", *handed, "signs"), module.axes))
        write_described(pieces[0], beginning, card | {"part": "low"})
        rest = compact(traced(Rest(network), given, ("pha",), module.axes))
        write_described(pieces[1], rest, card | {"part": "rest"})
        both = GatedBackend(*map(OnnxBackend, pieces), gate=UNTRIED)
        if not (difference := largest_on_noise(both, module)) <= TOLERANCE:
            raise RuntimeError(f"expected both parts within {TOLERANCE} of the network, got {difference:.2g}")
        for piece, target in zip(pieces, targets, strict=True):
            piece.replace(target)
    finally:
        for piece in pieces:
            piece.unlink(missing_ok=True)
    return targets
