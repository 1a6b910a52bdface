"""Scenes made on the fly: layers that compose, truth that follows its picture, clips that hang together, seeds."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.people import make_packs
from support.scenes import CALM

from koutu.data.packs.pack import Entry, Lottery, Pack, write_pack
from koutu.data.scenes import camera_effects as camera
from koutu.data.scenes import motion
from koutu.data.scenes.cutouts import Body, cut_out, find_body, shrink
from koutu.data.scenes.layers import (
    Layers,
    composed,
    defocused,
    harmonised,
    held,
    occluded,
    over,
    painted,
    shadowed,
    smeared,
)
from koutu.data.scenes.placement import placed
from koutu.data.scenes.sample import SceneConfig, Scenes
from koutu.matting.pull_push import extended

BUSY = SceneConfig(
    second=0.5, decoy=0.5, props=0.5, occluder=0.5, shadow=0.5, lamps=0.5, enter=0.5, blur=1, noise=0.6, codec=0.6
)


@pytest.fixture(scope="module")
def packs(tmp_path_factory) -> tuple[Pack, Pack]:
    people, places = make_packs(tmp_path_factory.mktemp("packs"))
    return Pack(people), Pack(places)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> tuple[Pack, Pack]:
    """One red figure that its picture's lower border cuts, before blue, and a green place."""
    folder = tmp_path_factory.mktemp("plain")
    rgba = np.full((120, 100, 4), (0, 0, 250, 0), np.uint8)
    cv2.circle(rgba, (50, 50), 20, (250, 0, 0, 255), -1)
    cv2.rectangle(rgba, (25, 70), (75, 119), (250, 0, 0, 255), -1)
    rgba[..., 3] = cv2.GaussianBlur(rgba[..., 3], (5, 5), 0)
    green = np.full((90, 160, 3), (0, 200, 0), np.uint8)
    write_pack(folder / "people", [(Entry("p", "official", "p", True, 120, 100, 4), rgba)])
    write_pack(folder / "places", [(Entry("r", "rooms", "r", False, 90, 160, 3), green)])
    return Pack(folder / "people"), Pack(folder / "places")


def scenes_of(packs: tuple[Pack, Pack], cfg: SceneConfig) -> Scenes:
    people, places = packs
    return Scenes(people, places, range(len(people)), cfg)


def layers(seed: int = 0, size: tuple[int, int] = (40, 50)) -> Layers:
    rng = np.random.default_rng(seed)
    fgr, bgr = (cv2.GaussianBlur(rng.integers(0, 255, (*size, 3), np.uint8), (0, 0), 2) for _ in range(2))
    pha = np.zeros(size, np.uint8)
    cv2.circle(pha, (25, 22), 12, 255, -1)
    return Layers(fgr, cv2.GaussianBlur(pha, (0, 0), 2), bgr)


def mixed(x: Layers) -> np.ndarray:
    alpha = x.pha[..., None] / 255
    return x.fgr * alpha + x.bgr * (1 - alpha)


@pytest.mark.parametrize("frames", [1, 3])
def test_a_seed_makes_a_scene_to_the_bit(packs, frames):
    scenes, again = (scenes_of(packs, BUSY) for _ in range(2))
    for seed in range(20):
        a = scenes(np.random.default_rng(seed), (48, 64), frames)
        b = again(np.random.default_rng(seed), (48, 64), frames)
        for name, shape in {"src": (frames, 48, 64, 3), "pha": (frames, 48, 64), "prev": (48, 64)}.items():
            x = getattr(a, name)
            assert x.shape == shape and x.dtype == np.uint8 and x.flags.c_contiguous
            assert np.array_equal(x, getattr(b, name))
        assert a.fgr.shape == a.bgr.shape == a.src.shape
        assert np.array_equal(a.fgr, b.fgr) and np.array_equal(a.bgr, b.bgr)


def test_exact_scenes_compose_whatever_else_happens(packs):
    scenes = scenes_of(packs, replace(BUSY, exact=True))
    for seed in range(30):
        scene = scenes(np.random.default_rng(seed), 64, 1 + seed % 3)
        alpha = scene.pha[..., None] / 255
        assert scene.coloured
        assert np.abs(scene.fgr * alpha + scene.bgr * (1 - alpha) - scene.src).max() <= 1


def test_pictures_as_they_are_have_guessed_colours(packs):
    scene = scenes_of(packs, replace(CALM, as_is=1.0))(np.random.default_rng(0), 64)
    assert not scene.coloured and scene.pha.any()
    sure = scene.pha[0] == 255
    assert np.abs(scene.fgr[0][sure].astype(int) - scene.src[0][sure]).mean() < 3


