"""Outlines brought to where the colours beside them are."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from koutu.engines.backend import Backend
from koutu.matting.local_colour import follow_colours
from koutu.matting.matter import Matter

SIZE = 96, 128


def truth(size: tuple[int, int] = SIZE) -> np.ndarray:
    """A head on shoulders with two strands of hair, alpha in [0, 1]."""
    h, w = size
    large = np.zeros((4 * h, 4 * w), np.uint8)
    cv2.circle(large, (2 * w, 2 * h), int(1.1 * h), 255, -1)
    cv2.rectangle(large, (w, 3 * h), (3 * w, 4 * h), 255, -1)
    cv2.line(large, (2 * w, 2 * h), (int(2.7 * w), int(0.5 * h)), 255, 3)
    return cv2.resize(large, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def picture(alpha: np.ndarray, person: tuple[int, ...], behind: tuple[int, ...], noise: int = 12) -> np.ndarray:
    """Both sides in their colours, each with a grain of its own."""
    grain = np.random.default_rng(1).normal(0, noise, (*alpha.shape, 3))
    mixed = alpha[..., None] * np.array(person) + (1 - alpha[..., None]) * np.array(behind) + grain
    return np.clip(mixed, 0, 255).astype(np.uint8)


def blurred(alpha: NDArray[Any], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), sigma), np.float32)


def error(pha: np.ndarray, alpha: np.ndarray) -> float:
    return float(np.abs(pha - alpha).mean())


@pytest.mark.parametrize("size", [SIZE, (95, 127)])
def test_an_outline_beside_its_place_comes_nearer(size):
    alpha = truth(size)
    rgb = picture(alpha, (70, 60, 50), (120, 140, 160))
    shifted = np.roll(blurred(alpha, 1.5), 3, axis=1)
    found = follow_colours(shifted, rgb)
    assert found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    assert error(found, alpha) < 0.5 * error(shifted, alpha)


def test_strands_that_a_network_smears_come_back():
    alpha = truth()
    rgb = picture(alpha, (70, 60, 50), (150, 170, 190), noise=3)
    smeared = blurred(alpha, 2.5)
    strand = np.zeros(SIZE, np.uint8)
    cv2.line(strand, (int(0.58 * SIZE[1]), 24), (int(0.66 * SIZE[1]), 14), 1, 3)
    where = strand.astype(bool)
    found = follow_colours(smeared, rgb)
    assert error(found[where], alpha[where]) < 0.6 * error(smeared[where], alpha[where])


def test_what_is_sure_all_around_stays():
    rgb = picture(truth(), (70, 60, 50), (120, 140, 160))
    for value in (0.0, 1.0):
        pha = np.full(SIZE, value, np.float32)
        assert (follow_colours(pha, rgb) == value).all()
    pha = blurred(truth(), 1.5)
    found = follow_colours(pha, rgb)
    far = cv2.erode((pha == 1).astype(np.uint8), np.ones((31, 31))) > 0
    assert far.any() and (found[far] == 1).all() and (found[:6, :6] == 0).all()


def test_colours_that_are_alike_decide_nothing():
    alpha = truth()
    pha = blurred(alpha, 2)
    found = follow_colours(pha, picture(alpha, (128, 128, 128), (128, 128, 128)))
    assert error(found, alpha) < error(pha, alpha)
    plain = np.full((*SIZE, 3), 128, np.uint8)
    assert np.isfinite(follow_colours(pha, plain)).all()
    assert (
        follow_colours(np.full(SIZE, 0.021, np.float32), plain).max() < 0.01
    )  # nothing is unsure after the first step


class Smearing(Backend):
    """Sees every frame at a half, and says where its person was, smeared; with a hint, if it needs one."""

    name = "smearing"

    def __init__(self, alpha):
        self.small = blurred(cv2.resize(alpha, (64, 48), interpolation=cv2.INTER_AREA), 2)

    def network_size(self, size):
        return 48, 64

    def initial_state(self, size):
        return None

    def __call__(self, rgb, state, **hints: NDArray[Any]):
        return None, np.asarray(self.small, np.float32), None


class Hinted(Smearing):
    needs = ("mask",)


def test_a_matter_follows_colours_unless_a_hint_told_the_outline():
    alpha = truth()
    rgb, mask = picture(alpha, (70, 60, 50), (120, 140, 160)), (alpha > 0.5).astype(np.uint8) * 255
    plain = Matter(Smearing(alpha), refine=False)(rgb).alpha / 255
    followed = Matter(Smearing(alpha))(rgb).alpha / 255
    hinted = Matter(Hinted(alpha))(rgb, mask=mask).alpha / 255
    assert error(followed, alpha) < 0.7 * error(plain, alpha)
    assert error(followed, alpha) < 0.8 * error(hinted, alpha)
