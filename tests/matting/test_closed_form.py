"""Closed-form matting of the unknown pixels: against truth that has it exactly, and where it knows nothing."""

import numpy as np
import pytest

from koutu.matting.closed_form import solved_unknown
from koutu.matting.matter import Outline, full_size
from koutu.matting.solved_band import LARGE, QUICK_STEPS, quickly_solved_band, solved_band
from koutu.types import Frame

SIZE = 60, 80


@pytest.fixture
def scene():
    """A picture (60, 80, 3) of two plain colours with strands between them, its alpha, and where that is unknown."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    alpha = np.clip((46 - x) / 6, 0, 1) * (0.5 + 0.5 * np.sin(y)) ** (x > 40)
    alpha = np.where(x < 38, 1, alpha).astype(np.float32)
    rgb = alpha[..., None] * (200, 120, 60) + (1 - alpha[..., None]) * (30, 60, 140) + draw.normal(0, 1, (*SIZE, 3))
    return np.clip(rgb + 0.5, 0, 255).astype(np.uint8), alpha, (x > 33) & (x < 52)


def test_strands_are_found_from_a_wrong_guess(scene):
    rgb, alpha, unknown = scene
    guess = np.where(unknown, np.float32(0.5), alpha)
    found = solved_unknown(rgb, unknown, guess)
    assert np.abs(guess - alpha)[unknown].mean() > 0.3
    assert np.abs(found - alpha)[unknown].mean() < 0.04
    assert np.array_equal(found[~unknown], alpha[~unknown])


def test_at_half_the_size_alone_most_of_it_is_found(scene):
    rgb, alpha, unknown = scene
    guess = np.where(unknown, np.float32(0.5), alpha)
    found = solved_unknown(rgb, unknown, guess, QUICK_STEPS, fully=False)
    assert np.abs(found - alpha)[unknown].mean() < 0.12
    assert np.array_equal(found[~unknown], alpha[~unknown])


def test_in_videos_solving_fades_in_with_the_size_of_people(scene):
    rgb, alpha, _ = scene
    changes = []
    for columns in (16, 24, 30, 33, 46):  # people fill 0.28 of it at 26, 0.38 at 34
        pha = np.roll(alpha, columns - 46, 1)
        pha[:, columns:], pha[:, : columns - 8] = 0, 1
        pha = np.where((pha > 0) & (pha < 1), 0.5, pha).astype(np.float32)
        seen = np.roll(rgb, columns - 46, 1)
        wholly = solved_band(pha, seen, steps=QUICK_STEPS, fully=False)
        changes.append(np.abs(quickly_solved_band(pha, seen) - pha).sum() / np.abs(wholly - pha).sum())
    assert changes[0] == 0 and changes[-1] == pytest.approx(1) and changes == sorted(changes) and 0.1 < changes[2] < 0.9


def test_it_is_what_the_library_solves(scene):
    solver = pytest.importorskip("pymatting")
    rgb, alpha, unknown = scene
    exact = solver.estimate_alpha_cf(rgb / 255.0, np.where(unknown, 0.5, alpha.round()))
    found = solved_unknown(rgb, unknown, np.where(unknown, np.float32(0.5), alpha.round()), steps=200)
    assert np.abs(np.clip(found, 0, 1) - exact)[unknown].mean() < 0.03


@pytest.mark.parametrize("known", ["all", "nothing", "one colour"])
def test_where_there_is_nothing_to_solve_the_guess_stays(scene, known):
    rgb, alpha, unknown = scene
    if known == "all":
        assert solved_unknown(rgb, np.zeros(SIZE, bool), alpha) is alpha
    elif known == "nothing":
        found = solved_unknown(rgb, np.ones(SIZE, bool), np.full(SIZE, 0.25, np.float32))
        assert np.abs(found - 0.25).max() < 1e-3
    else:
        found = solved_unknown(np.full((*SIZE, 3), 90, np.uint8), unknown, alpha)
        assert np.isfinite(found).all() and found.min() > -0.1 and found.max() < 1.1


@pytest.mark.parametrize("size", [(3, 3), (5, 40), (33, 31)])
def test_of_any_size(size):
    draw = np.random.default_rng(1)
    found = solved_band(draw.random(size, np.float32), draw.integers(0, 256, (*size, 3)).astype(np.uint8))
    assert found.shape == size and found.dtype == np.float32 and 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("how", [Outline.quickly_solved, Outline.solved])
@pytest.mark.parametrize("columns, solved", [(60, True), (20, False)])
def test_people_who_are_large_are_solved(scene, columns, solved, how):
    rgb, alpha, _ = scene
    seen = np.roll(rgb, columns - 46, 1)
    soft = np.roll(alpha, columns - 46, 1)
    soft[:, columns:], soft[:, : columns - 12] = 0, 1
    pha = (soft * 0.6 + 0.2 * (soft > 0)).astype(np.float32)
    pha[:, : columns - 14] = 1
    frame = Frame(np.repeat(np.repeat(seen, 2, 0), 2, 1))
    assert (pha.mean() > LARGE) == solved
    same = np.array_equal(full_size(pha, seen, frame, how), full_size(pha, seen, frame))
    assert same != solved
