"""Samples made on the fly: shapes, truth that stays with its picture, a past that is sometimes wrong, reproducible."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from koutu.data.mattes.soft_matte import guided_matte
from koutu.data.packs.pack import Entry, Pack, write_pack
from koutu.data.scenes import light
from koutu.data.scenes.augment import degrade, jitter_colour, motion_blur, recolour_pale
from koutu.data.scenes.previous_alpha import CASES, corrupt, previous_alpha
from koutu.trimap import trimap_from_mask


@pytest.fixture(scope="module")
def packs(tmp_path_factory) -> tuple[Pack, Pack]:
    """Six red discs as people, three green rooms."""
    folder, rng = tmp_path_factory.mktemp("packs"), np.random.default_rng(0)

    def person(i: int) -> tuple[Entry, np.ndarray]:
        rgba = rng.integers(0, 60, (120, 100, 4), np.uint8)
        rgba[..., 3] = 0
        cv2.circle(rgba, (50, 70), 35 + i, (250, 10, 10, 255), -1)
        return Entry(f"p{i}", "london" if i % 2 else "eg1800", f"g{i // 2}", True, 120, 100, 4), rgba

    def room(i: int) -> tuple[Entry, np.ndarray]:
        return Entry(f"r{i}", "rooms", f"r{i}", False, 90, 160, 3), np.full((90, 160, 3), (10, 200, 10), np.uint8)

    write_pack(folder / "people", (person(i) for i in range(6)))
    write_pack(folder / "rooms", (room(i) for i in range(3)))
    return Pack(folder / "people"), Pack(folder / "rooms", in_memory=True)


def test_a_pack_gives_back_what_was_written(packs):
    people, rooms = packs
    assert len(people) == 6 and people[3].shape == (120, 100, 4) and people.entries[3].group == "g1"
    assert (rooms[2] == (10, 200, 10)).all()
    with pytest.raises(ValueError, match="expected a pack index"):
        Pack(Path("nowhere"))


def test_the_past_has_all_its_cases():
    alpha = np.zeros((64, 64), np.uint8)
    cv2.circle(alpha, (32, 32), 18, 255, -1)
    other = np.full_like(alpha, 77)
    rng = np.random.default_rng(0)
    pasts = [previous_alpha(alpha, other, rng) for _ in range(400)]
    blank = np.mean([not p.any() for p in pasts])
    exact = np.mean([np.array_equal(p, alpha) for p in pasts])
    assert abs(blank - CASES["blank"]) < 0.07 and exact < 0.15
    assert any(np.array_equal(p, other) for p in pasts)
    assert sum(CASES.values()) == pytest.approx(1)
    assert all(corrupt(alpha, rng).shape == alpha.shape for _ in range(30))


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


def test_masks_become_trimaps_and_softer_mattes():
    mask = np.zeros((80, 80), np.float32)
    mask[20:60, 20:60] = 1
    trimap = trimap_from_mask(mask, 4)
    assert set(np.unique(trimap)) == {0, 128, 255}
    assert trimap[40, 40] == 255 and trimap[20, 40] == 128 and trimap[0, 0] == 0
    rgb = np.full((80, 80, 3), 30, np.uint8)
    rgb[22:58, 22:58] = 220  # the true edge lies two pixels inside the mask's
    matte = guided_matte(rgb, mask)
    assert matte[40, 40] == 255 and matte[5, 5] == 0 and matte[20, 40] < matte[23, 40]
