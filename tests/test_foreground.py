"""The foreground's colour in the rim, against the true one."""

import cv2
import numpy as np
import pytest
from support.pixels import noise, random_rgb

from koutu.color import rgb_to_yuv, yuv_to_rgb
from koutu.composite import replace
from koutu.foreground import decontaminate, put_over
from koutu.types import Alpha, ColorSpace, Picture, Rgb, Yuv, Yuv420

GREEN = (0, 190, 60)


def hairy(size=(360, 480), hairs=220) -> tuple[Rgb, Alpha]:
    """A brown, mottled head with thin strands of hair, and its alpha."""
    rng = np.random.default_rng(3)
    height, width = size
    alpha = np.zeros(size, np.float32)
    centre, axes = (width // 2, int(height * 0.62)), (width // 5, int(height * 0.36))
    cv2.ellipse(alpha, centre, axes, 0, 0, 360, 1.0, -1)
    for angle in rng.uniform(0, 2 * np.pi, hairs):
        root = np.array([centre[0] + axes[0] * np.cos(angle), centre[1] + axes[1] * np.sin(angle)])
        turn = angle + rng.normal(0, 0.4)
        tip = root + rng.uniform(10, 40) * np.array([np.cos(turn), np.sin(turn)])
        strand = np.zeros(size, np.uint8)
        points = [tuple(int(c * 16) for c in point) for point in (root, tip)]
        cv2.line(strand, points[0], points[1], 255, 1, cv2.LINE_AA, 4)
        alpha = np.maximum(alpha, strand / np.float32(255) * np.float32(rng.uniform(0.3, 1)))
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.7)
    mottle = cv2.GaussianBlur(rng.normal(0, 60, (*size, 3)).astype(np.float32), (0, 0), 4) * 3
    return np.clip(mottle + np.array([90, 60, 40]), 0, 255).astype(np.uint8), np.rint(255 * alpha).astype(np.uint8)


def rgb_of(picture: Picture) -> np.ndarray:
    return (yuv_to_rgb(picture) if isinstance(picture, Yuv) else picture).astype(np.float64)


@pytest.fixture(scope="module")
def scene():
    return hairy()


@pytest.mark.parametrize("kind", ["rgb", "yuv", "yuv10", "full601"])
@pytest.mark.parametrize("behind", [(255, 255, 255), (20, 20, 30), (200, 60, 160)])
def test_the_fringe_at_least_halves(scene, kind, behind):
    true, alpha = scene
    as_kind = {
        "rgb": lambda rgb: rgb,
        "yuv": rgb_to_yuv,
        "yuv10": lambda rgb: rgb_to_yuv(rgb, ColorSpace(), 10),
        "full601": lambda rgb: rgb_to_yuv(rgb, ColorSpace("bt601", True)),
    }[kind]
    picture = as_kind(replace(true, alpha, np.full_like(true, GREEN)))
    new = as_kind(np.full_like(true, behind))
    rim = (alpha > 0) & (alpha < 255)
    expected = rgb_of(replace(as_kind(true), alpha, new))
    naive, ours = (
        np.abs(rgb_of(replace(front, alpha, new)) - expected)[rim].mean()
        for front in (picture, decontaminate(picture, alpha))
    )
    assert ours < 0.4 * naive


def test_a_textured_old_background_goes_too(scene):
    true, alpha = scene
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
    old = np.stack([128 + 100 * np.sin(x / 40), 128 + 100 * np.cos(y / 30), 60 + x / 4], -1).astype(np.uint8)
    picture = replace(true, alpha, old)
    rim = (alpha > 0) & (alpha < 255)
    weight = alpha[rim][:, None] / 255
    naive, ours = (
        (weight * np.abs(rgb_of(front)[rim] - true[rim])).mean() for front in (picture, decontaminate(picture, alpha))
    )
    assert ours < 0.5 * naive


