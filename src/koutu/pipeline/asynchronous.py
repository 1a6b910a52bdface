"""Mattes of a stream for programs of asyncio: the network works in a thread, the event loop stays free."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeAlias

from koutu.matting.matte import Matte
from koutu.media.given import Given
from koutu.media.reader import VideoReader

Frames: TypeAlias = AsyncIterable[Given] | Iterable[Given]


See: TypeAlias = Callable[[Given], Matte]


async def mattes_of(
    source: str | os.PathLike[str] | Frames, see: See, opened: Callable[[str | os.PathLike[str]], VideoReader]
) -> AsyncGenerator[Matte, None]:
    """A matte for every frame, when it is asked for: nothing is read ahead, and leaving the loop lets go of all.

    see: what mattes a frame, in a thread; opened: how a video is.
    """
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="koutu-matte"))
        if isinstance(source, AsyncIterable):
            async for frame in source:
                yield await loop.run_in_executor(pool, see, frame)
            return
        if isinstance(source, str | os.PathLike):
            source = stack.enter_context(await loop.run_in_executor(pool, opened, source))
        frames = iter(source)
        while (matte := await loop.run_in_executor(pool, _next, frames, see)) is not None:
            yield matte


def _next(frames: Iterator[Given], see: See) -> Matte | None:
    """In the thread: what comes next, matted; StopIteration cannot pass through a future."""
    for frame in frames:
        return see(frame)
    return None