def test_the_alpha_lies_where_the_person_is_and_no_cut_edge_shows(plain):
    scenes = scenes_of(plain, replace(CALM, motion=1, shake=1))
    for seed in range(25):
        scene = scenes(np.random.default_rng(seed), 80, 4)
        red = scene.src[..., 0].astype(int) - scene.src[..., 1] > 20
        # the place's own colours are drawn anew, so only the person's red counts
        if np.median(scene.bgr[..., 0]) + 40 < np.median(scene.bgr[..., 1]):
            assert (red == (scene.pha > 127)).mean() > 0.96
        low, last = (scene.pha[:, row].max(axis=1) > 127 for row in (-6, -1))
        assert (last | ~low).all()


def test_the_old_background_does_not_shine_through(plain):
    scene = scenes_of(plain, CALM)(np.random.default_rng(3), 96)
    rim = (scene.pha[0] > 60) & (scene.pha[0] < 250)
    red, blue = scene.fgr[0][rim][:, 0].astype(int), scene.fgr[0][rim][:, 2].astype(int)
    assert rim.any() and np.median(red - blue) > 50


def test_empty_scenes_have_nobody_and_a_past_that_is_sometimes_wrong(packs):
    scenes = scenes_of(packs, replace(CALM, empty=1.0, previous_blank=0.2))
    made = [scenes(np.random.default_rng(seed), 48, 2) for seed in range(40)]
    assert not any(scene.pha.any() for scene in made)
    assert 0.1 < np.mean([scene.prev.any() for scene in made]) < 0.9


def test_the_past_is_blank_as_often_as_asked(packs):
    scenes = scenes_of(packs, replace(CALM, previous_blank=1.0))
    assert not any(scenes(np.random.default_rng(seed), 32).prev.any() for seed in range(10))
    scenes = scenes_of(packs, replace(CALM, previous_blank=0.0, previous_true=1.0, motion=1))
    scene = scenes(np.random.default_rng(1), 64, 3)
    assert 0 < np.abs(scene.prev.astype(int) - scene.pha[0]).mean() < 30


def test_clips_change_a_little_from_frame_to_frame(packs):
    steps, whole = [], []
    for seed in range(12):
        clip = scenes_of(packs, CALM)(np.random.default_rng(seed), 64, 6).pha.astype(int)
        steps.append(np.abs(np.diff(clip, axis=0)).mean())
        whole.append(np.abs(clip[-1] - clip[0]).mean())
    assert 0.3 < np.mean(steps) < 12 and np.mean(whole) > 1.5 * np.mean(steps)


def test_people_come_and_go(packs):
    scenes = scenes_of(packs, replace(CALM, enter=1.0))
    shares = [(scenes(np.random.default_rng(s), 48, 8).pha > 127).mean(axis=(1, 2)) for s in range(15)]
    assert sum(x.min() < 0.25 * x.max() for x in shares) >= 5


def test_noise_is_new_in_every_frame():
    rgb, rng = np.full((40, 40, 3), 128, np.uint8), np.random.default_rng(0)
    a, b = (camera.noisy(rgb, rng, level=6).astype(float) - 128 for _ in range(2))
    assert 4 < a.std() < 8 and abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.1
    grey = camera.noisy(rgb, rng, level=6, grain=3, grey=True)
    assert (grey[..., 0] == grey[..., 1]).all()


def test_a_camera_drifts_codes_and_loses_pixels():
    rgb = layers().fgr
    tone = camera.random_tone(np.random.default_rng(2), drift=2.0, grey=0)
    first, between, last = (tone(rgb, at).astype(float).mean() for at in (0, 0.5, 1))
    assert min(first, last) - 1 <= between <= max(first, last) + 1 and abs(first - last) > 1
    clip = [np.roll(rgb, i, axis=1)[:39] for i in range(4)]
    decoded = camera.h264(clip, 20)
    assert len(decoded) == 4 and decoded[0].shape == (39, 50, 3)
    for other in (decoded[0], camera.jpeg(clip[0], 60), camera.coarse(clip[0], 0.6)):
        assert 0.1 < np.abs(other.astype(int) - clip[0]).mean() < 15


def test_lamps_wander_over_a_clip():
    lamp = camera.Lamp(np.array([[0.1, 0.5], [0.9, 0.5]]), 0.1, np.full(3, 0.5, np.float32))
    dark = np.full((20, 60, 3), 40, np.uint8)
    brightest = [int(camera.lit(dark, lamp, at)[10, :, 0].argmax()) for at in (0.0, 0.5, 1.0)]
    assert [round(x / 6) for x in brightest] == [1, 5, 9]


