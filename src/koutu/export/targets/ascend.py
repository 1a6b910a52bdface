"""Ascend chips: a folder with all that an .om file is built from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from koutu.export.ascend import write_package
from koutu.export.targets.table import FLAGS
from koutu.types import InputError

SKILL = ("background", "settings", "article")  # options of a skill alone


def check(options: Mapping[str, Any]) -> None:
    """Raise InputError for options of a skill alone."""
    if skills := [name for name in options if name in SKILL and options[name]]:
        raise InputError(f"expected {FLAGS[skills[0]]} with --to hilens, got it with ascend; leave it out")


def write(source: Path, out: Path, options: Mapping[str, Any]) -> tuple[Path, Sequence[Path]]:
    """A package for the chip that `options` name (fields of `ascend.options.PackageOptions`); its card and files.

    source: an ONNX file of one size. Raises what `write_package` raises.
    """
    notes: list[str] = []
    files = write_package(source, out, tell=notes.append, **{k: v for k, v in options.items() if k not in SKILL})
    return out / "card.json", [path for path in files if path.name != "card.json"]
