"""Adapting to a clip: the objective falls, norms stay, what is not better is refused, what is written runs."""

import copy
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from koutu.engines.onnxruntime import OnnxBackend  # noqa: E402
from koutu.models.modnet import Config, MODNet  # noqa: E402
from koutu.train import adapt as adapting  # noqa: E402
from koutu.train import adapt_learn, adapt_measure, adapt_report  # noqa: E402
from koutu.train.adapt import adapt  # noqa: E402
from koutu.train.adapt_clip import LENGTH, run_of, sample  # noqa: E402
from koutu.train.adapt_learn import Adapter  # noqa: E402
from koutu.train.adapt_measure import Measured, judge, measure, roll  # noqa: E402
from koutu.train.adapt_options import AdaptOptions  # noqa: E402
from koutu.types import InputError, ModelError, OutputError  # noqa: E402

SMALL = Config(
    temporal=True, encoder="resnet", resnet_channels=(8, 16, 16, 24, 32), resnet_depths=(1, 1, 1, 1),
    lr_channels=(16, 16), hr_channels=8, norm="batch", subpixel=True,
)  # fmt: skip
QUICK = AdaptOptions(frames=64, epochs=1, minutes=5, lr=1e-3, pixels=64 * 96)
GOOD = dict.fromkeys(adapt_measure.MEASURES, 0.1)


def scene(t: int, size: tuple[int, int] = (64, 96), person: bool = True) -> np.ndarray:
    """A red block that walks to and fro before a textured wall."""
    rgb = np.random.default_rng(0).integers(0, 80, (*size, 3), np.uint8)
    if person:
        left = 50 - abs(t % 60 - 30)
        rgb[16:, left : left + 40] = (230, 60, 40)
    return rgb


def write_clip(path: Path, frames: list[np.ndarray]) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(25), options={"qp": "0", "preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for rgb in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """For pictures this small, threads cost more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "walk.mp4", [scene(t) for t in range(96)])


@pytest.fixture(scope="module")
def network() -> MODNet:
    """A tiny MODNet that has learnt the red block a little, so that it finds somebody."""
    torch.manual_seed(0)
    net = MODNet(SMALL).train()
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    src = adapt_measure.tensor(np.stack([scene(0), scene(15), scene(15, person=False)]))
    pha = (src[:, :1] > 0.7).float()
    for _ in range(40):
        out = net.training_outputs(src, torch.zeros_like(pha))
        coarse = torch.nn.functional.interpolate(pha, scale_factor=1 / 16, mode="bilinear")
        loss = (out.pha - pha).abs().mean() + (out.detail - pha).abs().mean() + (out.semantic - coarse).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.eval()


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.save({"config": vars(SMALL), "ema": network.state_dict()}, path)
    return path


def blind(network: MODNet) -> MODNet:
    """The network, finding nobody anywhere."""
    changed = copy.deepcopy(network)
    with torch.no_grad():
        for p in changed.f_branch.conv_f[1].parameters():
            p.fill_(-5)
    return changed


def runs(count: int = 2) -> list:
    return [run_of([scene(t + 5 * i) for t in range(LENGTH)], LENGTH * i) for i in range(count)]


def test_sampling_spreads_runs_without_a_cut_over_the_clip(tmp_path):
    frames = [scene(t) for t in range(90)] + [255 - scene(t) for t in range(90)]
    found = sample(write_clip(tmp_path / "cut.mp4", frames), lambda _: (64, 96), frames=80)
    firsts = [run.first for run in found.runs]
    assert found.frames == 180 and len(firsts) == 5 and firsts[0] == 0 and firsts[-1] > 140
    assert all(first + LENGTH <= 90 or first >= 90 for first in firsts)
    assert all(run.known.mean() > 0.3 for run in found.runs)


def test_the_objective_falls(network):
    adapter = Adapter(network, runs(), replace(QUICK, lr=1e-4))
    losses = [adapter.epoch(i) for i in range(4)]
    assert losses[-1] < 0.8 * losses[0]


