"""`koutu data render`: samples from seeds, a run that is ended and gone on with, what is refused, and packing."""

import json
import os
import shutil
import stat
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from koutu.cli import app
from koutu.data.packs.pack import Pack, sources
from koutu.data.render.assets import SOURCES, check_assets
from koutu.data.render.blender import PROGRAM, PYTHON, Blender, interpreter, version
from koutu.data.render.cores import reserved
from koutu.data.render.people import UNDER_HOODS
from koutu.data.render.plan import KINDS, samples
from koutu.data.render.run import RenderOrder, render_people
from koutu.data.render.shelf import Shelf
from koutu.data.sets.open import open_dataset
from koutu.types import InputError, ModelError, OutputError

SIZE = 64, 48
# In Blender's place: answers as the program does, with pictures of one colour; what it is to get wrong is in a file.
STAND_IN = """#!{python}
import json, os, sys
from pathlib import Path
if sys.argv[1] == "-c":
    print("blender 5.0.1")
    sys.exit()
wrong = json.loads(Path(__file__).with_suffix(".json").read_text())
for line in sys.stdin:
    job = json.loads(line)
    out, view = Path(job["out"]), job["view"]
    word = wrong.get(out.stem, "")
    if word == "dies":
        print("Killed by the system", file=sys.stderr, flush=True)
        os._exit(9)
    if word:
        print(json.dumps({{"error": word, "disk": word == "full"}}), flush=True)
        continue
    picture = Path(__file__).with_suffix(".png").read_bytes()
    clip = view["kind"] == "clip"
    out.mkdir() if clip else None
    for number in range(job["frames"]):
        (out / f"{{number:04d}}.png" if clip else out).write_bytes(picture)
    print(json.dumps({{"cpu": 1.5, "build": 1.0}}), flush=True)
"""


@pytest.fixture
def studio(tmp_path):
    """A stand-in for Blender, and a folder of empty assets."""
    python = tmp_path / "stand-in"
    python.write_text(STAND_IN.format(python=sys.executable))
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    python.with_suffix(".json").write_text("{}")
    cv2.imwrite(str(python.with_suffix(".png")), np.full((*SIZE[::-1], 4), (30, 60, 90, 200), np.uint8))
    for source in SOURCES:
        for path in source.needed:
            file = tmp_path / "assets" / source.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"\x89PNG\r\n\x1a\n")
    return python


def order(studio: Path, count: int, **changed) -> RenderOrder:
    return RenderOrder(count, size=SIZE, assets=studio.parent / "assets", python=str(studio), **changed)


def wrong(studio: Path, **names: str) -> None:
    """What the stand-in does at samples _CAST_VIEW: "dies", "full" (disk), or an error."""
    told = {name.lstrip("_").replace("_", "-"): word for name, word in names.items()}
    studio.with_suffix(".json").write_text(json.dumps(told))


def test_samples_depend_on_seed_kinds_and_their_number_alone():
    kinds = ("still", "group", "clip")
    many, few = list(samples(3, 40, kinds, SIZE)), list(samples(3, 7, kinds, SIZE))
    assert many[:7] == few and len({sample.name for sample in many}) == 40
    other = list(samples(4, 7, kinds, SIZE))
    assert all(a.people != b.people for a, b in zip(few, other, strict=True))
    assert json.loads(json.dumps(many[0].people)) == many[0].people


def test_casts_are_shown_in_several_views_and_groups_hold_several_people():
    made = list(samples(1, 60, ("still", "group", "clip"), SIZE))
    for cast in {sample.cast for sample in made[:-4]}:
        shown = [sample for sample in made if sample.cast == cast]
        assert len(shown) <= KINDS[shown[0].kind] and all(s.people == shown[0].people for s in shown)
        assert len({json.dumps(s.view) for s in shown}) == len(shown)
    assert {len(s.people) for s in made if s.kind != "group"} == {1}
    assert {len(s.people) for s in made if s.kind == "group"} <= {2, 3, 4, 5}
    assert all(len(s.view["people"]) == len(s.people) for s in made)
    assert all(bool(s.view["motion"]) == (s.kind == "clip") for s in made)