def test_effects_on_layers_keep_them_composing():
    x = layers()
    shots = [replace(x, pha=np.roll(x.pha, i, axis=1), fgr=np.roll(x.fgr, i, axis=1)) for i in range(5)]
    thing = np.dstack([layers(1).fgr, np.roll(x.pha, 6, axis=0)])
    truth = np.mean([mixed(s) for s in shots], axis=0)
    assert np.abs(composed(smeared(shots)) - truth).max() < 3
    assert np.abs(composed(defocused(x, 1.5)) - cv2.GaussianBlur(mixed(x), (0, 0), 1.5)).max() < 3
    share = thing[..., 3:] / 255
    hidden = occluded(x, thing)
    assert np.abs(composed(hidden) - (thing[..., :3] * share + mixed(x) * (1 - share))).max() < 3
    assert (hidden.pha <= x.pha).all()
    assert np.array_equal(painted(x, lambda rgb: 255 - rgb).bgr, 255 - x.bgr)


def test_shadows_fall_on_the_place_alone():
    x = layers()
    dark = shadowed(x, np.array([[1.0, 0, 10], [0, 1, 0]]), strength=0.5, blur=3)
    assert dark.plate is x.bgr and (dark.bgr <= x.bgr).all()
    assert dark.bgr[22, 35].mean() < 0.75 * x.bgr[22, 35].mean() and np.array_equal(dark.fgr, x.fgr)


def test_two_people_are_one_foreground():
    front, back = (np.dstack([x.fgr, np.roll(x.pha, shift, axis=1)]) for x, shift in ((layers(), 0), (layers(1), 9)))
    both = over(front, back)
    bgr = layers(2).bgr
    expected = mixed(Layers(front[..., :3], front[..., 3], mixed(Layers(back[..., :3], back[..., 3], bgr))))
    assert np.abs(mixed(Layers(both[..., :3], both[..., 3], bgr)) - expected).max() < 3


def test_a_crowd_is_several_people_of_like_height(plain):
    made = scenes_of(plain, replace(CALM, crowd=1.0, motion=0, sway=0, bend=0))
    columns = []
    for i in range(12):
        alpha = made(np.random.default_rng(i), (96, 400)).pha[0] > 127
        columns.append(np.count_nonzero(np.diff(alpha[-4].astype(int)) > 0) + int(alpha[-4, 0]))
        assert alpha[:4].mean() < 0.5
    assert max(columns) >= 3 and np.mean(columns) > 1.5  # some stand before others


def test_things_held_belong_to_the_person_and_tones_come_from_the_place():
    person = np.dstack([np.full((60, 60, 3), 200, np.uint8), np.zeros((60, 60), np.uint8)])
    cv2.rectangle(person, (20, 10), (40, 59), (200, 200, 200, 255), -1)
    texture = np.full((16, 16, 3), (10, 90, 10), np.uint8)
    holding = held(person, np.random.default_rng(1), texture)
    new = (holding[..., 0] < 60) & (holding[..., 3] > 200)
    assert new.sum() > 10 and (holding[..., 3] >= person[..., 3]).all()
    night = np.full((20, 20, 3), (10, 10, 60), np.uint8)
    toned = harmonised(person, night, 0.5)[30, 30, :3]
    assert toned.max() < 200 and toned[2] > toned[0]


def test_bodies_are_found_and_cut_out_free_of_their_background():
    rgba = np.full((60, 50, 4), (0, 0, 255, 0), np.uint8)
    rgba[20:, 10:30] = (255, 0, 0, 255)
    body = find_body(rgba[..., 3])
    assert body == Body((60, 50), (10, 20, 30, 60), {"bottom": (10, 30)})
    assert find_body(np.zeros((9, 9), np.uint8)) is None
    assert body is not None
    small, taken = cut_out(rgba, body, 0.5)
    corner = taken @ (10, 20, 1)
    ys, xs = np.nonzero(small[..., 3] > 127)
    assert abs(xs.min() - corner[0]) <= 1 and abs(ys.min() - corner[1]) <= 1
    assert small[..., 2].max() < 100  # not even beside the body
    assert not small[[0, -1], :, 3].any()
    assert np.array_equal(extended(rgba[..., :3].copy(), np.full((60, 50), 255, np.uint8)), rgba[..., :3])
    assert shrink(rgba, 0.3)[0].shape[:2] == (18, 15) and shrink(rgba, 2.0)[0].shape == rgba.shape


