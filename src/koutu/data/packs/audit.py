"""`koutu data audit`: sheets of a pack's images for a person to grade, and what the grades say of every set."""

import io
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image

from koutu.data.packs.audit_draw import Drawn, draw_images
from koutu.data.packs.audit_page import page
from koutu.data.packs.audit_picture import PER_SHEET, sheet, strip
from koutu.data.packs.grades import Tally, grades_text, read_grades, tallied
from koutu.data.packs.pack import Pack
from koutu.data.packs.plan import AuditPlan
from koutu.files import folder, part_folder
from koutu.types import InputError, KoutuError, OutputError, Rgb

GRADES_FILE, PAGE_FILE = "grades.csv", "audit.html"
_QUALITY = 90  # of JPEG

Progress = Callable[[int, int, str], None]  # images drawn, in all, the one now


def draw_audit(
    pack: Path,
    out: Path,
    plan: AuditPlan | None = None,
    *,
    progress: Progress = lambda done, total, name: None,
) -> list[str]:
    """Fill a folder with sheets SET-1.jpg …, audit.html to grade on, and grades.csv; returns the names, in this order.

    Grades that are in the folder already are kept; all appears when it is whole. Raises InputError, also if they are of
    another draw; OutputError.
    """
    plan = plan or AuditPlan()
    held = Pack(pack)
    drawn = draw_images(held, plan.count, plan.seed)
    _earlier(out / GRADES_FILE, drawn)
    folder(out)
    try:
        with part_folder(out) as aside:
            files, pictures = _sheets(held, drawn, aside, progress)
            grades = _earlier(out / GRADES_FILE, drawn)  # somebody may have graded meanwhile
            (aside / PAGE_FILE).write_text(page(pack.name, drawn, grades, pictures), "utf-8")
            (aside / GRADES_FILE).write_text(grades_text(drawn, grades), "utf-8")
            files += [PAGE_FILE, GRADES_FILE]
            for name in files:
                os.replace(aside / name, out / name)
    except KoutuError:
        raise
    except OSError as e:
        raise OutputError(f"{out} could not be filled: {e.strerror or e}; check the folder and its room") from e
    return files


def graded(pack: Path, grades: Path, plan: AuditPlan | None = None) -> list[Tally]:
    """What the grades say of every set of a pack; raises InputError, naming the line that cannot be used."""
    plan = plan or AuditPlan()
    drawn = draw_images(Pack(pack), plan.count, plan.seed)
    return tallied(drawn, read_grades(grades, drawn))


def _earlier(path: Path, drawn: Sequence[Drawn]) -> list[str]:
    """Grades that were given before, of the same draw; none where there is no file."""
    if not path.exists():
        return [""] * len(drawn)
    try:
        return read_grades(path, drawn, partly=True)
    except InputError as e:
        raise InputError(f"expected a folder that is empty or of the same draw, so that no grade is lost; {e}") from e


def _sheets(held: Pack, drawn: Sequence[Drawn], into: Path, progress: Progress) -> tuple[list[str], list[bytes]]:
    """Names of the sheets that were written, and the strip of each image as a JPEG."""
    files: list[str] = []
    pictures: list[bytes] = []
    names = _file_names(dict.fromkeys(one.source for one in drawn))
    for source, name in names.items():
        own = [one for one in drawn if one.source == source]
        for number, first in enumerate(range(0, len(own), PER_SHEET), 1):
            part = own[first : first + PER_SHEET]
            strips: list[Rgb] = []
            for one in part:
                progress(len(pictures) + len(strips), len(drawn), one.name)
                strips.append(strip(held[one.index], held.entries[one.index].alone))
            pictures += [_jpeg(picture) for picture in strips]
            files.append(f"{name}-{number}.jpg")
            (into / files[-1]).write_bytes(_jpeg(sheet(part, strips)))
    return files, pictures


def _file_names(sources: Iterable[str]) -> dict[str, str]:
    """A name for each set that a file may have, of no other set."""
    names: dict[str, str] = {}
    for source in sources:
        plain = re.sub(r"[^\w.-]|^\.", "_", source)
        while plain in names.values():
            plain += "_"
        names[source] = plain
    return names


def _jpeg(picture: Rgb) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, format="JPEG", quality=_QUALITY)
    return out.getvalue()
