"""A matte in words and as pictures, and corrections by hand."""

import numpy as np
import pytest
from PIL import Image

import koutu
from koutu.color import shrink, to_rgb
from koutu.matting.matte import Matte
from koutu.matting.matter import Matter
from koutu.types import Frame, InputError
from koutu.zoo import SAMPLE, load

SIZE = (180, 320)


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    with koutu.open_video(SAMPLE / "talk.mp4") as video:
        first = zip(range(8), video, strict=False)
        return [shrink(to_rgb(frame.picture), SIZE) for _, frame in first]


@pytest.fixture(scope="module")
def matte(frames) -> Matte:
    return koutu.matte(frames[0], model="koutu-small")


def test_a_matte_in_words_and_pictures(matte, frames):
    assert repr(matte).startswith("Matte(320×180 at 0.000 s, ") and repr(matte).endswith("% person, fresh)")
    cut = matte.cutout()
    assert cut.mode == "RGBA" and cut.size == (320, 180)
    rgba = np.asarray(cut)
    assert np.array_equal(rgba[..., 3], matte.alpha) and np.array_equal(np.asarray(matte.mask()), matte.alpha)
    assert rgba[:20, :20].max() == 0  # nothing of the room
    inside = matte.alpha == 255
    assert np.array_equal(rgba[inside][:, :3], frames[0][inside])
    red = np.asarray(matte.composite("#ff0000"))
    assert np.array_equal(red[matte.alpha == 0], np.full_like(red[matte.alpha == 0], (255, 0, 0)))
    for background in (Image.new("RGB", (40, 40), "red"), np.full((9, 9, 3), (255, 0, 0), np.uint8)):
        assert np.array_equal(np.asarray(matte.composite(background)), red)
    with koutu.make_background("red") as behind:
        assert np.array_equal(np.asarray(matte.composite(behind)), red)
        matte.composite(behind)  # it is still open
    with pytest.raises(InputError, match="call cutout"):
        matte.composite("transparent")
    assert matte._repr_png_().startswith(b"\x89PNG")


def test_corrections_are_carried_along(frames):
    """Erased hair stays away on the frames that follow, a kept corner stays, all else is as without; a cut ends it."""
    plain, touched = Matter(load("koutu-small")), Matter(load("koutu-small"))
    first = plain(frames[0]).alpha
    assert np.array_equal(touched(frames[0]).alpha, first)
    mask = np.full(SIZE, 128, np.uint8)
    mask[120:] = 0
    mask[:20, :30] = 255
    corrected = touched.correct(mask)
    assert corrected.alpha[120:].max() == 0 and corrected.alpha[:20, :30].min() == 255
    assert np.array_equal(corrected.alpha[25:115, 40:], first[25:115, 40:])
    assert np.array_equal(np.asarray(corrected.cutout())[5, 5, :3], frames[0][5, 5])
    for frame in frames[1:]:
        without, found = plain(frame).alpha, touched(frame).alpha
        assert without[130:].mean() > 60 and found[130:].mean() < 0.1 * without[130:].mean()
        assert found[2:15, 2:25].mean() > 200
        assert np.abs(found[25:110, 45:].astype(int) - without[25:110, 45:]).mean() < 2
    cut = Matter(load("koutu-small"))
    assert np.array_equal(touched(255 - frames[0]).alpha, cut(255 - frames[0]).alpha)


def test_where_the_network_says_something_else_it_is_right(frames):
    """What was erased comes back when it is another thing: here the person moves over what was kept away."""
    matter = Matter(load("koutu-small"))
    before = matter(frames[0]).alpha
    mask = np.where(before < 20, 0, 128).astype(np.uint8)  # erasing nothing of what the network saw
    matter.correct(mask)
    moved = np.roll(frames[0], 12, 1)
    assert (matter(moved).alpha > 128).sum() > 0.9 * (before > 128).sum()


def test_wrong_corrections(frames):
    matter = Matter(load("koutu-small"))
    with pytest.raises(InputError, match="before the first"):
        matter.correct(np.zeros(SIZE, np.uint8))
    matter(Frame(frames[0]))
    for mask in (np.zeros((9, 9), np.uint8), np.zeros(SIZE, bool)):
        with pytest.raises(InputError, match="size of the frame"):
            matter.correct(mask)