def test_a_lottery_keeps_to_the_weights(tmp_path):
    entries = [Entry(kind, kind, kind, True, 2, 2, 4) for kind in ("official", "rare")]
    write_pack(tmp_path / "two", [(entry, np.zeros((2, 2, 4), np.uint8)) for entry in entries])
    draw, rng = Lottery(Pack(tmp_path / "two"), [0, 1], [("official", 3.0)]), np.random.default_rng(0)
    assert abs(np.mean([draw(rng) for _ in range(2000)]) - 0.25) < 0.04


def test_whatever_is_cut_stays_out_over_the_whole_motion():
    rng = np.random.default_rng(0)
    for cut in ({"bottom": (5, 60)}, {"left": (20, 100), "right": (50, 100), "bottom": (0, 80)}, {"top": (20, 50)}):
        body = Body((100, 80), (0, 0 if "top" in cut else 5, 80, 100), cut)
        for _ in range(20):
            stand = placed(body, (64, 48), rng)
            glide = motion.glide(rng, (64, 48), motion.timing(rng, 9, pause=0.5))
            track = motion.grounded(motion.chained(stand.base, glide), stand.outside, (64, 48))
            for side, points in stand.outside.items():
                x, y = np.moveaxis(track[:, :, :2] @ points.T + track[:, :, 2:], 1, 0)
                assert {"left": -x, "right": x - 48, "top": -y, "bottom": y - 64}[side].min() > 0.5


def test_tracks_are_smooth_chained_and_bent():
    rng = np.random.default_rng(0)
    at = motion.timing(rng, 30, pause=1.0)
    assert at.shape == (30,) and (np.diff(at) == 0).any() and -0.2 <= at.min() <= at.max() <= 1.2
    walk = motion.smooth_walk(rng, 200, 10)
    assert walk.std() > 0.4 and np.abs(np.diff(walk, axis=0)).max() < 0.8
    a, b = motion.shifts(np.array([[3.0, 1]] * 4)), motion.sway(rng, 4, (5.0, 20.0))
    assert np.allclose(motion.chained(a, b)[2] @ (1, 1, 1), b[2] @ (4, 2, 1))
    assert np.allclose(b @ (5, 20, 1), (5, 20))  # feet stay
    picture = cv2.GaussianBlur(rng.integers(0, 255, (40, 40), np.uint8), (0, 0), 3)
    matrix = np.array([[1.0, 0, 4], [0, 1, 0]])
    stiff = motion.moved(picture, matrix, (40, 50), border=cv2.BORDER_CONSTANT)
    bent = motion.moved(picture, matrix, (40, 50), border=cv2.BORDER_CONSTANT, bend=np.zeros((5, 5, 2)))
    assert np.abs(stiff.astype(int) - bent).max() <= 2
    shifted = np.zeros((5, 5, 2))
    shifted[1:4, 1:4, 0] = 3
    bent = motion.moved(picture, matrix, (40, 50), border=cv2.BORDER_CONSTANT, bend=shifted)
    assert np.abs(bent[18:22, 18:28].astype(int) - stiff[18:22, 21:31]).mean() < 6


def test_who_was_filmed_moves_as_filmed(tmp_path, plain):
    def picture(t: int) -> np.ndarray:
        rgba = np.full((120, 100, 4), (0, 0, 250, 0), np.uint8)
        cv2.rectangle(rgba, (30, 119 - 70), (70, 119), (250, 0, 0, 255), -1)
        cv2.circle(rgba, (30 + 8 * t, 30), 12, (250, 0, 0, 255), -1)  # a head that goes its way
        return rgba

    entries = [(Entry(f"c/{t}", "grid", "grid/c", True, 120, 100, 4, frame=t), picture(t)) for t in range(5)]
    still = [(Entry(f"s/{t}", "grid", "grid/c", True, 120, 100, 4), picture(t)) for t in range(5)]
    write_pack(tmp_path / "videos", entries)
    write_pack(tmp_path / "stills", still)
    calm = replace(CALM, motion=0, pan=0, shake=0, sway=0, bend=0)
    for name, clip_of in (("videos", True), ("stills", False)):
        scenes = scenes_of((Pack(tmp_path / name), plain[1]), calm)
        clips = [scenes(np.random.default_rng(i), 96, 6) for i in range(8)]
        changed = [(np.abs(np.diff(clip.pha.astype(int), axis=0)) > 99).mean() > 0.002 for clip in clips]
        assert all(changed) if clip_of else not any(changed)
        red = [(clip.src[clip.pha == 255][:, 0] > 150).mean() for clip in clips]
        assert min(red) > 0.98  # colours follow alpha
        again = scenes(np.random.default_rng(3), 96, 6)
        assert np.array_equal(again.src, clips[3].src) and np.array_equal(again.pha, clips[3].pha)
