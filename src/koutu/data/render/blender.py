"""Blender's Python as a process of its own: bpy pins the Python that it runs in."""

import json
import os
import queue
import subprocess
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any

from koutu.data.render.cores import reserved
from koutu.types import ModelError

PYTHON = "KOUTU_BLENDER_PYTHON"
VERSION = "5.0.1"
PROGRAM = Path(__file__).with_name("program") / "main.py"
_PROBE = "import bpy, cv2, scipy; print('blender', bpy.app.version_string)"
_PROBE_SECONDS = 300
_LAST = 600  # characters of what it said


class Died(Exception):
    """The process ended, or said nothing for too long, while it should have rendered."""


def interpreter(given: str = "") -> str:
    """The Python that has bpy, given or of KOUTU_BLENDER_PYTHON; ModelError with the commands that make one."""
    python = given or os.environ.get(PYTHON, "")
    if not python or not Path(python).is_file():
        raise ModelError(
            f"rendering people needs the Python of an environment with bpy (1.1 GB) by --blender-python or in {PYTHON}"
            f", got {python or 'none'}; make it: {commands()}"
        )
    return python


def version(python: str) -> str:
    """Blender's version; ModelError if this Python does not have what the renders need."""
    try:
        done = subprocess.run(
            [python, "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ModelError(f"{python}: expected a Python with bpy, got {e}; make one: {commands()}") from e
    found = [line for line in done.stdout.splitlines() if line.startswith("blender ")]
    if done.returncode or not found:
        reason = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ModelError(f"{python}: expected bpy, cv2 and scipy in it, got {reason}; make one that has: {commands()}")
    return found[0].removeprefix("blender ")


def commands() -> str:
    """What makes the environment and names it."""
    return (
        "python3.11 -m venv blender && "
        f"blender/bin/pip install bpy=={VERSION} scipy opencv-python-headless && "
        f"export {PYTHON}=$PWD/blender/bin/python"
    )


class Blender:
    """The program at work: one job after another, on as many cores as threads; what it prints goes to a log."""

    def __init__(self, python: str, words: list[str], log: Path, threads: int):
        self._log_path, self._reserved = log, ExitStack()
        cores = self._reserved.enter_context(reserved(threads))
        self._log: IO[bytes] = open(log, "ab")  # noqa: SIM115  # closed with the process
        self._process = subprocess.Popen(
            [python, str(PROGRAM), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
        )
        if cores:
            with suppress(ProcessLookupError):  # it ended at once: the first job tells
                os.sched_setaffinity(self._process.pid, cores)  # before it has begun any thread
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> "Blender":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._log.close()
        self._reserved.close()

    def render(self, job: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The program's answer to a job; raises Died."""
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        except OSError as e:
            raise Died(self._end()) from e
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise Died(f"expected an answer within {seconds:.0f} s, got none") from None
        if not line:
            raise Died(self._end())
        return json.loads(line)

    def _listen(self) -> None:
        assert self._process.stdout
        try:
            for line in self._process.stdout:
                self._answers.put(line)
        except ValueError:  # closed meanwhile
            pass
        self._answers.put("")

    def _end(self) -> str:
        code = self._process.wait()
        said = self._log_path.read_text("utf-8", errors="replace").strip()[-_LAST:].splitlines()
        return f"Blender ended with code {code}: {said[-1] if said else 'it said nothing'}"
