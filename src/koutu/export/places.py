"""Where an export goes: made in a folder aside, and moved to its names when all is well, the card last."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from koutu.engines.exported.card import is_card
from koutu.export.targets.table import TARGETS, Target
from koutu.types import OutputError


@dataclass(frozen=True)
class ExportPath:
    """The folder, and what all names in it begin with."""

    folder: Path
    stem: str

    @property
    def card(self) -> Path:
        """Where the card goes."""
        return self.folder / f"{self.stem}.json"


def export_path(out: Path, name: str, target: Target) -> ExportPath:
    """Of what -o names; raises OutputError for another target's ending, a folder that is not there, another's card."""
    suffix = out.suffix.lower()
    others = {ending for other in TARGETS.values() for ending in other.suffixes} | {".json", ".bin", ".om", ".pt"}
    if suffix in others and suffix not in target.suffixes:
        wanted = target.suffixes[0] if target.suffixes else ""
        raise OutputError(f"expected -o {out.stem}{wanted} for {name}, got {out.name}; rename it, or change --to")
    stem = out.stem if suffix in target.suffixes else out.absolute().name
    if not stem or stem in (".", ".."):
        raise OutputError(f"expected a name for the export with -o, got {str(out)!r}; for example -o koutu")
    if not out.parent.is_dir():
        raise OutputError(f"{out}: expected a folder that is there, found no {out.parent}; make it first")
    found = ExportPath(out.parent, stem)
    if target.suffixes:  # others hold their card inside their folder
        _require_own(found.card, name)
    return found


def _require_own(card: Path, target: str) -> None:
    """Raise OutputError for a NAME.json that is not the card of an earlier export to the target."""
    if not card.exists():
        return
    whose = json.loads(card.read_text("utf-8")).get("target", "") if is_card(card) else ""
    if whose != target:
        what = f"the card of an export to {whose}" if whose else "no card of koutu's"
        raise OutputError(f"expected {card} to be free for the card, got {what} there; choose another name with -o")


@contextmanager
def aside(target: ExportPath) -> Iterator[Path]:
    """A folder beside the target to work in, gone afterwards; raises OutputError if nothing can be written there."""
    work = target.folder / f".{secrets.token_hex(4)}.part"
    try:
        work.mkdir()
    except OSError as e:
        raise OutputError(f"{target.folder}: nothing can be written there ({e.strerror}); choose another -o") from e
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def put(made: Sequence[Path], target: ExportPath) -> None:
    """Move what was made to the target's folder, in order; what was there under these names goes first, then its card.

    Raises OutputError, leaving none of the new files, if one cannot be moved.
    """
    done: list[Path] = []
    try:
        target.card.unlink(missing_ok=True)  # never an old card beside new files
        for path in made:
            final = target.folder / path.name
            if final.is_dir() and not final.is_symlink():
                if not path.is_dir():
                    raise IsADirectoryError(f"{final} is a folder")
                shutil.rmtree(final)
            os.replace(path, final)
            done.append(final)
    except OSError as e:
        for path in done:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        raise OutputError(f"{target.folder / target.stem}: could not be written ({e}); choose another -o") from e
