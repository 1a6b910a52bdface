"""The networks by name, how to build one, and how to fill one with published weights.

Listing them imports nothing heavy; building one imports torch.
"""

from pathlib import Path
from typing import Any

from koutu.models.table import MODELS, NetworkCard, build, network, variants

__all__ = ["MODELS", "NetworkCard", "build", "load_checkpoint", "load_own", "network", "variants"]


def load_own(path: str | Path, otherwise: str) -> Any:
    """The network that the file itself says it is, as `koutu train` writes it, or else the network `otherwise`."""
    from koutu.models.checkpoint import read

    said = read(Path(path)).get("network")
    return load_checkpoint(path, said if isinstance(said, str) else otherwise)


def load_checkpoint(path: str | Path, name: str, **options: Any) -> Any:
    """The network `name` with the weights of a published file, as `koutu.models.checkpoint.load` says."""
    network(name)  # tells of a wrong name, or of PyTorch missing
    from koutu.models.checkpoint import load

    return load(path, name, **options)
