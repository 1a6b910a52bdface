"""`koutu data render`: what is missing of the first so many samples of a seed is rendered, one after another."""

import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from koutu import __version__
from koutu.data.render.assets import LICENCE, SOURCES, check_assets
from koutu.data.render.blender import Blender, Died, interpreter, version
from koutu.data.render.plan import FRAMES, PLAN, Sample, samples
from koutu.data.render.shelf import LOG, Shelf
from koutu.types import InputError, ModelError, OutputError

FORMAT = 1
_RENEWED = 30  # casts after which Blender begins anew: what it leaks is freed
_IN_A_ROW = 5  # failures after which something is wrong with all
_SECONDS, _SECONDS_A_FRAME = 1800.0, 300.0  # that a sample may take
_PHOTOGRAPHS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_INDEXED = 60.0  # seconds between indexes, and more where one takes long

Progress = Callable[[int, int, str], None]  # samples done, samples in all, the one now


@dataclass(frozen=True)
class RenderOrder:
    """What is asked for. size: width, height in pixels. samples: a pixel's of colour; alpha_samples: of alpha.

    retry: what failed before is tried once more.
    """

    count: int
    seed: int = 0
    kinds: Sequence[str] = ("still", "still", "still", "group", "clip")
    size: tuple[int, int] = (512, 288)
    samples: int = 12
    alpha_samples: int = 48
    threads: int = 1
    assets: Path | None = None
    backgrounds: Path | None = None
    python: str = ""
    retry: bool = False


@dataclass
class RenderReport:
    """Names of samples rendered now, found whole, and redone because they were half; reasons of those that failed."""

    made: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    mended: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    cpu: float = 0.0


def render_people(
    order: RenderOrder, out: Path, *, progress: Progress = lambda done, total, name: None
) -> RenderReport:
    """Fill the folder. InputError, ModelError and OutputError end the run; a sample that fails is only reported."""
    python = interpreter(order.python)
    assets = check_assets(order.assets)
    photographs = _photographs(order.backgrounds)
    wanted = list(samples(order.seed, order.count, order.kinds, order.size))
    shelf, report = Shelf(out), RenderReport()
    words = [str(assets.resolve()), str(order.samples), str(order.alpha_samples), str(order.threads)]
    with shelf.locked():
        shelf.open(_about(order, version(python), photographs))
        todo = [sample for sample in wanted if _to_do(sample, shelf, report, retry=order.retry)]
        try:
            _Studio(python, words, shelf, order, photographs, report, progress).work(todo, len(report.found))
        finally:
            shelf.clear_parts()
            shelf.write_index()
    return report


def _to_do(sample: Sample, shelf: Shelf, report: RenderReport, *, retry: bool) -> bool:
    """Whether it is to be rendered; noted if it is there, half there or failed before."""
    lacking, reason = shelf.missing(sample), shelf.failed(sample)
    if not lacking:
        report.found.append(sample.name)
    elif reason and not retry:
        report.failed[sample.name] = reason
    elif lacking != "absent":
        report.mended[sample.name] = lacking
    return bool(lacking) and (retry or not reason)


@dataclass
class _Studio:
    """The loop of a run."""

    python: str
    words: list[str]
    shelf: Shelf
    order: RenderOrder
    photographs: list[Path]
    report: RenderReport
    progress: Progress
    blender: Blender | None = None
    casts: set[str] = field(default_factory=set)
    row: int = 0

    def work(self, todo: Sequence[Sample], found: int) -> None:
        """Render each; the index follows now and then."""
        indexed, pause = monotonic(), _INDEXED
        with ExitStack() as stack:
            for number, sample in enumerate(todo):
                self.progress(found + number, found + len(todo), sample.name)
                self._one(sample, stack)
                if (begun := monotonic()) - indexed > pause:
                    self.shelf.write_index()
                    indexed = monotonic()
                    pause = max(_INDEXED, 20 * (indexed - begun))

    def _one(self, sample: Sample, stack: ExitStack) -> None:
        if self.blender is None or len(self.casts | {sample.cast}) > _RENEWED:
            stack.close()
            blender = Blender(self.python, self.words, self.shelf.root / LOG, self.order.threads)
            self.blender = stack.enter_context(blender)
            self.casts = set()
        self.casts.add(sample.cast)
        photograph = self._photograph(sample)
        frames = FRAMES if sample.kind == "clip" else 1
        job = {
            "people": sample.people, "view": sample.view, "photograph": str(photograph or ""), "frames": frames,
            "out": str(self.shelf.part(sample).resolve()),
        }  # fmt: skip
        try:
            answer = self.blender.render(job, _SECONDS + _SECONDS_A_FRAME * frames)
        except Died as e:
            answer, self.blender = {"error": str(e), "disk": False}, None
        if "error" in answer:
            self._failed(sample, answer)
            return
        self.row = 0
        self.shelf.keep(sample, _record(self.order, sample, frames, photograph, answer))
        self.report.made.append(sample.name)
        self.report.cpu += answer["cpu"]

    def _failed(self, sample: Sample, answer: dict[str, Any]) -> None:
        if answer["disk"]:
            raise OutputError(
                f"{self.shelf.root}: expected room for {sample.name}, got {answer['error']}; make room and run it again"
            )
        self.row += 1
        self.shelf.fail(sample, answer["error"])
        self.report.failed[sample.name] = answer["error"]
        if self.row == _IN_A_ROW:
            raise ModelError(
                f"expected renders, got {_IN_A_ROW} failures in a row, the last: {answer['error']}; read "
                f"{self.shelf.root / LOG}, then run it again with --retry"
            )

    def _photograph(self, sample: Sample) -> Path | None:
        share = sample.view["photograph"]
        return None if share is None or not self.photographs else self.photographs[int(share * len(self.photographs))]


def _photographs(backgrounds: Path | None) -> list[Path]:
    if backgrounds is None:
        return []
    if not backgrounds.is_dir():
        raise InputError(f"{backgrounds}: expected a folder of photographs, got none; check the path")
    found = sorted(path.resolve() for path in backgrounds.rglob("*") if path.suffix.lower() in _PHOTOGRAPHS)
    if not found:
        raise InputError(f"{backgrounds}: expected photographs to light people with, got none; name their folder")
    return found


def _about(order: RenderOrder, blender: str, photographs: list[Path]) -> dict[str, Any]:
    """What makes a folder's samples the same."""
    names = "/".join(path.name for path in photographs)
    return {
        "format": FORMAT,
        "plan": PLAN,
        "seed": order.seed,
        "kinds": list(order.kinds),
        "size": list(order.size),
        "colour_samples": order.samples,
        "alpha_samples": order.alpha_samples,
        "photographs": f"{len(photographs)} ({zlib.crc32(names.encode()):08x})",
        "blender": blender,
        "licence": LICENCE,
    }


def _record(
    order: RenderOrder, sample: Sample, frames: int, photograph: Path | None, answer: dict[str, Any]
) -> dict[str, Any]:
    """All that a sample is made of."""
    return {
        "name": sample.name,
        "kind": sample.kind,
        "group": sample.cast,
        "path": sample.path,
        "size": sample.view["size"],
        "frames": frames,
        "seed": order.seed,
        "people": sample.people,
        "view": sample.view,
        "photograph": photograph.name if photograph else "",
        "licence": LICENCE,
        "sources": [f"{source.url} {source.commit}" for source in SOURCES],
        "koutu": __version__,
        "cpu_seconds": answer["cpu"],
        "build_seconds": answer["build"],
    }
