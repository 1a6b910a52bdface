"""Lamps add light as light adds up; whatever is done to a picture keeps its shape and type."""

import numpy as np
import pytest

from koutu.data.scenes import light
from koutu.data.scenes.augment import degrade, jitter_colour, motion_blur, recolour_pale


def test_lamps_add_light_in_linear_light():
    grey = np.full((40, 60, 3), 100, np.uint8)
    lamp = light.point_lamp((40, 60), (30, 20), 5)
    lit = light.add_lamp(grey, lamp, np.array([0.3, 0.3, 0.3], np.float32))
    expected = ((100 / 255) ** 2.2 + 0.3) ** (1 / 2.2) * 255
    assert abs(float(lit[20, 30, 0]) - expected) <= 2 and abs(int(lit[0, 0, 0]) - 100) <= 2
    dark = light.add_lamp(grey, lamp, np.array([-0.1] * 3, np.float32))
    assert dark[20, 30, 0] < 60
    line = light.line_lamp((40, 60), (30, 20), 0.0, 3)
    assert line[20].min() > 0.99 and line[0].max() < 0.01


@pytest.mark.parametrize("change", [jitter_colour, degrade, motion_blur, recolour_pale, light.random_lamps])
def test_augmentations_keep_shape_and_type(change):
    rgb = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    for seed in range(20):
        out = change(rgb.copy(), np.random.default_rng(seed))
        assert out.shape == rgb.shape and out.dtype == np.uint8
