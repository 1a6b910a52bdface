"""Descriptions of other people's networks that come with koutu, without their weights: docs/third-party.md."""

from pathlib import Path

from koutu.types import ModelError

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The networks described, sorted."""
    return sorted(file.stem for file in _FOLDER.glob("*.yaml"))


def path(name: str) -> Path:
    """Where the description of a network lies; ModelError listing the names if there is none."""
    if name not in names():
        raise ModelError(f"expected a described network out of {', '.join(names())}, got {name!r}; choose one of them")
    return _FOLDER / f"{name}.yaml"
