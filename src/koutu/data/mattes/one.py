"""One image of `koutu data matte`: read, solved, judged, written, and put on record so that no run does it twice."""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from koutu import __version__
from koutu.data.mattes.checks import Limits, doubtfulness, faults, measured
from koutu.data.mattes.plan import MattePlan
from koutu.data.mattes.sheet import strip
from koutu.data.mattes.soft_matte import solved_matte
from koutu.data.mattes.teachers import Opinion, agreement, asked, in_dispute, teachers
from koutu.data.sets.fitting import shrunk
from koutu.data.sets.reading import READERS
from koutu.files import folder, whole_file
from koutu.media.image import read_image, write_image
from koutu.types import InputError, OutputError, Rgb

RECORDS = ".records"  # inside the results: a JSON and a strip of the sheet for every image
ACCEPTED, REJECTED, FAILED = "accepted", "rejected", "failed"
PARTS = ("pha", "fgr", "src")
Record = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """An image, its mask if masks are given, and where the results go."""

    name: str
    picture: Path
    mask: Path | None
    out: Path


def known(job: Job, plan: MattePlan) -> Record | None:
    """The record of an image that was done before, of the same files and in the same way, with all it wrote."""
    try:
        record = json.loads(_record(job).read_text("utf-8"))
        whole = record["key"] == key(job, plan) and record["verdict"] in (ACCEPTED, REJECTED)
        return record if whole and all(path.is_file() for path in _files(job, plan, record["verdict"])) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make(job: Job, plan: MattePlan) -> Record:
    """Solve, judge and write one image; what cannot be used is a record too. Raises OutputError, ModelError."""
    try:
        key_of = key(job, plan)
        rgb, opinion = _read(job, plan)
        solved = solved_matte(rgb, opinion.mask, plan.method)
    except InputError as e:
        _remove(job)
        return {"name": job.name, "verdict": FAILED, "reasons": [str(e)]}
    several = len(opinion.answers) > 1
    measures = measured(rgb, opinion.mask, solved, in_dispute(opinion.answers) if several else None)
    reasons = faults(measures)
    record: Record = {
        "name": job.name, "verdict": REJECTED if reasons else ACCEPTED, "reasons": reasons,
        "doubt": round(doubtfulness(measures), 4), **measures.as_dict(),
        "backdrop": None if solved.noise is None else round(solved.noise, 4),
        "width": rgb.shape[1], "height": rgb.shape[0], "key": key_of,
        **({"teachers": agreement(opinion)} if several else {}),
    }  # fmt: skip
    _remove(job)
    parts = {"pha": solved.alpha, "fgr": solved.fgr, **({"src": rgb} if plan.pictures else {})}
    for path, part in zip(_files(job, plan, record["verdict"]), [*parts.values(), None], strict=True):
        write_png(path, strip(rgb, solved, opinion.answers) if part is None else part)
    write_json(_record(job), record)  # last: only what is whole is on record
    return record


def key(job: Job, plan: MattePlan) -> str:
    """Changes with the files' content, the teachers', the options, the limits and koutu."""
    digest = hashlib.sha256(f"{plan} {teachers(plan.networks)} {Limits()} {__version__}".encode())
    for path in (job.picture, job.mask):
        try:
            digest.update(b"" if path is None else path.read_bytes())
        except OSError as e:
            raise InputError(f"{path}: expected an image that can be read, got {e.strerror}; check it") from e
    return digest.hexdigest()[:32]


def strip_file(out: Path, name: str) -> Path:
    """Where an image's strip of the sheet lies."""
    return out / RECORDS / f"{name}.png"


def write_png(path: Path, picture: NDArray[Any]) -> None:
    """(H, W, 3) or grey (H, W), uint8; raises OutputError."""
    folder(path.parent)
    if picture.ndim == 3:
        write_image(path, picture)
        return
    whole = io.BytesIO()
    Image.fromarray(picture).save(whole, format="PNG", compress_level=1)
    write_bytes(path, whole.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Readable JSON; raises OutputError."""
    folder(path.parent)
    write_bytes(path, json.dumps(value, indent=1, ensure_ascii=False).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """A whole file or none; raises OutputError."""
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as e:
        raise OutputError(f"{path} could not be written: {e.strerror or e}; check the folder and its room") from e


def _record(job: Job) -> Path:
    return job.out / RECORDS / f"{job.name}.json"


def _files(job: Job, plan: MattePlan, verdict: str) -> list[Path]:
    """What an image's matte consists of, the strip last."""
    root = job.out if verdict == ACCEPTED else job.out / REJECTED
    parts = PARTS if plan.pictures else PARTS[:2]
    return [*(root / part / f"{job.name}.png" for part in parts), strip_file(job.out, job.name)]


def _remove(job: Job) -> None:
    """What an earlier run wrote, its record first."""
    try:
        _record(job).unlink(missing_ok=True)
        for verdict in (ACCEPTED, REJECTED):
            for path in _files(job, MattePlan(pictures=True), verdict):
                path.unlink(missing_ok=True)
    except OSError as e:
        raise OutputError(f"an earlier matte of {job.name} could not be removed: {e}; choose another folder") from e


def _read(job: Job, plan: MattePlan) -> tuple[Rgb, Opinion]:
    """The image and who is in it, as they are solved; raises InputError."""
    rgb = read_image(job.picture)
    if job.mask is None:
        rgb = shrunk(rgb, plan.long_side)
        opinion = asked(rgb, plan.networks, mirrored=plan.mirrored)
    else:
        mask = np.asarray(READERS["truth"](job.mask)["pha"], np.float32)
        if mask.shape != rgb.shape[:2]:
            sizes = [f"{shape[1]}×{shape[0]}" for shape in (rgb.shape, mask.shape)]
            raise InputError(
                f"{job.mask}: expected a mask of {sizes[0]} like {job.picture}, got {sizes[1]}; give its own"
            )
        rgb, opinion = shrunk(rgb, plan.long_side), Opinion(shrunk(mask, plan.long_side), {})
    person = opinion.mask > 0.5
    if not person.any() or person.all():
        what = "all person" if person.any() else "nobody"
        raise InputError(f"{job.mask or job.picture}: expected a mask of person and background, got {what}; correct it")
    return rgb, opinion
