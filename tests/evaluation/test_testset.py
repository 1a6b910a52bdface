"""Composed test sets: the same every time, with a truth that fits, hard in the way they are named for."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.media import make_clip
from typer.testing import CliRunner

from koutu.cli import app
from koutu.data.sets.open import Broken, Example, open_dataset
from koutu.evaluation.causes import CAUSES, MOVING
from koutu.evaluation.settings import SetRecipe
from koutu.evaluation.testset import compose, composite, placed
from koutu.types import InputError, OutputError

SIZE = (48, 40)


@pytest.fixture
def cutouts(tmp_path):
    root = tmp_path / "people"
    for part in ("fgr", "pha"):
        (root / part).mkdir(parents=True)
    rng = np.random.default_rng(1)
    for i in range(4):
        y, x = np.mgrid[: SIZE[0], : SIZE[1]]
        pha = np.clip((12 + i - np.hypot(x - 20, (y - 40) * 0.6)) / 3 + 0.5, 0, 1)
        fgr = np.broadcast_to(rng.integers(60, 255, 3), (*SIZE, 3)).astype(np.uint8)
        Image.fromarray(np.rint(pha * 255).astype(np.uint8)).save(root / "pha" / f"p{i}.png")
        Image.fromarray(fgr).save(root / "fgr" / f"p{i}.png")
    return open_dataset(root)


@pytest.fixture
def places(tmp_path):
    (tmp_path / "places").mkdir()
    rng = np.random.default_rng(2)
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (60, 80, 3)).astype(np.uint8)).save(tmp_path / "places" / f"b{i}.png")
    return sorted((tmp_path / "places").iterdir())


def frames(clip) -> list[Example]:
    found = list(clip.examples())
    assert all(isinstance(item, Example) for item in found)
    return found  # type: ignore[return-value]


def test_stills_are_the_cut_outs_on_backgrounds(cutouts, places):
    data = compose(cutouts, places)
    assert len(data.clips) == 4 and not data.cutouts and all(clip.still and len(clip) == 1 for clip in data.clips)
    example = frames(data.clips[1])[0]
    assert example.src is not None and example.fgr is not None and example.bgr is not None and example.pha is not None
    pha = example.pha[..., None]
    assert np.abs(example.src - (pha * example.fgr + (1 - pha) * example.bgr)).max() <= 0.5001
    source = next(iter(cutouts.clips[1].examples()))
    assert np.array_equal(np.rint(example.pha * 255), np.rint(source.pha * 255))


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_every_cause_is_the_same_every_time_and_another_with_another_seed(cutouts, places, cause):
    recipe = SetRecipe(seed=3, frames=4, cause=cause)
    first, again = (frames(compose(cutouts, places, recipe).clips[0]) for _ in range(2))
    other = frames(compose(cutouts, places, replace(recipe, seed=4)).clips[0])
    assert len(first) == 4
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.src, b.src) and np.array_equal(a.pha, b.pha)  # type: ignore[arg-type]
        assert a.src is not None and a.src.shape == (*SIZE, 3) and a.pha is not None and a.pha.shape == SIZE
        assert a.pha.min() >= 0 and a.pha.max() <= 1
    assert any(not np.array_equal(a.src, b.src) for a, b in zip(first, other, strict=True))  # type: ignore[arg-type]


def test_a_grown_set_keeps_its_clips(cutouts, places):
    few = replace(cutouts, clips=list(cutouts.clips)[:1])
    alone, among = (frames(compose(data, places[:1], SetRecipe(frames=3)).clips[0]) for data in (few, cutouts))
    assert all(np.array_equal(a.src, b.src) for a, b in zip(alone, among, strict=True))  # type: ignore[arg-type]


def test_what_a_cause_is_named_for_is_there(cutouts, places):
    def of(cause, count=1):
        return frames(compose(cutouts, places, SetRecipe(frames=count, cause=cause, moves=False)).clips[0])

    plain = of("plain")[0]
    assert plain.pha is not None and plain.src is not None
    person = plain.pha > 0.9

    def light(example, region):
        return float(example.src[region].mean())

    dark = of("low-light")[0]
    assert light(dark, person) < 0.6 * light(plain, person)
    back = of("backlight")[0]
    assert light(back, person) < light(plain, person) and light(back, plain.pha < 0.1) > light(plain, plain.pha < 0.1)
    coming = of("entering", 40)
    shares = [float(example.pha.mean()) for example in coming]  # type: ignore[union-attr]
    assert shares[0] == shares[-1] == 0 and max(shares) > 0.9 * plain.pha.mean() and 0 < shares[10] < max(shares)
    two = of("two-people")[0]
    assert two.pha is not None and two.pha.max() == 1 and np.ptp(np.flatnonzero(two.pha.max(axis=0) > 0.5)) > 20
    held = of("props")[0]
    assert held.pha is not None and (held.pha >= plain.pha - 1 / 255).all()
    soft = of("motion-blur")[0].pha
    assert soft is not None and ((soft > 0.05) & (soft < 0.95)).sum() > ((plain.pha > 0.05) & (plain.pha < 0.95)).sum()
    pressed = of("compression")[0]
    assert np.array_equal(pressed.pha, plain.pha)  # type: ignore[arg-type]
    assert 2 < np.abs(pressed.src.astype(int) - plain.src).mean() < 60  # type: ignore[union-attr]


def test_bodies_stay_cut_off_by_the_lower_border(cutouts, places):
    for clip in compose(cutouts, places, SetRecipe(frames=6, seed=5)).clips:
        for example in frames(clip):
            assert example.pha is not None
            columns = np.flatnonzero(example.pha[-4] > 0.9)
            assert len(columns) and example.pha[-1][columns[len(columns) // 2]] > 0.5


def test_moving_cut_outs_and_moving_backgrounds(tmp_path, cutouts):
    background = make_clip(tmp_path / "street.mp4", frames=5)
    clip = compose(cutouts, [background], SetRecipe(frames=8, moves=False)).clips[0]
    found = frames(clip)
    assert len(found) == 8
    assert not np.array_equal(found[0].bgr, found[3].bgr)  # type: ignore[arg-type]
    assert np.array_equal(found[0].bgr, found[6].bgr)  # type: ignore[arg-type]  # it begins again


def test_canvases(cutouts, places):
    example = frames(compose(cutouts, places, SetRecipe(size=(30, 90))).clips[0])[0]
    assert example.src is not None and example.src.shape == (30, 90, 3)
    pha = np.zeros((10, 10), np.uint8)
    pha[5:, 3:7] = 255
    fgr, larger = placed(np.full((10, 10, 3), 9, np.uint8), pha, (20, 40))
    assert fgr.shape == (20, 40, 3) and larger[-1].max() == 255 and larger[:9].max() == 0
    columns = np.flatnonzero(larger[-1] > 127)
    assert (columns[0], columns[-1]) == (16, 23)


def test_composite_rounds_to_the_nearest_level():
    fgr, bgr = np.full((1, 1, 3), 10, np.uint8), np.full((1, 1, 3), 20, np.uint8)
    assert composite(fgr, np.array([[0.26]], np.float32), bgr).tolist() == [[[17, 17, 17]]]


def test_mistakes_are_told(tmp_path, cutouts, places):
    with pytest.raises(InputError, match="backgrounds"):
        compose(cutouts, [])
    with pytest.raises(InputError, match="cause"):
        compose(cutouts, places, SetRecipe(cause="fog"))
    for cause in MOVING:
        with pytest.raises(InputError, match="clips"):
            compose(cutouts, places, SetRecipe(cause=cause))
    places[0].write_bytes(b"nothing")
    items = [item for clip in compose(cutouts, places[:1]).clips for item in clip.examples()]
    assert len(items) == 4 and all(isinstance(item, Broken) for item in items)


def test_a_set_is_written_and_read_again(tmp_path, cutouts, places):
    def command(out):
        return ["data", "compose", str(cutouts.root), "-o", str(out), "--backgrounds", str(places[0].parent),
                "--frames", "3", "--cause", "backlight"]  # fmt: skip

    result = CliRunner().invoke(app, command(tmp_path / "test"))
    assert result.exit_code == 0, result.output
    data = open_dataset(tmp_path / "test", "rvm-eval")
    assert len(data.clips) == 4 and all(len(clip) == 3 for clip in data.clips) and not data.broken
    composed = compose(cutouts, places, SetRecipe(frames=3, cause="backlight"))
    for clip, made in zip(data.clips, composed.clips, strict=True):
        for a, b in zip(frames(clip), frames(made), strict=True):
            assert np.array_equal(a.src, b.src) and a.pha == pytest.approx(b.pha, abs=1e-6)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="new folder"):
        CliRunner().invoke(app, command(tmp_path / "test"), catch_exceptions=False)
