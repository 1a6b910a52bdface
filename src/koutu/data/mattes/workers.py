"""Work shared out to processes of one thread each; what they make comes as it is done."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import TypeVar

import cv2

from koutu.types import KoutuError

J = TypeVar("J")
R = TypeVar("R")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_stops: list[Event] = []  # of a worker: set when its work is broken off


@contextmanager
def in_processes(make: Callable[[J], R], jobs: Sequence[J], workers: int) -> Iterator[Iterator[R]]:
    """What `make` makes of the jobs; `workers` processes with one thread each, or this one. Raises KoutuError."""
    workers = min(workers, len(jobs))
    if workers < 2:
        yield (make(job) for job in jobs)
        return
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # read by the workers when they begin
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_begin, initargs=(stop,))
    try:
        with _unwound(), _stopping(stop):
            yield _results(pool, make, jobs)
    except BrokenProcessPool as e:
        raise KoutuError(
            "a worker ended unasked, most likely for lack of memory; run again with fewer --workers or a --long-side: "
            "what is done stays"
        ) from e
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _results(pool: ProcessPoolExecutor, make: Callable[[J], R], jobs: Sequence[J]) -> Iterator[R]:
    pending: set[Future[R]] = {pool.submit(_made, make, job) for job in jobs}
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def end_if_stopped() -> None:
    """Raises KeyboardInterrupt in a worker whose results nobody waits for any more; long jobs ask now and then."""
    if _stops and _stops[0].is_set():
        raise KeyboardInterrupt


def _made(make: Callable[[J], R], job: J) -> R:
    end_if_stopped()
    return make(job)


@contextmanager
def _stopping(stop: Event) -> Iterator[None]:
    """Whatever breaks the work off stops the workers too."""
    try:
        yield
    except BaseException:
        stop.set()
        raise


@contextmanager
def _unwound() -> Iterator[None]:
    """SIGTERM unwinds as an error does, so that no worker is left behind."""
    if threading.current_thread() is not threading.main_thread():  # where Python sets no signals
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _begin(stop: Event) -> None:
    """A worker leaves Ctrl-C to the process that started it, and hears from it when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _stops.append(stop)
    cv2.setNumThreads(1)