def test_a_seed_draws_every_kind_of_person_and_view():
    made = list(samples(0, 2400, ("still",), (512, 288)))
    people = [sample.people[0] for sample in made[::4]]
    stances = [stance for sample in made for stance in sample.view["people"]]
    assert min(p["years"] for p in people) < 8 and max(p["years"] for p in people) > 75
    assert {p["hat"] for p in people} == {"", "beanie", "cap", "fedora", "scarf", "durag"}
    hooded = {kind: [p for p in people if p["clothes"].get("hood") == kind] for kind in ("up", "down")}
    assert hooded["down"] and {p["style"] for p in hooded["up"]} <= set(UNDER_HOODS)
    assert {p["hat"] for p in hooded["up"]} == {""}
    assert {p["headset"] for p in people} == {"", "plain", "microphone"} and any(p["beard"] for p in people)
    assert not any(p["beard"] and (p["gender"] < 0.5 or p["years"] < 14) for p in people)
    assert min(p["darkness"] for p in people) < 0.1 and max(p["darkness"] for p in people) > 0.85
    assert len({p["style"] for p in people}) > 20 and {"braid", "braids", "boxbraids"} <= {p["style"] for p in people}
    assert {s["stance"] for s in stances} == {"stand", "sit", "walk"} and any(s["chair"] for s in stances)
    assert all(abs(s["turn"]) < 90 for s in stances if s["chair"])  # a back would hide them
    assert len({word for s in stances for word in s["hands"]}) > 15
    assert len({thing for s in stances for thing in s["held"].values()}) > 5
    assert any(abs(abs(s["turn"]) - 180) < 20 for s in stances) and any(60 < abs(s["turn"]) < 110 for s in stances)
    assert {s.view["framing"] for s in made} == {"head", "half", "full"}
    assert {tuple(s.view["size"]) for s in made} == {(512, 288), (288, 512)}


def test_unknown_kinds_are_refused():
    with pytest.raises(InputError, match="out of still, group, clip, got film"):
        list(samples(0, 1, ("still", "film"), SIZE))
    with pytest.raises(InputError, match="got none"):
        list(samples(0, 1, (), SIZE))


def test_renders_are_kept_with_their_records_and_an_index(studio, tmp_path):
    report = render_people(order(studio, 9), tmp_path / "out")
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert len(report.made) == 9 == len(index["samples"]) and not index["failed"] and report.cpu == 13.5
    for listed in index["samples"]:
        folder = "clips" if listed["kind"] == "clip" else "stills"
        record = json.loads((tmp_path / "out" / folder / f"{listed['name']}.json").read_text())
        assert record["licence"] == "CC0" and record["people"] and record["view"] and record["koutu"]
        assert (tmp_path / "out" / record["path"]).exists() and record["group"] == listed["name"][:6]
    assert not (tmp_path / "out/.part").exists()


def test_a_rerun_does_what_is_missing_and_mends_halves(studio, tmp_path):
    out = tmp_path / "out"
    only = {"kinds": ("still", "clip"), "seed": 5}
    first = render_people(order(studio, 6, **only), out)
    still, clip = (next((out / folder).glob("*.json")) for folder in ("stills", "clips"))
    clip_frame = next(clip.with_suffix("").glob("*.png"))
    clip_frame.unlink()
    still.with_suffix(".png").unlink()
    (out / ".part/1").mkdir(parents=True)
    (out / ".part/1/000009-0.png").write_bytes(b"half")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    again = render_people(order(studio, 8, **only), out)
    assert len(again.made) == 4 and len(again.found) == 4 and set(again.mended) == {still.stem, clip.stem}
    assert again.mended[clip.stem] == "23 of its 24 frames are there" and clip_frame.exists()
    kept = [path for path in before if path.exists() and path.parent.name != clip.stem]
    assert kept and all(path.stat().st_mtime_ns == before[path] for path in kept)
    assert not (out / ".part").exists() and len(first.made) == 6


