"""Several networks over a data set, clip by clip, in bounded memory; finished clips survive an interruption."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from koutu.data.sets.open import Broken, Clip, DataSet, Example
from koutu.engines.backend import Backend
from koutu.engines.opinion import Opinion
from koutu.evaluation import recovery
from koutu.evaluation.gallery import Gallery
from koutu.evaluation.measure import Scorer, SharedMotion, badness
from koutu.evaluation.result import ClipResult, Evaluation
from koutu.evaluation.settings import MeasureSettings
from koutu.files import folder as make_folder
from koutu.files import whole_file
from koutu.matting.hints import Hints
from koutu.matting.matter import Matter
from koutu.trimap import trimap_from_mask
from koutu.types import Frame, InputError, KoutuError, OutputError
from koutu.zoo import load_opinion

ROWS = "rows.jsonl"
RATE = Fraction(1, 30)

Progress = Callable[[int, int, str], None]  # clips done, clips in all, the clip now


def evaluate(
    models: Mapping[str, Backend],
    data: DataSet,
    folder: Path,
    *,
    settings: MeasureSettings | None = None,
    guess: Callable[[Frame], Any] | None = None,
    opinion: Callable[[], Opinion] = load_opinion,
    progress: Progress = lambda done, total, clip: None,
) -> Evaluation:
    """Run every network on every clip as `Matter` does for users, and write a line a clip and network to the folder.

    A folder that holds part of the same run is taken up where it ended; one of another run raises InputError. guess:
    a Matter whose alpha stands for masks that networks need (`Hints`). opinion: loads the second opinion, if `settings`
    let stills get one. A network that fails on a clip gets its error as
    result, a broken file is listed with its clip; neither stops the run.
    """
    settings = settings or MeasureSettings()
    head = {
        "koutu": 1, "models": {name: backend.name for name, backend in models.items()}, "settings": asdict(settings),
        "data": {"name": data.name, "layout": data.layout, "split": data.split, "root": str(data.root),
                 "clips": len(data.clips), "broken": [asdict(b) for b in data.broken]},
    }  # fmt: skip
    make_folder(folder)
    results = _taken_up(folder / ROWS, head)
    gallery = Gallery(folder)
    for result in results:
        gallery.known(result)
    done = {(r.model, r.clip) for r in results}
    asked = opinion() if settings.opinion and any(clip.still for clip in data.clips) else None
    for i, clip in enumerate(data.clips):
        progress(i, len(data.clips), clip.name)
        pending = {name: backend for name, backend in models.items() if (name, clip.name) not in done}
        other = data.clips[(i + 1) % len(data.clips)]
        for result in _on_clip(pending, (clip, other), settings, guess, asked, gallery):
            _append(folder / ROWS, asdict(result))
            results.append(result)
    progress(len(data.clips), len(data.clips), "")
    return Evaluation(head["models"], head["data"], settings, results, folder)


def _on_clip(
    models: Mapping[str, Backend],
    clips: tuple[Clip, Clip],
    settings: MeasureSettings,
    guess: Callable[[Frame], Any] | None,
    opinion: Opinion | None,
    gallery: Gallery,
) -> list[ClipResult]:
    """The clip is read once for all networks; with `settings.recovery` it and the other, for its memory, once more."""
    clip, other = clips
    moved = SharedMotion()
    stages = [_Stage(name, backend, clip, settings, guess, opinion, moved) for name, backend in models.items()]
    if not stages:
        return []
    for at, item in enumerate(clip.examples()):
        for stage in stages:
            stage(item, at)
    for stage in stages:
        stage.finish(gallery)
    if settings.recovery:
        _try(stages, clip, other)
    return [stage.result for stage in stages]


def _try(stages: "Sequence[_Stage]", clip: Clip, other: Clip) -> None:
    """Every network's memory on the first frames of the clip."""
    if clip.still:
        for stage in stages:
            stage.result.untried = "a still; give clips"
        return
    frames = list(islice(clip.examples(), recovery.LENGTH))
    another = list(islice(other.examples(), recovery.BEFORE)) if other is not clip and not other.still else []
    for stage in stages:
        stage.memory(frames, another)


