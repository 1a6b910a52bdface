"""What a network is shown of pictures of any size: the pixels it was trained for, at their aspect, in whole strides."""

import pytest

from koutu.sizes import near_area, whole


@pytest.mark.parametrize(
    ("size", "pixels", "stride", "expected"),
    [
        ((720, 1280), 147456, 8, (288, 512)), ((1280, 720), 147456, 8, (512, 288)),
        ((1080, 1920), 196544, 8, (336, 592)), ((720, 1280), 96 * 160, 32, (96, 160)),
        ((1, 1), 36864, 8, (192, 192)), ((720, 1280), 458752, 1, (508, 903)), ((3, 3), 1, 32, (32, 32)),
    ],
)  # fmt: skip
def test_sizes_that_are_known(size, pixels, stride, expected):
    assert near_area(size, pixels, stride) == expected


@pytest.mark.parametrize("stride", [1, 8, 32])
@pytest.mark.parametrize("size", [(36, 64), (1080, 1920), (1920, 1080), (480, 640), (999, 1000)])
def test_the_pixels_and_the_aspect_stay(size, stride):
    height, width = near_area(size, 400_000, stride)
    assert height % stride == width % stride == 0
    assert abs(height * width / 400_000 - 1) < 0.05 and abs(width / height * size[0] / size[1] - 1) < 0.05


def test_a_picture_longer_than_four_to_one_is_squeezed():
    assert near_area((100, 4000), 40_000, 1) == near_area((100, 400), 40_000, 1) == (100, 400)
    assert near_area((4000, 100), 40_000, 1) == (400, 100)


def test_a_side_is_the_nearest_multiple_and_never_nothing():
    assert [whole(side, 8) for side in (0.1, 11.9, 12.1, 16)] == [8, 8, 16, 16]
