"""A trained network as one self-describing ONNX file: uint8 pictures in, alpha and memory out, any size.

Of tmodnet, also its two parts for the gate, as files beside it (`koutu.export.parts`).

python -m koutu.export.onnx CHECKPOINT.pt OUT.onnx --name koutu-small
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from koutu.engines.onnxruntime import OnnxBackend
from koutu.export.parts import export_parts
from koutu.export.tracing import as_source, example, write
from koutu.models import load_own
from koutu.models.modnet import Trimapless
from koutu.models.tmodnet import TMODNet
from koutu.types import ModelError

TOLERANCE = 2e-3  # largest alpha difference to torch over a roll-out that an export may show
FRAMES = 60


class Deployed(nn.Module):
    """The network as engines see it: rgb (1, H, W, 3) uint8 and the previous alpha → alpha (1, 1, H, W)."""

    def __init__(self, network: Trimapless):
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor, *state: Tensor) -> Tensor:
        return self.network(as_source(rgb), *state)[1]


def export_onnx(network: Trimapless, path: Path, *, name: str, pixels: int) -> float:
    """Write `network` to `path` and return the largest alpha difference to torch over 60 frames of a roll-out.

    `pixels`: how many the network should be shown. Raises RuntimeError, leaving no file, if the roll-outs part.
    """
    network = network.eval()
    states = {"prev": "pha"} if network.cfg.temporal else {}
    part = path.with_suffix(".part.onnx")
    card = {"name": name, "pixels": pixels, "stride": network.stride, "states": states}
    write(Deployed(network), example(network), ("pha",), part, card)
    difference = roll_out_difference(network, part)
    if difference > TOLERANCE:
        part.unlink()
        raise RuntimeError(f"expected the export to stay within {TOLERANCE} of torch, got {difference:.2g}")
    part.replace(path)
    return difference


@torch.no_grad()
def roll_out_difference(network: Trimapless, path: Path) -> float:
    """Largest alpha difference between torch and ONNX Runtime over moving noise, each with its own memory."""
    backend = OnnxBackend(path)
    size = (4 * network.stride, 5 * network.stride)
    rng, worst = np.random.default_rng(0), 0.0
    scene = rng.integers(0, 256, (*size, 3), np.uint8)
    onnx_state = backend.initial_state(size)
    torch_state = network.initial_state(torch.zeros(1, 3, *size))
    for t in range(FRAMES):
        rgb = np.ascontiguousarray(np.roll(scene, 3 * t, axis=1))
        _, pha, onnx_state = backend(rgb, onnx_state)
        src = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        _, true, *torch_state = network(src, *torch_state)
        worst = max(worst, float(np.abs(pha - true[0, 0].numpy()).max()))
    return worst


def load_network(checkpoint: Path) -> Trimapless:
    """What `koutu train` made, or a published MODNet, with its weights; raises ModelError for any other network."""
    network = load_own(checkpoint, "modnet")
    if not isinstance(network, Trimapless):
        raise ModelError(f"expected a checkpoint of modnet or tmodnet, got {type(network).__name__} in {checkpoint}")
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--pixels", type=int, default=256 * 448)
    args = parser.parse_args()
    network = load_network(args.checkpoint)
    difference = export_onnx(network, args.out, name=args.name, pixels=args.pixels)
    print(f"{args.out}: largest difference to torch over {FRAMES} frames {difference:.2g}")
    if isinstance(network, TMODNet):
        for part in export_parts(network, args.out, name=args.name, pixels=args.pixels):
            print(f"{part}: for the gate, once it is calibrated with `koutu gate`")


if __name__ == "__main__":
    main()