def test_statistics_of_norms_stay_and_the_rest_learns(network):
    adapter = Adapter(network, runs(1), QUICK)
    adapter.epoch()
    before, after = network.state_dict(), adapter.network.state_dict()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved and not any("running" in key or "num_batches" in key for key in moved)


def test_the_same_seed_gives_the_same_network(network):
    states = []
    for seed in (1, 1, 2):
        adapter = Adapter(network, runs(), replace(QUICK, seed=seed))
        adapter.epoch()
        states.append(torch.cat([p.flatten() for p in adapter.network.parameters()]))
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


def test_frames_without_anybody_have_no_boundary_to_keep(network):
    run = run_of([scene(t, person=False) for t in range(LENGTH)])
    adapter = Adapter(network, [run], QUICK)
    kept = roll(network, run)
    empty = [replace(k, semantic=torch.zeros_like(k.semantic), pha=torch.zeros_like(k.pha)) for k in kept]
    assert np.isfinite(adapter.step(run, 3, empty))
    assert all(torch.isfinite(p).all() for p in adapter.network.parameters())


@pytest.mark.parametrize(
    ("changed", "kept", "word"),
    [
        ({}, 0.0, "should fall"),
        ({"unsure": 0.02, "edge": 0.11}, 0.0, "edge rose"),
        ({"unsure": 0.02, "area": 0.0}, 0.0, "area changed"),
        ({"unsure": 0.02, "flicker": float("nan")}, 0.0, "flicker rose"),
        ({"unsure": 0.02}, 0.011, "forgets"),
        ({"disagreement": 0.001}, 0.0, "should fall"),
    ],
)
def test_what_is_not_better_is_not_accepted(changed, kept, word):
    verdict = judge(Measured(GOOD, ()), Measured(GOOD | changed, ()), kept)
    assert not verdict.accepted and word in " ".join(verdict.problems)


def test_what_is_better_is_accepted():
    assert judge(Measured(GOOD, ()), Measured(GOOD | {"unsure": 0.07, "torn": 0.09}, ()), 0.005).accepted


def test_an_emptied_matte_is_no_improvement(network):
    before = measure(network, runs())
    after = measure(blind(network), runs())
    assert after.measures["unsure"] < before.measures["unsure"]
    assert not judge(before, after, 0.0).accepted


def test_nothing_is_written_when_it_is_worse(clip, checkpoint, tmp_path):
    found = adapt(clip, tmp_path / "a.onnx", model="modnet", weights=checkpoint, options=replace(QUICK, lr=0.02))
    assert not found.accepted and found.path is None and found.best == 0
    assert not list(tmp_path.iterdir())
    assert "stays as it was" in adapt_report.summary(found)[0]


