"""Evaluation: what users run is measured, interruptions lose nothing, broken things are named, reports are whole."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from koutu import metrics
from koutu.cli import app
from koutu.data.sets.open import Example, open_dataset
from koutu.engines.backend import Backend
from koutu.evaluation.measure import Scorer
from koutu.evaluation.report import page
from koutu.evaluation.run import ROWS, evaluate
from koutu.evaluation.settings import MeasureSettings
from koutu.evaluation.sheet import write_workbook
from koutu.evaluation.table import bootstrap, shown_how, sum_up, text, write
from koutu.matting.refine import quantise
from koutu.types import InputError, OutputError


class Says(Backend):
    """A backend that answers with the picture's red channel, moved by `wrong`; fails on pictures that are all black."""

    refines = warms_up = False

    def __init__(self, name, wrong=0.0, needs=()):
        self.name, self.wrong, self.needs, self.seen = name, wrong, needs, []

    def network_size(self, size):
        return size

    def initial_state(self, size):
        return []

    def __call__(self, rgb, state, **hints):
        from koutu.types import ModelError

        self.seen.append({name: hint.copy() for name, hint in hints.items()})
        if not rgb.any():
            raise ModelError("expected light, got none; turn it on")
        return None, np.clip(rgb[..., 0] / 255 + self.wrong, 0, 1).astype(np.float32), state


class Looks(Says):
    """A backend with a memory, which counts its calls; a gate leaves every second one to a cheaper part."""

    gated = True

    def __init__(self, name, *, warms_up=False, propagates=False):
        super().__init__(name)
        self.warms_up, self.propagates = warms_up, propagates

    def initial_state(self, size):
        return [0]

    def __call__(self, rgb, state, **hints):
        return *super().__call__(rgb, state)[:2], [state[0] + 1]

    def low(self, state):
        return state[0] % 2 == 0


def alpha(i, size=(32, 40)):
    y, x = np.mgrid[: size[0], : size[1]]
    return np.clip((10 + i - np.hypot(x - 20, y - 16)) / 4 + 0.5, 0, 1)