@pytest.mark.parametrize("depth", [8, 10])
def test_outside_the_rim_nothing_changes_by_a_bit(depth):
    size = (121, 163)
    picture, alpha = noise(size, depth=depth), hairy(size, 40)[1]
    before = [plane.copy() for plane in (picture.y, picture.u, picture.v)]
    clean = decontaminate(picture, alpha)
    assert isinstance(clean, Yuv420) and (clean.space, clean.depth) == (picture.space, depth)
    firm = (alpha == 0) | (alpha == 255)
    assert np.array_equal(clean.y[firm], picture.y[firm]) and not np.array_equal(clean.y[~firm], picture.y[~firm])
    cells = np.pad(alpha, ((0, 1), (0, 1)), mode="edge").reshape(61, 2, 82, 2)
    firm = (cells.min((1, 3)) == 255) | (cells.max((1, 3)) == 0)
    assert np.array_equal(clean.u[firm], picture.u[firm]) and np.array_equal(clean.v[firm], picture.v[firm])
    assert max(int(plane.max()) for plane in (clean.y, clean.u, clean.v)) < 2**depth
    for plane, copy in zip((picture.y, picture.u, picture.v), before, strict=True):
        assert np.array_equal(plane, copy)


def test_rgb_outside_the_rim_and_input_untouched():
    rgb, alpha = random_rgb((90, 120)), hairy((90, 120), 30)[1]
    copy = rgb.copy()
    clean = decontaminate(rgb, alpha)
    assert isinstance(clean, np.ndarray)
    firm = (alpha == 0) | (alpha == 255)
    assert np.array_equal(clean[firm], rgb[firm]) and np.array_equal(rgb, copy)


@pytest.mark.parametrize("value", [0, 255])
def test_without_a_rim_the_picture_itself_comes_back(value):
    picture = noise((20, 30))
    assert decontaminate(picture, np.full((20, 30), value, np.uint8)) is picture


@pytest.mark.parametrize("value", [1, 30, 77, 128, 190, 254])
def test_glass_alone_keeps_its_colour(value):
    """Only half-transparent pixels: neither side is seen, so the colour that is there stays."""
    rgb = np.full((60, 80, 3), (30, 200, 90), np.uint8)
    clean = decontaminate(rgb, np.full((60, 80), value, np.uint8))
    assert np.abs(np.asarray(clean).astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 1), (17, 400), (700, 33)])
def test_any_size(size):
    alpha = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    for picture in (noise(size), random_rgb(size), noise(size, depth=10)):
        assert type(decontaminate(picture, alpha)) is type(picture)


@pytest.mark.parametrize("kind", ["rgb", "yuv", "yuv10"])
def test_put_over_is_replace_of_the_clean_picture(kind):
    make = {"rgb": random_rgb, "yuv": noise, "yuv10": lambda size, seed: noise(size, depth=10, seed=seed)}[kind]
    size = (181, 203)
    front, back = make(size, seed=1), make(size, seed=2)
    hard = np.zeros(size, np.uint8)  # chroma has a rim where luma has none, far from the one that luma has
    hard[:, 101:] = 255
    hard[60, 3] = 77
    soft = np.random.default_rng(3).integers(0, 256, size).astype(np.uint8)  # so much that all is worked on
    for alpha in (hairy(size, 40)[1], hard, 255 * (hard // 255), soft):
        expected, found = replace(decontaminate(front, alpha), alpha, back), put_over(front, alpha, back)
        for a, b in zip(planes_of(expected), planes_of(found), strict=True):
            assert np.array_equal(a, b)


def planes_of(picture: Picture) -> tuple[np.ndarray, ...]:
    return (picture.y, picture.u, picture.v) if isinstance(picture, Yuv) else (picture,)


def test_alpha_of_another_size_is_refused():
    with pytest.raises(ValueError, match="expected an alpha"):
        decontaminate(noise((20, 30)), np.zeros((20, 31), np.uint8))
