"""Processes that share work out: whatever breaks it off stops them at once."""

import os
import signal
import time

import pytest
from support.endless import LONGEST, work

from koutu.data.mattes.workers import in_processes
from koutu.types import InputError


@pytest.mark.parametrize("how", ["error", "signal"])
def test_what_breaks_the_work_off_stops_the_workers(how):
    jobs = ["long", "fails" if how == "error" else "long", "long"]
    before = signal.getsignal(signal.SIGTERM)  # the command line's own, where a test ran it in this process
    began = time.monotonic()
    with (
        pytest.raises(InputError if how == "error" else SystemExit),
        in_processes(work, jobs, 2) as results,
    ):
        if how == "signal":
            time.sleep(2)
            os.kill(os.getpid(), signal.SIGTERM)
        list(results)
    assert time.monotonic() - began < LONGEST / 2
    assert signal.getsignal(signal.SIGTERM) == before
