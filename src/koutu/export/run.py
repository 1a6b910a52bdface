"""An export from the request to the card: converted aside, held against torch, and only then put in its place."""

import json
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from koutu.engines.exported.backend import ExportedBackend
from koutu.engines.exported.card import ANY
from koutu.export import card
from koutu.export.defaults import FRAMES, TOLERANCE, SceneSources
from koutu.export.deployed import Deployed
from koutu.export.geometry import Size, geometry
from koutu.export.int8.convert import Eight, quality, to_bytes
from koutu.export.job import Converted, Job, Watch
from koutu.export.parity import BOUNDS, Bounds, ClipDifference, figures, require_parity
from koutu.export.places import aside, export_path, put
from koutu.export.subject import Subject
from koutu.export.targets import onnx as to_onnx
from koutu.export.targets.table import Target, check_options, choose, converter_of, require_tools, target_of
from koutu.media.reader import open_video
from koutu.types import InputError, OutputError
from koutu.zoo import SAMPLE


@dataclass(frozen=True)
class Request:
    """What is asked for. size: (H, W), "any", or None for what the target does best. preprocess, precision: or empty.

    clips: videos for parity and for int8's scales; the packaged sample if there are none. tolerance: thousandths of
    alpha that int8 may cost. bounds: other than those of the precision. command: as it was given, for the card.
    """

    target: str
    out: Path
    size: Size | str | None = None
    preprocess: str = ""
    precision: str = ""
    ratio: Fraction | None = None
    refine: bool = False
    clips: tuple[Path, ...] = ()
    scenes: SceneSources | None = None
    frames: int = FRAMES
    tolerance: float = TOLERANCE
    bounds: Bounds | None = None
    device: Mapping[str, Any] = field(
        default_factory=dict
    )  # options of ascend and hilens: koutu.export.targets.table.FLAGS
    command: str = ""


@dataclass(frozen=True)
class Exported:
    """What was written. figures: of the parity check, empty where the file cannot run here. content: the card's."""

    card: Path
    files: tuple[Path, ...]
    figures: tuple[ClipDifference, ...]
    bounds: Bounds
    content: Mapping[str, Any]


def export(request: Request, subject: Subject, watch: Watch = lambda *_: None) -> Exported:
    """Write `subject` for a target, with its card; nothing is written unless it passes the parity check.

    Raises InputError for what the target or the network cannot do, ModelError for a missing tool or an
    operator that the target lacks, ParityError for a file that differs too much, OutputError if it cannot be written.
    """
    target = target_of(request.target)
    request = checked(request, target, subject)
    subject = subject.picture_only() if request.device.get("article") else subject
    goal = export_path(request.out, request.target, target)
    require_tools(request.target)
    for clip in request.clips:
        open_video(clip).close()
    module = _module(request, target, subject)
    if not target.suffixes:
        return _folder(request, target, subject, module, watch)
    with aside(goal) as work:
        job = Job(module, work, goal.stem, request.precision, subject.name, subject.pixels)
        eight = None
        if request.precision == "int8":
            eight = to_bytes(job, subject, request.clips, request.scenes, request.tolerance, watch)
        watch(0, 1, f"converting for {request.target}")
        made = _converted(job, target, eight)
        proof = _proof(request, subject, job, made, eight, watch)
        content = card.content(subject, job, made, request.target, request.command, proof, refine=request.refine)
        path = work / goal.card.name
        card.save(path, content)
        put([*made.files, path], goal)
    files = tuple(goal.folder / file.name for file in made.files)
    return Exported(goal.card, files, tuple(proof.figures), proof.bounds or BOUNDS[request.precision], content)


