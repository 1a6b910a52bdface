"""HiLens Kits: a skill, the program that runs on the camera, around a package for its chip."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from koutu.export.hilens.network import write_hilens
from koutu.export.hilens.package import article_background, background_settings, checked_settings
from koutu.types import InputError


def check(options: Mapping[str, Any]) -> None:
    """Raise InputError for options that a skill does not have."""
    if options.get("soc", "Ascend310") != "Ascend310":
        raise InputError(f"expected Ascend310 for a HiLens Kit, got {options['soc']}; leave --soc out")
    settings, background = options.get("settings") or {}, options.get("background")
    if settings and options.get("article"):
        raise InputError("expected no --setting with --article, got some: its program has none; leave them out")
    if background and {"background", "blur"} & set(settings):
        raise InputError("expected --background or --setting background, got both; leave one of them out")
    behind, picture = background_settings(background) if background else ({}, None)
    if options.get("article"):
        article_background(behind, picture)
    checked_settings(settings | behind)


def write(source: Path, out: Path, options: Mapping[str, Any]) -> tuple[Path, Sequence[Path]]:
    """A skill as a folder and its archive; the card of the network in it, and both paths.

    Raises what `write_hilens` raises.
    """
    skill = write_hilens(source, out, **{name: value for name, value in options.items() if name != "soc"})
    return skill.folder / "build" / "card.json", [skill.folder, skill.archive]
