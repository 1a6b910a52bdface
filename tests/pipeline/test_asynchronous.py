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


def test_what_a_stream_is_like_can_be_said(clip, tiny_onnx, tmp_path):
    """The order of colours, the rate of pictures, and who stays."""
    backend = koutu.load(tiny_onnx, steady=False)
    with koutu.open_video(clip) as video:
        pictures = [koutu.to_rgb(frame.picture) for frame in video]
    for number, picture in enumerate(pictures):
        koutu.write_image(tmp_path / f"{number}.png", picture)

    async def collect(source, **options) -> list[koutu.Matte]:
        return [matte async for matte in koutu.mattes(source, model=backend, **options)]

    rgb = asyncio.run(collect(pictures))
    bgr = asyncio.run(collect([picture[..., ::-1] for picture in pictures], channels="bgr"))
    shown = asyncio.run(collect(tmp_path / "%d.png", rate=10, deinterlace=False, sdr=True))
    for a, b in zip(rgb, bgr, strict=True):
        assert np.array_equal(a.alpha, b.alpha)
    assert [float(matte.frame.seconds) for matte in shown] == [0, 0.1, 0.2, 0.3]
    with pytest.raises(koutu.InputError, match="for a rate"):
        asyncio.run(collect(clip, rate=10))
    with pytest.raises(koutu.InputError, match="expected 999 people"):
        asyncio.run(collect(pictures, only_person=999))


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
