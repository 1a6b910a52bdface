"""Where a video is worked on: a process of this machine, or one on a machine of a cluster."""

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from koutu import cluster
from koutu.server.settings import ServerSettings
from koutu.server.work import Order, Worker, python
from koutu.types import InputError

GRACE_SECONDS = 5
LOOK_SECONDS = 0.5
CPUS = 2.0  # of a cluster, that a video takes
TRIES = 3  # of a video whose machine died


class Workers(ABC):
    """at_one_time: how many videos are worked on; more wait."""

    at_one_time: int

    @abstractmethod
    def work(self, order: Order, folder: Path) -> AsyncGenerator[dict[str, Any], None]:
        """Do it, and tell how far it is, as `koutu.server.work` does; closing the iterator ends the work."""


class Here(Workers):
    """Processes of this machine."""

    at_one_time = 1  # a video keeps several cores busy

    async def work(self, order: Order, folder: Path) -> AsyncGenerator[dict[str, Any], None]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *python(), stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, cwd=folder, start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdin and process.stdout
            process.stdin.write(order.text().encode())
            async for line in process.stdout:
                yield json.loads(line)
            await process.wait()
        finally:
            await _ended(process)


class Cluster(Workers):
    """Machines of a cluster, which all have the server's folder of videos; another makes good one that dies."""

    def __init__(self, ray: Any):
        machines = cluster.nodes(ray)
        self._cpus = min(CPUS, max(machine.cpus for machine in machines))
        self.at_one_time = max(1, sum(int(machine.cpus / self._cpus) for machine in machines))
        self._actor = ray.remote(num_cpus=self._cpus)(Worker)
        self._lost, self._ray = ray.exceptions.RayError, ray

    async def work(self, order: Order, folder: Path) -> AsyncGenerator[dict[str, Any], None]:
        for left in reversed(range(TRIES)):
            worker = self._actor.remote(order.text(), str(folder))
            try:
                while True:
                    line, over = await asyncio.wrap_future(worker.said.remote().future())
                    if line:
                        yield json.loads(line)
                    if over:
                        return
                    await asyncio.sleep(LOOK_SECONDS)
            except self._lost:
                if not left:
                    raise OSError("its machines died") from None
            finally:
                self._ray.kill(worker)


@contextmanager
def workers(settings: ServerSettings) -> Iterator[Workers]:
    """Those that were asked for; raises InputError or ModelError for a cluster that cannot be used."""
    if not settings.cluster:
        yield Here()
        return
    folder = settings.jobs_folder
    if folder is None:
        raise InputError(
            "expected --jobs-folder beside the address of a cluster, a folder that all its machines have, got none; "
            "name one on storage that they share"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with cluster.joined(settings.cluster) as ray:
        cluster.require_shared(ray, folder.resolve())
        yield Cluster(ray)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, and soon make it."""
    for stop in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            stop()
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_SECONDS)
