"""A skill from a network, in one call: what its .om is built from, the card, and the program around it."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from koutu.export.hilens.card import SkillCard
from koutu.export.hilens.package import Skill, checked_settings, require_free, write_skill
from koutu.export.targets.table import TARGETS
from koutu.types import InputError

_FORMATS = {"nv21": "nv21", "rgb": "rgb888"}  # a card's source → what AIPP is given

Tell = Callable[[str], None]


def write_hilens(
    source: Path | Any,
    folder: Path,
    *,
    size: tuple[int, int] | None = None,
    background: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    article: bool = False,
    tell: Tell = lambda line: None,
    **options: Any,
) -> Skill:
    """Write the skill of a network to `folder` and FOLDER.zip: program, settings, and in build/ ONNX, Caffe, AIPP text
    and the commands that make the .om, proved on 60 frames before anything is written.

    source: a network of koutu.models, or a fixed-size ONNX file of `koutu.export.fixed`. size: (H, W) of the network,
    for a network by default what it is shown of a square view. background, settings, article: as of `write_skill`; for
    the article a network is exported without its memory, and source_format is by default "rgb". tell: hears what was
    done. options: name, by default the folder's; source_format "nv21" or "rgb", what the skill hands to AIPP;
    about, more for build/card.json; precision, implementation: as of `koutu.export.ascend.write_package`. Raises
    InputError, OutputError and ModelError as `write_skill` and `write_package` do, ParityError for a network that
    does not answer the same there.
    """
    from koutu.export.ascend import write_package
    from koutu.export.picture_only import PictureOnly

    folder = Path(folder).absolute()
    require_free(folder)
    checked_settings(dict(settings or {}))
    name = str(options.pop("name", "") or folder.name)
    kind = options.pop("source_format", "rgb" if article else "nv21")
    if kind not in _FORMATS:
        raise InputError(f"expected the source_format nv21 or rgb for a skill, got {kind!r}; choose one")
    if size is None and not isinstance(source, str | Path):
        size = source.network_size(TARGETS["hilens"].view)
    if article and not isinstance(source, str | Path):
        source = PictureOnly(source)
    with tempfile.TemporaryDirectory() as place:
        build = Path(place) / "build"
        write_package(
            source, build, size=size, tell=tell, name=name, soc="Ascend310", source_format=_FORMATS[kind], **options
        )
        return write_skill(
            folder, model_card=card_of(build, name, kind), build=build, background=background, settings=settings,
            article=article,
        )  # fmt: skip


def card_of(build: Path, name: str, kind: Literal["nv21", "rgb"] = "nv21") -> SkillCard:
    """What the skill must know of NAME.onnx in a folder that `write_package` wrote."""
    from koutu.export.ascend.ports import ports

    found = ports(build / f"{name}.onnx")
    inputs = tuple("src" if given == found.src else given for given in found.inputs)
    shapes = {state: found.inputs[state] for state in found.states}
    return SkillCard(name, found.size, kind, inputs, tuple(found.outputs), found.states, shapes, found.pha)
