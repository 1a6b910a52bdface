"""koutu data matte on clips before a found plate or by networks, and what a later run does with what lies there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from support.teachers import SIZE, teacher
from support.walkers import HEIGHT, WIDTH, walk, write_clip

from koutu.data.mattes import clip as clip_module
from koutu.data.mattes import clip_plate as plate_module
from koutu.data.mattes.clip_frames import find_clips
from koutu.data.mattes.clip_plan import AUTO, ClipPlan
from koutu.data.mattes.clips import matte_clips
from koutu.data.mattes.folder import Mattes
from koutu.data.mattes.plan import MattePlan
from koutu.types import InputError

pytest.importorskip("pymatting")


def made(root: Path, **options: Any) -> Mattes:
    return matte_clips(root / "clips", root / "out", masks=root / "masks", clip_plan=ClipPlan(**options), workers=1)


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[int]:
    """One for each call of a module's function from now on."""
    calls: list[int] = []
    function: Callable[..., Any] = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: (calls.append(1), function(*given))[1])
    return calls


def alphas(out: Path) -> set[str]:
    return {str(path.relative_to(out / "pha").with_suffix("")) for path in (out / "pha").rglob("*.png")}


def test_a_plate_is_found_once_and_anew_when_masks_change(tmp_path, monkeypatch):
    write_clip(tmp_path, "a", walk([20 + 12.0 * t for t in range(9)]))
    solved, found = counted(monkeypatch, clip_module, "solved_frame"), counted(monkeypatch, plate_module, "found_plate")
    out = tmp_path / "out"
    made(tmp_path, plate=AUTO)
    assert (len(solved), len(found)) == (9, 1) and (out / "plates" / "a.png").is_file()
    made(tmp_path, plate=AUTO)
    assert (len(solved), len(found)) == (9, 1)
    mask = tmp_path / "masks" / "a" / "004.png"
    Image.fromarray(cv2.dilate(np.asarray(Image.open(mask)), np.ones((9, 9), np.uint8))).save(mask)
    made(tmp_path, plate=AUTO)
    assert len(found) == 2
    made(tmp_path)
    assert not (out / "plates" / "a.png").exists()


def test_what_earlier_runs_wrote_of_other_frames_goes(tmp_path):
    write_clip(tmp_path, "a", walk([40 + 2.0 * t for t in range(17)]))
    out = tmp_path / "out"
    assert len(made(tmp_path).of("accepted")) == len(alphas(out)) == 17
    mattes = made(tmp_path, every=2)
    report = json.loads((out / "report.json").read_text("utf-8"))
    accepted = {record["name"] for record in report["frames"] if record["verdict"] == "accepted"}
    assert len(mattes.records) == 9 and alphas(out) == accepted == {f"a-000/{2 * t:03}" for t in range(9)}
    (tmp_path / "masks" / "a" / "004.png").unlink()
    assert len(made(tmp_path).of("failed")) == 1 and not alphas(out)
    assert len(made(tmp_path, every=3).records) == 6  # and the clip is whole again where that mask is not needed


def test_several_networks_are_asked_about_clips(tmp_path):
    clip = tmp_path / "clips" / "a"
    clip.mkdir(parents=True)
    for t in range(8):
        rgb = np.random.default_rng(t).integers(0, 30, (SIZE, SIZE, 3)).astype(np.uint8)
        cv2.circle(rgb, (32 + t, 40), 18, (250, 20, 20), -1)
        cv2.rectangle(rgb, (14 + t, 60), (52 + t, SIZE), (250, 20, 20), -1)
        if t > 5:
            cv2.rectangle(rgb, (72, 30), (90, 80), (10, 250, 20), -1)
        Image.fromarray(rgb).save(clip / f"{t}.png")
    plan = MattePlan((teacher(tmp_path, "red", (1, 0, 0)), teacher(tmp_path, "both", (1, 1, 0))))
    records = matte_clips(tmp_path / "clips", tmp_path / "out", plan=plan, workers=1).records
    assert [record["disputed"] > 0.1 for record in records] == [False] * 6 + [True] * 2
    assert "the networks disagree on" in " ".join(records[-1]["reasons"])
    alone = matte_clips(tmp_path / "clips", tmp_path / "out", plan=MattePlan(plan.networks[:1]), workers=1)
    assert not any("disputed" in record for record in alone.records)


def test_who_is_not_there_has_no_voice(tmp_path, monkeypatch):
    write_clip(tmp_path, "a", walk([40, 42, None, 44]))
    steadied, asked = clip_module.steadied, []
    monkeypatch.setattr(clip_module, "steadied", lambda *given: (asked.append(len(given[3])), steadied(*given))[1])
    made(tmp_path)
    assert asked == [1, 1, 0]


def test_a_clip_that_cannot_be_used_stops_no_other(tmp_path):
    for name in "abc":
        write_clip(tmp_path, name, walk([40 + 2.0 * t for t in range(8)]))
    for mask in (tmp_path / "masks" / "a").iterdir():
        mask.unlink()
    (tmp_path / "masks" / "a").rmdir()
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(tmp_path / "clips" / "b" / "003.jpg")
    mattes = made(tmp_path)
    failed = mattes.of("failed")
    assert [record["name"] for record in failed] == ["a", "b"] and len(mattes.of("accepted")) == 8
    assert "expected a folder" in failed[0]["reasons"][0] and "one image of this name" in failed[1]["reasons"][0]


def test_results_are_no_clip_and_videos_lie_apart_from_images(tmp_path):
    write_clip(tmp_path, "a", walk([40.0]))
    clips = tmp_path / "clips"
    matte_clips(clips, clips / "out", masks=tmp_path / "masks", workers=1)
    assert (clips / "out" / "rejected.png").is_file() and list(find_clips(clips)) == ["a"]
    (clips / "b.mp4").write_bytes(b"")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(clips / "stray.png")
    with pytest.raises(InputError, match="expected images or videos"):
        find_clips(clips)


def test_too_few_frames_are_refused(tmp_path):
    write_clip(tmp_path, "a", walk([40.0]))
    with pytest.raises(InputError, match="expected 8 frames of a clip or more"):
        made(tmp_path, frames=7)
