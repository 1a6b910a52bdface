"""A trained network as one self-describing ONNX file: uint8 pictures in, alpha and memory out, any size.

Of a tmodnet that does more than its low-resolution branch alone, also two parts for the gate, as files beside it
(`koutu.export.early_exit.parts`).

python -m koutu.export.onnx CHECKPOINT.pt OUT.onnx --name koutu-small
"""

import argparse
from pathlib import Path

from koutu.engines.onnxruntime import OnnxBackend
from koutu.export.deployed import of_any_size
from koutu.export.early_exit.parts import export_parts
from koutu.export.parity import FRAMES, largest_on_noise
from koutu.export.trace import compact, traced, write_described
from koutu.models import load_own
from koutu.models.modnet import Trimapless
from koutu.models.tmodnet import TMODNet
from koutu.types import ModelError

TOLERANCE = 2e-3  # largest alpha difference to torch over a roll-out that an export may show


def export_onnx(network: Trimapless, path: Path, *, name: str, pixels: int) -> float:
    """Write `network` to `path` and return the largest alpha difference to torch over 60 frames of a roll-out.

    `pixels`: how many the network should be shown. Raises RuntimeError, leaving no file, if the roll-outs part.
    """
    module = of_any_size(network)
    part = path.with_suffix(".part.onnx")
    model = compact(traced(module, module.example(), module.names.outputs, module.axes))
    write_described(part, model, module.card(name, pixels))
    difference = largest_on_noise(OnnxBackend(part), module)
    if not difference <= TOLERANCE:
        part.unlink()
        raise RuntimeError(f"expected the export to stay within {TOLERANCE} of torch, got {difference:.2g}")
    part.replace(path)
    return difference


def load_network(checkpoint: Path) -> Trimapless:
    """What `koutu train` made, or a published MODNet, with its weights; raises ModelError for any other network."""
    network = load_own(checkpoint, "modnet")
    if not network.remembers_alpha:
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
    if isinstance(network, TMODNet) and not network.begin_is_all:
        for part in export_parts(network, args.out, name=args.name, pixels=args.pixels):
            print(f"{part}: for the gate, once it is calibrated with `koutu gate`")


if __name__ == "__main__":
    main()
