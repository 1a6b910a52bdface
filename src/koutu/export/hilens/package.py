"""A skill as a folder and as the archive that is uploaded: program, card, settings, background, model."""

import importlib.util
import json
import secrets
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from koutu.color import shrink
from koutu.export.hilens.card import SkillCard
from koutu.export.hilens.readme import readme
from koutu.media.background import Blurred, Still
from koutu.media.background_spec import make_background
from koutu.media.image import write_image
from koutu.types import InputError, OutputError, Rgb

PROGRAM = Path(__file__).parent / "skill"
ARTICLE = Path(__file__).parent / "article"  # in the form of published skills: run(work_path), without settings
BACKGROUND = "background.jpg"
LONGEST = 1920  # pixels of a background's longer side: no view is larger
_DATE = (1980, 1, 1, 0, 0, 0)  # of every file in the archive: the same skill gives the same bytes


@dataclass(frozen=True)
class Skill:
    """What was written: the folder with all, and the archive beside it without build/ and README.md."""

    folder: Path
    archive: Path


def write_skill(
    folder: Path,
    *,
    model_card: SkillCard,
    build: Path | None = None,
    background: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    article: bool = False,
) -> Skill:
    """Write the skill of a network to `folder`, and FOLDER.zip; both appear whole or not at all.

    build: a folder with what the .om is built from and simulated by (NAME.onnx, aipp.cfg, *.sh …), copied to build/; an
    NAME.om in it goes to model/. background: what people are put before, a picture, a colour or "blur" as of
    `make_background`, or "camera", no change. settings: of config.json, see the skill's settings.py; what is not given
    has its default. article: instead of the program and its settings, a main.py that gives the model the picture alone.
    Raises OutputError for a folder that holds something or an archive that is there, InputError for a folder,
    background or setting that cannot be used.
    """
    folder = Path(folder).absolute()
    archive = require_free(folder)
    behind, picture = ({}, None) if background is None else background_settings(background)
    if article:
        picture = article_background(behind, picture)
    complete = checked_settings(dict(settings or {}) | behind)
    if article and (model_card.states or settings):
        raise InputError("expected no memory and no settings for the article's program, got some; leave article out")
    if build is not None and not build.is_dir():
        raise InputError(f"{build}: expected a folder of what the model is built from, found none; check the path")
    part = folder.with_name(f".{secrets.token_hex(4)}.part")
    packed = part.with_suffix(".zip")
    try:
        _fill(part, model_card, None if article else complete, build)
        if picture is not None:
            _write_background(picture, part / "workspace" / "data" / BACKGROUND)
        (part / "README.md").write_text(readme(model_card, {} if article else complete, part), "utf-8")
        _pack(part, packed)
        packed.rename(archive)
        try:
            part.replace(folder)
        except OSError:
            archive.unlink()
            raise
    except OSError as e:
        raise OutputError(f"{folder}: the skill could not be written ({e}); choose another folder") from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
        packed.unlink(missing_ok=True)
    return Skill(folder, archive)


def require_free(folder: Path) -> Path:
    """The archive's path; raises OutputError where the folder holds something, or the archive is there already."""
    archive = folder.with_name(f"{folder.name}.zip")
    if not folder.parent.is_dir():
        raise OutputError(f"{folder}: expected a place that is there, found no {folder.parent}; make it first")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder}: expected a new or empty folder, got one that holds something; name another")
    if archive.exists():
        raise OutputError(f"{archive}: expected no such file, because the archive gets this name; move it away")
    return archive


def checked_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings, those given over the defaults, checked by the skill's own rules; raises InputError."""
    spec = importlib.util.spec_from_file_location("koutu_skill_settings", PROGRAM / "settings.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        settings, unknown = module.read_settings(dict(given))
    except module.SettingsError as e:
        raise InputError(str(e)) from e
    if unknown:
        raise InputError(f"expected settings of {', '.join(settings)}, got {', '.join(unknown)}; mind the spelling")
    return settings


def _fill(part: Path, card: SkillCard, settings: dict[str, Any] | None, build: Path | None) -> None:
    """settings: of the program; None: the article's, which has none."""
    for name in ("model", "workspace/data"):
        (part / name).mkdir(parents=True)
    for source in sorted((ARTICLE if settings is None else PROGRAM).glob("*.py")):
        shutil.copyfile(source, part / source.name)
    if settings is not None:
        _write_json(part / "config.json", settings)
    for place in (part, part / "model"):  # the console may bring the model alone
        _write_json(place / "card.json", card.values())
    if build is None:
        (part / "build").mkdir()
        return
    shutil.copytree(build, part / "build")
    om = part / "build" / f"{card.name}.om"
    if om.is_file():
        om.rename(part / "model" / om.name)


def background_settings(background: str | Path) -> tuple[dict[str, Any], Rgb | None]:
    """Settings for what people are put before, and its picture if it is one; raises InputError."""
    if background == "camera":
        return {"background": "camera"}, None
    with make_background(background) as made:
        if isinstance(made, Blurred):
            if made.strength != round(made.strength):
                raise InputError(f"expected a whole strength of blur from 1 to 100, got {made.strength:g}; round it")
            return {"background": "blur", "blur": round(made.strength)}, None
        if not isinstance(made, Still):
            raise InputError(f"expected a picture, a colour, blur or camera behind a skill, got {background}; use one")
        if made.rgb.shape[:2] != (1, 1):
            return {"background": BACKGROUND}, made.rgb
        return {"background": "#{:02x}{:02x}{:02x}".format(*made.rgb[0, 0])}, None


def article_background(behind: Mapping[str, Any], picture: Rgb | None) -> Rgb | None:
    """What `background_settings` found as the one file that the article's program reads; raises InputError."""
    if picture is not None or not behind:
        return picture
    text = behind["background"]
    if not text.startswith("#"):
        raise InputError(f"expected an image or a colour behind the article's program, got {text}; choose one")
    return np.full((64, 64, 3), [int(text[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)


def _write_background(picture: Rgb, target: Path) -> None:
    scale = LONGEST / max(picture.shape[:2])
    if scale < 1:
        picture = shrink(picture, (max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))))
    write_image(target, picture)


def _pack(folder: Path, archive: Path) -> None:
    """The archive that the console takes, main.py at its root."""
    with zipfile.ZipFile(archive, "x", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and name.parts[0] not in ("build", "README.md"):
                entry = zipfile.ZipInfo(name.as_posix(), _DATE)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                file.writestr(entry, path.read_bytes())


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", "utf-8")
