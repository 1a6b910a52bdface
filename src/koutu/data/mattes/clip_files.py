"""What is written of a clip: alphas, colours and views of its frames, and what of earlier runs goes."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from koutu.classical import solve_foreground
from koutu.data.mattes.clip_frame import EMPTY, FrameStore, Record
from koutu.data.mattes.clip_frames import ClipFrames
from koutu.data.mattes.clip_plan import ClipPlan
from koutu.data.mattes.clip_plate import plate_file
from koutu.data.mattes.clip_sheet import triple
from koutu.data.mattes.one import ACCEPTED, PARTS, REJECTED, write_png
from koutu.data.mattes.plan import MattePlan
from koutu.data.mattes.plate_matte import own_colours
from koutu.data.mattes.studio_backdrop import fit_backdrop, unmixed
from koutu.matting.known_plate import Plate, fitted_plate
from koutu.trimap import BACKGROUND
from koutu.types import Alpha, OutputError, Rgb


@dataclass(frozen=True)
class ClipJob:
    """A clip, the folder of its frames' masks if masks are given, and where the results go."""

    name: str
    path: Path
    masks: Path | None
    out: Path


def write(
    job: ClipJob, frames: ClipFrames, records: Sequence[Record], plate: Plate | None, plan: MattePlan, store: FrameStore
) -> None:
    """Alphas, colours and views of all frames that show somebody; what earlier runs wrote elsewhere goes."""
    for record, (name, rgb) in zip(records, frames, strict=True):
        files = _files(job, record, plan)
        told = store.record(name)
        written = {"joint": told["joint"], "files": [str(path.relative_to(job.out)) for path in files]}
        if told.get("written") == written and all(path.is_file() for path in files):
            continue
        _remove(job, told.get("written", {}).get("files", []))
        if files:
            planes = store.planes(name)
            assert planes is not None
            fgr = _colours(rgb, planes, plate, plain=record.get("noise") is not None)
            parts = {"pha": planes[3], "fgr": fgr, "src": rgb}
            for path, part in zip(files[:-1], parts.values(), strict=False):
                write_png(path, part)
            write_png(files[-1], triple(rgb, planes[3], fgr))
        store.note(name, written=written)


def forget(job: ClipJob, store: FrameStore, kept: Collection[str]) -> None:
    """What earlier runs wrote of frames that are not kept goes; what was solved of them stays."""
    for file in sorted(store.root.glob("*.json")):
        files = [] if file.stem in kept else store.record(file.stem).get("written", {}).get("files", [])
        if files:
            _remove(job, files)
            store.note(file.stem, written={})


def forget_plate(job: ClipJob, clips: ClipPlan) -> None:
    """The plate that an earlier run left goes, unless it is the one that is given now; its folder other clips share."""
    file = plate_file(job.out, job.name)
    if clips.plate and Path(clips.plate).resolve() == file.resolve():
        return
    try:
        file.unlink(missing_ok=True)
    except OSError as e:
        raise OutputError(f"an earlier plate of {job.name} could not be removed: {e}; choose another folder") from e


def _files(job: ClipJob, record: Record, plan: MattePlan) -> list[Path]:
    """What a frame's matte consists of, its view last; nothing of an empty frame."""
    if record["verdict"] == EMPTY:
        return []
    root = job.out if record["verdict"] == ACCEPTED else job.out / REJECTED
    parts = PARTS if plan.pictures else PARTS[:2]
    return [*(root / part / f"{record['name']}.png" for part in parts), view_file(job.out, record)]


def view_file(out: Path, record: Record) -> Path:
    """Where a frame's part of the sheet lies."""
    return FrameStore(out, record["clip"]).root / "views" / f"{record['frame']}.png"


def _remove(job: ClipJob, files: Iterable[str]) -> None:
    for path in (job.out / file for file in files):
        try:
            path.unlink(missing_ok=True)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        except FileNotFoundError:
            continue
        except OSError as e:
            raise OutputError(f"an earlier matte of {job.name} could not be removed: {e}; choose another folder") from e


def _colours(rgb: Rgb, planes: Sequence[Alpha], plate: Plate | None, *, plain: bool) -> Rgb:
    """The person's own colours for the steadied alpha."""
    alpha = planes[3]
    if plate is not None:
        return own_colours(rgb, alpha, fitted_plate(plate, rgb, (planes[2] / 255).astype(np.float32)))
    backdrop = fit_backdrop(rgb, planes[1] == BACKGROUND) if plain else None
    return solve_foreground(rgb, alpha) if backdrop is None else unmixed(rgb, alpha, backdrop)
