"""What all routes share: the networks, the threads that run them, the counters, and how much is in hand."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TypeVar

from fastapi import Request

from koutu.machine import cores
from koutu.server.backdrops import Backdrops
from koutu.server.counters import Counters
from koutu.server.errors import ClientGone, busy
from koutu.server.fetch import Fetcher
from koutu.server.networks import Networks
from koutu.server.settings import Limits, ServerSettings

T = TypeVar("T")


class Service:
    """One server's networks, worker threads and counters. Work runs off the event loop, at most `workers` at a time."""

    def __init__(self, settings: ServerSettings):
        self.settings, self.counters = settings, Counters()
        self.networks = Networks(settings)
        self.workers = settings.workers or cores()
        self._still = ThreadPoolExecutor(self.workers, thread_name_prefix="koutu-picture")
        # Threads of their own: a queue of images must not stop live frames.
        self._live = ThreadPoolExecutor(self.workers, thread_name_prefix="koutu-live")
        self._turns = asyncio.Semaphore(self.workers)
        self.fetch = Fetcher(self.limits.fetch_seconds, self.limits.upload_mb)
        self.pictures = Slots(self.limits.requests, "pictures")
        self.videos = Slots(self.limits.jobs, "videos")
        self.viewers = Slots(self.limits.viewers, "live viewers")
        self.backdrops = Backdrops(settings.limits.keep_minutes)
        self.calls: dict[str, Callable[[], Awaitable[None]]] = {}  # WebRTC calls that go on, and how to end them
        self.ready = False
        self.is_leaving: Callable[[], bool] = lambda: False  # whether the server is being stopped
        self.counters.gauges["koutu_pictures_in_hand"] = lambda: [({}, self.pictures.taken)]
        self.counters.gauges["koutu_viewers"] = lambda: [({}, self.viewers.taken)]

    @property
    def limits(self) -> Limits:
        """How much anybody may ask for."""
        return self.settings.limits

    async def picture(self, work: Callable[[], T], request: Request) -> T:
        """Run work on an image in a thread, and time it; not if its client left while it waited (ClientGone)."""

        def timed() -> T:
            began = perf_counter()
            try:
                return work()
            finally:
                self.counters.observe("koutu_picture_seconds", perf_counter() - began)

        async with self._turns:
            if await request.is_disconnected():
                raise ClientGone
            return await asyncio.get_running_loop().run_in_executor(self._still, timed)

    async def live(self, work: Callable[[], T]) -> T:
        """Run work on a live frame in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._live, work)

    def close(self) -> None:
        """Let the threads end; what waits is not begun."""
        for pool in (self._still, self._live):
            pool.shutdown(wait=False, cancel_futures=True)


class Slots:
    """So many at one time, and no queue beyond: who finds none free is asked to come again."""

    def __init__(self, count: int, of: str):
        self.count, self.of, self.taken = count, of, 0

    def take(self) -> Callable[[], None]:
        """A place; call what is returned to give it back, once or more. Raises Refused (429)."""
        if self.taken >= self.count:
            raise busy(f"expected at most {self.count} {self.of} at one time, all places are taken; come again later")
        self.taken += 1
        held = [True]

        def give_back() -> None:
            if held.pop() if held else False:
                self.taken -= 1

        return give_back