@pytest.fixture
def portraits(tmp_path):
    """Four pictures whose red channel is their alpha, beside it."""
    root = tmp_path / "portraits"
    for folder in ("image", "alpha"):
        (root / folder).mkdir(parents=True)
    for i in range(4):
        level = np.rint(alpha(i) * 255).astype(np.uint8)
        Image.fromarray(np.dstack([level, 255 - level, level // 2])).save(root / "image" / f"p{i}.png")
        Image.fromarray(level).save(root / "alpha" / f"p{i}.png")
    return root


def test_figures_are_the_metrics(portraits, tmp_path):
    run = evaluate({"right": Says("r"), "wrong": Says("w", 0.1)}, open_dataset(portraits), tmp_path / "out")
    table = sum_up(run)
    assert table.rows["right"]["mad"].mean == 0 and table.rows["right"]["band_mad"].mean == 0
    expected = []
    for i in range(4):
        true = np.rint(alpha(i) * 255).astype(np.uint8)
        pred = quantise(np.clip(true / 255 + 0.1, 0, 1).astype(np.float32))
        expected.append(metrics.mad(pred, true) * 1e3)
        row = next(r for r in run.results if r.model == "wrong" and r.clip.endswith(f"p{i}")).rows[0]
        assert row["mad"] == pytest.approx(expected[-1], rel=1e-9)
        assert row["grad"] == pytest.approx(metrics.gradient(pred, true) / 1e3, rel=1e-9)
        assert row["conn"] == pytest.approx(metrics.connectivity(pred, true) / 1e3, rel=1e-9)
        assert row["sad"] == pytest.approx(row["mad"] * 32 * 40 / 1e6)
    cell = table.rows["wrong"]["mad"]
    assert cell.mean == pytest.approx(np.mean(expected), rel=1e-9) and cell.low <= cell.mean <= cell.high
    assert cell.differs and cell.difference == pytest.approx(cell.mean)


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_all_networks_with_a_memory_look_alike_often_at_a_first_frame(portraits, tmp_path, looks):
    models = {
        "ours": Looks("o", warms_up=True), "theirs": Looks("t"), "carries": Looks("c", propagates=True),
        "none": Says("n"),
    }  # fmt: skip
    settings = MeasureSettings(looks=looks, perceptual=False)
    run = evaluate(models, open_dataset(portraits), tmp_path / "out", settings=settings)
    assert {name: len(backend.seen) / 4 for name, backend in models.items()} == {
        "ours": looks, "theirs": looks, "carries": 1, "none": 1
    }  # fmt: skip
    told = "\n".join(text(sum_up(run), run))
    assert f"first frame is shown {['once', 'twice', '3 times'][looks - 1]}" in told
    assert ("ours: its gate left 4 of 4 frames" in told) == (looks == 2)
    assert all(line in page(sum_up(run), run, {}) for line in shown_how(run))
    assert json.loads(write(sum_up(run), run, tmp_path)[0].read_text())["settings"]["looks"] == looks


def test_a_stopped_run_goes_on_and_another_is_refused(portraits, tmp_path):
    data, out = open_dataset(portraits), tmp_path / "out"
    whole = evaluate({"m": Says("m", 0.05)}, data, tmp_path / "whole")

    def stop(done, total, clip):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate({"m": Says("m", 0.05)}, data, out, progress=stop)
    with (out / ROWS).open("a") as file:
        file.write('{"model": "m", "cl')  # torn off
    backend = Says("m", 0.05)
    run = evaluate({"m": backend}, data, out)
    assert len(backend.seen) == 2  # the other two were there
    assert [(r.clip, r.rows) for r in run.results] == [(r.clip, r.rows) for r in whole.results]
    assert sum(bool(r.picture) and (out / r.picture).is_file() for r in run.results) == 4
    with pytest.raises(InputError, match="other models"):
        evaluate({"n": Says("n")}, data, out)
    with pytest.raises(InputError, match="other settings"):
        evaluate({"m": Says("m", 0.05)}, data, out, settings=MeasureSettings(perceptual=False))


def test_what_is_broken_is_named_and_the_rest_is_measured(portraits, tmp_path):
    (portraits / "image" / "p1.png").write_bytes((portraits / "image" / "p1.png").read_bytes()[:60])
    Image.fromarray(np.zeros((32, 40), np.uint8)).resize((20, 16)).save(portraits / "alpha" / "p2.png")
    (portraits / "alpha" / "p3.png").unlink()
    run = evaluate({"m": Says("m", 0.1)}, open_dataset(portraits), tmp_path / "out")
    table = sum_up(run)
    assert table.broken == 3 and len(table.clips["m"]) == 1
    told = page(table, run, {})
    assert "p1" in told and "p2" in told and "p3" in told and "Could not be used: 3" in told
    assert any("could not be used" in line for line in text(table, run))


def test_a_network_that_fails_does_not_stop_the_others(portraits, tmp_path):
    Image.fromarray(np.zeros((32, 40, 3), np.uint8)).save(portraits / "image" / "p0.png")
    run = evaluate({"m": Says("m"), "hint": Says("h", needs=("bgr",))}, open_dataset(portraits), tmp_path / "out")
    table = sum_up(run)
    assert table.errors == {"m": 1, "hint": 4} and len(table.clips["m"]) == 3
    assert any("expected light" in line for line in text(table, run))
    assert any("photograph of the scene" in r.error for r in run.results if r.model == "hint")


def test_trimaps_come_from_the_set_or_from_the_truth(portraits, tmp_path):
    (portraits / "image").rename(portraits / "original")
    (portraits / "alpha").rename(portraits / "mask")
    (portraits / "trimap").mkdir()
    for i in range(4):
        Image.fromarray(np.full((32, 40), 128, np.uint8)).save(portraits / "trimap" / f"p{i}.png")
    for layout, expected in (("aim-500", 128), ("folder", 0)):
        if layout == "folder":
            (portraits / "original").rename(portraits / "image")
            (portraits / "mask").rename(portraits / "alpha")
            (portraits / "trimap").rename(tmp_path / "elsewhere")
        backend, settings = Says("m", needs=("trimap",)), MeasureSettings(trimap_radius=2)
        run = evaluate({"m": backend}, open_dataset(portraits, layout), tmp_path / layout, settings=settings)
        corner = backend.seen[0]["trimap"][0, 0]
        assert corner == expected and 128 in backend.seen[0]["trimap"]
        assert ("unknown_sad" in run.results[0].rows[0]) == (layout == "aim-500")


def test_clips_have_figures_over_time(portraits):
    data = open_dataset(portraits)
    scorer = Scorer(MeasureSettings(), still=False)
    rows = []
    for i, clip in enumerate(data.clips):
        example = next(iter(clip.examples()))
        assert isinstance(example, Example) and example.pha is not None
        pred = np.rint(np.clip(example.pha + (0.1 if i % 2 else 0), 0, 1) * 255).astype(np.uint8)
        rows.append(scorer(example, pred, None))
    assert "dtssd" not in rows[0] and all(row["dtssd"] > 1 for row in rows[1:])
    assert "flicker" in rows[1]


def test_files_of_a_run(portraits, tmp_path):
    pytest.importorskip("openpyxl")
    from openpyxl import load_workbook

    out = tmp_path / "out"
    run = evaluate({"right": Says("r"), "wrong": Says("w", 0.1)}, open_dataset(portraits), out)
    table = sum_up(run)
    paths = write(table, run, out)
    assert {p.name for p in paths} == {"results.json", "results.csv"}
    found = json.loads(paths[0].read_text())
    assert found["overall"]["wrong"]["mad"]["mean"] == table.rows["wrong"]["mad"].mean and len(found["clips"]) == 8
    with paths[1].open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and float(rows[1]["mad"]) > 0
    write_workbook(table, run, out / "results.xlsx")
    book = load_workbook(out / "results.xlsx")
    assert book.sheetnames[:2] == ["overall", "clips"] and book["clips"].max_row == 9
    html = page(table, run, {"wrong": "a <card>"})
    assert html.count("data:image/jpeg") == 8 and "a &lt;card&gt;" in html and "http" not in html.split("<body>")[1]
    assert html.index("wrong") > 0 and "<script" not in html


def test_the_bootstrap_covers_the_mean():
    rng = np.random.default_rng(3)
    inside = 0
    for i in range(200):
        low, high = bootstrap(list(rng.normal(5, 2, 40)), seed=i, resamples=500)
        inside += low <= 5 <= high
    assert 180 <= inside <= 199  # of 95 %
    assert bootstrap([2.0]) == (2.0, 2.0)


def test_only_the_worst_pictures_are_kept(portraits, tmp_path, monkeypatch):
    from koutu.evaluation import gallery

    monkeypatch.setattr(gallery, "KEPT", 2)
    worse = [Says("m", 0.1)]
    run = evaluate({"m": worse[0]}, open_dataset(portraits), tmp_path / "out")
    kept = [r for r in run.results if r.picture]
    assert len(kept) == 2 and len(list((tmp_path / "out" / "pictures" / "m").iterdir())) == 2
    mads = sorted((r.rows[0]["mad"] for r in run.results), reverse=True)
    assert sorted((r.rows[0]["mad"] for r in kept), reverse=True) == mads[:2]
    again = evaluate({"m": worse[0]}, open_dataset(portraits), tmp_path / "out")  # from the lines of the first
    assert [r.picture for r in again.results] == [r.picture for r in run.results]


def test_the_command(portraits, tmp_path):
    result = CliRunner().invoke(app, ["eval", "koutu-small", str(portraits), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "4 of 4 clips measured" in result.output and (tmp_path / "out" / "report.html").is_file()
    names = tmp_path / "names.txt"
    names.write_text("p0\np9\n")
    with pytest.raises(InputError, match="such as p0, got p9;"):
        CliRunner().invoke(app, ["eval", "koutu", str(portraits), "--only", str(names)], catch_exceptions=False)
    with pytest.raises(InputError, match="a clip's name a line"):
        CliRunner().invoke(app, ["eval", "koutu", str(portraits), "--only", "none.txt"], catch_exceptions=False)
    with pytest.raises(InputError, match="data set"):
        CliRunner().invoke(app, ["eval", "koutu-small"], catch_exceptions=False)
    with pytest.raises(InputError, match="different models"):
        CliRunner().invoke(app, ["eval", "koutu-small", "koutu-small", str(portraits)], catch_exceptions=False)


def test_a_folder_that_cannot_be_written_is_told(portraits, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="folder"):
        evaluate({"m": Says("m")}, open_dataset(portraits), tmp_path / "file")
