"""A Matter's memory: carried, dropped on cuts, gaps and size changes; alpha at the frame's own size."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from koutu.color import rgb_to_yuv
from koutu.engines.backend import Backend
from koutu.matting.matte import Matte
from koutu.matting.matter import Matter
from koutu.matting.one_frame_delay import one_frame_delay, smooth_middle
from koutu.matting.refine import guided_upsample, quantise
from koutu.types import Frame, InputError


class Counting(Backend):
    """A backend whose alpha is brightness and whose state counts the frames since it was made."""

    name = "counting"

    def network_size(self, size):
        return 32, 64

    def initial_state(self, size) -> int:
        return 0

    def __call__(self, rgb, state, **hints) -> Any:
        return None, rgb[..., 1].astype(np.float32) / 255, state + 1


def scene(seed: int = 0, size=(90, 160)) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (5, 9, 3), np.uint8)
    return cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)


def frame(rgb: np.ndarray, seconds: float) -> Frame:
    return Frame(rgb_to_yuv(rgb), round(seconds * 1000), Fraction(1, 1000))


def run(frames: list[Frame]) -> list[int]:
    """The state's count after each frame."""
    matter, counts = Matter(Counting()), []
    for f in frames:
        matter(f)
        counts.append(matter.state)
    return counts


def test_memory_is_carried_within_a_shot():
    assert run([frame(scene(), t / 25) for t in range(5)]) == [1, 2, 3, 4, 5]


def test_memory_starts_afresh():
    shot = scene()
    assert run([frame(shot, 0), frame(shot, 0.1), frame(255 - shot, 0.2), frame(255 - shot, 0.3)]) == [1, 2, 1, 2]
    assert run([frame(shot, 0), frame(shot, 1.0), frame(shot, 2.1)]) == [1, 2, 1]  # a gap
    assert run([frame(shot, 1), frame(shot, 0.5)]) == [1, 1]  # backwards
    assert run([frame(shot, 0), frame(scene(0, (96, 160)), 0.04)]) == [1, 1]  # another size


def test_what_is_shown_again_gets_the_same_matte_if_asked_for():
    shot = scene()
    other = np.where(np.indices(shot.shape[:2]).sum(0)[..., None] == 77, 255 - shot, shot)  # some pixels
    moments = [(shot, 0), (shot, 0.1), (other, 0.2), (other, 0.3), (other, 2), (shot, 2.1)]
    matter = Matter(Counting(), again=False)
    mattes, states = [], []
    for picture, seconds in moments:
        mattes.append(matter(frame(picture, seconds)))
        states.append(matter.state)
    assert states == [1, 1, 2, 2, 1, 2]  # after a gap the memory begins anew
    assert [matte.repeated for matte in mattes] == [False, True, False, True, False, False]
    assert [float(matte.frame.seconds) for matte in mattes] == [seconds for _, seconds in moments]
    assert mattes[1].alpha is mattes[0].alpha and not mattes[1].fresh and "repeated" in repr(mattes[1])
    assert matter(frame(shot, 2.2), mask=np.zeros((90, 160), np.uint8)).repeated is False  # with a hint of its own
    corrected = Matter(Counting(), again=False)
    corrected(frame(shot, 0))
    kept = corrected.correct(np.full((90, 160), 255, np.uint8))
    assert np.array_equal(corrected(frame(shot, 0.1)).alpha, kept.alpha)
    assert corrected.correct(np.full((90, 160), 128, np.uint8)).frame.seconds == Fraction(1, 10)


def test_the_first_frame_of_a_shot_is_looked_at_twice():
    class Remembering(Counting):
        def initial_state(self, size):
            return 10

    matter = Matter(Remembering())
    shot, states = scene(), []
    for f in [frame(shot, 0), frame(shot, 0.1), frame(255 - shot, 0.2)]:
        matter(f)
        states.append(matter.state)
    assert states == [12, 13, 12]


def test_a_lamp_or_motion_is_no_cut():
    shot = scene()
    moved = np.roll(shot, 3, axis=1)
    brighter = np.clip(shot.astype(int) + 20, 0, 255).astype(np.uint8)
    assert run([frame(shot, 0), frame(moved, 0.04), frame(brighter, 0.08)]) == [1, 2, 3]


@pytest.mark.parametrize("size", [(90, 160), (91, 161), (1, 1), (2, 300), (720, 1280)])
@pytest.mark.parametrize("refine", [True, False])
def test_alpha_has_the_frames_size(size, refine):
    matte = Matter(Counting(), refine=refine)(frame(scene(0, size), 0))
    assert matte.alpha.shape == size and matte.alpha.dtype == np.uint8 and matte.fresh


def test_plain_arrays_follow_each_other():
    matter = Matter(Counting())
    for _ in range(3):
        matter(scene())
    assert matter.state == 3
    matter.reset()
    assert matter(scene()).fresh
    with pytest.raises(InputError, match="uint8"):
        matter(scene().astype(np.float32))


def test_guided_alpha_follows_the_edge_of_the_picture():
    size, small = (256, 256), (32, 32)
    rgb = np.zeros((*size, 3), np.uint8)
    cv2.circle(rgb, (128, 128), 83, (220, 220, 220), -1)
    true = (rgb[..., 0] > 0).astype(np.float32)
    pha = cv2.resize(true, small[::-1], interpolation=cv2.INTER_AREA)
    plain = quantise(cv2.resize(pha, size[::-1])).astype(np.float32) / 255
    for picture in (rgb, rgb_to_yuv(rgb), rgb_to_yuv(rgb, depth=10)):
        guided = guided_upsample(pha, picture).astype(np.float32) / 255
        assert np.abs(guided - true).mean() < 0.5 * np.abs(plain - true).mean()


def test_guided_upsampling_of_a_plain_matte_stays_plain():
    for value in (0.0, 1.0):
        alpha = guided_upsample(np.full((32, 64), value, np.float32), scene(1, (180, 320)))
        assert (alpha == 255 * value).all()


def mattes(values: list[int], fresh: tuple[int, ...] = (0,)) -> list[Matte]:
    picture = SimpleNamespace()
    return [Matte(picture, np.full((2, 2), v, np.uint8), i in fresh) for i, v in enumerate(values)]  # type: ignore[arg-type]


def test_one_frame_delay_takes_out_single_frame_flicker_only():
    smoothed = [int(m.alpha[0, 0]) for m in one_frame_delay(mattes([200, 0, 210, 210, 0, 0, 200]))]
    assert smoothed == [200, 205, 210, 210, 0, 0, 200]


def test_one_frame_delay_keeps_cuts_and_counts():
    assert [int(m.alpha[0, 0]) for m in one_frame_delay(mattes([200, 0, 200], fresh=(0, 1)))] == [200, 0, 200]
    assert list(one_frame_delay([])) == []
    assert len(list(one_frame_delay(mattes([7])))) == 1


def test_smoothing_works_pixel_by_pixel():
    before = np.array([[200, 0]], np.uint8)
    middle = np.array([[20, 0]], np.uint8)
    assert smooth_middle(before, middle, before).tolist() == [[200, 0]]
