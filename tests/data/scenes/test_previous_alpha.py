"""The past that a still is given: right, wrong or missing, as often as said."""

import cv2
import numpy as np
import pytest

from koutu.data.scenes.previous_alpha import CASES, corrupt, previous_alpha


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
