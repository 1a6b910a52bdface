"""A batch makes what is missing or changed, whatever was killed before; what fails is set aside, the rest goes on."""

import csv
import io
import os
import re
import signal
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from support.media import make_clip
from support.waiting import until
from typer.testing import CliRunner

from koutu.batch.ledger import Entry, open_ledger
from koutu.batch.options import ItemOptions
from koutu.batch.places import read, sizes
from koutu.batch.plan import BatchPlan
from koutu.batch.pool import Alone, Processes
from koutu.batch.run import Outcome, run
from koutu.batch.sources import STATE, items_of
from koutu.batch.task import Answer, Lost, Made, Task
from koutu.cli import app
from koutu.types import InputError

FAST = ItemOptions(model="koutu-small", preset="ultrafast", background="white")
PLAN = BatchPlan(review=False)


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> str:
    """Two clips, one with sound, a picture, and a file that is none."""
    place = tmp_path_factory.mktemp("sources")
    make_clip(place / "a.mp4", frames=3, audio="aac")
    make_clip(place / "b.mkv", frames=2)
    Image.new("RGB", (40, 30), "red").save(place / "c.jpg")
    (place / "d.mp4").write_bytes(b"no video")
    return str(place)


class Counting(Alone):
    """This process; tasks of `poison` end their worker as often as it says, of themselves or from outside."""

    def __init__(self, poison: dict[str, int] | None = None, *, ours: bool = False):
        self.done: list[str] = []
        self._poison, self._ours = poison or {}, ours

    def submit(self, task: Task) -> "Future[Answer]":
        name = Path(task.source).name
        self.done.append(name)
        if self._poison.get(name, 0) > 0:
            self._poison[name] -= 1
            failed: Future[Answer] = Future()
            failed.set_exception(Lost("its worker was ended", ours=self._ours))
            return failed
        return super().submit(task)


def batch(sources: str, target: str, pool: Alone | None = None, **changes) -> Outcome:
    options = replace(FAST, **{name: v for name, v in changes.items() if name != "retry_failed"})
    plan = replace(PLAN, retry_failed=changes.get("retry_failed", False))
    return run(items_of([sources], target, options), target, pool or Counting(), plan)


def hashes(outcome: Outcome) -> dict[str, str]:
    return {name: digest for entry in outcome.entries for name, (_, digest) in entry.made.files.items()}


def states(outcome: Outcome) -> dict[str, str]:
    return {entry.name: entry.state for entry in outcome.entries}


@pytest.fixture(scope="module")
def undisturbed(sources, tmp_path_factory) -> dict[str, str]:
    return hashes(batch(sources, str(tmp_path_factory.mktemp("undisturbed") / "out")))


def test_only_what_is_missing_or_changed_is_made(sources, undisturbed, tmp_path):
    target = str(tmp_path / "out")
    first = batch(sources, target)
    assert states(first) == {"a.mp4": "done", "b.mp4": "done", "c.png": "done", "d.mp4": "failed"}
    assert hashes(first) == undisturbed and set(undisturbed) == {"a.mp4", "b.mp4", "c.png"}
    assert "expected a video file" in first.entries[3].reason and first.frames == 6
    assert not (tmp_path / "out" / STATE / "unfinished").exists()

    pool = Counting()
    again = batch(sources, target, pool)
    assert pool.done == [] and again.entries == first.entries and again.made == 0
    (tmp_path / "out" / "b.mp4").unlink()
    (tmp_path / "out" / "c.png").write_bytes(b"other")
    assert hashes(batch(sources, target, pool)) == undisturbed and pool.done == ["b.mkv", "c.jpg"]
    pool = Counting()
    batch(sources, target, pool, crf=30)
    assert sorted(pool.done) == ["a.mp4", "b.mkv", "c.jpg", "d.mp4"]
    pool = Counting()
    batch(sources, target, pool, crf=30, retry_failed=True)
    assert pool.done == ["d.mp4"]


def test_a_poisoned_item_is_set_aside(sources, undisturbed, tmp_path):
    pool = Counting({"a.mp4": 9, "b.mkv": 1})
    target = str(tmp_path / "out")
    found = batch(sources, target, pool)
    assert states(found) == {"a.mp4": "failed", "b.mp4": "done", "c.png": "done", "d.mp4": "failed"}
    assert [pool.done.count(name) for name in ("a.mp4", "b.mkv")] == [2, 2]
    assert found.entries[0].reason == "its worker was ended"
    assert hashes(batch(sources, target, retry_failed=True)) == undisturbed


def test_what_was_killed_from_outside_is_left_for_the_next_run(sources, undisturbed, tmp_path):
    pool = Counting({"a.mp4": 5, "b.mkv": 4}, ours=True)
    target = str(tmp_path / "out")
    assert states(batch(sources, target, pool))["a.mp4"] == "waiting"
    assert hashes(batch(sources, target)) == undisturbed


class Killed(BaseException):
    """As if the driver ended there."""


