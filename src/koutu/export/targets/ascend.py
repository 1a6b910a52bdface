"""Ascend chips: a folder with all that an .om file is built from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from koutu.export.ascend import write_package
from koutu.export.targets.table import FLAGS
from koutu.types import InputError

SKILL = ("background", "settings")  # what a skill alone is told


def check(told: Mapping[str, Any]) -> None:
    """Raise InputError for what a skill alone is told."""
    if skills := [name for name in told if name in SKILL and told[name]]:
        raise InputError(f"expected {FLAGS[skills[0]]} with --to hilens, got it with ascend; leave it out")


def write(source: Path, out: Path, told: Mapping[str, Any]) -> tuple[Path, Sequence[Path]]:
    """A package for the chip that `told` names (fields of `ascend.options.PackageOptions`); its card and files.

    source: an ONNX file of one size. Raises what `write_package` raises.
    """
    notes: list[str] = []
    files = write_package(source, out, tell=notes.append, **{k: v for k, v in told.items() if k not in SKILL})
    return out / "card.json", [path for path in files if path.name != "card.json"]
