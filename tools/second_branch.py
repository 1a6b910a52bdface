"""Two trained tmodnets as one of two semantic branches, or the first of the two taken out again:

    python tools/second_branch.py FIRST.pt SECOND.pt OUT.pt
    python tools/second_branch.py --apart BOTH.pt FIRST.pt

FIRST keeps all it has and sees pictures as they are; SECOND's semantic branch, of a network with a decoder, is shown
the mirror image. Nothing is learned. Weights are kept as half floats, whose rounding no alpha shows. Taken out again,
the first one looks at the mirror image itself.
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import torch

from koutu.models import load_own
from koutu.models.tmodnet import TMODNet


def joined(first: TMODNet, second: TMODNet) -> TMODNet:
    """Both as one network, in evaluation mode."""
    if not second.cfg.decoder:
        raise SystemExit("expected a second network with a decoder (variant joint or semantic), got one without")
    network = TMODNet(replace(first.cfg, mirrored=False, second=second.cfg.decoder))
    state = first.state_dict()
    state |= {f"second_branch.{name}": tensor for name, tensor in second.semantic_branch.state_dict().items()}
    network.load_state_dict(state)
    return network.eval()


def first_of(both: TMODNet) -> TMODNet:
    """The network without its second branch, mirrored."""
    network = TMODNet(replace(both.cfg, mirrored=True, second=()))
    network.load_state_dict({k: x for k, x in both.state_dict().items() if not k.startswith("second_branch.")})
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--apart", action="store_true")
    args = parser.parse_args()
    *given, out = args.files
    if len(given) != (1 if args.apart else 2):
        parser.error("expected FIRST.pt SECOND.pt OUT.pt, or --apart BOTH.pt FIRST.pt")
    networks = [cast(TMODNet, load_own(path, "tmodnet")) for path in given]
    network = first_of(networks[0]) if args.apart else joined(*networks)
    state = {name: x.half() if x.is_floating_point() else x for name, x in network.state_dict().items()}
    torch.save({"network": "tmodnet", "config": asdict(network.cfg), "state_dict": state}, out)


if __name__ == "__main__":
    main()
