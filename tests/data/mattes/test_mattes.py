"""koutu data matte: soft mattes from coarse masks, what is set aside, and a run taken up again."""

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from koutu.cli import app
from koutu.data.mattes.adaptive_trimap import Widths, adaptive_trimap
from koutu.data.mattes.checks import Measures, faults, measured
from koutu.data.mattes.folder import matte_folder
from koutu.data.mattes.plan import MattePlan
from koutu.data.mattes.soft_matte import solved_matte
from koutu.data.mattes.studio_backdrop import fit_backdrop, unmixed
from koutu.data.sets.example import Example
from koutu.data.sets.open import open_dataset
from koutu.metrics import mse
from koutu.trimap import UNKNOWN
from koutu.types import InputError, OutputError

pytest.importorskip("pymatting")
SIZE = 120
Bytes = NDArray[Any]


def person() -> tuple[Bytes, Bytes]:
    """Colours and alpha: a head with hair that stands off it, shoulders cut by the lower border."""
    alpha = np.zeros((4 * SIZE, 4 * SIZE), np.uint8)
    cv2.circle(alpha, (240, 190), 90, 255, -1)
    cv2.ellipse(alpha, (240, 500), (170, 220), 0, 0, 360, 255, -1)
    for angle in np.linspace(np.pi, 2 * np.pi, 24):
        end = 240 + 125 * np.cos(angle), 190 + 125 * np.sin(angle)
        cv2.line(alpha, (240, 190), (round(end[0]), round(end[1])), 255, 3)
    alpha = np.asarray(cv2.resize(alpha, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
    rgb = np.full((SIZE, SIZE, 3), (40, 25, 20), np.uint8)
    rgb[75:] = 150, 30, 40
    cv2.circle(rgb, (60, 52), 14, (200, 150, 120), -1)
    return rgb, alpha.astype(np.uint8)


def studio() -> Bytes:
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    grey = 190 - 50 * ((x - 0.4) ** 2 + y**2)
    noise = np.random.default_rng(1).normal(0, 1, (SIZE, SIZE, 3))
    return np.clip(grey[..., None] * (0.95, 1.0, 1.05) + noise, 0, 255).astype(np.uint8)


def room() -> Bytes:
    rng = np.random.default_rng(2)
    blocks = rng.integers(90, 255, (6, 6, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(blocks, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)).astype(np.uint8)


def composed(rgb: Bytes, alpha: Bytes, bgr: Bytes) -> Bytes:
    share = alpha[..., None] / 255
    return np.rint(rgb * share + bgr * (1 - share)).astype(np.uint8)


def coarse(alpha: Bytes) -> Bytes:
    """Without hair, and jagged."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    return np.asarray(cv2.morphologyEx(np.where(alpha > 127, 255, 0).astype(np.uint8), cv2.MORPH_OPEN, disc))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures with masks: before paper and in a room."""
    rgb, alpha = person()
    for folder in ("im", "masks"):
        (tmp_path / folder).mkdir()
    for name, bgr in (("paper", studio()), ("room", room())):
        Image.fromarray(composed(rgb, alpha, bgr)).save(tmp_path / "im" / f"{name}.png")
        Image.fromarray(coarse(alpha)).save(tmp_path / "masks" / f"{name}.bmp")
    return tmp_path


def files(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(("backdrop", "plain"), [(studio, True), (room, False)])
def test_a_coarse_mask_becomes_a_matte_with_hair_and_clean_colours(backdrop, plain):
    rgb, alpha = person()
    picture, mask = composed(rgb, alpha, backdrop()), coarse(alpha)
    solved = solved_matte(picture, (mask / 255).astype(np.float32))
    assert (solved.noise is not None) == plain
    assert mse(solved.alpha, alpha) < mse(mask, alpha) / (6 if plain else 3)
    hair = (alpha > 60) & (mask == 0)
    assert solved.alpha[hair].mean() > 0.7 * alpha[hair].mean()
    rim = (alpha > 60) & (alpha < 200)
    assert (
        np.abs(solved.fgr[rim].astype(int) - rgb[rim]).mean() < 0.6 * np.abs(picture[rim].astype(int) - rgb[rim]).mean()
    )


def test_knn_solves_it_too():
    rgb, alpha = person()
    mask = coarse(alpha)
    solved = solved_matte(composed(rgb, alpha, studio()), (mask / 255).astype(np.float32), "knn")
    assert mse(solved.alpha, alpha) < mse(mask, alpha) / 2


def test_tiles_meet_without_a_seam(monkeypatch):
    rgb, alpha = person()
    picture, mask = composed(rgb, alpha, studio()), (coarse(alpha) / 255).astype(np.float32)
    whole = solved_matte(picture, mask).alpha
    monkeypatch.setattr("koutu.matting.tiled_solver.TILE", 60)
    assert np.abs(solved_matte(picture, mask).alpha.astype(int) - whole).mean() < 1.5


def test_only_a_plain_backdrop_is_one_and_it_is_known_behind_the_person():
    rgb, alpha = person()
    far = cv2.dilate(alpha, np.ones((9, 9), np.uint8)) == 0
    found = fit_backdrop(composed(rgb, alpha, studio()), far)
    assert found is not None
    assert np.abs(found.colours * 255 - studio())[alpha == 255].mean() < 2
    assert fit_backdrop(composed(rgb, alpha, room()), far) is None
    spoilt = studio()
    spoilt[:, 85:] = spoilt[:, 85:] // 2  # a door beside the person
    assert fit_backdrop(composed(rgb, alpha, spoilt), far) is None
    rim = (alpha > 100) & (alpha < 200)
    own = unmixed(composed(rgb, alpha, studio()), alpha, found)
    assert np.abs(own[rim].astype(int) - rgb[rim]).mean() < 20


def test_the_band_of_somebody_small_is_as_wide_as_they_call_for():
    mask = np.zeros((600, 600), np.float32)
    mask[200:400, 250:330] = 1
    small, large = Widths.of(mask.shape, mask), Widths.of(mask.shape)
    assert small.narrow == large.narrow < small.wide == 6 < large.wide == 18
    assert Widths.of(mask.shape, np.ones_like(mask)) == large


@pytest.mark.parametrize("level", [255, 0])
def test_before_white_or_black_paper_nothing_stays_around_the_person(level):
    rgb, alpha = person()
    picture = composed(np.clip(rgb, 30, 200), alpha, np.full_like(rgb, level))
    solved = solved_matte(picture, (coarse(alpha) / 255).astype(np.float32))
    assert solved.noise is not None
    assert solved.alpha[cv2.dilate(alpha, np.ones((3, 3), np.uint8)) == 0].max() < 10
    assert mse(solved.alpha, alpha) < mse(coarse(alpha), alpha) / 4


def test_the_band_is_wider_at_hair_than_at_a_shoulder():
    rgb, alpha = person()
    mask = (coarse(alpha) / 255).astype(np.float32)
    widths = Widths(2, 8)
    unknown = adaptive_trimap(composed(rgb, alpha, np.full_like(rgb, 190)), mask, widths) == UNKNOWN
    edge = np.abs(np.diff(mask, axis=1, append=0)) > 0
    top, shoulders = slice(0, 50), slice(85, SIZE)
    assert unknown[top].sum() / edge[top].sum() > 1.3 * unknown[shoulders].sum() / edge[shoulders].sum()


@pytest.mark.parametrize(
    ("measures", "reason"),
    [
        (Measures(0, 0.8, 0.98, 0, 0.2), None),
        (Measures(0.2, 0.8, 0.98, 0, 0.2), "20% of the boundary has no edge"),
        (Measures(0, 3, 0.98, 0, 0.2), "smeared"),
        (Measures(0, 0.8, 0.7, 0, 0.2), "agrees with the mask to 0.70"),
        (Measures(0, 0.8, 0.98, 0.1, 0.2), "10.0%"),
        (Measures(0, 0.8, 0.98, 0, 0.8), "colours of person and background overlap"),
    ],
)
def test_each_check_rejects_what_it_is_there_for(measures, reason):
    found = faults(measures)
    assert len(found) == (reason is not None)
    assert reason is None or reason in found[0]


def test_a_mask_that_cuts_through_a_coat_is_found_out():
    rgb, alpha = person()
    picture, mask = composed(rgb, alpha, studio()), (coarse(alpha) / 255).astype(np.float32)
    assert not faults(measured(picture, mask, solved_matte(picture, mask)))
    mask[95:, 40:80] = 0
    assert faults(measured(picture, mask, solved_matte(picture, mask)))


def test_a_folder_becomes_a_data_set_and_workers_make_the_same(pictures):
    one, two = pictures / "one", pictures / "two"
    made = matte_folder(pictures / "im", one, masks=pictures / "masks", workers=1, plan=MattePlan(pictures=True))
    matte_folder(pictures / "im", two, masks=pictures / "masks", workers=2, plan=MattePlan(pictures=True))
    assert [r["verdict"] for r in made.records] == ["accepted"] * 2
    assert files(one) == files(two)
    held = open_dataset(one)
    assert held.cutouts and [clip.name for clip in held.clips] == ["paper", "room"]
    example = next(iter(held.clips[0].examples()))
    assert isinstance(example, Example) and example.pha is not None and not example.binary
    assert ((example.pha > 0.1) & (example.pha < 0.9)).any()
    whole = next(iter(open_dataset(one, "folder").clips[0].examples()))
    assert isinstance(whole, Example) and whole.src is not None
    assert np.array_equal(whole.src, np.asarray(Image.open(pictures / "im" / "paper.png")))
    report = json.loads((one / "report.json").read_text("utf-8"))
    assert report["counts"] == {"accepted": 2} and report["pictures"][0]["backdrop"] is not None
    assert (one / "report.csv").read_text().count("\n") == 3
    assert np.asarray(Image.open(one / "kept.png")).shape[1] > 1000


def test_only_what_is_missing_or_changed_is_done_again(pictures):
    out = pictures / "out"
    run = lambda **options: matte_folder(pictures / "im", out, masks=pictures / "masks", workers=1, **options)  # noqa: E731
    assert run().done == 2
    before = files(out)
    assert run().done == 0
    (out / "pha" / "room.png").unlink()
    assert run().done == 1 and files(out) == before
    mask = np.asarray(Image.open(pictures / "masks" / "room.bmp")).copy()
    mask[:60] = 0
    Image.fromarray(mask).save(pictures / "masks" / "room.bmp")
    changed = run()
    assert changed.done == 1 and [r["name"] for r in changed.of("rejected")] == ["room"]
    assert not (out / "pha" / "room.png").exists() and (out / "rejected" / "pha" / "room.png").is_file()
    assert run(plan=MattePlan(long_side=100)).done == 2
    with Image.open(out / "pha" / "paper.png") as image:
        assert image.size == (100, 100)


def test_a_run_broken_off_leaves_nothing_half_written(pictures, monkeypatch):
    out, replace = pictures / "out", os.replace

    def broken(source, target):
        if Path(target).parts[-2:] == ("fgr", "room.png"):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(KeyboardInterrupt):
        matte_folder(pictures / "im", out, masks=pictures / "masks", workers=1)
    assert not list(out.rglob("*.part"))
    monkeypatch.undo()
    assert matte_folder(pictures / "im", out, masks=pictures / "masks", workers=1).done == 1


def test_one_bad_picture_is_told_and_the_others_are_done(pictures):
    (pictures / "im" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    for name, mask in (
        ("torn", np.zeros((9, 9))), ("small", np.ones((20, 30))), ("nobody", np.zeros((SIZE, SIZE))),
        ("full", np.ones((SIZE, SIZE))), ("alone", None),
    ):  # fmt: skip
        if name != "torn":
            Image.fromarray(studio()).save(pictures / "im" / f"{name}.png")
        if mask is not None:
            Image.fromarray((mask * 255).astype(np.uint8)).save(pictures / "masks" / f"{name}.png")
    arguments = ["data", "matte", str(pictures / "im"), "-o", str(pictures / "out"), "--workers", "1"]
    done = CliRunner().invoke(app, [*arguments, "--masks", str(pictures / "masks")])
    assert done.exit_code == 3
    assert "2 mattes, 1 of them before a plain backdrop; 0 rejected" in done.stdout
    for text in ("30×20", "got nobody", "all person", "truncated or damaged", "expected a mask", "torn.jpg", "alone"):
        assert text in done.stderr
    assert sorted(p.name for p in (pictures / "out" / "pha").iterdir()) == ["paper.png", "room.png"]
    report = json.loads((pictures / "out" / "report.json").read_text("utf-8"))
    assert report["counts"] == {"accepted": 2, "failed": 5}


def test_without_masks_the_network_finds_the_person(tmp_path):
    with Image.open(Path(__file__).parent.parent.parent / "pictures" / "person0.png") as image:
        rgba = np.asarray(image.convert("RGBA"))
    picture = composed(rgba[..., :3], rgba[..., 3], np.full_like(rgba[..., :3], 205))
    Image.fromarray(picture).save(tmp_path / "a.png")
    made = matte_folder(tmp_path / "a.png", tmp_path / "out", workers=1)
    assert made.records[0]["verdict"] != "failed" and made.records[0]["iou"] > 0.8


@pytest.mark.parametrize("which", ["missing", "empty", "twice", "over itself", "one mask"])
def test_folders_that_cannot_be_used_are_refused(pictures, which):
    source, out, masks = pictures / "im", pictures / "out", pictures / "masks"
    if which == "missing":
        source = pictures / "nowhere"
    elif which == "empty":
        source = pictures / "none"
        source.mkdir()
    elif which == "twice":
        Image.fromarray(studio()).save(source / "room.jpg")
    elif which == "over itself":
        out = source
    else:
        masks = masks / "room.bmp"
    with pytest.raises(InputError):
        matte_folder(source, out, masks=masks, workers=1)
    assert not (pictures / "out").exists()


def test_results_that_cannot_be_written_end_the_run(pictures):
    (pictures / "out").write_text("a file")
    with pytest.raises(OutputError):
        matte_folder(pictures / "im", pictures / "out", masks=pictures / "masks", workers=1)
    (pictures / "held").mkdir()
    (pictures / "held" / "pha").write_text("a file")
    with pytest.raises(OutputError):
        matte_folder(pictures / "im", pictures / "held", masks=pictures / "masks", workers=1)
