"""Who makes what next: items, their segments and what joins them, until all is made or set aside."""

import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, repeat
from pathlib import PurePosixPath
from queue import Empty, SimpleQueue

from koutu.batch.ledger import Entry, Ledger
from koutu.batch.places import absolute, is_remote, joined, removed, sizes
from koutu.batch.plan import BatchPlan, asked_of, limit_mb
from koutu.batch.pool import Pool
from koutu.batch.sources import STATE, Item
from koutu.batch.task import MADE, Answer, Cut, Lost, Made, Task
from koutu.progress import Steps
from koutu.types import KoutuError

CRASHES = 2  # of its worker, after which an item is set aside
KILLS = 5  # from outside, after which an item is left for the next run
_LOOK_SECONDS = 1.0


@dataclass
class _Job:
    """An item on its way. spans: of the segments it is cut into; left: those not made yet."""

    item: Item
    asked: str
    spans: tuple[tuple[str, str | None], ...] = ()
    left: int = 0
    failed: bool = False


@dataclass
class _Piece:
    """What one worker makes: a whole item, a segment of it by number, or all segments joined."""

    job: _Job
    number: int | None = None
    crashes: int = 0
    kills: int = 0


class Schedule:
    """The items of one run; entries: of all, as they are now."""

    def __init__(self, items: list[Item], target: str, pool: Pool, plan: BatchPlan, ledger: Ledger):
        self._target, self._pool, self._plan, self._ledger = target, pool, plan, ledger
        self._limit = limit_mb(plan)
        self.made: list[str] = []
        self.frames, self.worker_seconds, self.video_seconds = 0, 0.0, 0.0
        self.entries = ledger.entries()
        self._running: dict[Future[Answer], _Piece] = {}
        self._ended: SimpleQueue[Future[Answer]] = SimpleQueue()
        there, hashes = sizes(target), dict[tuple[str, str], str]()
        jobs = [_Job(item, asked_of(item, plan.segment, hashes)) for item in items]
        due = [job for job in jobs if self._is_due(job, there)]
        self._ready, self._all = deque(_Piece(job) for job in due), len(due)
        self._new: list[Entry] = []
        self._spent: list[str] = []
        self._keep(*(Entry(job.item.name, job.item.source, job.asked) for job in due))
        self._write()

    def work(self) -> None:
        """Until nothing is left to do."""
        began = time.monotonic()
        with Steps("batch") as steps:
            while self._ready or self._running:
                while self._ready and len(self._running) < self._pool.capacity:
                    piece = self._ready.popleft()
                    if not piece.job.failed:
                        future = self._pool.submit(self._task(piece))
                        self._running[future] = piece
                        future.add_done_callback(self._ended.put)
                if not self._ready and not self._running:
                    break
                with suppress(Empty):  # all that ended, for one write of the record takes as long as many
                    for seconds in chain([_LOOK_SECONDS], repeat(0.0)):
                        future = self._ended.get(timeout=seconds)
                        self._take(self._running.pop(future), future)
                self._write()
                steps(len(self.made), self._all, self._told(time.monotonic() - began))

    def _take(self, piece: _Piece, future: "Future[Answer]") -> None:
        try:
            answer = future.result()
        except Lost as lost:
            piece.kills, piece.crashes = piece.kills + lost.ours, piece.crashes + (not lost.ours)
            if piece.crashes < CRASHES and piece.kills < KILLS:
                self._ready.append(piece)
            else:
                self._fail(piece, str(lost), again=lost.ours)
        except KoutuError as error:
            self._fail(piece, str(error))
        else:
            if isinstance(answer, Cut):
                self._cut(piece.job, answer.spans)
                return
            self._pool.measured(answer.peak_mb)
            if piece.number is not None:
                self._segment_done(piece.job)
            else:
                self._done(piece, answer)

    def _cut(self, job: _Job, spans: tuple[tuple[str, str | None], ...]) -> None:
        """Have the segments made that no run before this one made, before other items."""
        job.spans = spans
        there = sizes(self._folder(job))
        left = [number for number in range(len(spans)) if f"{number:04d}/{MADE}" not in there]
        job.left = len(left)
        self._ready.extendleft(_Piece(job, number) for number in reversed(left))
        if not left:
            self._ready.appendleft(_Piece(job))

    def _segment_done(self, job: _Job) -> None:
        job.left -= 1
        if not job.left:
            self._ready.appendleft(_Piece(job))

    def _done(self, piece: _Piece, made: Made) -> None:
        job = piece.job
        self.frames += made.frames
        self.worker_seconds += made.seconds
        self.video_seconds += made.video_seconds
        names = {joined(self._target, name): name for name in job.item.names.values()}
        made = replace(made, files={names[place]: file for place, file in made.files.items()})
        attempts = 1 + piece.crashes + piece.kills
        self._keep(Entry(job.item.name, job.item.source, job.asked, "done", attempts=attempts, made=made))
        self.made.append(job.item.name)
        if job.spans:
            self._spent.append(self._folder(job))

    def _fail(self, piece: _Piece, reason: str, *, again: bool = False) -> None:
        """Set the item aside, or with `again` leave it for the next run."""
        job = piece.job
        if job.failed:
            return
        job.failed = True
        state, attempts = "waiting" if again else "failed", max(1, piece.crashes + piece.kills)
        self._keep(Entry(job.item.name, job.item.source, job.asked, state, reason=reason, attempts=attempts))
        self.made.append(job.item.name)

    def _keep(self, *entries: Entry) -> None:
        self._new += entries
        self.entries |= {entry.name: entry for entry in entries}

    def _write(self) -> None:
        """Record what is new, and then remove the segments that are not needed any more."""
        self._ledger.write(self._new)  # also none, so that what waits in a log is not kept longer than it says
        for folder in self._spent:
            removed(folder)
        self._new, self._spent = [], []

    def _is_due(self, job: _Job, there: dict[str, int]) -> bool:
        entry = self.entries.get(job.item.name)
        if entry is None or entry.asked != job.asked or entry.state == "waiting":
            return True
        if entry.state == "failed":
            return self._plan.retry_failed
        return any(there.get(name) != size for name, (size, _) in entry.made.files.items())

    def _task(self, piece: _Piece) -> Task:
        job, number, item = piece.job, piece.number, piece.job.item
        outputs = {output: joined(self._target, name) for output, name in item.names.items()}
        folder = "" if number is None else self._folder(job, number)
        if folder:
            outputs = {output: joined(folder, PurePosixPath(name).name) for output, name in item.names.items()}
        return Task(
            absolute(item.source), outputs, item.options.absolute().told(), item.is_picture,
            scratch="" if is_remote(self._target) else scratch_of(self._target),
            memory_mb=self._pool.share_mb(self._limit), review=self._plan.review, segment=self._plan.segment,
            span=None if number is None else job.spans[number], folder=folder,
            segments=tuple(self._folder(job, n) for n in range(len(job.spans))) if number is None else (),
        )  # fmt: skip

    def _folder(self, job: _Job, *number: int) -> str:
        """Of an item's segments, or of one of them; another where something else is asked for."""
        return joined(self._target, STATE, "segments", job.asked[:32], *(f"{n:04d}" for n in number))

    def _told(self, seconds: float) -> str:
        """Frames a second of all workers, and what a minute of video costs in seconds of one."""
        rate = f"{self.frames / max(1e-3, seconds):.1f} frames/s"
        cost = 60 * self.worker_seconds / self.video_seconds if self.video_seconds else 0.0
        return f"{rate} · {cost:.0f} s a minute" if cost else rate


def scratch_of(target: str) -> str:
    """The folder of what is not finished, in a target on this machine."""
    return joined(target, STATE, "unfinished")
