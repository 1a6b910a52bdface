"""Colour conversion against a plain float64 version, broadcast's known values, and itself."""

import numpy as np
import pytest
from support.pixels import KINDS, doubled, mean_of_four, noise, random_rgb, slow_rgb, slow_yuv

from koutu.color import halve, rgb_to_yuv, shrink, to_rgb, yuv_to_rgb
from koutu.types import ColorSpace


@pytest.mark.parametrize(("space", "depth"), KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 6), (67, 9), (130, 34)])
def test_yuv_to_rgb_is_the_slow_one(space, depth, size):
    picture = noise(size, space, depth)
    u, v = doubled(picture.u, size), doubled(picture.v, size)
    expected = np.clip(slow_rgb(picture.y, u, v, space, depth), 0, 255)
    rgb = yuv_to_rgb(picture)
    assert rgb.shape == (*size, 3) and rgb.dtype == np.uint8
    assert np.abs(rgb - expected).max() < 0.75


@pytest.mark.parametrize(("space", "depth"), KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 6), (67, 9), (130, 34)])
def test_rgb_to_yuv_is_the_slow_one(space, depth, size):
    rgb = random_rgb(size)
    y, u, v = slow_yuv(rgb, space, depth)
    picture = rgb_to_yuv(rgb, space, depth)
    assert picture.size == size and picture.u.shape == ((size[0] + 1) // 2, (size[1] + 1) // 2)
    assert picture.y.dtype == picture.u.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert np.abs(picture.y - y.clip(0, 2**depth - 1)).max() < 0.75
    for plane, slow in ((picture.u, u), (picture.v, v)):
        assert plane.flags.c_contiguous
        assert np.abs(plane - mean_of_four(slow)).max() <= 1.1  # rounded before the mean and after it
        assert abs(np.mean(plane - mean_of_four(slow))) < (0.3 if plane.size > 100 else 1)


@pytest.mark.parametrize(
    ("space", "depth", "rgb", "expected"),
    [
        (ColorSpace("bt709"), 8, (255, 0, 0), (63, 102, 240)),
        (ColorSpace("bt709"), 8, (0, 255, 0), (173, 42, 26)),
        (ColorSpace("bt709"), 8, (0, 0, 255), (32, 240, 118)),
        (ColorSpace("bt601"), 8, (255, 0, 0), (81, 90, 240)),
        (ColorSpace("bt601"), 8, (0, 0, 255), (41, 240, 110)),
        (ColorSpace("bt601", True), 8, (255, 0, 0), (76, 85, 255)),
        (ColorSpace("bt2020"), 10, (255, 0, 0), (294, 387, 960)),
        (ColorSpace("bt709"), 8, (255, 255, 255), (235, 128, 128)),
        (ColorSpace("bt709"), 8, (0, 0, 0), (16, 128, 128)),
        (ColorSpace("bt709"), 10, (255, 255, 255), (940, 512, 512)),
        (ColorSpace("bt709", True), 10, (0, 0, 255), (74, 1023, 465)),
    ],
)
def test_known_colours(space, depth, rgb, expected):
    picture = rgb_to_yuv(np.full((2, 2, 3), rgb, np.uint8), space, depth)
    assert (picture.y[0, 0], picture.u[0, 0], picture.v[0, 0]) == expected
    assert np.abs(yuv_to_rgb(picture)[0, 0].astype(int) - rgb).max() <= 2


@pytest.mark.parametrize(("space", "depth"), KINDS)
def test_planes_survive_the_way_to_rgb_and_back(space, depth):
    rng = np.random.default_rng(2)
    colours = rng.integers(60, 196, (20, 20, 3), np.uint8)
    start = rgb_to_yuv(colours.repeat(2, 0).repeat(2, 1), space, depth)
    back = rgb_to_yuv(yuv_to_rgb(start), space, depth)
    tolerance = 1 if depth == 8 else 3  # eight bits of RGB cannot hold ten of luma
    for before, after in ((start.y, back.y), (start.u, back.u), (start.v, back.v)):
        assert np.abs(before.astype(int) - after).max() <= tolerance


@pytest.mark.parametrize(("space", "depth"), KINDS)
def test_greys_are_kept_and_stay_neutral(space, depth):
    greys = np.arange(256, dtype=np.uint8).repeat(2)[None, :, None].repeat(2, 0).repeat(3, 2)
    picture = rgb_to_yuv(greys, space, depth)
    assert (picture.u == 128 << (depth - 8)).all() and (picture.v == 128 << (depth - 8)).all()
    rgb = yuv_to_rgb(picture).astype(int)
    assert (rgb == rgb[..., :1]).all() and np.abs(rgb - greys).max() <= 1


@pytest.mark.parametrize("depth", [8, 10])
def test_a_small_size_is_the_shrunk_full_picture(depth):
    y, x = np.mgrid[:180, :322]
    smooth = np.stack([x * 0.7, y * 1.3, 255 - x * 0.5], -1).astype(np.uint8)
    picture = rgb_to_yuv(smooth, ColorSpace(), depth)
    small = yuv_to_rgb(picture, (64, 112))
    assert small.shape == (64, 112, 3)
    reference = shrink(yuv_to_rgb(picture), (64, 112)).astype(int)
    assert np.abs(small - reference).max() <= 4 and np.abs(small - reference).mean() < 1
    assert np.array_equal(to_rgb(picture, (64, 112)), small)
    assert np.array_equal(to_rgb(smooth), smooth) and to_rgb(smooth, (64, 112)).shape == (64, 112, 3)


def test_shrinking_averages_and_does_not_shift():
    checker = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(shrink(checker, (50, 60)).astype(int) - 128).max() <= 1
    ramp = np.tile(np.arange(240, dtype=np.uint8), (240, 1))
    small = shrink(ramp, (47, 50))
    centres = (np.arange(50) + 0.5) * 240 / 50 - 0.5
    assert np.abs(small[20] - centres).max() <= 1
    assert shrink(ramp, (480, 100)).shape == (480, 100)


def test_an_odd_edge_counts_double():
    plane = np.array([[0, 4, 8], [0, 4, 100], [50, 60, 70]], np.uint8)
    assert halve(plane).tolist() == [[2, 54], [55, 70]]


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"expected an RGB picture .* got \(4, 4\) of float64"):
        rgb_to_yuv(np.zeros((4, 4)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got 'bt709' and 12"):
        rgb_to_yuv(random_rgb((2, 2)), depth=12)
    with pytest.raises(ValueError, match=r"at least \(1, 1\), got \(0, 3\)"):
        shrink(np.zeros((4, 4), np.uint8), (0, 3))
