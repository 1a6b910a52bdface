"""The work itself, the same in this process and in one of many: a task done from source to results."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2

from koutu.api import convert_image
from koutu.batch.options import ItemOptions, told_options
from koutu.batch.places import delivered, fetched, joined, read, write
from koutu.batch.segments import spans_of
from koutu.batch.stills import Watch, still_of
from koutu.batch.task import KINDS, MADE, Answer, Cut, Made, Task, joined_made, made_of
from koutu.engines.backend import Backend
from koutu.files import is_alive, sha256_of
from koutu.machine import peak_mb, resident_mb
from koutu.matting.clicks import parse_clicks
from koutu.matting.hints import AUTO, Hints
from koutu.matting.matter import Matter
from koutu.media.image import write_image
from koutu.media.join import join_segments
from koutu.media.reader import open_video
from koutu.pipeline.convert import Outputs, Span, convert_video
from koutu.types import InputError, KoutuError
from koutu.zoo import load, load_opinion, parse_options

TEMPORARY = "koutu-batch-"
_EVERY = 10  # frames between two looks at the memory


def do(task: Task) -> Answer:
    """Make all outputs of the task, each whole or not at all; raises a KoutuError."""
    began = time.monotonic()
    options = told_options(task.options)
    cv2.setNumThreads(options.threads)
    with scratch(task.scratch) as folder:
        source = fetched(task.source, _made(folder / "in"))
        if task.segment and not task.span and not task.segments and (spans := _spans(source, options, task)):
            return Cut(spans)
        outputs = {name: _made(folder / "out") / Path(place).name for name, place in task.outputs.items()}
        make = _picture if task.picture else _join if task.segments else _video
        found = make(source, outputs, options, task)
        files = {task.outputs[name]: (path.stat().st_size, sha256_of(path)) for name, path in outputs.items()}
        for name, path in outputs.items():
            delivered(path, task.outputs[name])
    seconds, peak = found.seconds + time.monotonic() - began, max(found.peak_mb, peak_mb() or 0.0)
    made = replace(found, files=files, seconds=seconds, peak_mb=peak)
    if task.folder:  # last: a segment that has it is whole
        write(joined(task.folder, MADE), json.dumps(asdict(made)).encode())
    return made


def answered(task: Task) -> str:
    """What `do` makes of the task, or why not, as a line of JSON."""
    try:
        answer = do(task)
        return json.dumps({"made": asdict(answer)} if isinstance(answer, Made) else asdict(answer))
    except KoutuError as error:
        kind = next((name for name, kind in KINDS.items() if isinstance(error, kind)), "InputError")
        return json.dumps({"error": str(error), "kind": kind})
    except Exception as error:  # a mistake of ours or of a library is one item's failure, and the rest goes on
        return json.dumps({"error": f"{type(error).__name__}: {error}", "kind": "InputError"})


def _picture(source: Path, outputs: dict[str, Path], options: ItemOptions, task: Task) -> Made:
    fit: Any = options.fit
    notes: list[str] = []
    with closing(hints_of(options)) as hints:
        rgb, alpha = convert_image(
            source, outputs["output"], background=options.background, backend=backend_of(options), hints=hints,
            fit=fit, premultiplied=options.premultiplied, tell=notes.append,
            opinion=load_opinion(options.device, options.threads),
        )  # fmt: skip
    if "alpha" in outputs:
        write_image(outputs["alpha"], alpha[..., None].repeat(3, axis=2))
    return Made(frames=1, notes=tuple(notes), still=still_of(rgb, alpha))


def _video(source: Path, outputs: dict[str, Path], options: ItemOptions, task: Task) -> Made:
    watch, end = Watch(task.source, review=task.review), [0.0]

    def progress(frames: int, reader: Any) -> None:
        end[0] = float(reader.end)
        require_memory(task.memory_mb, frames)

    with closing(hints_of(options)) as hints:
        report = convert_video(
            source, Outputs(composite=outputs["output"], alpha=outputs.get("alpha")), look=options.look(),
            backend=backend_of(options), hints=hints, encode=options.encode(), progress=progress, observe=watch,
            deinterlace=options.deinterlace, sdr=options.sdr, span=span_of(task.span) if task.span else None,
        )  # fmt: skip
    findings, still = watch.found(report.lost)
    return Made(
        frames=report.frames, video_seconds=end[0], lost=report.lost, notes=tuple(report.notes),
        findings=tuple(findings), still=still,
    )  # fmt: skip


def _spans(source: Path, options: ItemOptions, task: Task) -> tuple[tuple[str, str | None], ...]:
    """The segments to cut it into, none if it is to be made in one go."""
    if task.picture or options.one_by_one or backend_of(options).propagates:
        return ()
    spans = spans_of(source, task.segment)
    return tuple((str(span.start), None if span.end is None else str(span.end)) for span in spans)


def _join(source: Path, outputs: dict[str, Path], options: ItemOptions, task: Task) -> Made:
    """The segments' pictures one after the other, and the source's sound."""
    found = joined_made([made_of(json.loads(read(joined(place, MADE)))) for place in task.segments])
    notes = list(found.notes)
    with open_video(source, deinterlace=options.deinterlace, sdr=options.sdr) as reader:
        for path in outputs.values():
            places = [(joined(place, path.name), path.parent / str(n)) for n, place in enumerate(task.segments)]
            segments = [fetched(address, _made(folder)) for address, folder in places]
            notes += [note for note in join_segments(segments, path, reader, options.encode()) if note not in notes]
    return replace(found, notes=tuple(notes))


def span_of(said: tuple[str, str | None]) -> Span:
    """The segment that was told in words."""
    start, end = said
    return Span(Fraction(start), None if end is None else Fraction(end))


def require_memory(limit_mb: int, frames: int) -> None:
    """Raise InputError where this process takes more than it may."""
    if not limit_mb or frames % _EVERY != 1:
        return
    taken = resident_mb()
    if taken is not None and taken > limit_mb:
        raise InputError(
            f"expected the work to take at most {limit_mb} MB of memory, it took {taken:.0f}; give a larger "
            "--max-memory, or fewer --workers"
        )


def backend_of(options: ItemOptions) -> Backend:
    """The network of the options, kept from item to item."""
    return _loaded(
        options.model, options.engine, options.device, options.threads, options.weights, options.option,
        options.gate, options.steady,
    )  # fmt: skip


@lru_cache(maxsize=2)
def _loaded(
    model: str, engine: str, device: str, threads: int, weights: str, option: tuple[str, ...],
    gate: bool | None, steady: bool | None,
) -> Backend:  # fmt: skip
    given: dict[str, Any] = {name: v for name, v in (("model", model), ("engine", engine), ("weights", weights)) if v}
    return load(**given, device=device, threads=threads, options=parse_options(list(option)), gate=gate, steady=steady)


def hints_of(options: ItemOptions) -> Hints:
    """What the options give beside the frames; to be closed."""
    return Hints(
        trimap=options.trimap or None, mask=options.mask or None, plate=options.plate or None,
        clicks=parse_clicks(options.clicks), fixed=options.plate_fixed,
        radius=None if options.trimap_radius < 0 else options.trimap_radius,
        guess=Matter(load(threads=options.threads)) if options.mask == AUTO else None,
    )  # fmt: skip


@contextmanager
def scratch(parent: str) -> Iterator[Path]:
    """A folder for one task, gone afterwards; those that killed workers left among the system's are removed."""
    if parent:
        Path(parent).mkdir(parents=True, exist_ok=True)
    else:
        _remove_abandoned(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{os.getpid()}-", dir=parent or None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    if not hasattr(os, "getuid"):  # Windows tells no process from its number
        return
    for folder in parent.glob(f"{TEMPORARY}*"):
        number = folder.name.removeprefix(TEMPORARY).partition("-")[0]
        if number.isdecimal() and folder.stat().st_uid == os.getuid() and not is_alive(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
