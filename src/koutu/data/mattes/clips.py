"""Clips into clips of mattes: one after another or beside each other, with a report and sheets of kept and rejected."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from koutu.data.mattes.checks import Limits
from koutu.data.mattes.clip import Told, make_clip
from koutu.data.mattes.clip_files import ClipJob, view_file
from koutu.data.mattes.clip_frame import Record
from koutu.data.mattes.clip_frames import find_clips
from koutu.data.mattes.clip_plan import AUTO, SHORTEST, ClipPlan
from koutu.data.mattes.clip_sheet import ROW, clip_sheet
from koutu.data.mattes.folder import Mattes, Progress
from koutu.data.mattes.one import ACCEPTED, REJECTED, write_bytes, write_json, write_png
from koutu.data.mattes.plan import MattePlan
from koutu.data.mattes.teachers import read_anew, teachers
from koutu.data.mattes.workers import in_processes
from koutu.data.sets.tree import natural
from koutu.files import folder
from koutu.machine import cores
from koutu.media.image import read_image
from koutu.types import InputError, Rgb
from koutu.zoo import DEFAULT

_SHOWN = 13 * ROW  # frames of a sheet
_SHEETS = {ACCEPTED: "kept", REJECTED: "rejected"}
_MEASURES = ("bare", "blur", "iou", "moved", "overlap", "disputed", "contradicted")
_COLUMNS = ("name", "clip", "frame", "verdict", "doubt", *_MEASURES, "noise", "reasons")


def matte_clips(
    clips: Path,
    out: Path,
    *,
    masks: Path | None = None,
    plan: MattePlan | None = None,
    clip_plan: ClipPlan | None = None,
    workers: int = 0,
    progress: Progress = lambda done, total, name: None,
) -> Mattes:
    """Mattes of the frames of every clip in a folder (or of one), as out/pha/CLIP-FIRST/FRAME.png and out/fgr/….

    CLIP-FIRST: a run of frames without a gap, by its first. masks: a folder with a folder of masks for each clip, or of
    one clip's masks, by the frames' names; without, the plan's networks find the person. workers: clips at once, 0 one
    a core. What fails the checks goes to out/rejected. Raises InputError, OutputError, ModelError.
    """
    plan, clip_plan = plan or MattePlan(), clip_plan or ClipPlan()
    if masks is None:
        plan = replace(plan, networks=plan.networks or (DEFAULT,))
    _require_sense(plan, clip_plan, workers)
    jobs = _jobs(clips, out, masks)
    read_anew(plan.networks)  # what is wrong with one is an error before anything is done
    folder(out)
    workers = min(workers or cores(), len(jobs))
    told: Told = progress if workers < 2 else _silent
    records: list[Record] = []
    with in_processes(partial(make_clip, plan=plan, clips=clip_plan, told=told), jobs, workers) as results:
        for done, made in enumerate(results, 1):
            records += made
            progress(done, len(jobs), made[0]["clip"])
    records.sort(key=lambda record: (natural(record["clip"]), natural(record["frame"])))
    return Mattes(records, len(records), _report(out, records, plan, clip_plan))


def _silent(done: int, total: int, name: str) -> None:
    """Of the frames of clips at once nobody is told."""


def _require_sense(plan: MattePlan, clips: ClipPlan, workers: int) -> None:
    if plan.long_side < 0 or workers < 0 or clips.frames < 0:
        came = f"{plan.long_side} pixels, {clips.frames} frames and {workers} workers"
        raise InputError(f"expected 0 or more, got {came}; correct them")
    if 0 < clips.frames < SHORTEST:
        raise InputError(
            f"expected {SHORTEST} frames of a clip or more, since shorter runs are rejected, or 0 for all, got "
            f"{clips.frames}; correct --frames"
        )
    if clips.every < 1:
        raise InputError(f"expected one of 1 or more frames, got every {clips.every}; correct it")
    if clips.plate and clips.plate != AUTO and not Path(clips.plate).is_file():
        raise InputError(
            f"{clips.plate}: expected a photograph of the background or {AUTO}, got no such file; correct it"
        )


def _jobs(clips: Path, out: Path, masks: Path | None) -> list[ClipJob]:
    found = find_clips(clips)
    if not found:
        raise InputError(f"{clips}: expected a video, or a folder of videos or folders of frames, got none; name them")
    if out.resolve() in [path.resolve() for path in (clips, masks, *found.values()) if path is not None]:
        raise InputError(f"{out}: expected results in a folder of their own, got one that is read; choose one with -o")
    held = {name: masks and masks / name for name in found}
    if masks is not None and not any((masks / name).is_dir() for name in found):
        if not masks.is_dir() or len(found) > 1:
            name = next(iter(found))
            raise InputError(f"{masks}: expected a folder {name} of masks named like its frames, got none; add it")
        held = dict.fromkeys(found, masks)
    return [ClipJob(name, path, held[name], out) for name, path in found.items()]


def _report(out: Path, records: Sequence[Record], plan: MattePlan, clips: ClipPlan) -> list[Path]:
    """report.json, report.csv and the sheets, whose paths are returned."""
    counts = Counter(record["verdict"] for record in records)
    told = asdict(plan) | asdict(clips) | {"networks": [asdict(teacher) for teacher in teachers(plan.networks)]}
    whole = {"plan": told, "limits": asdict(Limits()), "counts": counts, "frames": records}
    write_json(out / "report.json", whole)
    table = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(table, _COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**record, "reasons": "; ".join(record["reasons"])} for record in records)
    write_bytes(out / "report.csv", table.getvalue().encode())
    sheets = []
    for verdict, name in _SHEETS.items():
        shown = [record for record in records if record["verdict"] == verdict and view_file(out, record).is_file()]
        shown = shown[:: max(1, -(-len(shown) // (4 * _SHOWN)))]
        for at in range(0, len(shown), _SHOWN):
            path = out / (f"{name}-{at // _SHOWN + 1}.png" if at else f"{name}.png")
            write_png(path, clip_sheet([_view(out, record) for record in shown[at : at + _SHOWN]]))
            sheets.append(path)
        for old in out.glob(f"{name}*.png"):
            if old not in sheets:
                old.unlink()
    return sheets


def _view(out: Path, record: Record) -> tuple[str, Rgb]:
    text = f"{record['clip']}/{record['frame']} {record['doubt']:.2f} {'; '.join(record['reasons'])}"
    return text, read_image(view_file(out, record))
