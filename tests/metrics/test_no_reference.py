"""Measures without a truth: each against a plain computation, or a constructed case whose answer is known."""

import math
from collections import deque

import cv2
import numpy as np
import pytest

from koutu.metrics import no_reference as nr
from koutu.metrics.video import lookup
from koutu.types import InputError


def texture(seed: int, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    """Smooth noise in three channels, with enough to hold on to everywhere."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3)).astype(np.float32), (0, 0), 2.0)
    return np.asarray(cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)).astype(np.uint8)  # type: ignore[call-overload]


def square(left: int, top: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """A textured square of 48 pixels before another texture, and its alpha."""
    src, alpha = texture(1), np.zeros((120, 160), np.uint8)
    src[top : top + 48, left : left + 48] = texture(2)[:48, :48]
    alpha[top : top + 48, left : left + 48] = 255
    return src, alpha


def test_flow_finds_a_shift_backwards():
    picture = texture(0)
    moved = np.roll(picture, (2, 3), (0, 1))
    found = nr.flow(picture, moved)
    inner = found[20:-20, 20:-20]
    assert found.shape == (120, 160, 2) and found.dtype == np.float32
    assert np.abs(inner - [-3, -2]).mean() < 0.15
    small = nr.flow(picture, moved, side=80)
    assert np.abs(small[20:-20, 20:-20] - [-3, -2]).mean() < 0.4
    assert nr.flow(picture[:5, :7], moved[:5, :7]).shape == (5, 7, 2)


def test_warp_is_a_bilinear_lookup():
    rng = np.random.default_rng(0)
    alpha = rng.random((12, 15))
    flow = rng.uniform(-3, 3, (12, 15, 2)).astype(np.float32)
    expected, inside = lookup(alpha, flow)
    assert inside.sum() > 80
    assert np.abs(nr.warp(alpha, flow) - expected)[inside].max() < 0.05  # OpenCV counts in 32nds of a pixel
    with pytest.raises(InputError, match="expected flow"):
        nr.warp(alpha, flow[:-1])


def test_consistency_against_a_plain_loop():
    rng = np.random.default_rng(3)
    size = (9, 11)
    backward, forward = (rng.integers(-2, 3, (*size, 2)).astype(np.float32) for _ in range(2))
    forward[:, ::2] = 1
    backward[:, ::2] = -1
    previous, current = (rng.integers(0, 30, (*size, 3)).astype(np.uint8) for _ in range(2))
    expected = np.zeros(size, bool)
    for y in range(size[0]):
        for x in range(size[1]):
            b = backward[y, x]
            px, py = x + int(b[0]), y + int(b[1])
            if 0 <= px < size[1] and 0 <= py < size[0]:
                f = forward[py, px]
                agrees = ((b + f) ** 2).sum() < 0.01 * ((b**2).sum() + (f**2).sum()) + 0.5
                alike = np.abs(previous[py, px].astype(float) - current[y, x]).mean() <= 10
                expected[y, x] = agrees and alike
    assert expected.any() and not expected.all()
    assert np.array_equal(nr.consistent(backward, forward, previous, current, colour=10), expected)
    assert (nr.consistent(backward, forward) >= expected).all()


def test_perfect_alpha_of_a_moving_square_does_not_flicker():
    (before, old), (now, new) = square(50), square(53, 41)
    steady = nr.flicker(new, old, now, before)
    assert steady.whole < 0.002 and steady.band < 0.03
    stuck = nr.flicker(old, old, now, before)  # alpha that stays behind
    assert stuck.band > 5 * steady.band and stuck.whole > 5 * steady.whole


@pytest.mark.parametrize("delta", [0.02, 0.1, 0.3])
def test_added_flicker_is_measured(delta):
    src, _ = square(50)
    alpha = np.full((120, 160), 0.5)
    found = nr.flicker(alpha + delta / 2, alpha - delta / 2, src, src)
    assert found.whole == pytest.approx(delta, abs=1e-4) and found.band == pytest.approx(delta, abs=1e-4)


def test_flicker_is_untold_where_nothing_matches():
    black, white = np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8)
    found = nr.flicker(black[..., 0], black[..., 0], white, black)
    assert math.isnan(found.whole) and math.isnan(found.band)
    with pytest.raises(InputError, match="of one size"):
        nr.flow(black, white[:-1])


def test_uncertain_share():
    alpha = np.array([[0, 13, 12, 128], [255, 242, 243, 254]], np.uint8)  # 13/255 is just over 0.05, 242/255 under 0.95
    assert nr.uncertain_share(alpha) == 3 / 8
    assert nr.uncertain_share(alpha, 0.0, 1.0) == 6 / 8


def flooded(mask: np.ndarray, start: tuple[int, int], corners: bool) -> set[tuple[int, int]]:
    """The connected part of `mask` that holds `start`, pixel by pixel."""
    seen, waiting = {start}, deque([start])
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y or x) and (corners or not (y and x))]
    while waiting:
        y, x = waiting.popleft()
        for dy, dx in steps:
            place = y + dy, x + dx
            if 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1] and mask[place] and place not in seen:
                seen.add(place)
                waiting.append(place)
    return seen


def parts(mask: np.ndarray, corners: bool) -> list[set[tuple[int, int]]]:
    """All connected parts of `mask`."""
    left, found = {(int(y), int(x)) for y, x in np.argwhere(mask)}, []
    while left:
        found.append(flooded(mask, next(iter(left)), corners))
        left -= found[-1]
    return found


def test_holes_and_islands_against_a_plain_search():
    rng = np.random.default_rng(5)
    for _ in range(20):
        alpha = (rng.random((14, 17)) > 0.45).astype(np.uint8) * 255
        person, h, w = alpha > 127, *alpha.shape
        enclosed = [p for p in parts(~person, False) if not any(y in (0, h - 1) or x in (0, w - 1) for y, x in p)]
        assert nr.holes(alpha) == pytest.approx(sum(map(len, enclosed)) / person.sum())
        sizes = [len(p) for p in parts(person, True)]
        assert nr.islands(alpha) == pytest.approx(1 - max(sizes) / sum(sizes))


def test_area_and_its_change():
    empty, half = np.zeros((10, 10)), np.zeros((10, 10))
    half[:5] = 1
    assert nr.area(half) == 0.5 and nr.area_change(half, half) == 0 and nr.area_change(empty, empty) == 0
    assert nr.area_change(empty, half) == 1 and nr.area_change(half, half / 2) == 0.5
    assert nr.holes(empty) == 0 and nr.islands(empty) == 0


def test_edge_disagreement_grows_with_the_distance():
    src = np.full((200, 200, 3), 200, np.uint8)
    src[60:140, 60:140] = 40
    found = []
    for wider in (0, 4, 8, 30):
        alpha = np.zeros((200, 200), np.uint8)
        alpha[60 - wider : 140 + wider, 60 - wider : 140 + wider] = 255
        found.append(nr.edge_disagreement(src, alpha))
    reach = 0.05 * math.hypot(200, 200)
    assert found[0] == 0 and found[3] == 1
    assert found[1] == pytest.approx((4 - 1) / reach, abs=0.06) and found[2] == pytest.approx((8 - 1) / reach, abs=0.06)
    assert math.isnan(nr.edge_disagreement(src, np.zeros((200, 200), np.uint8)))
    with pytest.raises(InputError, match="like the image"):
        nr.edge_disagreement(src, np.zeros((20, 20)))


def test_halo_of_an_alpha_that_is_too_wide():
    src, exact = np.full((120, 120, 3), (40, 90, 200), np.uint8), np.zeros((120, 120))
    cv2.circle(src, (60, 60), 30, (210, 150, 110), -1)
    cv2.circle(exact, (60, 60), 30, 1.0, -1)
    wide = cv2.dilate(exact, np.ones((5, 5)))
    assert nr.halo(src, exact) < 0.01
    rim = cv2.dilate(wide, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))) - cv2.erode(
        wide, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    )
    assert nr.halo(src, wide) == pytest.approx((wide - exact).sum() / rim.sum(), abs=0.02) and nr.halo(src, wide) > 0.2
    narrow = cv2.erode(exact, np.ones((5, 5)))
    assert nr.halo(src, narrow) < 0.01
    assert math.isnan(nr.halo(np.full((120, 120, 3), 90, np.uint8), exact))