class _Stage:
    """One network on one clip."""

    def __init__(
        self, name: str, backend: Backend, clip: Clip, settings: MeasureSettings, guess: Any, opinion: Opinion | None,
        moved: SharedMotion,
    ):  # fmt: skip
        self.result = ClipResult(name, clip.name, clip.still)
        hints = Hints(mask="auto", guess=guess) if guess else None
        self.matter = Matter(
            backend, hints=hints, looks=settings.looks, zoom=settings.zoom, solve=clip.still or None,
            opinion=opinion if clip.still else None,
        )  # fmt: skip
        self.scorer = Scorer(settings, clip.still, "trimap" in backend.needs, moved)
        self.settings = settings
        self.worst: tuple[Example, np.ndarray] | None = None

    def __call__(self, item: Example | Broken, at: int) -> None:
        if isinstance(item, Broken):
            self.result.broken.append(asdict(item))
            self.matter.reset()
            return
        if self.result.error:
            return
        if item.src is None:
            self.result.error = "the set has cut-outs only, nothing to look at; compose them first"
            return
        try:
            frame, hints = Frame(item.src, at, RATE), self._hints(item)
            started = perf_counter()
            matte = self.matter(frame, **hints)
            self.result.matting_seconds += perf_counter() - started
            row = self.scorer(item, matte.alpha, matte.foreground)
        except KoutuError as e:
            self.result.error = f"{item.name}: {e}"
            return
        self.result.names.append(item.name)
        self.result.rows.append(row)
        self.result.low_frames += matte.low
        worst = self.result.worst
        if worst < 0 or badness(row) > badness(self.result.rows[worst]):
            self.result.worst, self.worst = len(self.result.rows) - 1, (item, matte.alpha)

    def finish(self, gallery: Gallery) -> None:
        if self.worst is not None:
            gallery.offer(self.result, *self.worst)

    def memory(self, frames: Sequence[Example | Broken], other: Sequence[Example | Broken]) -> None:
        """What becomes of the network's memory; a network that failed on the clip is not asked again."""
        if self.result.error:
            return
        try:
            looks = self.settings.looks
            found = recovery.trials(self.matter.backend, frames, other, hints=self._hints, looks=looks)
            self.result.trials = [asdict(trial) for trial in found]
        except KoutuError as e:
            self.result.untried = str(e)

    def _hints(self, example: Example) -> dict[str, Any]:
        """What the set knows of the frame: its trimap, or one made of the truth; its background."""
        needs, hints = self.matter.backend.needs, {}
        if "trimap" in needs and example.trimap is not None:
            hints["trimap"] = example.trimap
        elif "trimap" in needs and example.pha is not None:
            hints["trimap"] = trimap_from_mask(example.pha, self.settings.trimap_radius, sure=0.999, trace=0.001)
        if "bgr" in needs and example.bgr is not None:
            hints["bgr"] = example.bgr
        return hints


def _taken_up(path: Path, head: dict[str, Any]) -> list[ClipResult]:
    """The finished clips of a run begun before; the file is begun if there is none, its torn last line dropped."""
    try:
        lines = path.read_text().splitlines() if path.exists() else []
        parsed = list(_whole(lines))
        if not parsed:
            path.write_text(json.dumps(head) + "\n")
            return []
        if parsed[0] != json.loads(json.dumps(head)):
            changed = [key for key in head if parsed[0].get(key) != json.loads(json.dumps(head[key]))]
            raise InputError(
                f"expected {path} to hold a part of this run, got one with other {', '.join(changed)}; "
                "name another folder, or remove this one"
            )
        whole = "".join(json.dumps(line) + "\n" for line in parsed)
        if len(parsed) != len(lines):
            with whole_file(path) as file:
                file.write(whole.encode())
    except OSError as e:
        raise OutputError(f"{path} could not be read or written: {e.strerror}; choose another folder") from e
    return [ClipResult(**line) for line in parsed[1:]]


def _whole(lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:  # the run was stopped while it wrote this line
            return


def _append(path: Path, line: dict[str, Any]) -> None:
    try:
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as e:
        raise OutputError(
            f"{path} could not be written: {e.strerror}; make room, then give the same command: it goes on here"
        ) from e
