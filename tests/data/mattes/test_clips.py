"""koutu data matte on clips: runs of steady frames, what is set aside, and a run taken up again."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from support.walkers import HEIGHT, WIDTH, room, walk, write_clip
from typer.testing import CliRunner

from koutu.cli import app
from koutu.data.mattes import clip as clip_module
from koutu.data.mattes.clip_frames import cut_between, find_clips, taken
from koutu.data.mattes.clip_plan import ClipPlan
from koutu.data.mattes.clips import matte_clips
from koutu.data.mattes.folder import Mattes
from koutu.data.mattes.plan import MattePlan
from koutu.data.sets.open import open_dataset
from koutu.matting.steady import Neighbour, steadied, width
from koutu.metrics import mad
from koutu.metrics.no_reference import flicker
from koutu.metrics.video import dtssd
from koutu.trimap import UNKNOWN
from koutu.types import InputError
from koutu.zoo import SAMPLE

pytest.importorskip("pymatting")


def made(root: Path, *, pictures: bool = False, **options: Any) -> Mattes:
    plan = MattePlan(pictures=pictures)
    return matte_clips(
        root / "clips", root / "out", masks=root / "masks", plan=plan, clip_plan=ClipPlan(**options), workers=1
    )


def verdicts(mattes: Mattes) -> list[str]:
    return [record["verdict"] for record in mattes.records]


def content(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_steadying_takes_flicker_away_and_nothing_of_the_truth():
    shown = walk([50 + 2 * t for t in range(5)])
    rng = np.random.default_rng(3)
    guesses, trimaps = [], []
    for _, alpha in shown:
        edge = cv2.dilate(((alpha > 5) & (alpha < 250)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        off = cv2.GaussianBlur(rng.normal(0, 1, alpha.shape), (0, 0), 1.5) * 250
        guesses.append(np.clip(np.where(edge, alpha + off, alpha), 0, 255).astype(np.uint8))
        trimaps.append(np.where(edge, UNKNOWN, alpha).astype(np.uint8))
    mended = [
        steadied(
            shown[t][0],
            guesses[t],
            trimaps[t],
            [Neighbour(shown[i][0], guesses[i]) for i in (t - 1, t + 1) if 0 <= i < 5],
        ).alpha
        for t in range(5)
    ]
    pairs = range(1, 4)
    true = [alpha for _, alpha in shown]
    errors = [np.mean([mad(x[t], true[t]) for t in range(5)]) for x in (guesses, mended)]
    jumps = [np.mean([dtssd(x[t], true[t], x[t + 1], true[t + 1]) for t in pairs]) for x in (guesses, mended)]
    flickers = [
        np.mean([flicker(x[t + 1], x[t], shown[t + 1][0], shown[t][0]).band for t in pairs]) for x in (guesses, mended)
    ]
    assert errors[1] < errors[0] and jumps[1] < 0.9 * jumps[0] and flickers[1] < 0.8 * flickers[0]
    assert np.mean([width(x) for x in mended]) <= 1.05 * np.mean([width(x) for x in guesses])


def test_what_both_neighbours_contradict_is_told():
    (before, alpha), (rgb, _), (after, _) = walk([70, 70, 70])
    torn = alpha.copy()
    torn[60:90, 60:80] = 0
    trimap = np.where(torn > 127, 255, 0).astype(np.uint8)
    found = steadied(rgb, torn, trimap, [Neighbour(before, alpha), Neighbour(after, alpha)])
    assert found.contradicted > 0.05
    assert steadied(rgb, alpha, trimap, [Neighbour(before, alpha), Neighbour(after, alpha)]).contradicted == 0


def test_a_shot_ends_where_much_changes_in_most_places():
    (one, _), (two, _) = walk([40, 44])
    assert not cut_between(one, two)
    assert cut_between(one, 255 - two)
    somebody = room()
    somebody[:, :50] = 0  # as close as can be
    assert not cut_between(room(), somebody)


def test_runs_of_good_frames_are_a_data_set_and_the_rest_is_set_aside(tmp_path):
    places: list[float | None] = [40 + 2 * t for t in range(9)]
    write_clip(tmp_path, "a", walk([*places, None, None, *places[:4]]))
    mattes = made(tmp_path, pictures=True)
    out = tmp_path / "out"
    assert verdicts(mattes) == ["accepted"] * 9 + ["empty"] * 2 + ["rejected"] * 4
    assert "a run of 4, under 8 frames" in mattes.records[-1]["reasons"][0]
    held = open_dataset(out)
    assert held.cutouts and [(clip.name, len(clip)) for clip in held.clips] == [("a-000", 9)]
    assert len(list((out / "src" / "a-000").iterdir())) == 9
    assert sorted(p.name for p in (out / "rejected" / "pha" / "a").iterdir()) == [f"{n:03}.png" for n in range(11, 15)]
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["counts"] == {"accepted": 9, "empty": 2, "rejected": 4}
    assert (out / "report.csv").read_text().count("\n") == 16
    for name in ("kept", "rejected"):
        assert np.asarray(Image.open(out / f"{name}.png")).shape[1] > 1000
    true = [alpha for _, alpha in walk(places)]
    solved = [np.asarray(Image.open(out / "pha" / "a-000" / f"{n:03}.png")) for n in range(9)]
    assert np.mean([mad(p, t) for p, t in zip(solved, true, strict=True)]) < 0.02


def test_frames_are_taken_evenly(tmp_path):
    write_clip(tmp_path, "a", walk([50.0] * 10))
    clip = tmp_path / "clips" / "a"
    assert [name for name, _ in taken(clip, ClipPlan(every=4))] == ["000", "004", "008"]
    assert taken(clip, ClipPlan(frames=4)).count == len(list(taken(clip, ClipPlan(frames=4)))) == 4
    assert next(iter(taken(clip, ClipPlan(), 72)))[1].shape == (48, 72, 3)
    names = [name for name, _ in taken(SAMPLE / "talk.mp4", ClipPlan(every=20))]
    assert names[:2] == ["000000", "000020"]


def test_a_folder_of_clips_is_told_from_one_of_images(tmp_path):
    write_clip(tmp_path, "a", walk([50.0]))
    write_clip(tmp_path, "b", walk([50.0]))
    assert list(find_clips(tmp_path / "clips")) == ["a", "b"]
    assert not find_clips(tmp_path / "clips" / "a") and not find_clips(tmp_path / "nowhere")
    (tmp_path / "clips" / "b.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="one clip of this name"):
        find_clips(tmp_path / "clips")


def test_only_what_is_missing_or_changed_is_done_again(tmp_path, monkeypatch):
    write_clip(tmp_path, "a", walk([40 + 2.0 * t for t in range(9)]))
    solve, done = clip_module.solved_frame, []
    monkeypatch.setattr(clip_module, "solved_frame", lambda *given: (done.append(1), solve(*given))[1])
    made(tmp_path)
    before = content(tmp_path / "out")
    made(tmp_path)
    assert len(done) == 9 and content(tmp_path / "out") == before
    (tmp_path / "out" / "pha" / "a-000" / "003.png").unlink()
    (tmp_path / "out" / ".records" / "a" / "005.png").write_bytes(b"torn")
    made(tmp_path)
    assert len(done) == 10 and content(tmp_path / "out") == before
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(tmp_path / "masks" / "a" / "004.png")
    mattes = made(tmp_path)
    assert len(done) == 11 and verdicts(mattes) == ["rejected"] * 4 + ["empty"] + ["rejected"] * 4
    assert not (tmp_path / "out" / "pha" / "a-000").exists()


def test_a_run_broken_off_is_taken_up(tmp_path, monkeypatch):
    write_clip(tmp_path, "a", walk([40 + 2.0 * t for t in range(9)]))
    solve, done = clip_module.solved_frame, []

    def broken(*given: Any) -> Any:
        done.append(1)
        if len(done) == 6:
            raise KeyboardInterrupt
        return solve(*given)

    monkeypatch.setattr(clip_module, "solved_frame", broken)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path)
    assert verdicts(made(tmp_path)) == ["accepted"] * 9
    assert len(done) == 6 + 4


def test_a_torn_clip_is_told_and_the_others_are_done(tmp_path):
    write_clip(tmp_path, "a", walk([40 + 2.0 * t for t in range(9)]))
    whole = (SAMPLE / "talk.mp4").read_bytes()
    (tmp_path / "clips" / "torn.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "masks" / "torn").mkdir()
    arguments = ["data", "matte", str(tmp_path / "clips"), "-o", str(tmp_path / "out"), "--workers", "1"]
    done = CliRunner().invoke(app, [*arguments, "--masks", str(tmp_path / "masks")])
    assert done.exit_code == 3
    assert "torn.mp4: expected" in done.stderr
    assert "9 frames in 1 runs; 0 rejected, 0 that show nobody" in done.stdout


def test_workers_make_the_same(tmp_path):
    for name in "ab":
        write_clip(tmp_path, name, walk([40 + 2.0 * t for t in range(8)]))
    one, two = tmp_path / "one", tmp_path / "two"
    for out, workers in ((one, 1), (two, 2)):
        matte_clips(tmp_path / "clips", out, masks=tmp_path / "masks", workers=workers)
    assert content(one) == content(two)


@pytest.mark.parametrize("which", ["none", "itself", "mask missing", "mask of another size", "no plate", "every"])
def test_what_cannot_be_used_is_refused(tmp_path, which):
    write_clip(tmp_path, "a", walk([50.0] * 2))
    write_clip(tmp_path, "b", walk([50.0] * 2))
    clips, out, masks, plan = tmp_path / "clips", tmp_path / "out", tmp_path / "masks", ClipPlan()
    if which == "none":
        clips = tmp_path / "clips" / "a"
    elif which == "itself":
        out = clips
    elif which == "no plate":
        plan = ClipPlan(plate="nowhere.png")
    elif which == "every":
        plan = ClipPlan(every=0)
    elif which == "mask missing":
        (masks / "a" / "001.png").unlink()
    else:
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(masks / "a" / "000.png")
    if which.startswith("mask"):
        made_of = matte_clips(clips, out, masks=masks, clip_plan=plan, workers=1)
        assert (made_of.records[0]["name"], made_of.records[0]["verdict"]) == ("a", "failed")
        assert "expected a mask" in made_of.records[0]["reasons"][0]
        return
    with pytest.raises(InputError, match="expected"):
        matte_clips(clips, out, masks=masks, clip_plan=plan, workers=1)
    assert not (tmp_path / "out").exists()


def test_options_of_clips_are_no_options_of_images(tmp_path):
    write_clip(tmp_path, "a", walk([50.0]))
    done = CliRunner().invoke(
        app, ["data", "matte", str(tmp_path / "clips" / "a"), "-o", str(tmp_path / "out"), "--every", "2"]
    )
    assert isinstance(done.exception, InputError) and "expected clips for --every" in str(done.exception)
