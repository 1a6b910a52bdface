"""Work shared out to processes of one thread each; what they make comes as it is done."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

import cv2

from koutu.types import KoutuError

J = TypeVar("J")
R = TypeVar("R")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@contextmanager
def in_processes(make: Callable[[J], R], jobs: Sequence[J], workers: int) -> Iterator[Iterator[R]]:
    """What `make` makes of the jobs; `workers` processes with one thread each, or this one. Raises KoutuError."""
    workers = min(workers, len(jobs))
    if workers < 2:
        yield (make(job) for job in jobs)
        return
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # read by the workers when they begin
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)
    try:
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
    pending: set[Future[R]] = {pool.submit(make, job) for job in jobs}
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def _begin() -> None:
    """A worker leaves Ctrl-C to the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
