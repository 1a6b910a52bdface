"""A known plate: found behind who walks before it, fitted to a frame, and what it proves of alpha."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from koutu.data.mattes.plate_matte import difference, matte_before_plate, own_colours
from koutu.data.mattes.soft_matte import solved_matte
from koutu.matting.known_plate import Plate, fitted_plate, found_plate, given_plate
from koutu.metrics import mad
from koutu.types import InputError

pytest.importorskip("pymatting")
HEIGHT, WIDTH = 120, 200
Bytes = NDArray[Any]


def place(seed: int = 1) -> Bytes:
    """A room with enough corners to know it again."""
    rng = np.random.default_rng(seed)
    room = cv2.resize(
        rng.integers(70, 220, (6, 10, 3)).astype(np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(60):
        x, y = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))
        cv2.rectangle(room, (x, y), (x + 7, y + 5), rng.integers(40, 250, 3).tolist(), -1)
    return np.asarray(room).astype(np.uint8)


def figure(x: float) -> Bytes:
    """Alpha of a walker."""
    alpha = np.zeros((4 * HEIGHT, 4 * WIDTH), np.uint8)
    cv2.circle(alpha, (round(4 * x), 4 * 40), 4 * 12, 255, -1)
    cv2.ellipse(alpha, (round(4 * x), 4 * 110), (4 * 18, 4 * 60), 0, 0, 360, 255, -1)
    return np.asarray(cv2.resize(alpha, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))


def frame(x: float, bgr: Bytes, seed: int, light: float = 1.0) -> tuple[Bytes, NDArray[np.float32]]:
    """A picture of the walker and a coarse mask of it."""
    alpha = figure(x)
    share = alpha[..., None] / 255
    colours = np.full_like(bgr, (25, 30, 45))
    noise = np.random.default_rng(seed).normal(0, 1.5, bgr.shape)
    rgb = np.clip(np.rint(light * (colours * share + bgr * (1 - share)) + noise), 0, 255).astype(np.uint8)
    return rgb, (cv2.GaussianBlur(alpha, (0, 0), 2) > 127).astype(np.float32)


def walked(bgr: Bytes, **options: Any) -> tuple[list[Bytes], list[NDArray[np.float32]]]:
    pairs = [frame(20 + 20 * t, bgr, t, **options) for t in range(9)]
    return [rgb for rgb, _ in pairs], [mask for _, mask in pairs]


def known(bgr: Bytes) -> Plate:
    return found_plate(*walked(bgr))


def test_the_place_is_found_within_its_noise():
    plate = known(place())
    assert plate.seen.mean() > 0.99
    assert np.abs(plate.rgb.astype(int) - place()).mean() < 1.5
    assert np.median(plate.noise) < 0.012


def test_light_that_changes_is_taken_back_and_put_on_again():
    pairs = [frame(20 + 20 * t, place(), t, light=1 - 0.04 * (t % 4)) for t in range(9)]
    plate = found_plate([rgb for rgb, _ in pairs], [mask for _, mask in pairs])
    dark, mask = frame(60, place(), 20, light=0.8)
    fitted = fitted_plate(plate, dark, mask)
    free = figure(60) == 0
    assert np.abs(fitted.rgb.astype(int) - 0.8 * place())[free].mean() < 3


def test_a_hand_that_shakes_is_taken_back():
    big = np.asarray(cv2.resize(place(), (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC)).astype(np.uint8)
    frames, masks = [], []
    for t in range(9):
        view = np.array([[1, 0, -8 - 3 * (t % 3)], [0, 1, -8 + 2 * (t % 2)]], np.float32)
        alpha = cv2.resize(figure(20 + 20 * t), (2 * WIDTH, 2 * HEIGHT))
        moved = cv2.warpAffine(big, view, (2 * WIDTH, 2 * HEIGHT), borderMode=cv2.BORDER_REFLECT)
        frames.append(np.where(alpha[..., None] > 127, np.uint8(30), moved))
        masks.append((alpha > 127).astype(np.float32))
    plate = found_plate(frames, masks)
    fitted = fitted_plate(plate, frames[4], masks[4])
    free = (masks[4] < 0.5) & fitted.seen
    free[:20], free[-20:], free[:, :20], free[:, -20:] = False, False, False, False
    assert np.abs(fitted.rgb.astype(int) - frames[4])[free].mean() < 4


def test_a_camera_that_moves_is_refused():
    wide = np.hstack([place(1), place(2), place(3)])
    frames = [np.ascontiguousarray(wide[:, 24 * t : 24 * t + WIDTH]) for t in range(9)]
    with pytest.raises(InputError, match="camera that stands still"):
        found_plate(frames, [np.zeros((HEIGHT, WIDTH), np.float32)] * 9)


def test_a_photograph_is_taken_and_that_of_another_place_refused(tmp_path):
    frames, masks = walked(place())
    Image.fromarray(place()).save(tmp_path / "own.png")
    plate = given_plate(tmp_path / "own.png", frames, masks)
    assert plate.seen.all() and np.median(plate.noise) < 0.02
    Image.fromarray(place(9)).save(tmp_path / "other.png")
    with pytest.raises(InputError, match=r"expected the background of walk\.mp4 without anybody"):
        given_plate(tmp_path / "other.png", frames, masks, "walk.mp4")
    Image.fromarray(place()[:60]).save(tmp_path / "flat.png")
    with pytest.raises(InputError, match="expected sides"):
        given_plate(tmp_path / "flat.png", frames, masks)


def test_who_stands_before_a_known_place_is_cut_out_better_than_without():
    rgb, mask = frame(100, place(), 30)
    mask = np.roll(mask, 6, axis=1)  # farther off than the band without a place reaches
    plate = fitted_plate(known(place()), rgb, mask)
    solved = matte_before_plate(rgb, difference(rgb, mask, plate), plate)
    true = figure(100)
    assert mad(solved.alpha, true) < 0.7 * mad(solved_matte(rgb, mask).alpha, true)
    rim = (true > 60) & (true < 200)
    assert np.abs(own_colours(rgb, true, plate)[rim].astype(int) - (25, 30, 45)).mean() < 25


def test_limbs_that_the_mask_lacks_are_found_and_traces_of_the_place_left():
    rgb, mask = frame(100, place(), 31)
    mask[80:, :105] = 0  # a leg is missing
    mask[30:50, 130:150] = 1  # a picture on the wall is not
    plate = fitted_plate(known(place()), rgb, mask)
    solved = matte_before_plate(rgb, difference(rgb, mask, plate), plate)
    assert mad(solved.alpha, figure(100)) < 0.01
    assert solved.alpha[35:45, 135:145].mean() < 10


def test_a_shadow_is_not_the_person():
    rgb, mask = frame(100, place(), 32)
    shadow = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(shadow, (135, 105), (30, 10), 0, 0, 360, 255, -1)
    cast = (shadow > 0) & (figure(100) == 0)
    rgb = np.where(cast[..., None], np.rint(0.68 * rgb), rgb).astype(np.uint8)
    plate = fitted_plate(known(place()), rgb, mask)
    found = difference(rgb, mask, plate)
    solved = matte_before_plate(rgb, found, plate)
    inside = cv2.erode(cast.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert found.shadow[inside].mean() > 0.8
    assert (solved.alpha[inside] > 60).mean() < 0.02


def test_what_is_never_seen_is_drawn_from_nearby_and_proves_nothing():
    frames = [frame(100, place(), t)[0] for t in range(8)]
    masks = [frame(100, place(), 0)[1]] * 8
    plate = found_plate(frames, masks)
    assert not plate.seen[80, 100] and plate.seen[20, 20]
    found = difference(frames[0], masks[0], plate)
    assert found.person[80, 100] and not found.same[80, 100]
    with pytest.raises(InputError, match="found only"):
        found_plate(frames, [np.ones((HEIGHT, WIDTH), np.float32)] * 8)
