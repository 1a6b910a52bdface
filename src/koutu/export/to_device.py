"""Folders for devices: a package for an Ascend chip, and a HiLens skill around one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from koutu.export.ascend import write_package
from koutu.export.hilens.network import write_hilens
from koutu.export.hilens.package import background_settings, checked_settings
from koutu.types import InputError

SKILL = ("background", "settings")  # of a skill alone
FLAGS = {"soc": "--soc", "source_format": "--camera", "background": "--background", "settings": "--setting"}


def check_told(target: str, told: Mapping[str, Any]) -> None:
    """Raise InputError for what the target is not told, and for what a skill cannot be told."""
    given = [name for name, value in told.items() if value]
    if target == "hilens":
        _check_skill(told)
    elif target == "ascend":
        if skills := [name for name in given if name in SKILL]:
            raise InputError(f"expected {FLAGS[skills[0]]} with --to hilens, got it with ascend; leave it out")
    elif given:
        flag = FLAGS.get(given[0], given[0])
        raise InputError(f"expected {flag} with --to ascend or hilens, got it with {target}; leave it out")


def _check_skill(told: Mapping[str, Any]) -> None:
    if told.get("soc", "Ascend310") != "Ascend310":
        raise InputError(f"expected Ascend310 for a HiLens Kit, got {told['soc']}; leave --soc out")
    settings, background = told.get("settings") or {}, told.get("background")
    if background and {"background", "blur"} & set(settings):
        raise InputError("expected --background or --setting background, got both; leave one of them out")
    checked_settings(settings | (background_settings(background)[0] if background else {}))


def ascend(source: Path, out: Path, told: Mapping[str, Any]) -> tuple[Path, Sequence[Path]]:
    """A package for the chip that `told` names (fields of `koutu.export.ascend.options.Options`); its card and files.

    source: an ONNX file of one size. Raises what `write_package` raises.
    """
    notes: list[str] = []
    files = write_package(source, out, tell=notes.append, **{k: v for k, v in told.items() if k not in SKILL})
    return out / "card.json", [path for path in files if path.name != "card.json"]


def hilens(source: Path, out: Path, told: Mapping[str, Any]) -> tuple[Path, Sequence[Path]]:
    """A skill as a folder and its archive; the card of the network in it, and both paths.

    Raises what `write_hilens` raises.
    """
    options = {name: value for name, value in told.items() if name != "soc"}
    skill = write_hilens(source, out, **options)
    return skill.folder / "build" / "card.json", [skill.folder, skill.archive]
