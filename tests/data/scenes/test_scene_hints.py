"""Hints for training: right where they must be, wrong as they should be, the same for the same seed."""

import numpy as np
import pytest

from koutu.data.scenes.hints import NEEDS, view
from koutu.data.scenes.sample import Scene


@pytest.fixture
def scene():
    y, x = np.mgrid[:96, :80]
    pha = np.stack([np.clip((24 - np.hypot(x - 40 - 2 * t, y - 50)) / 4 + 0.5, 0, 1) * 255 for t in range(3)])
    pha = np.rint(pha).astype(np.uint8)
    rng = np.random.default_rng(0)
    fgr = np.full((3, 96, 80, 3), 200, np.uint8)
    bgr = np.repeat(rng.integers(0, 255, (1, 96, 80, 3)).astype(np.uint8), 3, axis=0)
    return Scene(bgr, pha, fgr, bgr, pha[0], True)


def test_all_views_of_a_scene(scene):
    for seed in range(20):
        a, b = (view(scene, tuple(NEEDS), np.random.default_rng(seed)) for _ in range(2))
        for need in NEEDS:
            shape = (3, 96, 80, 3) if need == "bgr" else (3, 96, 80)
            assert a[need].shape == shape and a[need].dtype == np.uint8 and np.array_equal(a[need], b[need])
    with pytest.raises(ValueError, match="depth"):
        view(scene, ("depth",), np.random.default_rng(0))


def test_trimaps_are_never_sure_of_what_is_wrong(scene):
    for seed in range(30):
        trimap = view(scene, ("trimap",), np.random.default_rng(seed))["trimap"]
        assert set(np.unique(trimap)) <= {0, 128, 255}
        assert (scene.pha[trimap == 255] == 255).all() and (scene.pha[trimap == 0] == 0).all()
        assert (trimap[(scene.pha > 0) & (scene.pha < 255)] == 128).all()


def test_masks_are_coarse_but_about_the_person(scene):
    shares, wrong = [], []
    for seed in range(60):
        mask = view(scene, ("mask",), np.random.default_rng(seed))["mask"]
        assert set(np.unique(mask)) <= {0, 255}
        wrong.append(((mask > 127) != (scene.pha > 127)).mean())
        shares.append((mask > 127).mean() / (scene.pha > 127).mean())
    assert 0.005 < np.mean(wrong) < 0.2 and min(shares) < 0.9 and max(shares) > 1.1


def test_segmentations_are_soft_and_sometimes_have_holes(scene):
    soft = [view(scene, ("seg",), np.random.default_rng(seed))["seg"] for seed in range(40)]
    assert all(len(np.unique(seg)) > 10 for seg in soft)
    heart = [int(seg[0, 45:55, 35:45].min()) for seg in soft]
    assert max(heart) > 200 and min(heart) < 150


def test_plates_are_the_place_as_another_photograph(scene):
    away = [
        np.abs(view(scene, ("bgr",), np.random.default_rng(s))["bgr"].astype(int) - scene.bgr).mean() for s in range(40)
    ]
    assert 0 < min(away) < 8 and max(away) > 5 and np.mean(away) < 60


def test_a_place_without_shadows_is_preferred(scene):
    bright = Scene(scene.src, scene.pha, scene.fgr, scene.bgr, scene.prev, True, np.full_like(scene.bgr, 250))
    assert view(bright, ("bgr",), np.random.default_rng(0))["bgr"].mean() > 200
