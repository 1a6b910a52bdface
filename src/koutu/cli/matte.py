"""`koutu data matte`."""

from collections import Counter
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from koutu.cli.data import BROKEN, SHOWN, tell_broken
from koutu.data.mattes.clip_plan import ClipPlan
from koutu.data.mattes.plan import MattePlan
from koutu.types import InputError

if TYPE_CHECKING:
    from koutu.data.mattes.folder import Mattes


class Solver(str, Enum):
    """How alpha is solved."""

    closed_form = "closed-form"
    knn = "knn"


_METHOD = Solver(MattePlan.method)
_NETWORKS = list(MattePlan.networks)


def matte(
    pictures: Annotated[Path, typer.Argument(readable=False, help="Images or clips: a folder, or one.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", readable=False, help="Folder for pha/, fgr/ and the reports.")
    ],
    masks: Annotated[
        Path | None, typer.Option(metavar="DIR", readable=False, help="Folder of masks that have the images' names.")
    ] = None,
    network: Annotated[
        list[str],
        typer.Option(
            metavar="NAME[=FILE]",
            help="Network that finds the people without masks; several vote; the default if none is given.",
        ),
    ] = _NETWORKS,
    mirrored: Annotated[
        bool, typer.Option("--mirrored/--no-mirrored", help="Show the networks the mirror image of each image too.")
    ] = MattePlan.mirrored,
    workers: Annotated[int, typer.Option(min=0, help="Processes that work; 0 is one for each core.")] = 0,
    long_side: Annotated[
        int, typer.Option(min=0, help="Pixels of the long side that larger images are shrunk to; 0 shrinks none.")
    ] = MattePlan.long_side,
    every: Annotated[int, typer.Option(min=1, help="Frames of a clip of which one is taken.")] = ClipPlan.every,
    frames: Annotated[
        int, typer.Option(min=0, help="Frames taken of a clip at most, 8 or more; 0 takes all.")
    ] = ClipPlan.frames,
    plate: Annotated[
        str,
        typer.Option(
            metavar="FILE|auto",
            help="Picture or video of the scene without anybody, for better mattes; auto finds it in a video itself.",
        ),
    ] = ClipPlan.plate,
    method: Annotated[Solver, typer.Option(help="Method by which alpha is solved.")] = _METHOD,
    keep_pictures: Annotated[
        bool, typer.Option("--pictures", help="Write the images too, into src/.")
    ] = MattePlan.pictures,
) -> None:
    """Make mattes for images and clips that have masks, or nothing: alpha and clean colours, a data set to train from.

    Mattes that cannot be believed go to OUT/rejected with the reasons in OUT/report.json; OUT/kept.png and
    OUT/rejected.png show them, images the most doubtful first, frames of clips in their order. Run again, it does what
    is missing or has changed. Exit code 3 if an image or clip could not be used. Alphas of clips are made steady over
    time, and runs of good frames kept; --plate auto finds the background without anybody in the clip itself.

    \b
    koutu data matte portraits/ -o mattes/
    koutu data matte EG1800/im -o mattes/ --masks EG1800/mask --workers 8
    koutu data matte photos/ -o mattes/ --network koutu --network mediapipe-selfie=selfie_segmentation.onnx
    koutu data matte walkers.mp4 -o mattes/ --plate auto --every 4
    koutu data check mattes/ --sheet sheet.jpg
    """
    from koutu.data.mattes.clip_frames import find_clips
    from koutu.data.mattes.clips import matte_clips
    from koutu.data.mattes.folder import matte_folder
    from koutu.data.mattes.one import ACCEPTED, FAILED, REJECTED
    from koutu.progress import Steps

    if masks and network:
        raise InputError("expected masks or a network that finds them, got both; leave --masks or --network out")
    plan = MattePlan(tuple(network), mirrored, long_side, method.value, keep_pictures)
    clips = ClipPlan(every, frames, plate)
    if find_clips(pictures):
        with Steps(pictures.name) as progress:
            _tell_clips(
                matte_clips(
                    pictures, output, masks=masks, plan=plan, clip_plan=clips, workers=workers, progress=progress
                ),
                output,
            )
        return
    if clips != ClipPlan():
        raise InputError(
            f"{pictures}: expected clips for --every, --frames and --plate, got none; name a video, or a folder of them"
        )
    with Steps(pictures.name) as progress:
        made = matte_folder(pictures, output, masks=masks, plan=plan, workers=workers, progress=progress)
    accepted, rejected, failed = (made.of(verdict) for verdict in (ACCEPTED, REJECTED, FAILED))
    plain = sum(record["backdrop"] is not None for record in accepted)
    print(f"{len(accepted)} mattes, {plain} of them before a plain backdrop; {len(rejected)} rejected, {made.done} new")
    for record in rejected[:SHOWN]:
        print(f"  rejected {record['name']}: {'; '.join(record['reasons'])}")
    if len(rejected) > SHOWN:
        print(f"  and {len(rejected) - SHOWN} more")
    tell_broken(["; ".join(record["reasons"]) for record in failed])
    first = [str(path) for path in made.sheets if path.stem in ("kept", "rejected")]
    print(f"wrote {', '.join([*first, str(output / 'report.json')])}")
    if failed:
        raise typer.Exit(BROKEN)


def _tell_clips(made: "Mattes", output: Path) -> None:
    """What came of clips; exit code 3 if one could not be used."""
    from koutu.data.mattes.clip_frame import EMPTY
    from koutu.data.mattes.one import ACCEPTED, FAILED, REJECTED

    counts = {verdict: len(made.of(verdict)) for verdict in (ACCEPTED, REJECTED, EMPTY, FAILED)}
    runs = {record["name"].rpartition("/")[0] for record in made.of(ACCEPTED)}
    print(
        f"{counts[ACCEPTED]} frames in {len(runs)} runs; {counts[REJECTED]} rejected, {counts[EMPTY]} that show nobody"
    )
    reasons = Counter(reason for record in made.of(REJECTED) for reason in record["reasons"][:1])
    for reason, count in reasons.most_common(SHOWN):
        print(f"  rejected {count} ×: {reason}")
    tell_broken(["; ".join(record["reasons"]) for record in made.of(FAILED)])
    print(f"wrote {', '.join(str(path) for path in [*made.sheets, output / 'report.json'])}")
    if counts[FAILED]:
        raise typer.Exit(BROKEN)
