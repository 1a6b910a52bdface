"""A worker's process: one task after the other, until it crashes or is ended."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from typing import IO

from koutu.batch.task import Lost

GRACE_SECONDS = 5
_FROM_OUTSIDE = (9, signal.SIGTERM)  # Windows knows no name for the first


class Process:
    """One worker: `koutu.batch.worker` in a process of its own."""

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

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def ask(self, task: str) -> str:
        """Its answer to a task's line; raises Lost."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(f"{task}\n")
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
