"""Videos in hand: one private folder each, a few worked on at a time, results kept for a while and over a restart."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from koutu.files import whole_file
from koutu.server.errors import not_found
from koutu.server.service import Service
from koutu.server.work import Order
from koutu.server.workers import Here, Workers, workers
from koutu.types import InputError, OutputError

State: TypeAlias = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")
SWEEP_SECONDS = 15
TEMPORARY = "koutu-videos-"  # names of folders that nobody named begin so
LOCK = ".lock"
SETTLED_SECONDS = 60  # a folder this young may be about to be locked
CARD = "job.json"
_ID = re.compile(r"[A-Za-z0-9_-]{32}")


@dataclass
class Job:
    """One video. Moments are seconds since 1970."""

    id: str
    folder: Path
    suffix: str  # of the result, ".mp4"
    state: State = "waiting"
    created: float = field(default_factory=time.time)
    started: float | None = None
    finished: float | None = None
    frames: int = 0
    total: int | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    leave: Callable[[], None] = lambda: None  # gives its place to another

    @property
    def result(self) -> Path:
        """Where the result is, once it is done."""
        return self.folder / f"result{self.suffix}"

    def card(self) -> dict[str, Any]:
        """What must be known after a restart."""
        names = ("state", "suffix", "created", "started", "finished", "frames", "total", "error", "notes")
        return {name: getattr(self, name) for name in names}


class Jobs:
    """All videos in hand. For one event loop."""

    def __init__(self, service: Service):
        self.service, self.held = service, dict[str, Job]()
        self._waiting: asyncio.Queue[tuple[Job, Order]] = asyncio.Queue()
        self._running: dict[str, asyncio.Future[None]] = {}
        self._held = ExitStack()
        self._workers: Workers = Here()
        self._tasks: list[asyncio.Task[None]] = []
        self._root = Path()
        self._lock: Any = None
        service.counters.gauges["koutu_videos"] = self._gauge

    def open(self) -> None:
        """Make or find the folder, take up what was finished before, begin to work."""
        kept = self.service.settings.jobs_folder
        self._root = _private(kept) if kept else _temporary()
        self._lock = _locked(self._root)
        self._workers = self._held.enter_context(workers(self.service.settings))
        for folder in self._root.iterdir():
            if _ID.fullmatch(folder.name) and folder.is_dir():
                self._take_up(folder)
        work = [self._work() for _ in range(self._workers.at_one_time)]
        self._tasks = [asyncio.create_task(one) for one in (*work, self._sweep())]

    async def close(self) -> None:
        """End what runs; results stay if the folder is one that was named, and go with it otherwise."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for job in [job for job in self.held.values() if job.state not in ENDED]:
            self._forget(job)
        self._held.close()
        if self._lock is not None:
            self._lock.close()
        if self.service.settings.jobs_folder is None:
            shutil.rmtree(self._root, ignore_errors=True)

    def make(self, suffix: str) -> Job:
        """A new job with an empty folder, for its files; not begun."""
        name = secrets.token_urlsafe(24)
        folder = self._root / name
        folder.mkdir(mode=0o700)
        return Job(name, folder, suffix)

    def begin(self, job: Job, order: Order, leave: Callable[[], None]) -> None:
        """Let it be worked on when its turn comes; `leave` is called when it has ended."""
        self.held[job.id] = job
        job.leave = leave
        self._waiting.put_nowait((job, order))

    def discard(self, job: Job) -> None:
        """Remove a job that was not begun."""
        shutil.rmtree(job.folder, ignore_errors=True)

    def get(self, name: str) -> Job:
        """The job of that number; raises Refused (404)."""
        job = self.held.get(name)
        if job is None:
            raise not_found("expected the number of a video that is in hand, got another; results are kept for a while")
        return job

    async def cancel(self, job: Job) -> None:
        """End it; a finished one is removed with its result."""
        if job.state in ENDED:
            self._forget(job)
            return
        self._end(job, "cancelled")
        if work := self._running.get(job.id):
            await _ended(work)

    def before(self, job: Job) -> int:
        """How many others come first."""
        if job.state != "waiting":
            return 0
        return sum(
            other.state in ("waiting", "running") and other.created < job.created for other in self.held.values()
        )

    def expires(self, job: Job) -> float | None:
        """When it will be forgotten."""
        return job.finished + 60 * self.service.limits.keep_minutes if job.finished else None

    async def _work(self) -> None:
        while True:
            job, order = await self._waiting.get()
            if job.state == "waiting":
                job.state, job.started = "running", time.time()
                await self._watch(job, asyncio.ensure_future(self._run(job, order)))

    async def _watch(self, job: Job, work: "asyncio.Future[None]") -> None:
        """Until the work ends, is cancelled, or takes too long."""
        limit = 60 * self.service.limits.job_minutes
        self._running[job.id] = work
        try:
            await asyncio.wait({work}, timeout=limit)
            if not work.done():
                job.error = f"expected the work to take at most {limit} s, it took longer; cut the video"
                self._end(job, "failed")
            elif not work.cancelled() and (error := work.exception()):  # no process, or one that talks nonsense
                job.error = f"the work could not be done ({type(error).__name__})"
                self._end(job, "failed")
        finally:
            del self._running[job.id]
            await _ended(work)

    async def _run(self, job: Job, order: Order) -> None:
        """The work on one video, from start to end."""
        work = self._workers.work(order, job.folder)
        said: dict[str, Any] = {}
        try:
            async for said in work:
                job.frames, job.total = said.get("frames", job.frames), said.get("total", job.total)
            self._note(job, said)
        finally:
            await work.aclose()

    def _note(self, job: Job, said: dict[str, Any]) -> None:
        if job.state != "running":
            return  # cancelled
        if "done" in said and job.result.is_file():
            job.frames = job.total = said["done"]["frames"]
            job.notes = said["done"]["notes"]
            self._end(job, "done")
        else:
            job.error = said.get("error", "the work ended before its time; the video may be damaged")
            self._end(job, "failed")

    def _end(self, job: Job, state: State) -> None:
        job.state, job.finished = state, time.time()
        job.leave()
        self.service.counters.add("koutu_videos_total", state=state)
        if job.folder.is_dir():
            for path in job.folder.iterdir():  # the client's own files are not needed any more
                if path != job.result or state != "done":
                    path.unlink(missing_ok=True)
            with whole_file(job.folder / CARD) as file:
                file.write(json.dumps(job.card()).encode())

    def _forget(self, job: Job) -> None:
        self.held.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    def _take_up(self, folder: Path) -> None:
        """What an earlier server left: finished work is kept, anything else removed."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            job = Job(folder.name, folder, **json.loads((folder / CARD).read_text()))
            if job.state in ENDED and (job.state != "done" or job.result.is_file()):
                self.held[job.id] = job
                return
        shutil.rmtree(folder, ignore_errors=True)

    async def _sweep(self) -> None:
        while True:
            for job in list(self.held.values()):
                expires = self.expires(job)
                if expires is not None and expires < time.time():
                    self._forget(job)
            await asyncio.sleep(SWEEP_SECONDS)

    def _gauge(self) -> list[tuple[dict[str, str], float]]:
        states = [job.state for job in self.held.values()]
        return [({"state": state}, states.count(state)) for state in ("waiting", "running", *ENDED)]


async def _ended(work: "asyncio.Future[None]") -> None:
    """Cancel it, and wait until what it holds is let go."""
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


def _private(folder: Path) -> Path:
    """The folder, made if missing, for nobody else's eyes; raises InputError for a name that temporary ones have."""
    if folder.name.startswith(TEMPORARY):
        raise InputError(f"expected a folder whose name does not begin with {TEMPORARY}, got {folder}; name another")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"expected a folder for videos at {folder}, got {error.strerror}; name another") from error
    return folder.resolve()


def _temporary() -> Path:
    """A new folder among the system's temporary ones; those that killed servers left there are removed."""
    if hasattr(os, "getuid"):  # not on Windows, where folders are not locked
        for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
            with contextlib.suppress(OSError, InputError):
                status = folder.lstat()
                ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
                if ours and status.st_mtime < time.time() - SETTLED_SECONDS:
                    _remove_abandoned(folder)
    return Path(tempfile.mkdtemp(prefix=TEMPORARY))


def _remove_abandoned(folder: Path) -> None:
    """Remove it and all in it, the lock last, so that what stays is found again; raises InputError if it is in use."""
    with _locked(folder):
        for path in folder.iterdir():
            if path.name != LOCK:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(folder)


def _locked(folder: Path) -> Any:
    """Hold the folder, so that no second server removes what this one works on; raises InputError."""
    file = open(folder / LOCK, "a")  # noqa: SIM115 - held until the server ends
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows
        pass
    except OSError as error:
        file.close()
        raise InputError(
            f"expected {folder} for this server alone, another one uses it; name another folder"
        ) from error
    return file
