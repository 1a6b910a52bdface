"""A cluster makes what one machine makes, byte for byte, whatever dies there; what does not fit is refused at once."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.machines import machine, machines
from support.media import make_clip
from support.ports import free_port
from support.waiting import until

from koutu import cluster
from koutu.batch.on_ray import Cluster
from koutu.batch.options import ItemOptions
from koutu.batch.plan import BatchPlan
from koutu.batch.pool import Alone, Pool
from koutu.batch.pools import pool_for
from koutu.batch.run import Outcome, run
from koutu.batch.sources import items_of
from koutu.batch.task import Answer, Lost, Task
from koutu.types import InputError

FAST = ItemOptions(model="koutu-small", preset="ultrafast", background="white")
PLAN = BatchPlan(review=False, segment=0.2)
WORKER = "koutu.batch.worker"


@pytest.fixture(scope="module")
def two() -> Iterator[Any]:
    with machines(2) as found:
        yield found


@pytest.fixture(scope="module")
def ray(two) -> Iterator[Any]:
    with cluster.joined(two.address) as found:
        yield found


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> str:
    """A clip that is cut into segments, a picture, and a file that is none."""
    place = tmp_path_factory.mktemp("sources")
    make_clip(place / "a.mp4", frames=20, audio="aac", options={"qp": "0", "g": "5"})
    Image.new("RGB", (40, 30), "red").save(place / "c.jpg")
    (place / "d.mp4").write_bytes(b"no video")
    return str(place)


def test_another_ray_is_refused(two, monkeypatch):
    monkeypatch.setattr("ray.__version__", "2.59.0")
    with pytest.raises(InputError, match=r"a cluster of Ray 2.59.0 .* Version mismatch"), cluster.joined(two.address):
        raise AssertionError


def batch(sources: str, target: Path, pool: Pool) -> Outcome:
    return run(items_of([sources], str(target), FAST), str(target), pool, PLAN)


def hashes(outcome: Outcome) -> dict[str, str]:
    return {name: digest for entry in outcome.entries for name, (_, digest) in entry.made.files.items()}


def workers() -> list[tuple[int, int]]:
    """koutu's workers in processes of Ray: their numbers, and those of Ray's processes."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if WORKER in (place / "cmdline").read_text() and "ray::" in Path(f"/proc/{parent}/cmdline").read_text():
                found.append((int(place.name), parent))
        except OSError:  # ended meanwhile
            continue
    return found


class Disturbed(Cluster):
    """A machine dies with the third task, and another joins with the sixth."""

    def __init__(self, ray: Any, cluster_of_two: Any):
        super().__init__(ray, 2)
        self._cluster, self._tasks = cluster_of_two, 0

    def submit(self, task: Task) -> "Future[Answer]":
        self._tasks += 1
        if self._tasks == 3:
            self._cluster.remove_node(next(iter(self._cluster.worker_nodes)), allow_graceful=False)
        if self._tasks == 6:
            self._cluster.add_node(**machine(4))
        return super().submit(task)


def test_the_same_whatever_dies(sources, ray, two, tmp_path):
    alone = batch(sources, tmp_path / "alone", Alone())
    undisturbed = batch(sources, tmp_path / "undisturbed", Cluster(ray, 0))
    assert hashes(alone) == hashes(undisturbed) and len(hashes(alone)) == 2
    assert [entry.state for entry in undisturbed.entries] == ["done", "done", "failed"]
    disturbed = batch(sources, tmp_path / "disturbed", Disturbed(ray, two))
    assert hashes(disturbed) == hashes(alone)
    has = ray.available_resources()["object_store_memory"]
    assert has == ray.cluster_resources()["object_store_memory"]  # no frame goes through it


def test_machines_count(ray):
    pool = Cluster(ray, 0)
    assert pool.capacity == 1
    pool.measured(100)
    until(lambda: pool.capacity == len(cluster.nodes(ray)) == 2)
    assert pool.share_mb(0) == 2048
    for limit in (130, 90):  # the second has less room than the first task took: one at a time all the same
        small = Cluster(ray, 0, limit_mb=limit)
        small.measured(100)
        assert (small.capacity, small.share_mb(0)) == (2, limit)
    with pytest.raises(InputError, match="expected a machine with 9 CPUs"):
        Cluster(ray, 0, threads=9)


@pytest.mark.parametrize(("how", "ours"), [(signal.SIGSEGV, False), (signal.SIGKILL, True), (None, True)])
def test_a_worker_that_crashes_is_told_from_one_that_is_killed(ray, how, ours):
    pool, task = Cluster(ray, 1), Task("/gone.mp4", {"output": "/nowhere/x.mp4"}, FAST.told())
    for number, _ in workers():
        os.kill(number, signal.SIGTERM)  # one that serves already would answer too soon
    until(lambda: not workers())
    answer = pool.submit(task)
    until(workers)
    number, parent = workers()[0]
    os.kill(number if how else parent, how or signal.SIGKILL)
    with pytest.raises(Lost) as lost:
        answer.result()
    assert lost.value.ours is ours
    pool.close()


def test_machines_that_lack_something_are_refused(ray, monkeypatch, tmp_path):
    with pytest.raises(InputError, match=r"/gone.jpg: expected what all machines of the cluster have"):
        cluster.require_shared(ray, tmp_path, [str(tmp_path), "/gone.jpg"])
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(cluster, "versions", lambda: {"koutu": "0.1", "python": "3.9"})
    with pytest.raises(InputError, match=r"expected a machine of the same versions, got koutu \S+ where this has 0.1"):
        cluster.require_alike(ray)


def test_addresses_are_refused_at_once(tmp_path):
    gone = f"127.0.0.1:{free_port()}"
    for address, said in ((gone, "that answers at"), (f"ray://{gone}", "that answers at"), ("head", "HOST:PORT")):
        with pytest.raises(InputError, match=said) as refused, pool_for(PLAN, ray=address):
            raise AssertionError
        assert address in str(refused.value)
