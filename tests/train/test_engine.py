"""The engine: runs go on to the bit, many processes agree, mistakes and accidents leave the last good checkpoint."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from support.people import make_packs  # noqa: E402

from koutu.data.packs.pack import Pack, split, write_pack  # noqa: E402
from koutu.data.scenes.sample import SceneConfig  # noqa: E402
from koutu.models import build, load_checkpoint  # noqa: E402
from koutu.train.engine import Interrupted, Run, TrainError, train  # noqa: E402
from koutu.train.optimise import Average, hold_norms, make_optimiser, rate_at  # noqa: E402
from koutu.train.recipe import Pass, Recipe, Stage, read_recipe  # noqa: E402
from koutu.train.task import its_turn, turns  # noqa: E402
from koutu.types import InputError, OutputError  # noqa: E402

TINY = {"channels": (4, 8, 8, 16)}
CALM = SceneConfig(as_is=0.0, codec=0.0)


class Ended(NamedTuple):
    """The folder of a run, and its validation before and after."""

    out: Path
    found: dict[str, dict[str, float]]


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    return make_packs(tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="module")
def recipe(packs):
    """Two stages of the smallest network with a critic, sizes that change, two passes in the second."""
    igf = Pass("igf", batch=2, sizes=((0.5, 32), (1.0, 64)), scenes=CALM, options={"critic_channels": 4})
    plain = replace(igf, options={"adversarial": 0.0}, every=2, offset=1)
    stages = (
        Stage((igf,), steps=4, name="one", warmup=2),
        Stage((igf, plain), steps=4, name="two", lr=1e-4, accumulate=2),
    )
    return Recipe(
        "igf", str(packs[0]), str(packs[1]), stages, options=TINY, workers=0, held_out=4, validation_clips=2,
        validation_frames=2, validation_size=32,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory) -> "Ended":
    """The recipe's run from its beginning to its end; to be looked at."""
    out = tmp_path_factory.mktemp("run") / "whole"
    return Ended(out, train(recipe, out))


