"""A HiLens Kit skill on a host: the unchanged skill in a process of its own, before simulated hardware."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import koutu
from koutu.hilens_simulator.displays import whole_mark
from koutu.hilens_simulator.session import Session
from koutu.types import InputError, OutputError

SITE = Path(__file__).parent / "site"  # first on the skill's path: `import hilens` finds the simulator
PATIENCE = 60  # seconds that a skill may take to stop
VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".h264")


@dataclass(frozen=True)
class SkillRun:
    """How a skill ended: its exit code, 128 + the signal that killed it, and everything it said."""

    code: int
    log: tuple[str, ...]


def simulate(session: Session, *, echo: Callable[[str], object] = lambda _: None) -> SkillRun:
    """Run `session.skill` to its end; `echo` gets every line of its log as it comes.

    The video at `session.out` appears when the skill is done or stopped, whatever its exit code, if anything was
    shown; not where the process was killed, because the video has no end then. Raises InputError for a folder without
    main.py or a video that is not there, OutputError where the video cannot be written.
    """
    skill = Path(session.skill).resolve()
    if not (skill / "main.py").is_file():
        raise InputError(f"{skill}: expected a skill with main.py, found none; write one with koutu")
    for path in filter(None, (session.video, session.onnx, session.aipp)):
        if not Path(path).is_file():
            raise InputError(f"{path}: expected a file, found none; check the path")
    part = _part_of(Path(session.out).resolve()) if session.out else None
    paths = {name: str(Path(path).resolve()) for name in ("video", "onnx", "aipp") if (path := getattr(session, name))}
    session = replace(session, skill=str(skill), out=str(part or ""), **paths)
    try:
        code, log = _run(session, echo)
    finally:  # also when Ctrl-C ends it
        if part is not None and whole_mark(part).is_file():
            part.replace(part.with_name(_name_of(part)))
        if part is not None:
            part.unlink(missing_ok=True)
            whole_mark(part).unlink(missing_ok=True)
    return SkillRun(code if code >= 0 else 128 - code, tuple(log))


def _run(session: Session, echo: Callable[[str], object]) -> tuple[int, list[str]]:
    paths = [str(SITE), str(Path(koutu.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | session.to_environment() | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # a skill's folder stays as it was written
    log: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "koutu.hilens_simulator.program"], cwd=session.skill, env=environment, text=True,
        errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.append(line.rstrip("\n"))
                echo(log[-1])
        except BaseException:  # Ctrl-C: the skill gets it as well, and may end in order
            process.terminate()
            _wait(process)
            raise
    return process.returncode, log


def _wait(process: "subprocess.Popen[str]") -> None:
    """Until the film of a skill that was told to stop has its end; one that does not stop is killed."""
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def _part_of(out: Path) -> Path:
    if out.suffix not in VIDEO_SUFFIXES:
        raise OutputError(f"{out}: expected a video that ends in {', '.join(VIDEO_SUFFIXES)}; name one of them")
    if not out.parent.is_dir():
        raise OutputError(f"{out}: expected a folder that is there, found none; make {out.parent} first")
    return out.with_name(f".{secrets.token_hex(4)}.{out.name}")


def _name_of(part: Path) -> str:
    return part.name.split(".", 2)[2]
