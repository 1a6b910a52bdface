"""Mailboxes and stages: order, bounds, errors, and that no thread outlives its pipeline."""

import threading

import pytest

from koutu.pipeline.mailbox import Closed, Mailbox, stage, stop


def stages_alive() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("koutu-")]


def test_a_file_waits_and_nothing_is_lost():
    numbers, doubled = Mailbox[int](2), Mailbox[int](2)
    threads = [stage(None, range(500), numbers, name="source"), stage(lambda x: 2 * x, numbers, doubled, name="work")]
    assert list(doubled) == [2 * i for i in range(500)]
    stop(threads)
    assert not stages_alive() and threads[1].count == 500 and numbers.dropped == 0


def test_put_waits_when_full():
    box = Mailbox[int](1)
    box.put(1)
    writer = threading.Thread(target=box.put, args=(2,))
    writer.start()
    writer.join(0.05)
    assert writer.is_alive()
    assert box.get() == 1 and box.get() == 2
    writer.join(5)
    assert not writer.is_alive()


def test_live_keeps_the_newest():
    box = Mailbox[int](2, live=True)
    for i in range(10):
        box.put(i)
    box.close()
    assert list(box) == [8, 9] and box.dropped == 8


def test_an_error_reaches_the_reader_after_the_good_items():
    def work(x: int) -> int:
        if x == 3:
            raise RuntimeError("broken item")
        return x

    first, second = Mailbox[int](2), Mailbox[int](2)
    threads = [stage(None, iter(range(10**9)), first), stage(work, first, second)]
    seen = []
    with pytest.raises(RuntimeError, match="broken item"):
        for item in second:
            seen.append(item)
    assert seen == [0, 1, 2]
    for thread in threads:
        thread.join(5)
    assert not stages_alive()


def test_a_reader_that_leaves_ends_every_stage():
    first, second = Mailbox[int](2), Mailbox[int](2)
    threads = [stage(None, iter(range(10**9)), first), stage(lambda x: x, first, second)]
    assert second.get() == 0
    stop(threads, seconds=5)
    assert not stages_alive()


def test_closed_box_refuses_and_ends():
    box = Mailbox[int](1)
    box.close()
    with pytest.raises(Closed):
        box.put(1)
    with pytest.raises(Closed):
        box.get()
    with pytest.raises(ValueError, match="at least 1"):
        Mailbox(0)


def test_busy_seconds_leave_out_waiting(monkeypatch):
    """A clock that goes only while the source works and the stage behind it waits."""
    now, taken = [0.0], threading.Semaphore(1)
    monkeypatch.setattr("koutu.pipeline.mailbox.perf_counter", lambda: now[0])
    slow, out = Mailbox[int](1), Mailbox[int](4)

    def numbers():
        for i in range(4):
            assert taken.acquire(timeout=60)
            now[0] += 0.05
            yield i

    threads = [stage(None, numbers(), slow), stage(lambda x: x, slow, out)]
    found = []
    for x in out:
        found.append(x)
        taken.release()
    stop(threads)
    assert found == [0, 1, 2, 3]
    assert threads[0].busy_seconds == pytest.approx(0.2) and threads[1].busy_seconds == 0
