"""A trimap, a mask or clicks for a network that knows nothing of them: obeyed, carried on, or told to be of no use."""

import re
from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image

from koutu.api import convert_image
from koutu.engines.backend import Backend
from koutu.matting.clicks import Click
from koutu.matting.guidance import clicked
from koutu.matting.guided import is_narrow
from koutu.matting.hints import Hints
from koutu.matting.matter import Matter
from koutu.media.image import write_image
from koutu.trimap import UNKNOWN, trimap_from_mask
from koutu.types import Frame

SIZE = (48, 64)


class Bright(Backend):
    """Whatever is bright is somebody; its memory is the last alpha."""

    name, can_recall = "bright", True

    def network_size(self, size):
        return SIZE

    def initial_state(self, size):
        return [np.zeros(size, np.float32)]

    def __call__(self, rgb, state, **hints):
        assert not hints
        pha = (rgb[..., 1] > 127).astype(np.float32)
        return None, pha, [pha]

    def recalled(self, rgb, pha):
        return [pha]


def scene(x: int = 6, other: int = 44) -> np.ndarray:
    """Two bright people in the dark, one in a warmer light, their left sides at x and other."""
    rgb = np.full((*SIZE, 3), 20, np.uint8)
    rgb[10:40, other : other + 14] = (120, 230, 230)
    rgb[10:40, x : x + 14] = (230, 230, 120)
    return rgb


def left(x: int = 6) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[10:40, x : x + 14] = 255
    return mask


def people(alpha: np.ndarray) -> tuple[bool, bool]:
    """Whether the left and the right one are there."""
    return bool((alpha[15:35, 5:30] > 200).any()), bool((alpha[15:35, 46:56] > 200).any())


def clip(count: int = 4) -> list[Frame]:
    return [Frame(scene(6 + 2 * t), t, Fraction(1, 10)) for t in range(count)]


WIDE = trimap_from_mask(left(), 2)


@pytest.mark.parametrize("solve", [False, True])
@pytest.mark.parametrize("size", [SIZE, (96, 128)])
def test_what_a_trimap_knows_is_obeyed_at_full_size(size, solve):
    trimap = np.asarray(cv2.resize(WIDE, size[::-1], interpolation=cv2.INTER_NEAREST))
    trimap[:4], trimap[20:24, 20:24] = 255, 0  # against what the network says
    rgb = np.asarray(cv2.resize(scene(), size[::-1], interpolation=cv2.INTER_NEAREST))
    alpha = Matter(Bright(), hints=Hints(trimap=trimap), solve=solve)(rgb).alpha
    assert np.array_equal(alpha[trimap != UNKNOWN], trimap[trimap != UNKNOWN])
    assert (alpha[trimap == UNKNOWN] > 127).any() and (alpha[trimap == UNKNOWN] < 128).any()


@pytest.mark.parametrize("hints", [Hints(mask=left()), Hints(trimap=WIDE), Hints(clicks=[Click(12, 25, True)])])
def test_who_is_wanted_in_the_first_frame_stays_alone(hints):
    matter = Matter(Bright(), hints=hints)
    assert [people(matter(frame).alpha) for frame in clip()] == [(True, False)] * 4
    assert not matter.notes()


def test_clicks_take_whom_the_network_finds_there_and_their_own_mask_elsewhere():
    found = np.zeros(SIZE, bool)
    found[10:40, 6:20] = found[10:40, 44:58] = True
    mask = np.full(SIZE, 255, np.uint8)
    assert np.array_equal(clicked(mask, found, [Click(12, 25), Click(2, 2, False)]), left())
    assert np.array_equal(clicked(mask, found, [Click(30, 25)]), mask)
    mask[:, 13:] = 0
    assert np.array_equal(clicked(mask, found, [Click(8, 25), Click(18, 25, False)]), np.where(mask, left(), 0))


def test_a_mask_is_not_believed_near_its_edge():
    rough = cv2.dilate(left(), np.ones((5, 5), np.uint8))
    alpha = Matter(Bright(), hints=Hints(mask=rough))(scene()).alpha
    assert np.abs(alpha.astype(int) - left()).mean() < 3
    assert (Matter(Bright(), hints=Hints(mask=rough, radius=0))(scene()).alpha[rough > 0] == 255).all()


def test_what_the_network_misses_is_kept_from_frame_to_frame():
    bag = left()
    bag[16:36, 20:32] = 255  # as dark as the room
    texture = np.random.default_rng(0).integers(0, 90, (*SIZE, 1), np.uint8)
    rgb = np.maximum(scene(), texture)
    matter = Matter(Bright(), hints=Hints(mask=bag))
    for t in range(3):
        assert (matter(Frame(rgb, t, Fraction(1, 10))).alpha[22:30, 22:27] > 200).all()


