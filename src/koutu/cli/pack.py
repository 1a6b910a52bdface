"""`koutu data pack`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli import options
from koutu.cli.data import BROKEN, tell_broken
from koutu.data.packs.plan import PackPlan
from koutu.types import InputError

if TYPE_CHECKING:
    from koutu.data.packs.sources import Source
    from koutu.data.packs.write import PackReport


def pack(
    sets: Annotated[
        list[str], typer.Argument(metavar="[NAME=]DIR…", help="Data sets, cut-outs, mattes; NAME= names the set.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", readable=False, help="OUT is written as OUT.bin and OUT.json.")
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
    threads: options.Readers = PackPlan.threads,
) -> None:
    """Pack sets of people, or of backgrounds, into one file to train from: what recipes call people and backgrounds.

    People need a truth: mattes, masks (softened along the image's edges) or alpha channels; `koutu data matte` makes
    mattes for images alone. Training validates on groups: every image is one, and every clip; --group joins them.
    What is broken is left out and reported; exit code 3 then.

    \b
    koutu data pack -o packs/people london=mattes/ P3M-10k --group 'london=^(\\d+)_' --licence 'london=CC-BY 4.0'
    koutu data pack -o packs/backgrounds --backgrounds rooms/ scenery/ street.mp4 --exclude people-in-them.txt
    koutu data pack -o packs/backgrounds --backgrounds scenery/ plates=mattes/ --emptied plates
    """
    from koutu.data.packs.write import pack_sets
    from koutu.progress import Steps

    sources = _sources(sets, {"group": group, "licence": licence, "layout": layout, "split": split})
    plan = PackPlan(backgrounds, long_side, frames, exclude, threads, emptied)
    with Steps(output.name) as progress:
        report = pack_sets(sources, output, plan, progress=progress)
    for line in _told(report):
        print(line)
    tell_broken([f"{item.name}: {item.reason}" for item in report.broken])
    print(f"wrote {output.with_suffix('.bin')} and {output.with_suffix('.json').name}")
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
            f"expected one --{option} for all sets, got {' and '.join(plain[:2])}; give NAME=TEXT with NAME out of "
            f"{', '.join(names)}"
        )
    return {**({name: plain[0] for name in names} if plain else {}), **own}


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
