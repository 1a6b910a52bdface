"""The engine: runs go on to the bit, many processes agree, mistakes and accidents leave the last good checkpoint."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from people import make_packs  # noqa: E402

from koutu.data.scenes import SceneConfig  # noqa: E402
from koutu.models import build, load_checkpoint  # noqa: E402
from koutu.train.engine import Run, TrainError, split, train  # noqa: E402
from koutu.train.optimise import Average, make_optimiser, rate_at  # noqa: E402
from koutu.train.recipe import Pass, Recipe, Stage  # noqa: E402
from koutu.types import InputError, OutputError  # noqa: E402

TINY = {"channels": (4, 8, 8, 16)}
CALM = SceneConfig(as_is=0.0, codec=0.0)


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    return make_packs(tmp_path_factory.mktemp("packs"))


@pytest.fixture
def recipe(packs):
    """Two stages of the smallest network with a critic, sizes that change, two passes in the second."""
    igf = Pass("igf", batch=2, sizes=((0.5, 32), (1.0, 64)), scenes=CALM, options={"critic_channels": 4})
    plain = replace(igf, options={"adversarial": 0.0})
    stages = (
        Stage((igf,), steps=4, name="one", warmup=2),
        Stage((igf, plain), steps=3, name="two", lr=1e-4, accumulate=2),
    )
    return Recipe(
        "igf", str(packs[0]), str(packs[1]), stages, options=TINY, workers=0, held_out=4, validation_clips=2,
        validation_frames=2, validation_size=32,
    )  # fmt: skip


def states(out: Path) -> dict:
    return torch.load(out / "last.pt", weights_only=True)


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


@pytest.mark.parametrize("stop_at", [2, 4, 5])
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(recipe, tmp_path, stop_at):
    whole = train(recipe, tmp_path / "whole")
    Run(recipe, tmp_path / "parts").train(stop_at=stop_at)
    assert states(tmp_path / "parts")["stage"] == (stop_at >= 4)
    parts = train(recipe, tmp_path / "parts")
    assert whole == parts
    a, b = (states(tmp_path / name) for name in ("whole", "parts"))
    for key in ("network", "average", "optimiser", "objectives", "critic_optimiser"):
        assert same(a[key], b[key]), key
    weights = [torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("whole", "parts")]
    assert same(*weights)


def test_the_weights_load_as_a_network(recipe, tmp_path):
    train(recipe, tmp_path)
    network = load_checkpoint(tmp_path / "weights.pt", "igf")
    assert network.cfg.channels == TINY["channels"]
    again = replace(recipe, init=str(tmp_path / "weights.pt"), options=TINY)
    assert train(again, tmp_path / "again")["before"] == train(recipe, tmp_path)["after"]


def test_workers_do_not_change_what_is_learned(recipe, tmp_path):
    short = replace(recipe, stages=recipe.stages[:1])
    train(short, tmp_path / "none")
    train(replace(short, workers=2), tmp_path / "two")
    assert same(states(tmp_path / "none")["network"], states(tmp_path / "two")["network"])


def test_a_run_of_another_recipe_is_refused(recipe, tmp_path):
    Run(recipe, tmp_path).train(stop_at=1)
    with pytest.raises(InputError, match="other seed"):
        train(replace(recipe, seed=9), tmp_path)
    (tmp_path / "last.pt").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be read"):
        train(recipe, tmp_path)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(recipe, tmp_path, monkeypatch):
    Run(recipe, tmp_path).train(stop_at=1)
    before = (tmp_path / "last.pt").read_bytes()
    monkeypatch.setattr("koutu.losses.igf_alpha", lambda *_: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(TrainError, match=r"step 1: the loss is nan.*is kept"):
        train(recipe, tmp_path)
    assert (tmp_path / "last.pt").read_bytes() == before


def test_a_broken_sample_is_named(recipe, tmp_path, monkeypatch):
    from koutu.data import scenes

    run = Run(recipe, tmp_path)
    monkeypatch.setattr(scenes.Scenes, "__call__", lambda *_: (_ for _ in ()).throw(ValueError("a torn picture")))
    monkeypatch.setattr(run, "_validate", lambda: {"val_first": 0.0})
    with pytest.raises(InputError, match=r"sample 0 .* a torn picture"):
        run.train()


def test_a_full_disk_is_told_and_nothing_is_half_written(recipe, tmp_path, monkeypatch):
    Run(recipe, tmp_path).train(stop_at=1)
    before = sorted(path.name for path in tmp_path.iterdir())

    def full(content, path):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        train(recipe, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_two_processes_train_one_network(recipe, packs, tmp_path):
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, yaml, pathlib, torch\n"
        "from lightning_fabric import Fabric\n"
        "from koutu.train.engine import Run\n"
        "from koutu.train.recipe import read_recipe\n"
        "fabric = Fabric(accelerator='cpu', devices=2, strategy='ddp')\n"
        "run = Run(read_recipe(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]), fabric=fabric)\n"
        "run.train()\n"
        "total = torch.stack([p.double().sum() for p in run.network.parameters()]).sum()\n"
        "both = fabric.all_gather(total)\n"
        "assert fabric.world_size == 2 and both[0] == both[1], both\n"
    )
    (tmp_path / "r.yaml").write_text(
        f"network: igf\npeople: {packs[0]}\nbackgrounds: {packs[1]}\noptions: {{channels: [4, 8, 8, 16]}}\n"
        "workers: 0\nheld_out: 4\nvalidation_clips: 1\nvalidation_size: 32\n"
        "stages: [{steps: 3, objective: igf, batch: 1, sizes: [[1.0, 32]], options: {critic_channels: 4}}]\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(tmp_path / "r.yaml"), str(tmp_path / "run")], capture_output=True, text=True, env=environment,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert states(tmp_path / "run")["stage"] == 1


def test_the_journal_and_its_last_line(recipe, tmp_path):
    found = train(recipe, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert lines[0]["stage"] == "start" and lines[-1]["stage"] == "two" and lines[-1]["step"] == 3
    assert {name: lines[-1][name] for name in found["after"]} == pytest.approx(found["after"])
    assert list((tmp_path / "tensorboard").iterdir())


def test_no_person_is_on_both_sides(packs):
    from koutu.data.pack import Pack

    people = Pack(packs[0])
    train_on, held_out = split(people, 4)
    groups = [{people.entries[i].group for i in part} for part in (train_on, held_out)]
    assert not groups[0] & groups[1] and len(train_on) + len(held_out) == len(people) and held_out


def stage(**changes) -> Stage:
    return Stage((Pass("igf"),), **{"steps": 1000, "lr": 1.0, "warmup": 100, **changes})


def test_learning_rates():
    rates = [rate_at(s, stage()) for s in (0, 99, 100, 550, 1000)]
    assert rates == pytest.approx([0.01, 1.0, 1.0, 0.505, 0.01])
    assert [rate_at(s, stage(schedule="steps", warmup=0)) for s in (0, 250, 500, 999)] == pytest.approx(
        [1, 0.1, 0.01, 0.001]
    )
    assert rate_at(999, stage(schedule="constant")) == 1 and rate_at(550, stage(schedule="linear")) == pytest.approx(
        0.505
    )


def test_parameters_have_the_rates_their_names_say():
    network = build("igf", **TINY)
    optimiser = make_optimiser(network, stage(lr_of={"": 0.0, "head": 2.0, "up.0": 0.5}))
    assert {group["factor"] for group in optimiser.param_groups} == {2.0, 0.5}
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert trained and all(name.startswith(("head", "up.0")) for name in trained)
    assert all(g["weight_decay"] == 0 for g in optimiser.param_groups if all(p.ndim <= 1 for p in g["params"]))
    with pytest.raises(InputError, match="encoder"):
        make_optimiser(network, stage(lr_of={"encoder": 0.0}))
    with pytest.raises(InputError, match="something to train"):
        make_optimiser(network, stage(lr_of={"": 0.0}))


def test_the_average_follows():
    network = torch.nn.Linear(1, 1, bias=False)
    average = Average(network, 0.5)
    start = network.weight.item()
    with torch.no_grad():
        network.weight += 1
    average.follow(network, 1000)
    assert average.weights(network)["weight"].item() == pytest.approx(start + 0.5)
    assert Average(network, 0.0).weights(network)["weight"].item() == pytest.approx(start + 1)