def test_a_sample_that_fails_is_told_and_left_out(studio, tmp_path):
    wrong(studio, _000000_1="dies", _000000_2="IndexError: too many")
    done = render_people(order(studio, 4, kinds=("still",)), tmp_path / "out")
    assert len(done.made) == 2 and done.failed["000000-2"] == "IndexError: too many"
    assert "Killed by the system" in done.failed["000000-1"] and "code 9" in done.failed["000000-1"]
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert [item["name"] for item in index["failed"]] == ["000000-1", "000000-2"]
    wrong(studio)
    assert not render_people(order(studio, 4, kinds=("still",)), tmp_path / "out").made
    assert len(render_people(order(studio, 4, kinds=("still",), retry=True), tmp_path / "out").made) == 2
    assert not json.loads((tmp_path / "out/index.json").read_text())["failed"]


def test_what_ends_a_run(studio, tmp_path):
    wrong(studio, _000000_1="full")
    with pytest.raises(OutputError, match="room for 000000-1, got full; make room"):
        render_people(order(studio, 4, kinds=("still",)), tmp_path / "full")
    assert len(json.loads((tmp_path / "full/index.json").read_text())["samples"]) == 1
    wrong(studio, **{f"_00000{n // 4}_{n % 4}": "broken" for n in range(8)})
    with pytest.raises(ModelError, match="5 failures in a row, the last: broken"):
        render_people(order(studio, 8, kinds=("still",)), tmp_path / "row")
    render_people(order(studio, 1, seed=9), tmp_path / "other")
    with pytest.raises(InputError, match="expected seed 8 as asked, got renders begun with 9"):
        render_people(order(studio, 1, seed=8), tmp_path / "other")
    about = json.loads((tmp_path / "other/render.json").read_text())
    del about["plan"]  # as the first koutu wrote it
    (tmp_path / "other/render.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match=r"expected people of plan 2 .*, got renders of plan 1; go on with the koutu"):
        render_people(order(studio, 1, seed=9), tmp_path / "other")
    with Shelf(tmp_path / "other").locked(), pytest.raises(OutputError, match="got another run at work"):
        render_people(order(studio, 1, seed=9), tmp_path / "other")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a folder"):
        render_people(order(studio, 1), tmp_path / "file")


def test_missing_blender_and_missing_assets_are_told(studio, tmp_path, monkeypatch):
    monkeypatch.delenv(PYTHON, raising=False)
    with pytest.raises(ModelError, match=r"got none; make it: python3.11 -m venv .* bpy=="):
        interpreter()
    with pytest.raises(ModelError, match="expected bpy, cv2 and scipy in it, got ModuleNotFoundError"):
        version(sys.executable)
    monkeypatch.setenv(PYTHON, str(studio))
    assert interpreter() == str(studio) and version(str(studio)) == "5.0.1"
    with pytest.raises(InputError, match=r"expected --assets .* git clone"):
        check_assets(None)
    shutil.rmtree(tmp_path / "assets/3dify")
    with pytest.raises(InputError, match=r"3dify/.* and 10 more, got nothing there; get it: git clone .*3dify$"):
        check_assets(tmp_path / "assets")
    for path in SOURCES[3].needed:
        pointer = tmp_path / "assets/3dify" / path
        pointer.parent.mkdir(parents=True, exist_ok=True)
        pointer.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(InputError, match="expected a PNG"):
        check_assets(tmp_path / "assets")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system binds no process to cores")
def test_runs_side_by_side_keep_to_cores_of_their_own(studio, tmp_path, monkeypatch):
    usable = os.sched_getaffinity(0)
    if len(usable) > 1:
        with Blender(str(studio), [], tmp_path / "log", 1) as blender:
            assert len(cores := os.sched_getaffinity(blender._process.pid)) == 1 and cores < usable
    with Blender(str(studio), [], tmp_path / "log", len(usable)) as blender:
        assert os.sched_getaffinity(blender._process.pid) == usable
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5, 7})
    with reserved(1) as first, reserved(1) as second, reserved(2) as third, reserved(1) as fourth:
        assert first | second < third | first | second == {2, 5, 7} and not first & second
        assert len(third) == 2 and len(fourth) == 1  # shared with others: there are no more
    with reserved(2) as again, reserved(3) as all_of_them:
        assert again == {2, 5} and not all_of_them


