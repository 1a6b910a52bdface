"""Trimaps made from masks."""

import numpy as np

from koutu.trimap import trimap_from_mask


def test_a_mask_becomes_a_trimap():
    mask = np.zeros((80, 80), np.float32)
    mask[20:60, 20:60] = 1
    trimap = trimap_from_mask(mask, 4)
    assert set(np.unique(trimap)) == {0, 128, 255}
    assert trimap[40, 40] == 255 and trimap[20, 40] == 128 and trimap[0, 0] == 0
