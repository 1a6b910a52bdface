"""A folder of images into a folder of mattes: in parallel, resumed where it stopped, with a report and a sheet.

An image that cannot be used is reported and does not stop the others; a matte that cannot be believed is set aside.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from koutu.data.mattes.checks import Limits
from koutu.data.mattes.one import (
    ACCEPTED,
    FAILED,
    REJECTED,
    Job,
    Record,
    known,
    make,
    strip_file,
    write_bytes,
    write_json,
    write_png,
)
from koutu.data.mattes.plan import MattePlan
from koutu.data.mattes.sheet import Row, sheet
from koutu.data.mattes.teachers import read_anew, teachers
from koutu.data.mattes.workers import in_processes
from koutu.data.sets.layouts import mask_of
from koutu.data.sets.tree import PICTURES, Tree, natural
from koutu.files import folder
from koutu.machine import cores
from koutu.media.image import read_image
from koutu.types import InputError
from koutu.zoo import DEFAULT

Progress = Callable[[int, int, str], None]  # images done, in all, the one now
_ROWS = 12  # of a sheet
_SHEETS = {ACCEPTED: "kept", REJECTED: "rejected"}
_MEASURES = ("bare", "blur", "iou", "moved", "overlap", "disputed")
_COLUMNS = ("name", "verdict", "doubt", *_MEASURES, "backdrop", "width", "height", "reasons")


@dataclass(frozen=True)
class Mattes:
    """What came of a folder. records: of every image, in natural order; done: how many of them in this run."""

    records: Sequence[Record]
    done: int
    sheets: Sequence[Path]

    def of(self, verdict: str) -> list[Record]:
        """The records "accepted", "rejected" or "failed"."""
        return [record for record in self.records if record["verdict"] == verdict]


def matte_folder(
    pictures: Path,
    out: Path,
    *,
    masks: Path | None = None,
    plan: MattePlan | None = None,
    workers: int = 0,
    progress: Progress = lambda done, total, name: None,
) -> Mattes:
    """Mattes of every image in a folder (or of one), as out/pha/NAME.png and out/fgr/NAME.png, grey and RGB.

    masks: a folder of masks with the names of the images, or one mask of one image; without, the plan's networks
    find the person. workers: processes, 0 for one a core. What fails the checks goes to out/rejected. Of a run that
    was broken off only the rest is done, and what changed since. Raises InputError, OutputError, ModelError.
    """
    plan = plan or MattePlan()
    if masks is None:
        plan = replace(plan, networks=plan.networks or (DEFAULT,))
    if plan.long_side < 0 or workers < 0:
        raise InputError(f"expected 0 or more, got {plan.long_side} pixels and {workers} workers; correct them")
    jobs, records = _jobs(pictures, out, masks)
    _require_apart(pictures, masks, out)
    read_anew(plan.networks)  # what is wrong with one is an error before anything is done
    folder(out)
    found = {job.name: record for job in jobs if (record := known(job, plan))}
    left = [job for job in jobs if job.name not in found]
    records += found.values()
    with in_processes(partial(make, plan=plan), left, workers or cores()) as results:
        for record in results:
            records.append(record)
            progress(len(records), len(jobs), record["name"])
    records.sort(key=lambda record: natural(record["name"]))
    return Mattes(records, len(left), _write(out, records, plan))


def _jobs(pictures: Path, out: Path, masks: Path | None) -> tuple[list[Job], list[Record]]:
    """What is to be done, and records of images that have no mask."""
    named = _pictures(pictures)
    given = {} if masks is None else _by_images(_pictures(masks), named)
    if masks is not None and masks.is_file():
        if len(named) > 1:
            raise InputError(f"{masks}: expected a folder of masks for {len(named)} images, got one file; name it")
        given = dict.fromkeys(named, masks)
    jobs, lacking = [], []
    for name, path in named.items():
        if masks is not None and name not in given:
            reason = f"{path}: expected a mask {masks / name}.*, got none; add it, or leave the image out"
            lacking.append({"name": name, "verdict": FAILED, "reasons": [reason]})
        else:
            jobs.append(Job(name, path, given.get(name), out))
    return jobs, lacking


def _by_images(masks: dict[str, Path], named: dict[str, Path]) -> dict[str, Path]:
    """Masks by their images' names; NAME_mask and the like are NAME's where it has no other."""
    return {mask_of(name) if name not in named else name: path for name, path in masks.items()} | {
        name: path for name, path in masks.items() if name in named
    }


def _pictures(root: Path) -> dict[str, Path]:
    """Name without ending → file, in natural order; raises InputError."""
    if root.is_file():
        return {root.stem: root}
    if not root.is_dir():
        raise InputError(f"{root}: expected an image or a folder of images, got nothing of this name; check the path")
    found: dict[str, Path] = {}
    try:
        files = Tree(root).files()
    except OSError as e:
        raise InputError(f"{root}: expected a folder that can be read, got {e.strerror}; check its permissions") from e
    for name in sorted(files, key=natural):
        path = root / name
        if path.suffix.lower() not in PICTURES:
            continue
        if path.stem in found:
            raise InputError(f"{path}: expected one image of this name, got {found[path.stem]} too; rename one")
        found[path.stem] = path
    if not found:
        raise InputError(f"{root}: expected images ({', '.join(sorted(PICTURES))}), got none; name their folder")
    return found


def _require_apart(pictures: Path, masks: Path | None, out: Path) -> None:
    """Results must not be written over what is read."""
    written = [out / part for part in ("pha", "fgr", "src")]
    for given in (pictures, masks):
        if given is not None and given.resolve() in [path.resolve() for path in (out, *written)]:
            raise InputError(f"{given}: expected results in another folder, got {out}; choose one with -o")


def _write(out: Path, records: Sequence[Record], plan: MattePlan) -> list[Path]:
    """report.json, report.csv and the sheets, whose paths are returned."""
    counts = Counter(record["verdict"] for record in records)
    shown = [{name: value for name, value in record.items() if name != "key"} for record in records]
    asked = teachers(plan.networks)
    told = asdict(plan) | {"networks": [asdict(teacher) for teacher in asked]}
    write_json(out / "report.json", {"plan": told, "limits": asdict(Limits()), "counts": counts, "pictures": shown})
    table = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(table, _COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**record, "reasons": "; ".join(record["reasons"])} for record in shown)
    write_bytes(out / "report.csv", table.getvalue().encode())
    names = [teacher.name for teacher in asked]
    sheets = [path for verdict in _SHEETS for path in _sheets(out, verdict, records, names)]
    for old in [path for kind in _SHEETS.values() for path in out.glob(f"{kind}*.png")]:
        if old not in sheets:
            old.unlink()
    return sheets


def _sheets(out: Path, verdict: str, records: Sequence[Record], names: Sequence[str]) -> list[Path]:
    """The sheets of one verdict, the most doubtful first; names: of the teachers."""
    own = [record for record in records if record["verdict"] == verdict]
    own.sort(key=lambda record: (-record["doubt"], natural(record["name"])))
    written = []
    for at in range(0, len(own), _ROWS):
        path = out / f"{_SHEETS[verdict]}{f'-{at // _ROWS + 1}' if at else ''}.png"
        write_png(path, sheet([_row(out, record) for record in own[at : at + _ROWS]], names))
        written.append(path)
    return written


def _row(out: Path, record: Record) -> Row:
    backdrop = "" if record["backdrop"] is None else ", plain backdrop"
    facts = ", ".join(f"{name} {record[name]:.3f}" for name in _MEASURES if name in record)
    text = f"{record['name']}: {facts}{backdrop}"
    return record["verdict"], text, read_image(strip_file(out, record["name"]))
