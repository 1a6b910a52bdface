"""A full disk and a folder that vanishes, at every output: an error that says so, and nothing left."""

import importlib.util
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import pytest
from support.backends import Everything
from support.live_parts import live_of
from support.media import make_clip

import koutu
from koutu.files import part_name, whole_file
from koutu.review import Reviewer, page, write_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tried in a copy of this process, with its own limits")
NOBODY = 65_534
PATIENCE = 60  # seconds
LIMIT = 600  # bytes that a file may have: less than any of them needs


def video(name: str, background: str = "#204060") -> Callable[[Path, Path, koutu.Backend], object]:
    return lambda source, folder, model: koutu.convert(
        source, folder / name, background=background, model=model, refine=False
    )


def alpha(source: Path, folder: Path, model: koutu.Backend) -> object:
    return koutu.convert(source, alpha=folder / "alpha.mkv", model=model, refine=False)


def two(source: Path, folder: Path, model: koutu.Backend) -> object:
    return koutu.convert(source, folder / "a.mp4", foreground=folder / "pictures", model=model, refine=False)


def image(source: Path, folder: Path, model: koutu.Backend) -> object:
    return koutu.convert_image(source.with_suffix(".png"), folder / "a.png", background="#204060", backend=model)


def live(name: str) -> Callable[[Path, Path, koutu.Backend], object]:
    def run(source: Path, folder: Path, model: koutu.Backend) -> None:
        errors = live_of(source, [str(folder / name)], model).run().errors
        if errors:
            raise errors[0]

    return run


def review(source: Path, folder: Path, model: koutu.Backend) -> None:
    reviewer = Reviewer("clip")
    koutu.convert(source, source.parent / "beside", background="white", model=model, refine=False, observe=reviewer)
    write_text(folder / "review.html", page(reviewer.finish()))


DOORS = {
    "mp4": video("a.mp4"), "mkv": video("a.mkv"), "webm": video("a.webm"), "ProRes": video("a.mov", "transparent"),
    "PNG": video("pictures", "transparent"), "EXR": video("a.exr"), "alpha": alpha, "two outputs": two, "image": image,
    "live file": live("a.mp4"), "HLS": live("a.m3u8"), "review": review,
}  # fmt: skip


class Vanishing(Everything):
    """Takes the folder away when the first frame comes."""

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = folder

    def __call__(self, rgb, state, **hints):
        shutil.rmtree(self._folder, ignore_errors=True)
        return super().__call__(rgb, state, **hints)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A clip that compresses badly, and one of its pictures."""
    path = make_clip(tmp_path_factory.mktemp("source") / "clip.mkv", frames=4)
    cv2.imwrite(str(path.with_suffix(".png")), np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))
    return path


def outcome(work: Callable[[], object], said: Path, *, limit: int | None, nobody: bool = False) -> str:
    """What the work says in a copy of this process whose files may have so many bytes: "" for nothing.

    A copy of a process of many threads may wait forever for what one of them held: it is ended then, and another made.
    """
    for _ in range(3):
        pid = os.fork()
        if not pid:
            _report(work, said, limit, nobody)
        if not os.WIFSIGNALED(os.waitpid(pid, 0)[1]):
            break
    return said.read_text()


def _report(work: Callable[[], object], said: Path, limit: int | None, nobody: bool) -> NoReturn:
    """In the copy."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(PATIENCE)
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        report = os.open(said, os.O_WRONLY | os.O_CREAT)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        if nobody:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        text = "nothing"
        try:
            work()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(report, text.encode()[:LIMIT])
    finally:
        os._exit(0)


@pytest.mark.parametrize("name", DOORS)
def test_a_full_disk(name, source, tmp_path):
    if name == "EXR":
        pytest.importorskip("OpenEXR", reason="an extra")
    folder = tmp_path / "out"
    folder.mkdir()
    told = outcome(lambda: DOORS[name](source, folder, Everything()), tmp_path / "said", limit=LIMIT)
    assert told.startswith("OutputError") and "expected" in told, told
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", DOORS)
def test_a_folder_that_vanishes(name, source, tmp_path):
    if name == "EXR":
        pytest.importorskip("OpenEXR", reason="an extra")
    folder = tmp_path / "out"
    folder.mkdir()
    told = outcome(lambda: DOORS[name](source, folder, Vanishing(folder)), tmp_path / "said", limit=None)
    assert told.startswith("OutputError") and "expected" in told, told
    assert not folder.exists()


@pytest.mark.parametrize("name", DOORS)
def test_a_folder_that_is_not_there(name, source, tmp_path):
    with pytest.raises(koutu.OutputError, match="expected"):
        DOORS[name](source, tmp_path / "none", Everything())
    assert not (tmp_path / "none").exists()


def test_a_folder_that_is_read_only(source):
    """All at once, by another user if this one may write everywhere."""
    importlib.import_module("numpy.ma")  # loaded late, from where nobody may not read
    base = Path(tempfile.mkdtemp())
    clip, folder = base / "clip.mkv", base / "out"
    folder.mkdir()
    for path in (source, source.with_suffix(".png")):
        shutil.copy(path, clip.with_suffix(path.suffix))
    base.chmod(0o777)
    folder.chmod(0o555)
    try:
        doors = DOORS if importlib.util.find_spec("OpenEXR") else {k: v for k, v in DOORS.items() if k != "EXR"}
        for name, door in doors.items():
            told = outcome(lambda: door(clip, folder, Everything()), base / name, limit=None, nobody=os.geteuid() == 0)  # noqa: B023
            assert told.startswith("OutputError") and "expected" in told, (name, told)
        assert not list(folder.iterdir())
    finally:
        folder.chmod(0o755)
        shutil.rmtree(base)


@pytest.mark.skipif(os.name != "posix", reason="asks for processes")
def test_what_was_killed_leaves_nothing_for_long(tmp_path):
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    names = {pid: part_name().replace(f"-{os.getpid()}.", f"-{pid}.") for pid in (int(ended.stdout), other.pid, 1)}
    for name in [*names.values(), part_name(), ".deadbeef.part", "talk.part"]:
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / names[int(ended.stdout)]).unlink()
    (tmp_path / names[int(ended.stdout)]).mkdir()
    with whole_file(tmp_path / "a.png") as file:
        file.write(b"whole")
    other.communicate(b"\n")
    left = {path.name for path in tmp_path.iterdir()}
    assert names.pop(int(ended.stdout)) not in left and len(left) == 6 and set(names.values()) <= left
