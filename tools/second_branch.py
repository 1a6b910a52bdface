"""Two trained tmodnets as one of two semantic branches, or the two taken apart again:

    python tools/second_branch.py FIRST.pt SECOND.pt OUT.pt --size 384 --agreement 2 [--new-detail]
    python tools/second_branch.py --apart BOTH.pt FIRST.pt [SECOND.pt]

FIRST keeps all it has and sees pictures as they are; SECOND's semantic branch, of a network with a decoder, or its
second one if it has two, is shown the mirror image. Nothing is learned. With `--new-detail` the detail and fusion
branches begin anew, separable, and correct nothing yet: to be trained. Weights are kept as half floats, whose rounding
no alpha shows. Taken out again, the first one looks at the mirror image itself, and the second is a network of its own.
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch

from koutu.models import load_own
from koutu.models.tmodnet import TMODNet

_BRANCH = "second_branch."


def joined(first: TMODNet, second: TMODNet, new_detail: bool, **cfg: Any) -> TMODNet:
    """Both as one network, in evaluation mode. cfg: of `Config`, but for the first's."""
    if second.cfg.second:
        second = second_of(second)
    if not second.cfg.decoder:
        raise SystemExit("expected a second network with a decoder (variant joint or semantic), got one without")
    state = first.state_dict()
    if new_detail:
        cfg["separable"] = True
        state = {k: x for k, x in state.items() if not k.startswith(("detail_branch.", "fusion_branch."))}
    network = TMODNet(replace(first.cfg, mirrored=False, second=second.cfg.decoder, **cfg))
    state |= {_BRANCH + name: tensor for name, tensor in second.semantic_branch.state_dict().items()}
    network.load_state_dict(network.state_dict() | state)
    return network.eval()


def first_of(both: TMODNet) -> TMODNet:
    """The network without its second branch, mirrored."""
    network = TMODNet(replace(both.cfg, mirrored=True, second=(), second_size=0))
    network.load_state_dict({k: x for k, x in both.state_dict().items() if not k.startswith(_BRANCH)})
    return network.eval()


def second_of(both: TMODNet) -> TMODNet:
    """The second branch alone, as the semantic branch of a network that has nothing else."""
    cfg = replace(both.cfg, second=(), second_size=0, decoder=both.cfg.second, detail_channels=())
    network = TMODNet(cfg)
    state = {k.removeprefix(_BRANCH): x for k, x in both.state_dict().items() if k.startswith(_BRANCH)}
    network.semantic_branch.load_state_dict(state)
    return network.eval()


def save(network: TMODNet, path: Path) -> None:
    state = {name: x.half() if x.is_floating_point() else x for name, x in network.state_dict().items()}
    torch.save({"network": "tmodnet", "config": asdict(network.cfg), "state_dict": state}, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--size", type=int, default=0, help="second_size of the network's Config")
    parser.add_argument("--counts", type=float, default=1.0, help="second_counts")
    parser.add_argument("--agreement", type=float, default=1.0)
    parser.add_argument("--pixels", type=int, default=0, help="of the images that OUT is shown; 0: as FIRST")
    parser.add_argument("--new-detail", action="store_true")
    args = parser.parse_args()
    files = args.files
    if args.apart and len(files) in (2, 3):
        both = cast(TMODNet, load_own(files[0], "tmodnet"))
        for part, path in zip((first_of, second_of), files[1:], strict=False):
            save(part(both), path)
    elif not args.apart and len(files) == 3:
        first, second = (cast(TMODNet, load_own(path, "tmodnet")) for path in files[:2])
        cfg = {"second_size": args.size, "second_counts": args.counts, "agreement": args.agreement}
        save(joined(first, second, args.new_detail, **cfg, pixels=args.pixels or first.cfg.pixels), files[2])
    else:
        parser.error("expected FIRST.pt SECOND.pt OUT.pt, or --apart BOTH.pt FIRST.pt [SECOND.pt]")


if __name__ == "__main__":
    main()