@pytest.fixture(scope="module")
def begun_once(recipe, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "begun"
    out.mkdir()
    (out / "journal.jsonl").write_text('{"stage": "start", "step": 0}\n')  # who was killed before anything was saved
    Run(recipe, out).train(stop_at=1)
    return out


def test_a_run_that_begins_anew_has_a_new_journal(begun_once):
    assert (begun_once / "journal.jsonl").read_text().count('"start"') == 1


@pytest.fixture
def begun(begun_once, tmp_path) -> Path:
    """One step of the recipe's run, to go on with."""
    return shutil.copytree(begun_once, tmp_path / "begun")


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


def test_packs_in_shards_train_the_same_network(recipe, tmp_path):
    people = Pack(recipe.people)
    large = [
        (replace(e, height=3 * e.height, width=3 * e.width), people[i].repeat(3, axis=0).repeat(3, axis=1))
        for i, e in enumerate(people.entries)
    ]
    for name, shard_mb, workers in (("whole", 0, 0), ("shards", 1, 1)):
        write_pack(tmp_path / f"people_{name}", large, shard_mb=shard_mb)
        changed = replace(recipe, people=str(tmp_path / f"people_{name}"), stages=recipe.stages[:1], workers=workers)
        train(changed, tmp_path / name)
    assert len(list(tmp_path.glob("people_*.bin"))) > 3
    a, b = (torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("whole", "shards"))
    assert same(a, b)


@pytest.mark.parametrize("stop_at", [2, 4, 5, 6])
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(recipe, whole, tmp_path, stop_at):
    Run(recipe, tmp_path / "parts").train(stop_at=stop_at)
    assert states(tmp_path / "parts")["stage"] == (stop_at >= 4)
    assert train(recipe, tmp_path / "parts") == whole.found
    a, b = (states(out) for out in (whole.out, tmp_path / "parts"))
    for key in ("network", "average", "optimiser", "objectives", "critic_optimiser"):
        assert same(a[key], b[key]), key
    weights = [torch.load(out / "weights.pt", weights_only=True) for out in (whole.out, tmp_path / "parts")]
    assert same(*weights)


@pytest.fixture
def written(packs, tmp_path):
    """A recipe's file: one stage that saves after every step, one thread."""
    path = tmp_path / "r.yaml"
    path.write_text(
        f"network: igf\npeople: {packs[0]}\nbackgrounds: {packs[1]}\noptions: {{channels: [4, 8, 8, 16]}}\n"
        "workers: 0\nthreads: 1\nheld_out: 4\nvalidation_clips: 1\nvalidation_size: 32\nsave_minutes: 0\n"
        "stages: [{steps: 40, objective: igf, batch: 1, sizes: [[1.0, 32]], options: {critic_channels: 4}}]\n"
    )
    return path


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_killed_process_goes_on_as_if_nothing_had_been(written, tmp_path, one_thread):
    command = [sys.executable, "-m", "koutu", "train", str(written), "-o", str(tmp_path / "killed")]
    with subprocess.Popen([*command, "--accelerator", "cpu"], stderr=subprocess.PIPE) as process:
        while not (tmp_path / "killed" / "last.pt").exists():
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise AssertionError(f"ended by itself, {process.wait(0.01)}: {process.communicate()[1].decode()}")
        process.kill()
    assert process.returncode == -signal.SIGKILL
    reached = states(tmp_path / "killed")["step"]
    assert 0 < reached < 40
    with (tmp_path / "killed" / "journal.jsonl").open("a") as file:
        file.write('{"stage": "train", "st')  # a line that was being written
    recipe = read_recipe(written)
    results = [train(recipe, tmp_path / name) for name in ("killed", "whole")]
    assert results[0] == results[1]
    for name in ("last.pt", "weights.pt"):
        a, b = (torch.load(tmp_path / run / name, weights_only=True) for run in ("killed", "whole"))
        assert same({**a, "journal": 0}, {**b, "journal": 0}), name
    curves = [(tmp_path / run / "journal.jsonl").read_text() for run in ("killed", "whole")]
    assert curves[0] == curves[1] and curves[0].count('"loss"') == 1 and curves[0].count("val_first") == 41


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_step_end_and_saves(recipe, whole, tmp_path, number):
    before = signal.getsignal(number)

    def watch(at):
        if (at.stage, at.step) == ("one", 2):
            signal.raise_signal(number)

    with pytest.raises(Interrupted, match=r"last\.pt of one, step 3 of 4 is kept") as told:
        train(recipe, tmp_path / "parts", watch=watch)
    assert told.value.exit_code == 128 + number and signal.getsignal(number) is before
    assert states(tmp_path / "parts")["step"] == 3
    assert train(recipe, tmp_path / "parts") == whole.found
    assert same(states(tmp_path / "parts")["network"], states(whole.out)["network"])


def test_a_signal_between_stages_and_at_the_end(recipe, tmp_path):
    def at_step(stage, step):
        return lambda at: signal.raise_signal(signal.SIGTERM) if (at.stage, at.step) == (stage, step) else None

    with pytest.raises(Interrupted, match="the end of one is kept"):
        train(recipe, tmp_path, watch=at_step("one", 3))
    assert states(tmp_path)["stage"] == 1
    train(recipe, tmp_path, watch=at_step("two", 3))  # it is done by then, and says nothing
    assert states(tmp_path)["stage"] == 2


def test_a_second_signal_does_not_wait(recipe, tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored in the background

    def watch(at):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path, watch=watch)
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_runs_in_other_threads_leave_signals_alone(recipe, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(Run(recipe, tmp_path).train, stop_at=1).result()["after"]


def test_the_command_says_how_to_go_on(written, tmp_path, monkeypatch, capsys, one_thread):
    from koutu import cli
    from koutu.train.watch import Bar

    monkeypatch.setattr(Bar, "__call__", lambda self, at: signal.raise_signal(signal.SIGTERM) if at.step == 1 else None)
    before = signal.getsignal(signal.SIGTERM)
    out = str(tmp_path / "a run")
    monkeypatch.setattr(sys, "argv", ["koutu", "train", str(written), "steps=3", "-o", out, "--accelerator", "cpu"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    signal.signal(signal.SIGTERM, before)
    assert left.value.code == 143
    said = capsys.readouterr().err
    assert f"koutu train {written} steps=3 -o '{out}' --accelerator cpu" in said and "is kept" in said


def test_the_weights_load_as_a_network(recipe, whole, tmp_path):
    network = load_checkpoint(whole.out / "weights.pt", "igf")
    assert network.cfg.channels == TINY["channels"]
    again = replace(recipe, init=str(whole.out / "weights.pt"), options=TINY)
    ended = shutil.copytree(whole.out, tmp_path / "ended")
    assert Run(again, tmp_path / "again").train(stop_at=1)["before"] == train(recipe, ended)["after"]


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # on a machine of one core
def test_workers_do_not_change_what_is_learned(recipe, tmp_path):
    short = replace(recipe, stages=recipe.stages[:1])
    train(short, tmp_path / "none")
    train(replace(short, workers=2), tmp_path / "two")
    assert same(states(tmp_path / "none")["network"], states(tmp_path / "two")["network"])


def test_a_run_of_another_recipe_is_refused(recipe, begun):
    with pytest.raises(InputError, match="other seed"):
        train(replace(recipe, seed=9), begun)
    (begun / "last.pt").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be read"):
        train(recipe, begun)


def test_a_run_from_before_crowds_and_strands_goes_on_without(recipe, tmp_path):
    none = replace(CALM, crowd=0.0, strands=0.0)
    stages = [
        replace(stage, passes=tuple(replace(given, scenes=none) for given in stage.passes)) for stage in recipe.stages
    ]
    old = replace(recipe, stages=tuple(stages))
    Run(old, tmp_path).train(stop_at=1)
    saved = states(tmp_path)
    for stage in saved["recipe"]["stages"]:
        for given in stage["passes"]:
            del given["scenes"]["crowd"], given["scenes"]["strands"]
    torch.save(saved, tmp_path / "last.pt")
    with pytest.raises(InputError, match="other stages"):
        train(recipe, tmp_path)
    assert train(old, tmp_path) == train(old, tmp_path / "whole")


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(recipe, begun, monkeypatch):
    before = (begun / "last.pt").read_bytes()
    monkeypatch.setattr(
        "koutu.train.objectives.guided.igf_alpha", lambda *_: torch.tensor(float("nan"), requires_grad=True)
    )
    with pytest.raises(TrainError, match=r"step 1: the loss is nan.*is kept"):
        train(recipe, begun)
    assert (begun / "last.pt").read_bytes() == before


def test_a_broken_sample_is_named(recipe, tmp_path, monkeypatch):
    from koutu.data.scenes import sample as scenes

    run = Run(recipe, tmp_path)
    monkeypatch.setattr(scenes.Scenes, "__call__", lambda *_: (_ for _ in ()).throw(ValueError("a torn picture")))
    monkeypatch.setattr(run, "validate", lambda: {"val_first": 0.0})
    with pytest.raises(InputError, match=r"sample 0 .* a torn picture"):
        run.train()


@pytest.mark.parametrize("fails", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 64 vs 0")])
@pytest.mark.parametrize("first", [0, 1])
def test_a_full_disk_is_told_and_nothing_is_half_written(recipe, whole, begun, monkeypatch, fails, first):
    """The first file, or the second, does not fit; torch tells of either kind."""
    before = {path.name: path.read_bytes() for path in begun.glob("*.pt")}
    names, calls, save = sorted(path.name for path in begun.iterdir()), [], torch.save

    def full(content, path):
        calls.append(path)
        if len(calls) <= first:
            return save(content, path)
        Path(path).write_bytes(b"half")
        raise fails

    with monkeypatch.context() as broken, pytest.raises(OutputError, match=rf"{fails.args[-1]}.*make room.*is kept"):
        broken.setattr(torch, "save", full)
        train(recipe, begun)
    assert sorted(path.name for path in begun.iterdir()) == names
    assert (begun / "last.pt").read_bytes() == before["last.pt"]
    assert first or (begun / "weights.pt").read_bytes() == before["weights.pt"]
    assert train(recipe, begun) == whole.found


def test_a_journal_that_does_not_fit_is_told(recipe, tmp_path, monkeypatch):
    run = Run(recipe, tmp_path)
    run.train(stop_at=1)
    assert run.journal is not None
    run.journal.path = Path("/dev/full")
    monkeypatch.setattr(type(run.journal), "rewind", lambda *_: None)
    with pytest.raises(OutputError, match=r"No space left.*make room"):
        run.train()


def test_two_processes_train_one_network(recipe, packs, tmp_path):
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, yaml, pathlib, torch\n"
        "from lightning_fabric import Fabric\n"
        "from koutu.train.engine import Run, leave_group\n"
        "from koutu.train.recipe import read_recipe\n"
        "fabric = Fabric(accelerator='cpu', devices=2, strategy='ddp')\n"
        "run = Run(read_recipe(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]), fabric=fabric)\n"
        "run.train()\n"
        "total = torch.stack([p.double().sum() for p in run.network.parameters()]).sum()\n"
        "both = fabric.all_gather(total)\n"
        "assert fabric.world_size == 2 and both[0] == both[1], both\n"
        "leave_group()\n"
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
    assert done.returncode == 0, done.stderr[-9000:]
    assert states(tmp_path / "run")["stage"] == 1


def test_the_journal_and_its_last_line(whole):
    lines = [json.loads(line) for line in (whole.out / "journal.jsonl").read_text().splitlines()]
    assert lines[0]["stage"] == "start" and lines[-1]["stage"] == "two" and lines[-1]["step"] == 4
    after = whole.found["after"]
    assert {name: lines[-1][name] for name in after} == pytest.approx(after)
    assert list((whole.out / "tensorboard").iterdir())


def test_no_person_is_on_both_sides(packs):
    from koutu.data.packs.pack import Pack

    people = Pack(packs[0])
    train_on, held_out = split(people, 4)
    groups = [{people.entries[i].group for i in part} for part in (train_on, held_out)]
    assert not groups[0] & groups[1] and len(train_on) + len(held_out) == len(people) and held_out


def stage(**changes) -> Stage:
    return Stage((Pass("igf"),), **{"steps": 1000, "lr": 1.0, "warmup": 100, **changes})


def test_passes_take_turns(written):
    given = Pass("igf", every=3, offset=1)
    at = [step for step in range(8) if its_turn(given, step)]
    assert at == [1, 4, 7] and [turns(given, steps) for steps in range(9)] == [0, 0, 1, 1, 1, 2, 2, 2, 3]
    with pytest.raises(InputError, match="offset below it"):
        read_recipe(written, ["every=2", "offset=2"])


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


@pytest.mark.parametrize(("everywhere", "held"), [(False, ["still"]), (True, ["still", "learning"])])
def test_what_stands_still_keeps_its_norms(everywhere, held):
    network = torch.nn.ModuleDict({"still": torch.nn.BatchNorm2d(2), "learning": torch.nn.BatchNorm2d(2)})
    make_optimiser(network, stage(lr_of={"still": 0.0}))
    network.train()
    hold_norms(network, everywhere)
    assert [name for name, norm in network.items() if not norm.training] == held


def test_the_average_follows():
    network = torch.nn.Linear(1, 1, bias=False)
    average = Average(network, 0.5)
    start = network.weight.item()
    with torch.no_grad():
        network.weight += 1
    average.follow(network, 1000)
    assert average.weights(network)["weight"].item() == pytest.approx(start + 0.5)
    assert Average(network, 0.0).weights(network)["weight"].item() == pytest.approx(start + 1)
