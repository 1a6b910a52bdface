"""`koutu data pack`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.cli.data import BROKEN, tell_broken
from koutu.data.packs.plan import PackPlan
from koutu.types import InputError

if TYPE_CHECKING:
    from koutu.data.packs.report import PackReport
    from koutu.data.packs.sources import Source


def pack(
    sets: Annotated[
        list[str], typer.Argument(metavar="[NAME=]DIR…", help="Data sets, cut-outs, mattes; NAME= names the set.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", readable=False, help="OUT is written as OUT.bin and OUT.json, with the card OUT.md."
        ),
    ],
    backgrounds: Annotated[
        bool, typer.Option("--backgrounds", help="Pack images and videos to put people on, not people.")
    ] = PackPlan.backgrounds,
    emptied: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="A set of people whose places are wanted, without them; several."),
    ] = [],  # noqa: B006
    long_side: Annotated[
        int, typer.Option(min=0, help="Most pixels of the long side; 0 is 448 of people, 640 of backgrounds.")
    ] = PackPlan.long_side,
    frames: Annotated[
        int, typer.Option(min=0, help="Most frames of each clip, evenly spread; 0 is 8, and all of rendered clips.")
    ] = PackPlan.frames,
    group: Annotated[
        list[str],
        typer.Option(metavar="[NAME=]REGEX", help="Finds, in an image's name, the group that it belongs to."),
    ] = [],  # noqa: B006
    exclude: Annotated[
        list[str],
        typer.Option(
            metavar="NAME|FILE", help="Picture, clip or group to leave out, or a file that lists such; several."
        ),
    ] = [],  # noqa: B006
    licence: Annotated[
        list[str], typer.Option(metavar="[NAME=]TEXT", help="Licence of the set, kept in the pack.")
    ] = [],  # noqa: B006
    layout: Annotated[
        list[str], typer.Option(metavar="[NAME=]LAYOUT", help="Layout of the set; it is found out if not given.")
    ] = [],  # noqa: B006
    split: Annotated[
        list[str], typer.Option(metavar="[NAME=]SPLIT", help="Split of the set; the one to train on if not given.")
    ] = [],  # noqa: B006
    class_: Annotated[
        list[str],
        typer.Option(
            "--class",
            metavar="[NAME=]CLASS",
            help="Class of the set, clean (what learns from it may be handed on) or research; the card tells it.",
        ),
    ] = [],  # noqa: B006
    clean: Annotated[
        bool, typer.Option("--clean", help="Refuse sets that are not said to be clean, or whose licence is unknown.")
    ] = PackPlan.clean,
    shard_mb: Annotated[
        int,
        typer.Option(
            min=0, help="Write shards OUT-000.bin, OUT-001.bin … of at most so many megabytes; 0 is one file."
        ),
    ] = PackPlan.shard_mb,
    threads: options.Readers = PackPlan.threads,
) -> None:
    """Pack sets of people, or of backgrounds, into one file to train from: what recipes call people and backgrounds.

    People need a truth: mattes, masks (softened along the image's edges) or alpha channels; `koutu data matte` makes
    mattes for images alone. Training validates on groups: every image is one, and every clip; --group joins them.
    What is broken is left out and reported; exit code 3 then. The card says what is in the pack, from where and under
    which licence, and what was left out; a pack of clean and of research sets is research.

    \b
    koutu data pack -o packs/people london=mattes/ P3M-10k --group 'london=^(\\d+)_' --licence 'london=CC-BY 4.0'
    koutu data pack -o packs/backgrounds --backgrounds rooms/ scenery/ street.mp4 --exclude people-in-them.txt
    koutu data pack -o packs/backgrounds --backgrounds scenery/ plates=mattes/ --emptied plates
    koutu data pack -o packs/clean london=mattes/ --clean --class clean --licence 'CC-BY 4.0' --shard-mb 60
    """
    from koutu.data.packs.card import command_line
    from koutu.data.packs.write import pack_sets
    from koutu.progress import Steps

    sources = _sources(sets, {"group": group, "licence": licence, "layout": layout, "split": split, "class_": class_})
    plan = PackPlan(backgrounds, long_side, frames, exclude, threads, emptied, shard_mb, clean)
    command = command_line(["koutu", *sys.argv[1:]])
    with Steps(output.name) as progress:
        report = pack_sets(sources, output, plan, command=command, progress=progress)
    for line in _told(report):
        print(line)
    tell_broken([f"{item.name}: {item.reason}" for item in report.broken])
    print(f"wrote {_files(output, shard_mb > 0)}, card {output.with_suffix('.md')}")
    if report.broken:
        raise typer.Exit(BROKEN)


def _sources(sets: list[str], given: dict[str, list[str]]) -> "list[Source]":
    """The sets with what is said of each by name, or else of all."""
    from koutu.data.packs.sources import Source

    roots = {}
    for item in sets:
        name, sign, root = item.partition("=")
        if not sign or Path(item).exists():
            name, root = Path(item).resolve().stem if Path(item).is_file() else Path(item).resolve().name, item
        if not name or name in roots:
            raise InputError(f"expected sets of different names, got {item!r} for another {name!r}; give NAME=DIR")
        roots[name] = Path(root)
    given_of = {option: _by_set(option, texts, list(roots)) for option, texts in given.items()}
    return [
        Source(name, root, **{option: texts[name] for option, texts in given_of.items() if name in texts})
        for name, root in roots.items()
    ]


def _by_set(option: str, texts: list[str], names: list[str]) -> dict[str, str]:
    """Set → text; one that names no set holds for those that none names."""
    own = {name: text for name, sign, text in (t.partition("=") for t in texts) if sign and name in names}
    plain = [text for text in texts if text.partition("=")[0] not in names or "=" not in text]
    if len(plain) > 1:
        raise InputError(
            f"expected one --{option.rstrip('_')} for all sets, got {' and '.join(plain[:2])}; give NAME=TEXT with "
            f"NAME out of {', '.join(names)}"
        )
    return {**({name: plain[0] for name in names} if plain else {}), **own}


def _files(output: Path, shards: bool) -> str:
    if not shards:
        return f"{output.with_suffix('.bin')} and {output.with_suffix('.json').name}"
    from koutu.data.packs.index import open_parts

    parts = open_parts(output)
    return f"{len(parts)} shards, {parts[0].pixels} to {parts[-1].pixels.name}, each with its index"


def _told(report: "PackReport") -> list[str]:
    """A line a set."""
    lines = []
    for name, split in report.splits.items():
        count, groups = report.counts[name], report.groups.get(name, 0)
        lines.append(f"{name}: {count} images in {groups} groups{f' ({split})' if split else ''}")
        if nobody := [item for item in report.nobody if item.startswith(f"{name}/")]:
            lines.append(f"  nobody in {len(nobody)}, left out, such as {nobody[0]}")
        if others := report.others.get(name):
            lines.append(f"  {others} other files, neither images nor videos")
    return lines
