"""koutu data matte with several networks: what they say together, where they disagree, and that a run knows them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from support.graphs import network
from support.teachers import SIZE, teacher
from typer.testing import CliRunner

from koutu.cli import app
from koutu.data.mattes.checks import Measures, doubtfulness, faults
from koutu.data.mattes.folder import matte_folder
from koutu.data.mattes.plan import MattePlan
from koutu.data.mattes.teachers import Opinion, agreement, asked, in_dispute, read_anew
from koutu.types import InputError, ModelError

onnx = pytest.importorskip("onnx")
pytest.importorskip("pymatting")


def picture(*, passer_by: bool) -> np.ndarray:
    """Somebody in red, and perhaps somebody in green, in a dark room."""
    rgb = np.random.default_rng(0).integers(0, 30, (SIZE, SIZE, 3)).astype(np.uint8)
    cv2.circle(rgb, (32, 40), 18, (250, 20, 20), -1)
    cv2.rectangle(rgb, (14, 60), (52, SIZE), (250, 20, 20), -1)
    if passer_by:
        cv2.rectangle(rgb, (70, 30), (88, 80), (10, 250, 20), -1)
    return rgb


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "im").mkdir()
    for name in ("alone", "passed"):
        Image.fromarray(picture(passer_by=name == "passed")).save(tmp_path / "im" / f"{name}.png")
    return tmp_path


def test_the_median_is_the_mask_and_what_one_alone_sees_is_in_dispute(tmp_path):
    both = teacher(tmp_path, "both", (1, 1, 0))
    three = (teacher(tmp_path, "red", (1, 0, 0)), teacher(tmp_path, "too", (1, 0, 0)), both)
    found = asked(picture(passer_by=True), three, mirrored=True)
    assert list(found.answers) == ["red", "too", "both"]
    assert found.mask[40, 32] > 0.9 and found.mask[50, 78] < 0.1 < 0.9 < found.answers["both"][50, 78]
    disputed = in_dispute(found.answers)
    assert disputed[50, 78] and not disputed[40, 32] and not disputed[10, 60]
    agreed = agreement(found)
    assert agreed["red"] == 1 and 0.6 < agreed["both"] < 0.8
    assert agreement(Opinion(np.zeros((4, 4), np.float32), {"a": np.zeros((4, 4), np.float32)})) == {"a": 1}


def test_the_mirror_image_is_asked_too(tmp_path):
    lopsided = np.zeros((SIZE, SIZE, 3), np.uint8)
    spec = teacher(tmp_path, "red", (1, 0, 0))
    ramp = np.tile(np.linspace(0, 1, SIZE, dtype=np.float32), (SIZE, 1))[None, None]
    made = network((1, 3, SIZE, SIZE), [("ReduceMean", [], {"axes": [1]}), ("Add", ["r"], {})], {"r": ramp})
    onnx.save(made, tmp_path / "red-net.onnx")
    once, twice = (asked(lopsided, [spec], mirrored=mirrored).mask for mirrored in (False, True))
    assert once[0, 0] < 0.01 < 0.99 < once[0, -1] and np.abs(twice - 0.5).max() < 0.01


def test_what_teachers_dispute_is_rejected_and_told(pictures):
    plan = MattePlan((teacher(pictures, "red", (1, 0, 0)), teacher(pictures, "both", (1, 1, 0))))
    made = matte_folder(pictures / "im", pictures / "out", plan=plan, workers=1)
    alone, passed = made.records
    assert alone["verdict"] == "accepted" and alone["disputed"] == 0 and alone["teachers"] == {"red": 1, "both": 1}
    assert passed["verdict"] == "rejected" and "the networks disagree on" in " ".join(passed["reasons"])
    assert passed["disputed"] > 0.2 and passed["teachers"] != {"red": 1, "both": 1}
    assert [path.name for path in made.sheets] == ["kept.png", "rejected.png"]
    report = json.loads((pictures / "out" / "report.json").read_text("utf-8"))
    told = report["plan"]["networks"]
    assert [(t["name"], t["licence"], t["file"]) for t in told] == [
        ("red", "MIT", "red-net.onnx"), ("both", "MIT", "both-net.onnx"),
    ]  # fmt: skip
    assert all(len(t["sha256"]) == 64 for t in told)
    strip = np.asarray(Image.open(pictures / "out" / "rejected.png"))
    for colour in ((255, 60, 60), (60, 160, 255)):
        assert (strip == colour).all(axis=2).any()


def test_another_teacher_is_another_run(pictures):
    plan = MattePlan((teacher(pictures, "red", (1, 0, 0)), teacher(pictures, "both", (1, 1, 0))))
    run = lambda plan: matte_folder(pictures / "im", pictures / "out", plan=plan, workers=1)  # noqa: E731
    assert run(plan).done == 2 and run(plan).done == 0
    teacher(pictures, "both", (1, 0, 0))  # the file changed
    assert (pictures / "out" / "rejected.png").exists()
    changed = run(plan)
    assert changed.done == 2 and len(changed.of("accepted")) == 2
    assert not (pictures / "out" / "rejected.png").exists()
    described = pictures / "both.yaml"
    described.write_text(described.read_text("utf-8").replace("clip}", "none}"), "utf-8")
    assert run(plan).done == 2
    assert run(MattePlan(plan.networks[:1])).done == 2
    assert "disputed" not in run(MattePlan(plan.networks[:1])).records[0]


def test_a_teacher_may_have_a_file_for_each_size(tmp_path):
    red = teacher(tmp_path, "red", (1, 0, 0))
    (tmp_path / "red-net.onnx").rename(tmp_path / f"red-{SIZE}x{SIZE}.onnx")
    sized = red.replace("red-net", "red-{h}x{w}")
    (one,) = read_anew((sized,))
    assert np.array_equal(
        asked(picture(passer_by=True), (sized,), mirrored=False).mask > 0.5, picture(passer_by=True)[..., 0] > 127
    )
    (tmp_path / "red-9x9.onnx").write_bytes(b"another")
    (other,) = read_anew((sized,))
    assert one.file == "red-{h}x{w}.onnx" and len(one.sha256) == 64 and one.sha256 != other.sha256


def test_disagreement_counts_only_where_it_was_measured():
    agreed, disputed = Measures(0, 0.8, 0.98, 0, 0.2), Measures(0, 0.8, 0.98, 0, 0.2, 0.9)
    assert not faults(agreed) and "disputed" not in agreed.as_dict()
    assert len(faults(disputed)) == 1 and doubtfulness(disputed) > 1 > doubtfulness(agreed)


def test_teachers_that_cannot_be_asked_are_told(pictures):
    red = teacher(pictures, "red", (1, 0, 0))
    for plan, error, message in (
        (MattePlan((red, red)), InputError, "each network once, got red twice"),
        (MattePlan((red, "sinet=nowhere.onnx")), ModelError, r"nowhere\.onnx"),
        (MattePlan((red, "nobody")), ModelError, "got 'nobody'"),
    ):
        with pytest.raises(error, match=message):
            matte_folder(pictures / "im", pictures / "out", plan=plan, workers=1)
    assert not (pictures / "out").exists()
    arguments = ["data", "matte", str(pictures / "im"), "-o", str(pictures / "out"), "--network", red]
    done = CliRunner().invoke(app, [*arguments, "--masks", str(pictures / "im")])
    assert done.exit_code and "got both" in str(done.exception) + done.output


def test_workers_ask_as_one_process_does(pictures):
    plan = MattePlan((teacher(pictures, "red", (1, 0, 0)), teacher(pictures, "both", (1, 1, 0))))
    one = matte_folder(pictures / "im", pictures / "one", plan=plan, workers=1)
    two = matte_folder(pictures / "im", pictures / "two", plan=plan, workers=2)
    assert [{**r, "key": ""} for r in one.records] == [{**r, "key": ""} for r in two.records]


def test_of_five_one_may_err_alone():
    said = np.zeros((5, 1, 3), np.float32)
    said[0, 0, 1] = said[:2, 0, 2] = 1  # one, and two, who see what the others do not
    assert in_dispute(dict(zip("abcde", said, strict=True))).tolist() == [[False, False, True]]