def _folder(request: Request, target: Target, subject: Subject, module: Deployed, watch: Watch) -> Exported:
    """What a target writes as a folder: from an ONNX file that has passed the check, so that two lead to torch."""
    if request.out.exists() and (not request.out.is_dir() or any(request.out.iterdir())):
        raise OutputError(f"{request.out}: expected a new or empty folder, got one that holds something; name another")
    with tempfile.TemporaryDirectory() as work:
        job = Job(module, Path(work), "plain", "fp32", subject.name, subject.pixels)
        watch(0, 1, f"converting for {request.target}")
        made = to_onnx.convert(job)
        proof = _proof(replace(request, target="onnx"), subject, job, made, None, watch)
        about = card.about(subject, job, proof, request.command)
        path, files = converter_of(target)(made.main, request.out, {**request.device, "about": about})
    content = json.loads(path.read_text("utf-8"))
    return Exported(path, tuple(files), tuple(proof.figures), proof.bounds or BOUNDS["fp32"], content)


def checked(request: Request, target: Target, subject: Subject) -> Request:
    """The request with every choice made; raises InputError for what cannot be had."""
    name = request.target
    precision = choose(name, "precision", request.precision, target.precisions, target.why)
    preprocess = choose(name, "preprocess", request.preprocess, target.preprocess)
    if request.frames < FRAMES:
        raise InputError(f"expected {FRAMES} frames or more for the parity check, got {request.frames}; ask for more")
    if request.refine and subject.network.reduces_itself:
        raise InputError(f"{subject.name} refines by itself: leave --refine out; --ratio sets what it sees")
    if request.refine and not target.refines:
        raise InputError(f"expected a target that can hold the refinement, got {name}; --to onnx, openvino or tflite")
    if request.ratio and not target.reduces:
        raise InputError(f"expected no --ratio for {name}, got {request.ratio}: the camera's picture is scaled before")
    check_options(name, request.device)
    size = request.size
    any_size = target.any_size and subject.network.any_size
    if size == ANY and not any_size:
        what = f"a file for {name}" if not target.any_size else f"the graph of {subject.kind}"
        raise InputError(f"{what} is of one size; give --size WIDTHxHEIGHT")
    if size is None:
        fixed, view = request.refine and request.ratio is None, target.view
        size = ANY if any_size and not fixed else view if fixed or request.ratio else subject.natural_size(view)
    clips = request.clips or (SAMPLE / "talk.mp4",)
    return replace(request, precision=precision, preprocess=preprocess, size=size, clips=clips)


def _module(request: Request, target: Target, subject: Subject) -> Deployed:
    size = None if request.size == ANY or isinstance(request.size, str) else request.size
    own = subject.network.reduces_itself
    subject = subject.at_ratio(request.ratio)
    ratio = None if own else request.ratio
    found = geometry(subject.network, size, ratio, pixels=subject.pixels, refine=request.refine)
    inside = request.preprocess == "inside" and bool(target.suffixes)  # in a device's folder AIPP is that
    return Deployed(subject.network, found, inside=inside, refine=request.refine)


def _converted(job: Job, target: Target, eight: Eight | None) -> Converted:
    if eight is not None and target.suffixes == (".onnx",):
        return eight.made
    return converter_of(target)(job)


def _proof(
    request: Request, subject: Subject, job: Job, made: Converted, eight: Eight | None, watch: Watch
) -> card.Proof:
    """The parity check: what the file differs by; raises ParityError if that is too much."""
    if request.target == "coreml" and platform.system() != "Darwin":
        return card.Proof(why_not=made.notes[0])
    draft = job.folder / "draft.json"
    blank = card.Proof(why_not="not yet")
    card.save(draft, card.content(subject, job, made, request.target, "", blank, refine=request.refine))
    bounds = request.bounds or BOUNDS[job.precision]
    backend = ExportedBackend(draft, threads=1)  # one thread: the same figures on every machine of a kind
    rows = quality(eight, backend, watch) if eight else []
    found = figures(backend, job.module, request.clips, request.frames, watch)
    what = f"{subject.name} for {request.target} in {job.precision}"
    remedy = "Take a finer --precision, or wider bounds by --allow LARGEST,MEAN,DTSSD"
    require_parity(found, bounds, what, "torch", remedy)
    return card.Proof(found, bounds, backend.engine, quality=rows, eight=eight.summary() if eight else {})
