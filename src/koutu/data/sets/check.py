"""What a data set holds and what is wrong with it: every example read once, duplicates found, the most telling kept."""

import heapq
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from koutu.data.sets.contact_sheet import Cell, make_cell
from koutu.data.sets.duplicates import Mark, alike, mark
from koutu.data.sets.example import Broken, Clip, DataSet, Example
from koutu.types import Rgb

Progress = Callable[[int, int, str], None]  # clips done, clips in all, the clip now
Rank = tuple[bool, float, tuple[int, ...]]  # how telling: odd, soft, early in the alphabet
_GREY = 128  # what cut-outs are put on, to be looked at and compared


@dataclass(frozen=True)
class Seen:
    """The facts of one example. soft: share of pixels with 0 < alpha < 1; covered: mean alpha; None without truth."""

    name: str
    size: tuple[int, int]
    binary: bool
    soft: float | None
    covered: float | None
    mark: Mark | None  # of an image, or of a clip's first frame
    file: Path | None = None  # that it came from: splits may share images and differ in trimaps

    @property
    def odd(self) -> bool:
        """The truth is all background or all person."""
        return self.covered is not None and self.covered in (0.0, 1.0)


@dataclass
class Summary:
    """One set, or one split of it."""

    data: DataSet
    seen: list[Seen] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    cells: list[tuple[Rank, Cell]] = field(default_factory=list)  # a heap, the least telling first

    def facts(self) -> dict[str, Any]:
        """Counts, sizes and shares, for JSON. Sizes are [W, H], by area; soft is a mean over mattes."""
        sizes = sorted(((s.size[1], s.size[0]) for s in self.seen), key=lambda size: size[0] * size[1])
        softs = [s.soft for s in self.seen if s.soft is not None and not s.binary]
        truths = [s for s in self.seen if s.soft is not None]
        return {
            "name": self.data.name, "layout": self.data.layout, "split": self.data.split, "root": str(self.data.root),
            "clips": sum(not clip.still for clip in self.data.clips),
            "stills": sum(clip.still for clip in self.data.clips), "pictures": len(self.seen),
            "cutouts": self.data.cutouts,
            "sizes": {k: list(sizes[i]) for k, i in _quantiles(len(sizes)).items()},
            "soft": float(np.mean(softs)) if softs else None,
            "binary": sum(s.binary for s in truths) / len(truths) if truths else None,
            "without_truth": len(self.seen) - len(truths), "empty_or_full": [s.name for s in self.seen if s.odd],
            "broken": [asdict(item) for item in self.broken],
        }  # fmt: skip


@dataclass
class Findings:
    """Of all sets read. duplicates: groups of (set, name) that look the same."""

    summaries: list[Summary]
    duplicates: list[list[tuple[str, str]]]

    @property
    def broken(self) -> int:
        """How many files or pairs cannot be used."""
        return sum(len(summary.broken) for summary in self.summaries)

    @property
    def between(self) -> list[list[tuple[str, str]]]:
        """Groups whose members lie in different sets or splits."""
        return [group for group in self.duplicates if len({data for data, _ in group}) > 1]

    def cells(self) -> list[Cell]:
        """The most telling examples: truths without anybody or anything else, then the softest."""
        cells = [item for summary in self.summaries for item in summary.cells]
        return [cell for _, cell in sorted(cells, key=lambda item: item[0], reverse=True)]


