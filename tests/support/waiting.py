"""Waiting for what other threads and processes do, with patience for machines that have much else to do."""

import time
from collections.abc import Callable


def came_true(condition: Callable[[], object], seconds: float = 120) -> bool:
    """Whether it held within so many seconds; looked at until it does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait until it holds; an AssertionError if it never does."""
    assert came_true(condition, seconds), "it did not come about"
