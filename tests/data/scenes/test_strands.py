"""Strands: they compose to within rounding, are as wide as they say, begin in hair, and come where hair is sure."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from PIL import Image
from support.people import DATA, make_packs
from support.scenes import CALM

from koutu.data.packs.pack import Entry, Pack, write_pack
from koutu.data.scenes.actors import Casting
from koutu.data.scenes.faces import find_faces
from koutu.data.scenes.hair import Hair, find_hair
from koutu.data.scenes.layers import blend
from koutu.data.scenes.sample import Scenes
from koutu.data.scenes.strand_layer import Strands, painted
from koutu.data.scenes.strands import THICKEST, THINNEST, strands_of, with_strands
from koutu.media.image import read_image
from koutu.zoo import SAMPLE


@cache
def person(i: int) -> np.ndarray:
    return np.asarray(Image.open(DATA / f"person{i}.png"))


def haired() -> list[int]:
    return [i for i in range(4) if find_hair(person(i))]


def whole(hair: Hair, size: tuple[int, ...]) -> np.ndarray:
    """The mask, as large as its picture."""
    mask = np.zeros(size[:2], bool)
    mask[hair.part] = hair.mask
    return mask


def lines(width: float, angle: float, length: float = 60, opacity: float = 1.0) -> Strands:
    """One straight strand from (20, 20)."""
    way = np.array([np.cos(angle), np.sin(angle)])
    curve = (20 + np.linspace(0, length, 13)[:, None] * way)[None]
    one = np.ones(1, np.float32)
    return Strands(curve.astype(np.float32), one * width, one * opacity, np.full((1, 3), 90, np.float32), one * 9)


@pytest.mark.parametrize("width", [THINNEST, 0.7, 1.2, THICKEST])
def test_a_strand_covers_as_much_as_its_width_says(width):
    covers = []
    for angle in np.linspace(0, np.pi / 2, 7):
        _, layer = painted(lines(width, angle), np.zeros(2), (120, 120))
        covers.append(layer[..., 3].sum() / 255 / 60)
    assert np.mean(covers) == pytest.approx(0.6 * width, rel=0.2)  # it tapers to a fifth
    assert min(covers) > 0.6 * np.mean(covers)
    _, thin = painted(lines(width, 0.3, opacity=0.5), np.zeros(2), (120, 120))
    _, full = painted(lines(width, 0.3), np.zeros(2), (120, 120))
    assert thin[..., 3].sum() == pytest.approx(full[..., 3].sum() / 2, rel=0.08)
    assert full[..., 0].sum() == pytest.approx(full[..., 3].sum() * 90 / 255, rel=0.08)


def test_strands_lie_before_the_person_to_within_rounding():
    i = haired()[0]
    rgba, heads = person(i), find_hair(person(i))
    strands = strands_of(rgba, heads[0].placed(np.eye(2, 3), rgba.shape[:2]), np.random.default_rng(1), 1.0)
    assert strands is not None
    heads = [hair.placed(np.eye(2, 3), rgba.shape[:2]) for hair in heads[:1]]
    new, moved = with_strands(rgba, heads, np.random.default_rng(1))
    left, top = moved[:, 2].astype(int)
    assert np.array_equal(moved[:, :2], np.eye(2)) and min(left, top) >= 0
    box, layer = painted(strands, moved[:, 2], new.shape[:2])
    old = np.zeros_like(new)
    old[top : top + rgba.shape[0], left : left + rgba.shape[1]] = rgba
    place = np.random.default_rng(0).integers(0, 255, (*new.shape[:2], 3), np.uint8)
    behind = blend(np.ascontiguousarray(old[..., :3]), place, np.ascontiguousarray(old[..., 3]))
    truth, alpha = behind.astype(float), old[..., 3] / 255
    share = layer[..., 3:] / 255
    truth[box] = layer[..., :3] + truth[box] * (1 - share)
    alpha[box] = 1 - (1 - alpha[box]) * (1 - share[..., 0])
    seen = blend(np.ascontiguousarray(new[..., :3]), place, np.ascontiguousarray(new[..., 3]))
    assert np.abs(new[..., 3] / 255 - alpha).max() < 0.006
    assert np.abs(seen - truth).max() <= 3 and np.abs(seen - truth).mean() < 0.3
    assert (new[..., 3] >= old[..., 3]).all() and (new[..., 3] > old[..., 3] + 20).sum() > 20
    far = np.ones(new.shape[:2], bool)
    far[box] = False
    assert np.array_equal(new[far & (old[..., 3] > 0)], old[far & (old[..., 3] > 0)])


def test_strands_begin_in_the_hair_and_have_its_colour():
    for i in haired():
        rgba = person(i)
        for hair in find_hair(rgba):
            hair = hair.placed(np.eye(2, 3), rgba.shape[:2])
            strands = strands_of(rgba, hair, np.random.default_rng(i), 1.0)
            assert strands is not None
            mask = whole(hair, rgba.shape)
            away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
            x, y = np.clip(np.rint(strands.curves[:, 0]).astype(int).T, 0, np.array(rgba.shape[1::-1])[:, None] - 1)
            assert np.quantile(away[y, x], 0.95) <= 2 and away[y, x].max() <= 8
            assert strands.width.min() >= THINNEST - 1e-6 and strands.width.max() <= THICKEST + 1e-6
            assert np.abs(strands.colour.mean(axis=0) - rgba[mask][:, :3].mean(axis=0)).max() < 40


def test_hair_is_found_beside_faces_alone():
    assert len(haired()) >= 2
    for i in haired():
        rgba = person(i)
        (hair, *_) = find_hair(rgba)
        x, y = hair.face.middle
        seen = whole(hair, rgba.shape)
        assert np.array_equal(whole(hair.placed(np.eye(2, 3), rgba.shape[:2]), rgba.shape), seen)
        rows, columns = np.nonzero(seen)
        assert rows.mean() < y and abs(columns.mean() - x) < hair.side
        assert (rgba[..., 3][seen] > 127).all()
        small = hair.placed(np.array([[0.5, 0, 3], [0, 0.5, 7]]), (300, 300))
        assert small.mask.sum() == pytest.approx(seen.sum() / 4, rel=0.1)
        headless = np.ascontiguousarray(rgba[int(y + 0.3 * hair.side) :])
        assert not find_hair(headless)
        bald = rgba.copy()
        cheek = np.median(rgba[hair.face.part(0.2, 0.8, 0.4, 0.7)].reshape(-1, 4), axis=0)
        skin = cv2.dilate(seen.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
        bald[skin, :3] = (0.3 * bald[skin, :3] / 5 + cheek[:3] * 0.95).clip(0, 255)
        assert not find_hair(bald)
        hat = rgba.copy()
        hat[: int(y - 0.4 * hair.side), :, :3] = 200, 30, 30
        assert not find_hair(hat)


def test_no_face_is_seen_in_a_landscape():
    lake = read_image(SAMPLE / "lake.jpg")
    assert not find_faces(lake, np.full(lake.shape[:2], 255, np.uint8))


@pytest.fixture(scope="module")
def packs(tmp_path_factory) -> tuple[Pack, Pack]:
    people, places = make_packs(tmp_path_factory.mktemp("packs"))
    return Pack(people), Pack(places)


def test_half_of_all_get_some_and_nothing_else_changes(packs):
    people, places = packs
    indices = [i for i in range(len(people)) if find_hair(people[i])]

    def made(share: float, seed: int) -> np.ndarray:
        scenes = Scenes(people, places, indices, replace(CALM, strands=share))
        return scenes(np.random.default_rng(seed), 192).pha.astype(int)

    none, half, every = ([made(share, seed) for seed in range(40)] for share in (0.0, 0.5, 1.0))
    assert 0.3 < np.mean([(a != b).any() for a, b in zip(none, half, strict=True)]) < 0.7
    assert np.mean([(a != b).any() for a, b in zip(none, every, strict=True)]) > 0.8
    assert all(np.abs(a - b).mean() < 8 for a, b in zip(none, every, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(every[:5], (made(1.0, seed) for seed in range(5)), strict=True))


def test_sets_with_their_own_strands_and_clips_get_none(tmp_path, packs):
    _, places = packs
    i = haired()[0]
    entry = Entry("p", "rendered", "p", True, *person(i).shape, alone=True)
    write_pack(tmp_path / "rendered", [(entry, person(i))])
    write_pack(tmp_path / "clip", [(replace(entry, source="grid", name=str(t), frame=t), person(i)) for t in range(3)])
    for name, frames in (("rendered", 1), ("clip", 3)):
        pack = Pack(tmp_path / name)
        made = [
            Scenes(pack, places, range(len(pack)), replace(CALM, strands=share))(np.random.default_rng(2), 96, frames)
            for share in (0.0, 1.0)
        ]
        assert np.array_equal(made[0].pha, made[1].pha) and np.array_equal(made[0].src, made[1].src)


def test_a_head_too_small_for_strands_gets_none():
    rgba = person(haired()[0])
    (hair, *_) = find_hair(rgba)
    hair = hair.placed(np.eye(2, 3), rgba.shape[:2])
    assert isinstance(hair, Hair)
    assert strands_of(rgba, hair, np.random.default_rng(0), 5 / hair.side) is None
    same, moved = with_strands(rgba, [], np.random.default_rng(0))
    assert same is rgba and np.array_equal(moved, np.eye(2, 3))


def test_only_the_hair_found_last_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr("koutu.data.scenes.actors._REMEMBERED", 3)
    searched: list[int] = []
    monkeypatch.setattr("koutu.data.scenes.actors.find_hair", lambda rgba: searched.append(len(searched)) or ())
    casting = Casting(Pack(make_packs(tmp_path)[0]), range(8), CALM)
    for index in (0, 1, 2, 0, 3, 1, 2, 3):
        casting.hair(index)
    assert len(searched) == 4
    casting.hair(0)
    assert len(searched) == 5
