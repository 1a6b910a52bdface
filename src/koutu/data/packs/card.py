"""A pack's card: what it holds, from where, under which licence, how it was made, and what was left out and why."""

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from koutu import __version__
from koutu.data.packs.index import Entry, Part
from koutu.data.packs.plan import PackPlan
from koutu.data.packs.report import LeftOut
from koutu.data.packs.sources import Opened
from koutu.data.sets import rendered
from koutu.data.sets.pairs import PictureFrames
from koutu.types import InputError

CLEAN, RESEARCH = "clean", "research"  # classes of sets
_SHOWN = 20  # names of what was left out, for each set and reason
_ABSOLUTE = re.compile(r"((?:.*?=)??)(/.*)", re.DOTALL)  # a path in a command, or NAME= and one
_SAID = {
    CLEAN: "**Clean**: may be handed on, and so may what learns from it, under the licences below.",
    RESEARCH: "**Research**: a set in it is for research alone, so neither it nor what learns from it is handed on.",
    "": "**Of no class**: of one set or more nobody said whether it may be handed on. Take it for research until then.",
}


def require_classes(opened: Sequence[Opened], clean: bool) -> None:
    """Raise InputError for a class that is none; and, of a clean pack, for a set that may not be handed on."""
    for source in (item.source for item in opened):
        if source.class_ not in ("", CLEAN, RESEARCH):
            raise InputError(f"expected the class clean or research of {source.name}, got {source.class_!r}; name one")
        if clean and source.class_ != CLEAN:
            raise InputError(
                f"expected sets of class clean alone, got {source.name} of {source.class_ or 'no class'}; pack it by "
                f"itself, or say --class {source.name}=clean if docs/data.md calls it so"
            )
    if clean and (lacking := [item.source.name for item in opened if not _licence(item)]):
        raise InputError(
            f"expected the licence of every set of a clean pack, got none of {', '.join(lacking)}; say --licence "
            f"{lacking[0]}=TEXT"
        )


def class_of(opened: Iterable[Opened]) -> str:
    """Of a pack of these: that of its least free set, "" if nobody said."""
    classes = {item.source.class_ for item in opened}
    return RESEARCH if RESEARCH in classes else "" if "" in classes else CLEAN


def command_line(words: Sequence[str]) -> str:
    """A command as a card tells it: of absolute paths the last part, for the others are the packer's own."""
    found = ((word, _ABSOLUTE.fullmatch(word)) for word in words)
    return shlex.join(match[1] + (Path(match[2]).name or "/") if match else word for word, match in found)


def card(
    title: str, opened: Sequence[Opened], plan: PackPlan, parts: Sequence[Part], left: Sequence[LeftOut], command: str
) -> str:
    """Markdown."""
    entries = [entry for part in parts for entry in part.entries]
    what = "backgrounds (RGB)" if plan.backgrounds else "people with alpha (RGBA)"
    files = "in one file" if not plan.shard_mb else f"in {len(parts)} shards of at most {plan.shard_mb} MB"
    size = sum(part.size for part in parts) / 1e6
    lines = [
        f"# {title}",
        "",
        _SAID[class_of(opened)],
        "",
        f"* {len(entries)} images of {what} in {len({e.group for e in entries})} groups, {size:.1f} MB {files}.",
        f"* Sides up to {max((max(e.height, e.width) for e in entries), default=0)} pixels.",
        f"* Made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by koutu {__version__}" + (":" if command else "."),
        *(["", "```sh", command, "```"] if command else []),
        "",
        "## Sets",
        "",
        "| set | images | groups | soft mattes | class | licence | layout, split | made with |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(item, [e for e in entries if e.source == item.source.name]) for item in opened),
        "",
        "## Left out",
        "",
        *(_gone(item) for item in left),
    ]
    return "\n".join([*lines, *([] if left else ["Nothing."]), ""])


def _row(item: Opened, entries: Sequence[Entry]) -> str:
    source = item.source
    licence = _licence(item) or "nobody said"
    soft = sum(entry.soft for entry in entries)
    cells = [
        source.name, len(entries), len({e.group for e in entries}), soft, source.class_ or "nobody said", licence,
        item.split or "any images and videos", _made_with(item),
    ]  # fmt: skip
    return "| " + " | ".join(_plain(str(cell)) for cell in cells) + " |"


def _gone(left: LeftOut) -> str:
    more = f" and {len(left.names) - _SHOWN} more" if len(left.names) > _SHOWN else ""
    names = f": {', '.join(left.names[:_SHOWN])}{more}" if left.names else ""
    return _plain(f"* {left.name}: {left.count or len(left.names)}, {left.why}{names}")


def _licence(item: Opened) -> str:
    """Of a set, as its packer or else itself says; "" if it is unknown of any part."""
    given = [item.source.licence or clip.licence for clip in item.clips]
    return "; ".join(dict.fromkeys(given)) if all(given) else ""


def _made_with(item: Opened) -> str:
    """Seed and settings of a set that koutu rendered."""
    frames = item.clips[0].frames if item.clips else None
    if not item.split.startswith("rendered,") or not isinstance(frames, PictureFrames):
        return ""
    facts = {key: value for key, value in rendered.about(frames.root).items() if key not in ("format", "licence")}
    return ", ".join(f"{key} {value if isinstance(value, str) else json.dumps(value)}" for key, value in facts.items())


def _plain(text: str) -> str:
    """On one line, and no cell's end."""
    return " ".join(text.split()).replace("|", "\\|")
