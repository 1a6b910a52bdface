"""Mattes made of what comes before and after."""

from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest
from support.backends import Everything
from support.walkers import walk

from koutu.color import to_rgb
from koutu.matting.solved_band import band_trimap, solved_band
from koutu.matting.two_passes import STEPS, TwoPasses, joined
from koutu.matting.zoom import SOMEBODY
from koutu.metrics import mad
from koutu.types import Frame


class Unsteady(Everything):
    """What is dark, blurred and otherwise in every frame; blind: what it is shown first it does not see."""

    def __init__(self, blind: bool = False):
        super().__init__()
        self.blind = blind

    def __call__(self, rgb, state, **hints):
        dark = cv2.blur((rgb[..., 1] < 75).astype(np.float32), (5, 5))
        noise = np.random.default_rng(int(rgb[:4].sum())).normal(0, 0.15, dark.shape).astype(np.float32)
        seen = np.clip(dark + noise * (dark > 0) * (dark < 1), 0, 1)
        return None, np.full_like(dark, 0.4) if self.blind and not state else seen, state + 1


def frames(count: int = 4, step: float = 1.0) -> tuple[list[Frame], list[np.ndarray]]:
    shown = walk([60.0 + step * at for at in range(count)])
    return [Frame(rgb, at, Fraction(1, 25)) for at, (rgb, _) in enumerate(shown)], [alpha for _, alpha in shown]


def flicker(alphas: list[np.ndarray]) -> float:
    return float(np.mean([np.abs(a.astype(int) - b).mean() for a, b in pairwise(alphas)]))


def error(alphas: list[np.ndarray], truths: list[np.ndarray]) -> float:
    return float(np.mean([mad(a, t) for a, t in zip(alphas, truths, strict=True)]))


def test_solving_and_steadying_each_help():
    clip, truths = frames(step=0.0)
    ticks = []
    whole = [found.alpha for found in TwoPasses(Unsteady())(clip, lambda: ticks.append(0))]
    restless = [found.alpha for found in TwoPasses(Unsteady(), rounds=0)(clip)]
    unsolved = [found.alpha for found in TwoPasses(Unsteady(), solve=False)(clip)]
    assert error(whole, truths) < 0.8 * error(unsolved, truths) and flicker(whole) < 0.8 * flicker(restless)
    assert len(ticks) == STEPS * len(clip)


def test_what_other_frames_show_of_the_background_is_no_person():
    clip, truths = frames(6, 4.0)

    class Mistaken(Unsteady):
        def __call__(self, rgb, state, **hints):
            _, pha, state = super().__call__(rgb, state)
            if np.array_equal(rgb, to_rgb(clip[3].picture)):
                pha[10:34, 100:130] = 0.97
            return None, pha, state

    kept, gone = (
        TwoPasses(Mistaken(), uncover=uncover, solve=False, rounds=0)(clip)[3].alpha[12:32, 102:128]
        for uncover in (False, True)
    )
    assert kept.min() > 230 and gone.mean() < 30 and not truths[3][12:32, 102:128].any()


def test_what_the_past_does_not_tell_the_future_may():
    clip, truths = frames()
    both, one_way = (
        [found.alpha for found in TwoPasses(Unsteady(blind=True), solve=False, rounds=0, both=both)(clip)]
        for both in (True, False)
    )
    assert error(both[:1], truths[:1]) < 0.5 * error(one_way[:1], truths[:1])


class Wide(Everything):
    """A network whose memory is alpha: it finds what is dark, and keeps the sizes of what it was shown."""

    can_recall = True

    def __init__(self):
        super().__init__()
        self.shown: list[tuple[int, int]] = []

    def network_size(self, size):
        return 96, round(96 * size[1] / size[0])

    def __call__(self, rgb, state, **hints):
        self.shown.append(rgb.shape[:2])
        return None, (rgb.max(axis=2) < 80).astype(np.float32), state + 1


def test_people_who_walk_are_seen_as_large_as_they_can_be():
    places = [(600 + 20 * at, 300) for at in range(4)]
    clip, truths = [], []
    for at, middle in enumerate(places):
        truths.append(cv2.circle(np.zeros((480, 1280), np.uint8), middle, 60, 255, -1))
        clip.append(
            Frame(np.where(truths[-1][..., None] > 0, 40, 200).repeat(3, 2).astype(np.uint8), at, Fraction(1, 25))
        )
    far, near = Wide(), Wide()
    found = [
        [one.alpha for one in TwoPasses(backend, refine=False, uncover=False, rounds=0, zoom=zoom)(clip)]
        for backend, zoom in ((far, False), (near, True))
    ]
    assert set(far.shown) == {(96, 256)} and len(far.shown) == 2 * len(clip)
    assert near.shown[: len(clip)] == [(96, 256)] * len(clip)  # whole, to find the part
    (part,) = set(near.shown[len(clip) :])
    assert part[1] < 200 and len(near.shown) == 3 * len(clip)
    assert error(found[1], truths) < 0.7 * error(found[0], truths)
    outside = slice(0, 500)
    assert all(not alpha[:, outside].any() and alpha.max() > 255 * SOMEBODY for alpha in found[1])


def test_a_cut_parts_the_passes():
    clip, _ = frames(3)
    other = [Frame(255 - to_rgb(frame.picture), frame.pts + 3, frame.time_base) for frame in clip]
    found = TwoPasses(Everything(), solve=False)([*clip, *other])
    assert [one.fresh for one in found] == [True, False, False, True, False, False]


def test_the_surer_alpha_counts_more():
    forward, backward = (np.array([[x, 0.5, 0, 1]], np.float32) for x in (0.99, 0.4))
    both = joined(forward, backward)[0]
    assert both[0] > 0.85 and both[1] == pytest.approx(0.5) and list(both[2:]) == pytest.approx([0, 1], abs=1e-6)


def test_a_band_is_solved_where_there_is_one():
    (rgb, alpha), *_ = walk([60.0])
    coarse = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 3) / 255, np.float32)
    assert set(np.unique(band_trimap(coarse))) == {0, 128, 255}
    assert mad(solved_band(coarse, rgb), alpha / 255) < 0.6 * mad(coarse, alpha / 255)
    nobody = np.zeros(alpha.shape, np.float32)
    assert solved_band(nobody, rgb) is nobody
