"""Folders for devices: a package for an Ascend chip, and a HiLens skill around one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from koutu.export.ascend import write_package
from koutu.export.hilens.network import write_hilens
from koutu.types import InputError

SKILL = ("background", "settings")  # of a skill alone


def ascend(source: Path, out: Path, told: Mapping[str, Any]) -> tuple[Path, Sequence[Path]]:
    """A package for the chip that `told` names (fields of `koutu.export.ascend.options.Options`); its card and files.

    source: an ONNX file of one size. Raises what `write_package` raises, InputError for what only a skill has.
    """
    if given := [name for name in SKILL if told.get(name)]:
        raise InputError(f"expected --{given[0].rstrip('s')} with --to hilens, got it with ascend; leave it out")
    notes: list[str] = []
    files = write_package(source, out, tell=notes.append, **{k: v for k, v in told.items() if k not in SKILL})
    return out / "card.json", [path for path in files if path.name != "card.json"]


def hilens(source: Path, out: Path, told: Mapping[str, Any]) -> tuple[Path, Sequence[Path]]:
    """A skill as a folder and its archive; the card of the network in it, and both paths.

    Raises what `write_hilens` raises, InputError for another chip than the Kit's.
    """
    if told.get("soc", "Ascend310") != "Ascend310":
        raise InputError(f"expected Ascend310 for a HiLens Kit, got {told['soc']}; leave --soc out")
    options = {name: value for name, value in told.items() if name != "soc"}
    skill = write_hilens(source, out, **options)
    return skill.folder / "build" / "card.json", [skill.folder, skill.archive]
