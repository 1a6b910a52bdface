"""A few of the damaged files of bench/mutated.py, which tries as many as one likes; its numbers are seeds for good."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "bench" / "mutated.py"
SEEDS = range(32)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files are tried in copies of this process")


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("mutated", SCRIPT)
    assert spec and spec.loader
    sys.path.insert(0, str(SCRIPT.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutated"] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(SCRIPT.parent))


@pytest.fixture(scope="module")
def files(bench, tmp_path_factory):
    return bench.clips(tmp_path_factory.mktemp("whole"))


def test_a_seed_is_a_file_for_good(bench, files):
    assert os.sched_getscheduler(0) == os.SCHED_OTHER  # root's threads are scheduled otherwise after SVT-AV1
    assert [bench.mutated(files, seed) for seed in SEEDS] == [bench.mutated(files, seed) for seed in SEEDS]
    assert len({bench.mutated(files, seed)[1] for seed in SEEDS}) == len(SEEDS)


def test_damaged_media(tmp_path):
    """In a process of its own: copies of one that has threads may wait for ever."""
    command = [sys.executable, str(SCRIPT), "--count", str(len(SEEDS)), "--seconds", "240", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and f"{len(SEEDS)} files" in done.stdout, done.stdout + done.stderr


def test_what_goes_wrong_is_seen(bench, files, tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(bench, "_judged", broken)
    assert "ZeroDivisionError" in bench.tried(files[0], tmp_path, 0).fault
    monkeypatch.setattr(bench, "_judged", lambda *_: bench.os.kill(bench.os.getpid(), 10))
    assert bench.tried(files[0], tmp_path, 0) == ("crash", "signal 10")
    monkeypatch.setattr(bench, "_judged", lambda *_: bench.sleep(60))
    assert bench.tried(files[0], tmp_path, 0, seconds=0.3).kind == "hang"
