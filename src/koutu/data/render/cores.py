"""Cores for a process of few threads: Blender's idle workers turn on every core they may use."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def reserved(count: int) -> Iterator[set[int]]:
    """So many cores of those that this process may use, meanwhile: none that another run of this user reserved, while
    there are others. Empty where all are wanted, or where the system binds no process to cores.
    """
    usable = sorted(os.sched_getaffinity(0)) if fcntl and hasattr(os, "sched_getaffinity") else []
    if count >= len(usable):
        yield set()
        return
    with ExitStack() as held:
        free: list[int] = []
        for core in usable:
            if len(free) < count and _lock(core, held):
                free.append(core)
        start = os.getpid() % len(usable)
        shared = [core for core in usable[start:] + usable[:start] if core not in free]
        yield set((free + shared)[:count])


def _lock(core: int, held: ExitStack) -> bool:
    """Whether it was nobody's; the system lets go of it with the process, however that ends."""
    assert fcntl
    path = Path(tempfile.gettempdir()) / f"koutu-{os.getuid()}-core-{core}.lock"
    try:
        file = open(path, "a")  # noqa: SIM115  # closed with the others
        fcntl.flock(held.enter_context(file), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
