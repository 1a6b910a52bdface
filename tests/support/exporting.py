"""A small network as `koutu train` would leave it, and exports of it, for the tests of `koutu export`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

SIZE = (48, 64)  # (H, W): small, and no two sides alike
OPTIONS = {
    "semantic_size": 64, "detail_channels": (4, 8), "detail_blocks": 1, "context": 16, "pixels": SIZE[0] * SIZE[1],
}  # fmt: skip


def small_network(*, mirrored: bool = False) -> Any:
    """A tmodnet of random weights that says more than its semantic branch alone."""
    import torch

    from koutu.models.tmodnet import Config, TMODNet

    torch.manual_seed(0)
    network = TMODNet(Config(mirrored=mirrored, **OPTIONS)).eval()
    torch.nn.init.normal_(network.fusion_branch.correction.weight, std=0.4)
    return network


def checkpoint(folder: Path, **options: Any) -> Path:
    """The network as a file."""
    import torch

    network = small_network(**options)
    path = folder / "small.pt"
    torch.save({"state_dict": network.state_dict(), "network": "tmodnet", "config": asdict(network.cfg)}, path)
    return path


def run(folder: Path, target: str, name: str, model: Path | str, **asked: Any) -> Any:
    """What `koutu.export.run.export` wrote for a target."""
    from koutu.export.run import Request, export
    from koutu.export.subject import subject

    size = asked.pop("size", SIZE)
    weights = asked.pop("weights", None)
    options = asked.pop("options", None)
    return export(Request(target, folder / name, size, **asked), subject(str(model), weights, options))
