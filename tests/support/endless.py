"""Work that ends only when it is told to, for processes that share it."""

import time

from koutu.data.mattes.workers import end_if_stopped
from koutu.types import InputError

LONGEST = 60.0  # seconds


def work(job: str) -> str:
    """ "fails" fails soon, all else goes on until it is stopped."""
    if job == "fails":
        time.sleep(0.5)
        raise InputError("expected")
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        end_if_stopped()
        time.sleep(0.05)
    return job
