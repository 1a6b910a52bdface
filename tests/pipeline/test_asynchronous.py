"""Mattes for programs of asyncio: the same as without, the event loop free meanwhile, everything let go of."""

import asyncio
import threading
from contextlib import aclosing

import numpy as np
import pytest
from support.media import make_clip

import koutu


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "talk.mp4", frames=4, size=(64, 96))


def test_of_a_file_and_of_frames(clip, tiny_onnx):
    backend = koutu.load(tiny_onnx, steady=False)
    matter = koutu.Matter(backend)
    with koutu.open_video(clip) as video:
        frames = list(video)
    expected = [matter(frame).alpha for frame in frames]

    async def sent():
        for frame in frames:
            yield frame

    async def collect(source) -> tuple[list[np.ndarray], int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        found = [matte.alpha async for matte in koutu.mattes(source, model=backend)]
        counting.cancel()
        return found, turns

    for source in (clip, frames, sent()):
        found, turns = asyncio.run(collect(source))
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
        assert turns > len(frames)  # others had their turn


def test_leaving_early_and_errors(clip, tiny_onnx):
    backend = koutu.load(tiny_onnx, steady=False)

    async def first() -> koutu.Matte:
        async with aclosing(koutu.mattes(clip, model=backend)) as mattes:  # type: ignore[type-var]
            async for matte in mattes:
                return matte
        raise AssertionError

    assert asyncio.run(first()).alpha.shape == (64, 96)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("koutu-matte")]

    async def missing() -> None:
        async for _ in koutu.mattes(clip.parent / "none.mp4", model=backend):
            raise AssertionError

    with pytest.raises(koutu.InputError, match=r"none\.mp4"):
        asyncio.run(missing())
