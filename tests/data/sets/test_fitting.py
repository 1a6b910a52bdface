"""Images brought to the sizes of packs and sheets."""

import numpy as np

from koutu.data.sets.fitting import in_square, shrunk


def test_a_picture_is_shrunk_to_its_longer_side_and_never_enlarged():
    picture = np.full((30, 60, 3), 9, np.uint8)
    assert shrunk(picture, 20).shape == (10, 20, 3) and shrunk(picture[..., 0], 20).shape == (10, 20)
    assert shrunk(picture, 60) is picture and shrunk(picture, 90) is picture and shrunk(picture, 0) is picture


def test_a_square_holds_the_whole_picture_in_its_middle():
    square = in_square(np.full((10, 40, 3), 200, np.uint8), 20, 32)
    assert square.shape == (20, 20, 3) and (square[7:12] == 200).all()
    assert (square[:7] == 32).all() and (square[12:] == 32).all()
    assert in_square(np.full((4, 2), 200, np.uint8), 20, 32).shape == (20, 20)