def test_what_is_better_is_written_and_runs(clip, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(adapt_measure, "MARGIN", -9.0)
    monkeypatch.setattr(adapt_measure, "TOLERANCE", 9.0)
    options, told = replace(QUICK, lr=1e-7), []  # steps so small that nothing changes by a hundredth of its bound
    target = tmp_path / "a.onnx"
    found = adapt(clip, target, model="modnet", weights=checkpoint, options=options, watch=lambda *a: told.append(a[2]))
    assert found.path == target and [p.name for p in tmp_path.iterdir()] == ["a.onnx"]
    assert 0 < found.verdict.kept < adapt_measure.KEPT / 20 and abs(found.verdict.change["area"]) < 0.01
    backend = OnnxBackend(target)
    assert "adapted to walk.mp4" in backend.name and backend.pixels == options.pixels
    _, pha, _ = backend(scene(3), backend.initial_state((64, 96)))
    assert pha.shape == (64, 96) and pha[40, 40] > pha[5, 5]
    assert any("loss" in line for line in told)
    adapt_report.write_report(found, tmp_path / "r.json")
    plain = json.loads((tmp_path / "r.json").read_text())
    assert plain["accepted"] and set(plain["after"]) == set(adapt_measure.MEASURES)
    assert set(plain["runs"]["held_out"]) < set(plain["runs"]["all"])
    assert adapt_report.page(found).count("<img") % 5 == 0


def test_forgetting_other_content_is_refused(clip, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(adapt_measure, "MARGIN", -9.0)
    monkeypatch.setattr(adapt_measure, "TOLERANCE", 9.0)
    monkeypatch.setattr(adapt_measure, "KEPT", 1e-9)
    found = adapt(clip, tmp_path / "a.onnx", model="modnet", weights=checkpoint, options=replace(QUICK, lr=1e-5))
    assert not found.accepted and "forgets" in found.verdict.problems[-1] and not list(tmp_path.iterdir())


def test_an_interrupted_export_leaves_nothing(network, tmp_path, monkeypatch):
    def interrupted(_, path: Path, **__):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("koutu.export.onnx.export_onnx", interrupted)
    with pytest.raises(KeyboardInterrupt):
        adapting._write(network, tmp_path / "a.onnx", "a", 6144)
    assert not list(tmp_path.iterdir())


def test_it_ends_when_nothing_better_comes(network, monkeypatch):
    monkeypatch.setattr(adapt_learn.Adapter, "epoch", lambda *_: 1.0)
    _, found = Adapter(network, runs(1), replace(QUICK, epochs=9)).run(runs(1), runs(1))
    assert len(found["epochs"]) == 1 + adapt_learn.PATIENCE and "nothing better" in found["ended"]


def test_a_clip_in_which_nobody_is_found_is_refused(clip, network, tmp_path):
    torch.save({"config": vars(SMALL), "ema": blind(network).state_dict()}, tmp_path / "blind.pt")
    with pytest.raises(InputError, match=r"somebody in 0; give a clip that shows a person"):
        adapt(clip, tmp_path / "a.onnx", model="modnet", weights=tmp_path / "blind.pt", options=QUICK)
    assert not (tmp_path / "a.onnx").exists()


def test_what_cannot_be_used_is_told_first(clip, checkpoint, tmp_path):
    short = write_clip(tmp_path / "short.mp4", [scene(t) for t in range(40)])
    out = tmp_path / "a.onnx"
    for source, message in ((short, "longer clip"), (tmp_path / "none.mp4", "none.mp4")):
        with pytest.raises(InputError, match=message):
            adapt(source, out, model="modnet", weights=checkpoint, options=QUICK)
    with pytest.raises(ModelError, match="rvm"):
        adapt(clip, out, model="rvm", weights=checkpoint)
    with pytest.raises(ModelError, match="--weights"):
        adapt(clip, out, model="modnet")
    for name in ("a.pt", "nowhere/a.onnx"):
        with pytest.raises(OutputError):
            adapt(clip, tmp_path / name, model="modnet", weights=checkpoint)


def test_the_packaged_weights_are_those_of_the_packaged_network():
    from koutu.zoo import DEFAULT, packaged

    network, name, pixels = adapting._network(DEFAULT, None)
    backend = OnnxBackend(packaged(name))
    assert pixels == backend.pixels
    rgb = scene(5, (128, 256))
    _, pha, _ = backend(rgb, backend.initial_state((128, 256)))
    with torch.no_grad():
        mine = network(adapt_measure.tensor(rgb[None]), torch.zeros(1, 1, 128, 256))[1]
    assert np.abs(mine[0, 0].numpy() - pha).max() < 0.01


def test_the_command_says_by_its_exit_code_that_nothing_was_written(clip, checkpoint, tmp_path):
    from koutu.cli.adapt import NOT_BETTER
    from koutu.cli.adapt import adapt as command

    app = typer.Typer()
    app.command()(command)
    words = [str(clip), "-o", str(tmp_path / "a.onnx"), "--report", str(tmp_path / "r.html"), "-m", "modnet"]
    words += ["--weights", str(checkpoint), "--lr", "0.02", "--epochs", "1", "--frames", "64", "--pixels", "6144"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == NOT_BETTER and "stays as it was" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