def check_sets(
    sets: Sequence[DataSet],
    *,
    threads: int = 0,
    keep: int = 0,
    progress: Progress = lambda done, total, clip: None,
) -> Findings:
    """Read every example of every set, in bounded memory, with so many threads (0: as many as the processor runs).

    keep: so many examples of each set for a contact sheet.
    """
    summaries = [Summary(data, broken=list(data.broken)) for data in sets]
    work = [(summary, clip) for summary in summaries for clip in summary.data.clips]
    stop = threading.Event()
    with ThreadPoolExecutor(threads or None) as pool:
        try:
            for done, (summary, clip, found) in enumerate(_results(pool, work, stop, keep > 0)):
                for item in found:
                    _add(summary, item, keep)
                progress(done + 1, len(work), clip.name)
        except BaseException:
            stop.set()  # running clips end after the frame they are at
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    for summary in summaries:
        summary.seen.sort(key=lambda seen: seen.name)
        summary.broken.sort(key=lambda broken: broken.name)
    names = [data.name for data in sets]
    labels = [data.name if names.count(data.name) == 1 else f"{data.root} {data.split}" for data in sets]
    return Findings(summaries, _duplicates(dict(zip(labels, summaries, strict=True))))


def _duplicates(summaries: dict[str, Summary]) -> list[list[tuple[str, str]]]:
    """Groups of (set, name); a file that several splits hold is taken once."""
    names: list[tuple[str, str]] = []
    marks: list[Mark] = []
    files: set[Path] = set()
    for label, summary in summaries.items():
        for seen in summary.seen:
            if seen.mark is None or seen.file in files:
                continue
            if seen.file is not None:
                files.add(seen.file)
            names.append((label, seen.name))
            marks.append(seen.mark)
    return [[names[i] for i in group] for group in alike(marks)]


Item = Broken | tuple[Seen, Cell | None]


def _results(
    pool: ThreadPoolExecutor, work: Sequence[tuple[Summary, Clip]], stop: threading.Event, cells: bool
) -> Iterator[tuple[Summary, Clip, list[Item]]]:
    """Each clip's findings when they are there; never many clips ahead."""
    pending: dict[Future[list[Item]], tuple[Summary, Clip]] = {}
    queue = iter(work)
    while True:
        while len(pending) < 64 and (job := next(queue, None)) is not None:
            pending[pool.submit(_clip, job[1], stop, cells)] = job
        if not pending:
            return
        for future in wait(pending, return_when=FIRST_COMPLETED).done:
            summary, clip = pending.pop(future)
            yield summary, clip, future.result()


def _clip(clip: Clip, stop: threading.Event, cells: bool) -> list[Item]:
    """One clip's frames; of a moving one only the first is compared with others and shown."""
    found: list[Item] = []
    first = True
    for item in clip.examples():
        if stop.is_set():
            break
        if isinstance(item, Broken):
            found.append(item)
            continue
        picture = _shown(item)
        seen = _seen(item, picture if first else None, clip.frames.first_file)
        found.append((seen, make_cell(item.name, picture, item.pha) if first and cells else None))
        first = False
    return found


def _seen(example: Example, picture: Rgb | None, file: Path | None) -> Seen:
    pha = example.pha
    height, width = next(x for x in (example.src, example.fgr, pha) if x is not None).shape[:2]
    soft = None if pha is None else float(((pha > 0) & (pha < 1)).mean())
    covered = None if pha is None else float(pha.mean(dtype=np.float64))
    look = None if picture is None else mark(picture)
    return Seen(example.name, (height, width), example.binary, soft, covered, look, file)


def _shown(example: Example) -> Rgb:
    """The image, or the cut-out on grey."""
    if example.src is not None:
        return example.src
    assert example.fgr is not None and example.pha is not None
    alpha = example.pha[..., None]
    return (example.fgr * alpha + np.float32(_GREY) * (1 - alpha)).astype(np.uint8)


def _add(summary: Summary, item: Item, keep: int) -> None:
    if isinstance(item, Broken):
        summary.broken.append(item)
        return
    seen, cell = item
    summary.seen.append(seen)
    if cell is not None:
        rank = seen.odd, seen.soft or 0.0, tuple(-ord(letter) for letter in seen.name)  # of equals the first by name
        heapq.heappush(summary.cells, (rank, cell))
        if len(summary.cells) > keep:
            heapq.heappop(summary.cells)


def _quantiles(count: int) -> dict[str, int]:
    return {"min": 0, "median": count // 2, "max": count - 1} if count else {}
