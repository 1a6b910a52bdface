"""Who does the tasks: this process itself, or processes of this machine."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

from koutu.batch.task import Answer, Lost, Task, answer_of
from koutu.batch.work import answered
from koutu.machine import cores

GRACE_SECONDS = 5
_FROM_OUTSIDE = (9, signal.SIGTERM)  # Windows knows no name for the first
ROOM = 1.25  # of the memory that one task took, for others


class Pool(ABC):
    """capacity: how many tasks it takes now; it may change while a batch runs."""

    capacity: int

    @abstractmethod
    def submit(self, task: Task) -> "Future[Answer]":
        """Begin a task; the future raises what `answer_of` does, or Lost."""

    @abstractmethod
    def close(self) -> None:
        """End what runs, and let go of everything."""

    def measured(self, peak_mb: float) -> None:  # noqa: B027 - most divide nothing by it
        """Told what a task took, before the next is submitted."""


class Alone(Pool):
    """This process: nothing is divided, and what crashes crashes all."""

    capacity = 1

    def submit(self, task: Task) -> "Future[Answer]":
        done: Future[Answer] = Future()
        try:
            done.set_result(answer_of(answered(task)))
        except Exception as error:
            done.set_exception(error)
        return done

    def close(self) -> None:
        """Nothing is held."""


class Processes(Pool):
    """Processes that are begun when they are needed and serve until they crash or all is over.

    workers: 0 for one until its first task is measured, and then as many as the cores, of which each has `threads`, and
    `limit_mb` megabytes allow.
    """

    def __init__(self, workers: int, *, threads: int = 1, limit_mb: int = 0):
        self.capacity, self._measures = workers or 1, not workers
        self._each, self._limit_mb = max(1, threads), limit_mb
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()
        self._lock, self._closed = threading.Lock(), False
        self._threads = ThreadPoolExecutor(max_workers=workers or cores(), thread_name_prefix="koutu-batch")

    @property
    def running(self) -> list[int]:
        """The processes' numbers."""
        with self._lock:
            return [process.number for process in self._all]

    def submit(self, task: Task) -> "Future[Answer]":
        return self._threads.submit(self._run, task)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            running = list(self._all)
        for process in running:
            process.terminate()
        for process in running:
            process.stop()
        self._threads.shutdown(cancel_futures=True)
        for process in running:
            process.end()
        self._all.clear()

    def measured(self, peak_mb: float) -> None:
        if self._measures and peak_mb:
            by_memory = int(self._limit_mb / (ROOM * peak_mb)) if self._limit_mb else cores()
            self.capacity, self._measures = max(1, min(cores() // self._each, by_memory)), False

    def _run(self, task: Task) -> Answer:
        with self._lock:
            if self._closed:
                raise Lost("the batch was ended", ours=True)
            process = self._idle.pop() if self._idle else _Process()
            self._all.add(process)
        try:
            answer = process.ask(task)
        except BaseException:
            with self._lock:
                self._all.discard(process)
            process.end()
            raise
        with self._lock:
            self._idle.append(process)
        return answer_of(answer)


class _Process:
    """One worker."""

    def __init__(self) -> None:
        try:
            self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - held until the process ends
            self._process = subprocess.Popen(
                [sys.executable, "-m", "koutu.batch.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self._errors, text=True, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Lost(f"no worker could be started ({error.strerror})", ours=True) from error

    @property
    def number(self) -> int:
        """Its process's."""
        return self._process.pid

    def ask(self, task: Task) -> str:
        """Its answer; raises Lost."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(f"{task.text()}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except OSError:
            answer = ""
        if answer.endswith("\n"):
            return answer
        code = self._process.wait()
        if -code in _FROM_OUTSIDE or code == 128 + signal.SIGTERM:
            raise Lost(f"its worker {_ended(code)}, as the system does where memory runs out", ours=True)
        raise Lost(f"its worker {_ended(code)}{self._last_words()}", ours=False)

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> None:
        """The same, and soon make it."""
        self.terminate()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def end(self) -> None:
        """The same, and close what belongs to it; nobody may be asking it."""
        self.stop()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            if file is not None:
                with contextlib.suppress(OSError):  # what was not read any more
                    file.close()

    def _last_words(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 2000))
        lines = [line for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        return f": {lines[-1].strip()[:200]}" if lines else ""


def _ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"left with status {code}"