def test_who_comes_in_later_is_left_out():
    matter = Matter(Bright(), hints=Hints(mask=left()))
    frames = [Frame(scene(other=x), t, Fraction(1, 10)) for t, x in enumerate((60, 56, 52, 48, 44))]
    assert [people(matter(frame).alpha) for frame in frames] == [(True, False)] * 5


def test_a_correction_does_not_bring_others_back():
    matter = Matter(Bright(), hints=Hints(mask=left()))
    first, second = clip(2)
    matter(first)
    matter(second)
    touch = np.full(SIZE, 128, np.uint8)
    touch[40:44, 10:14] = 255
    alpha = matter.correct(touch).alpha
    assert people(alpha) == (True, False) and (alpha[40:44, 10:14] == 255).all()


def test_a_video_of_masks_goes_along(tmp_path):
    first, *more = (Image.fromarray(mask) for mask in (left(6), left(8) * 0, left(10)))
    first.save(tmp_path / "masks.gif", save_all=True, append_images=more, duration=100)
    moving = Hints(mask=tmp_path / "masks.gif")
    matter = Matter(Bright(), hints=moving)
    alphas = [matter(Frame(scene(6 + 2 * t), t, Fraction(1, 10))).alpha for t in range(3)]
    moving.close()
    assert [people(alpha) for alpha in alphas] == [(True, False), (False, False), (True, False)] and not matter.notes()


def test_who_left_is_not_taken_for_another():
    matter, alphas = Matter(Bright(), hints=Hints(mask=left())), []
    for t, gone in enumerate((6, 13, 20, 20)):  # columns, from the left; all at once would be a cut
        rgb = scene()
        rgb[:, :gone] = 20
        alphas.append(matter(Frame(rgb, t, Fraction(1, 10))).alpha)
    assert [people(alpha) for alpha in alphas] == [(True, False)] * 2 + [(False, False)] * 2


NOBODY = np.zeros(SIZE, np.uint8)
BETWEEN = NOBODY.copy()
BETWEEN[10:40, 30:40] = 255
USELESS = [
    (Hints(mask=NOBODY), "the mask was not used.*nobody in it"),
    (Hints(mask=NOBODY + 255), "white everywhere"),
    (Hints(trimap=NOBODY + 255), "the trimap was not used.*white everywhere"),
    (Hints(trimap=NOBODY), "nobody in it"),
    (Hints(trimap=NOBODY + 128), "unknown everywhere"),
    (Hints(mask=BETWEEN), "where somebody is"),
    (Hints(mask=left()[:, :40].copy()), "64×48, got 40×48"),
]


@pytest.mark.parametrize(("hints", "said"), USELESS)
def test_a_useless_hint_is_told_and_changes_nothing(hints, said):
    matter, plain = Matter(Bright(), hints=hints), Matter(Bright())
    for frame in clip(2):
        assert np.array_equal(matter(frame).alpha, plain(frame).alpha)
    [note] = matter.notes()
    assert "expected" in note and re.search(said, note)


def test_after_a_cut_a_first_frames_mask_is_told_to_be_over():
    matter = Matter(Bright(), hints=Hints(mask=left()))
    first, second = clip(2)
    matter(first)
    cut = Frame(255 - second.picture, 1, Fraction(1, 10))  # type: ignore[operator]
    assert np.array_equal(matter(cut).alpha, Matter(Bright())(cut).alpha)
    assert "from 0.10 s on" in matter.notes()[0]
    matter.reset()
    assert people(matter(first).alpha) == (True, False) and not matter.notes()


def test_a_mask_of_another_size_is_scaled():
    matter = Matter(Bright(), hints=Hints(mask=cv2.resize(left(), (128, 96), interpolation=cv2.INTER_NEAREST)))
    assert people(matter(clip()[0]).alpha) == (True, False) and not matter.notes()


def test_a_pictures_hint_is_told_where_it_is_cut_out(tmp_path):
    told: list[str] = []
    write_image(tmp_path / "mask.png", np.repeat(NOBODY[..., None], 3, axis=2))
    convert_image(
        scene(), tmp_path / "o.png", backend=Bright(), hints=Hints(mask=tmp_path / "mask.png"), tell=told.append
    )
    assert len(told) == 1 and "nobody in it" in told[0]


@pytest.mark.parametrize("radius, narrow", [(5, True), (16, False)])
def test_a_narrow_trimap_is_a_line(radius, narrow):
    mask = cv2.ellipse(np.zeros((300, 400), np.uint8), (200, 180), (80, 110), 0, 0, 360, 255, -1)
    assert is_narrow(trimap_from_mask(mask, radius)) == narrow