def test_photographs_are_chosen_by_the_seed(studio, tmp_path):
    for name in "abc":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((4, 4, 3), np.uint8))
    photographs = tmp_path / "places"
    photographs.mkdir()
    with pytest.raises(InputError, match="got none; name their folder"):
        render_people(order(studio, 1, backgrounds=photographs), tmp_path / "out")
    for name in "abc":
        (tmp_path / f"{name}.png").rename(photographs / f"{name}.png")
    render_people(order(studio, 12, backgrounds=photographs, kinds=("still",)), tmp_path / "out")
    lit = [json.loads(path.read_text())["photograph"] for path in (tmp_path / "out/stills").glob("*.json")]
    assert set(lit) == {"", "a.png", "b.png", "c.png"}


def test_renders_are_packed_by_person_clips_as_clips(studio, tmp_path):
    out = tmp_path / "people"
    kinds = ("still", "clip")
    render_people(order(studio, 9, kinds=kinds), out)
    half = next((out / "stills").glob("*.json"))
    half.unlink()
    data = open_dataset(out)
    assert data.layout == "rendered" and data.cutouts and len(data.broken) == 1
    assert "half a render" in data.broken[0].reason
    done = CliRunner().invoke(app, ["data", "pack", str(out), "-o", str(tmp_path / "pack")])
    assert done.exit_code == 3 and "half a render" in done.stderr
    pack = Pack(tmp_path / "pack")
    assert [origin.licence for origin in sources(pack)] == ["CC0"] and all(e.alone and e.soft for e in pack.entries)
    wanted = list(samples(0, 9, kinds, SIZE))
    assert {e.group for e in pack.entries} == {f"people/{sample.cast}" for sample in wanted}
    clips = {sample.name for sample in wanted if sample.kind == "clip"}
    first = next(i for i, e in enumerate(pack.entries) if e.name.partition("/")[0] in clips)
    assert len(pack.clip(first)) == 24
    CliRunner().invoke(app, ["data", "pack", str(out), "-o", str(tmp_path / "few"), "--frames", "3"])
    assert sum(e.name.partition("/")[0] in clips for e in Pack(tmp_path / "few").entries) == 3 * len(clips)


def test_the_command_tells_what_it_did(studio, tmp_path):
    words = ["data", "render", "-o", str(tmp_path / "out"), "--count", "4", "--kinds", "still", "--size", "64x48"]
    words += ["--assets", str(tmp_path / "assets"), "--blender-python", str(studio)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0 and "4 samples rendered, 0 were there, 0 failed" in done.output
    wrong(studio, _000001_0="ValueError: nothing")
    done = CliRunner().invoke(app, [*words, "--count", "5"])
    assert done.exit_code == 3 and "4 were there, 1 failed" in done.output and "000001-0: ValueError" in done.stderr
    refused = CliRunner().invoke(app, [*words, "--size", "big"])
    assert isinstance(refused.exception, InputError) and "of 32 pixels a side" in str(refused.exception)


def test_the_program_uses_nothing_of_koutu():
    for path in PROGRAM.parent.glob("*.py"):
        assert "from koutu" not in path.read_text() and "import koutu" not in path.read_text()


@pytest.mark.timeout(1800)
def test_blender_renders_a_person(tmp_path):
    python, assets = os.environ.get(PYTHON, ""), os.environ.get("KOUTU_RENDER_ASSETS", "")
    if not python or not assets:
        pytest.skip(f"{PYTHON} and KOUTU_RENDER_ASSETS name no Blender and no files of MakeHuman")
    asked = RenderOrder(2, kinds=("still",), size=(96, 96), samples=2, alpha_samples=8, assets=Path(assets))
    report = render_people(asked, tmp_path / "out")
    assert len(report.made) == 2 and not report.failed
    for path in (tmp_path / "out/stills").glob("*.png"):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert picture is not None and picture.shape == (96, 96, 4)
        alpha = picture[..., 3]
        assert 0.03 < (alpha > 250).mean() < 0.95 and ((alpha > 5) & (alpha < 250)).any()
