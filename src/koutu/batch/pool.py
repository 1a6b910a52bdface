"""Who does the tasks: this process itself, or processes of this machine."""

import threading
from abc import ABC, abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor

from koutu.batch.process import Process
from koutu.batch.sources import Item
from koutu.batch.task import Answer, Lost, Task, answer_of
from koutu.batch.work import answered
from koutu.machine import cores

ROOM = 1.25  # of the memory that one task took, for others


class Pool(ABC):
    """Workers."""

    @property
    @abstractmethod
    def capacity(self) -> int:
        """How many tasks it takes now; it may change while a batch runs."""

    def require_reach(self, items: list[Item], target: str) -> None:  # noqa: B027 - most stand where the items are
        """Raise InputError unless workers have what of these is no address; a target on this machine is made."""

    @abstractmethod
    def submit(self, task: Task) -> "Future[Answer]":
        """Begin a task; the future raises what `answer_of` does, or Lost."""

    @abstractmethod
    def close(self) -> None:
        """End what runs, and let go of everything."""

    def measured(self, peak_mb: float) -> None:  # noqa: B027 - most divide nothing by it
        """Told what a task took, before the next is submitted."""

    def share_mb(self, limit_mb: int) -> int:
        """Megabytes that each worker may take, where all of a machine's may take `limit_mb`; 0 for any."""
        return limit_mb // max(1, self.capacity)


class Alone(Pool):
    """This process: nothing is divided, and what crashes crashes all."""

    @property
    def capacity(self) -> int:
        return 1

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
        self._capacity, self._measures = workers or 1, not workers
        self._each, self._limit_mb = max(1, threads), limit_mb
        self._idle: list[Process] = []
        self._all: set[Process] = set()
        self._lock, self._closed = threading.Lock(), False
        self._threads = ThreadPoolExecutor(max_workers=workers or cores(), thread_name_prefix="koutu-batch")

    @property
    def capacity(self) -> int:
        return self._capacity

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
            self._capacity, self._measures = max(1, min(cores() // self._each, by_memory)), False

    def _run(self, task: Task) -> Answer:
        with self._lock:
            if self._closed:
                raise Lost("the batch was ended", ours=True)
            process = self._idle.pop() if self._idle else Process()
            self._all.add(process)
        try:
            answer = process.ask(task.text())
        except BaseException:
            with self._lock:
                self._all.discard(process)
            process.end()
            raise
        with self._lock:
            self._idle.append(process)
        return answer_of(answer)
