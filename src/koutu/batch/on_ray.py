"""Who does the tasks on many machines: Ray says where, and what works there is the same process as on one machine."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from koutu import cluster, machine
from koutu.batch.far import asked
from koutu.batch.places import is_remote
from koutu.batch.pool import ROOM, Pool
from koutu.batch.sources import Item
from koutu.batch.task import Answer, Lost, Task, answer_of
from koutu.cluster import Node
from koutu.files import folder
from koutu.types import InputError

_LOOK_SECONDS = 2.0  # between two looks at which machines there are


class Cluster(Pool):
    """The machines of a cluster, those that join while the batch runs too.

    workers: 0 for one until its first task is measured, and then as many as the machines' CPUs, of which each has
    `threads`, and their memory allow, or `limit_mb` megabytes of each machine.
    """

    def __init__(self, ray: Any, workers: int, *, threads: int = 1, limit_mb: int = 0):
        self._ray, self._workers, self._threads, self._limit_mb = ray, workers, max(1, threads), limit_mb
        self._need_mb, self._looked = 0.0, -_LOOK_SECONDS
        self._nodes: list[Node] = []
        self._refs: dict[Future[Answer], Any] = {}
        self._versions, self._wrong = machine.versions(), ""
        self._ask = ray.remote(max_retries=0)(asked)  # whoever schedules counts the tries
        if not any(node.cpus >= self._threads for node in self._machines()):
            raise InputError(
                f"expected a machine with {self._threads} CPUs for --threads, the cluster has none; give fewer threads"
            )

    def require_reach(self, items: list[Item], target: str) -> None:
        place = None if is_remote(target) else folder(Path(target))
        cluster.require_shared(self._ray, place, dict.fromkeys(_files(items)))

    @property
    def capacity(self) -> int:
        if self._workers or not self._need_mb:
            return self._workers or 1
        return sum(self._on(node) for node in self._machines())

    def submit(self, task: Task) -> "Future[Answer]":
        if self._wrong:
            raise InputError(self._wrong)
        memory = int(self._need_mb * self._scale() * 2**20)
        gpus = int(str(task.options.get("device", "")).startswith("cuda"))
        if gpus and not any(node.gpus for node in self._machines()):
            raise InputError("expected a machine with a GPU for --device cuda, the cluster has none; add one")
        ask = self._ask.options(num_cpus=self._threads, num_gpus=gpus, memory=memory or None)
        ref = ask.remote(task.text(), self._versions)
        done: Future[Answer] = Future()
        self._refs[done] = ref
        ref.future().add_done_callback(partial(self._answered, done))
        return done

    def measured(self, peak_mb: float) -> None:
        if not self._workers and not self._need_mb and peak_mb:
            most = max((self._memory(node) for node in self._machines()), default=0.0)
            self._need_mb = min(ROOM * peak_mb, most) if most else ROOM * peak_mb

    def share_mb(self, limit_mb: int) -> int:
        alone = not (self._workers or self._need_mb)
        bounded = [node for node in self._machines() if self._memory(node)]
        shares = [self._memory(node) / (1 if alone else max(1, self._on(node))) for node in bounded]
        return int(min(shares, default=0))

    def close(self) -> None:
        for ref in list(self._refs.values()):
            self._ray.cancel(ref, force=True)  # its process ends, and so does koutu's own in it
        self._refs.clear()

    def _answered(self, done: "Future[Answer]", came: "Future[str]") -> None:
        """Hand on what Ray brought; called in a thread of Ray's."""
        self._refs.pop(done, None)
        try:
            done.set_result(self._answer(came))
        except Exception as error:
            done.set_exception(error)

    def _answer(self, came: "Future[str]") -> Answer:
        try:
            text = came.result()
        except Exception as error:  # Ray's own troubles: a machine that died, a process of Ray's that did
            said = str(error).strip().splitlines()
            raise Lost(f"{type(error).__name__}: {said[0] if said else 'no more is known'}", ours=True) from error
        said = json.loads(text)
        if "versions" in said:
            self._wrong = f"{said['machine']}: expected a machine of the same versions, {said['versions']}"
            raise Lost(self._wrong, ours=True)
        if "lost" in said:
            raise Lost(said["lost"], ours=said["ours"])
        return answer_of(text)

    def _machines(self) -> list[Node]:
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._nodes, self._looked = cluster.nodes(self._ray), time.monotonic()
        return self._nodes

    def _memory(self, node: Node) -> float:
        """Megabytes that all workers there may take; 0 if nothing bounds them."""
        return min(node.memory_mb or self._limit_mb, self._limit_mb or node.memory_mb)

    def _on(self, node: Node) -> int:
        """Workers there."""
        by_cpu, memory = int(node.cpus / self._threads), self._memory(node)
        return min(by_cpu, int(memory / self._need_mb)) if memory and self._need_mb else by_cpu

    def _scale(self) -> float:
        """What a task's megabytes are told to Ray as, so that no machine is given more of them than it may have."""
        return max((node.memory_mb / self._memory(node) for node in self._machines() if node.memory_mb), default=0.0)


def _files(items: list[Item]) -> Iterator[str]:
    """What the items need of this machine's files."""
    for item in items:
        given = [item.source, *item.options.files.values(), item.options.model, item.options.weights]
        yield from (path for path in given if path and not is_remote(path) and os.path.exists(path))
