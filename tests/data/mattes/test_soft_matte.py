"""Masks softened along the picture's edges."""

import numpy as np

from koutu.data.mattes.soft_matte import guided_matte


def test_a_mask_becomes_a_softer_matte():
    mask = np.zeros((80, 80), np.float32)
    mask[20:60, 20:60] = 1
    rgb = np.full((80, 80, 3), 30, np.uint8)
    rgb[22:58, 22:58] = 220  # the true edge lies two pixels inside the mask's
    matte = guided_matte(rgb, mask)
    assert matte[40, 40] == 255 and matte[5, 5] == 0 and matte[20, 40] < matte[23, 40]