class Dying(Counting):
    """The driver dies at its third task."""

    def submit(self, task: Task) -> "Future[Answer]":
        if len(self.done) == 2:
            raise Killed
        return super().submit(task)


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_after_the_driver_died(sources, undisturbed, tmp_path, scheme):
    if scheme:
        pytest.importorskip("fsspec")
    target = f"{scheme}{tmp_path}/out"
    with pytest.raises(Killed):
        batch(sources, target, Dying())
    ledger = open_ledger(target)
    entries = ledger.entries()
    ledger.close()
    assert [entries[name].state for name in ("a.mp4", "b.mp4", "c.png")] == ["done", "done", "waiting"]
    pool = Counting()
    assert hashes(batch(sources, target, pool)) == undisturbed and pool.done == ["c.jpg", "d.mp4"]
    if scheme:
        assert {name for name in sizes(target) if not name.startswith(STATE)} == undisturbed.keys()
        assert Image.open(io.BytesIO(read(f"{target}/c.png"))).size == (40, 30)


def test_one_batch_at_a_time(sources, tmp_path):
    target = str(tmp_path / "out")

    class Second(Counting):
        def submit(self, task: Task) -> "Future[Answer]":
            batch(sources, target)
            raise AssertionError

    with pytest.raises(InputError, match="for this batch alone"):
        batch(sources, target, Second())


@pytest.mark.parametrize("target", ["out", "memory://ledger"])
def test_a_record_that_is_none(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    if "://" in target:
        fsspec = pytest.importorskip("fsspec")
        fsspec.filesystem("memory").pipe_file("/ledger/.koutu-batch/log/000000000001.jsonl", b"{")
    else:
        (tmp_path / "out" / STATE).mkdir(parents=True)
        (tmp_path / "out" / STATE / "record.sqlite").write_bytes(b"no base" * 100)
    with pytest.raises(InputError, match=r"record of a batch|part of a batch's record"):
        open_ledger(target).entries()


def test_entries_are_read_as_they_were_written(tmp_path):
    entry = Entry("a", "b", "c", "done", made=Made({"a": (1, "x")}, notes=("n",), findings=({"when": "0:01"},)))
    for target in ("memory://entries", str(tmp_path)):
        (tmp_path / STATE).mkdir(exist_ok=True)
        ledger = open_ledger(target)
        ledger.write([replace(entry, state="waiting")])
        ledger.write([entry])
        ledger.close()
        assert open_ledger(target).entries() == {"a": entry}


def test_too_much_memory_is_an_items_failure(sources, tmp_path):
    found = run(items_of([f"{sources}/a.mp4"], str(tmp_path), FAST), str(tmp_path), Alone(), BatchPlan(max_memory=1))
    assert "expected the work to take at most 1 MB of memory" in found.entries[0].reason


def test_processes_make_the_same(sources, undisturbed, tmp_path):
    """The command line, and a worker of its own; a file that is none fails alone."""
    target = tmp_path / "made"  # with the first result, and reports of its name in it
    words = ["batch", sources, "-o", str(target), "--model", "koutu-small", "--preset", "ultrafast", "-b", "white"]
    reports = [target / "report.html", target / "report.csv"]
    words += [word for path in reports for word in ("--report", str(path))]
    done = CliRunner().invoke(app, [*words, "--workers", "1", "--hourly", "0.5"])
    assert done.exit_code == 10 and "4 items: 3 done, 1 failed, 0 left" in done.stdout
    ledger = open_ledger(str(target))
    entries = ledger.entries()
    ledger.close()
    assert {name: digest for e in entries.values() for name, (_, digest) in e.made.files.items()} == undisturbed
    assert entries["a.mp4"].made.still and entries["c.png"].made.still
    page, table = reports[0].read_text(), list(csv.DictReader(io.StringIO(reports[1].read_text())))
    assert "3 of 4 items are done" in page and page.count("data:image/jpeg") == 3 and "expected a video file" in page
    assert [(row["name"], row["state"]) for row in table] == [(e.name, e.state) for e in entries.values()]
    assert re.search(r"a minute of video took \d+ seconds of one worker", done.stdout) and "that is " in done.stdout
    told = CliRunner().invoke(app, ["batch", "-o", str(target), "--status"])
    assert told.exit_code == 10 and "failed: d.mp4: " in told.stdout
    with pytest.raises(InputError, match="expected a folder that koutu batch has written to"):
        CliRunner().invoke(app, ["batch", "-o", str(tmp_path / "no"), "--status"], catch_exceptions=False)


def test_as_many_workers_as_cores_and_memory_allow(monkeypatch):
    monkeypatch.setattr("koutu.batch.pool.cores", lambda: 16)
    for limit, threads, expected in ((0, 1, 16), (10_000, 1, 8), (500, 1, 1), (100_000, 4, 4)):
        pool = Processes(0, threads=threads, limit_mb=limit)
        assert pool.capacity == 1
        pool.measured(1000)
        pool.measured(10)  # the first counts
        assert pool.capacity == expected
        pool.close()


def test_a_worker_that_is_killed_is_told_from_one_that_crashes():
    pool, task = Processes(1), Task("/gone.mp4", {"output": "/nowhere/x.mp4"}, FAST.told())
    try:
        for how, ours in ((signal.SIGKILL, True), (signal.SIGSEGV, False)):
            answer = pool.submit(task)
            until(lambda: bool(pool.running))
            os.kill(pool.running[0], how)
            with pytest.raises(Lost, match=how.name) as lost:
                answer.result()
            assert lost.value.ours is ours
    finally:
        pool.close()
    assert not pool.running
