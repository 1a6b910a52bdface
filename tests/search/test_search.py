"""The search: shapes share weights exactly, tables predict, evolution goes on where it stopped."""

import itertools
from dataclasses import fields

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from koutu.models.space import Choice, Space, plain  # noqa: E402
from koutu.models.supernet import Training, extract, part, sort_channels  # noqa: E402
from koutu.models.tmodnet import Config, TMODNet  # noqa: E402
from koutu.search.evolve import Tried, chosen, evolve, front, read  # noqa: E402
from koutu.search.latency import Table, parts  # noqa: E402
from koutu.types import InputError  # noqa: E402

BASE = Config(mirrored=True, semantic_size=64, detail_channels=(8, 8), context=8)
SPACE = Space(BASE, semantic_sizes=(32, 64), pixels=(64 * 64, 96 * 64))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = TMODNet(BASE).eval()
    for name, weight in network.named_parameters():  # what begins at zero
        if name.endswith(("correction.weight", "second.weight")):
            torch.nn.init.normal_(weight, std=0.1)
    return network


def inputs():
    torch.manual_seed(3)
    return torch.rand(1, 3, 64, 96), torch.rand(1, 1, 64, 96)


@torch.no_grad()
def test_the_largest_shape_is_the_network_itself(network):
    given = inputs()
    assert torch.equal(extract(network, SPACE, SPACE.largest())(*given)[1], network(*given)[1])


@torch.no_grad()
def test_sorting_channels_changes_nothing_and_keeps_what_counts(network):
    import copy

    given, sorted_ = inputs(), copy.deepcopy(network)
    sort_channels(sorted_)
    assert torch.allclose(sorted_(*given)[1], network(*given)[1], atol=1e-5)
    for block in sorted_.semantic_branch.blocks:
        importance = block.get_submodule("reduce").get_parameter("weight").abs().sum(dim=(0, 2, 3))
        assert (importance.diff() <= 1e-6).all()


def test_gradients_of_a_small_shape_reach_its_part_of_the_network_only(network):
    choice = SPACE.smallest()
    network.zero_grad()
    small, weights = part(network, SPACE, choice)
    given = {f"network.{name}": w for name, w in weights.items()}
    torch.func.functional_call(Training(small), given, inputs()).pha.mean().backward()
    grad = network.fusion_branch.correction.weight.grad
    kept = small.fusion_branch.correction.weight.shape[1]
    assert kept < grad.shape[1] and grad[:, :kept].any() and not grad[:, kept:].any()
    assert network.semantic_branch.blocks[2].reduce.weight.grad is None  # left out


def test_any_shape_runs_is_described_and_comes_back_from_json(network):
    rng = np.random.default_rng(0)
    for _ in range(6):
        choice = SPACE.draw(rng)
        assert Choice.read(plain(choice)) == choice and str(choice.semantic_size) in choice.summary()
        small = extract(network, SPACE, choice)
        assert small(*inputs())[1].shape == (1, 1, 64, 96) and small.cfg == SPACE.config(choice)
    child = SPACE.child([SPACE.largest()], np.random.default_rng(0), rate=0.0)
    assert child == SPACE.largest()


def test_few_genes_change_at_first():
    rng, large = np.random.default_rng(0), SPACE.largest()
    assert SPACE.draw(rng, 0.0) == large

    def differences(choice: Choice) -> int:
        pairs = [(getattr(choice, f.name), getattr(large, f.name)) for f in fields(Choice)]
        return sum(sum(x != y for x, y in zip(a, b, strict=True)) if isinstance(a, tuple) else a != b for a, b in pairs)

    few, many = (np.mean([differences(SPACE.draw(rng, share)) for _ in range(200)]) for share in (0.1, 0.6))
    assert 0 < few < many / 4
    near = SPACE.neighbours()
    assert len(set(near)) == len(near) > 12 and {differences(one) for one in near} == {1}
    assert {one.mirrored for one in near} == {True, False} and min(one.pixels for one in near) == min(SPACE.pixels)


def test_the_table_measures_each_part_once_and_fits_whole_networks(tmp_path):
    asked = []

    def clock(module, inputs):
        asked.append(module)
        return 1.0 + sum(p.numel() for p in module.parameters()) / 1e4

    def table():
        return Table(tmp_path / "latency.json", clock, engine="onnxruntime", threads=1)

    rng, first = np.random.default_rng(0), table()
    choices = [SPACE.largest(), SPACE.smallest(), *(SPACE.draw(rng) for _ in range(4))]
    fit = first.check(SPACE, choices)
    assert fit.networks == 6 and fit.correlation > 0.9
    before = len(asked)
    again = table()
    assert again(SPACE, SPACE.largest()) == first(SPACE, SPACE.largest()) and len(asked) == before
    assert first(SPACE, SPACE.largest()) > first(SPACE, SPACE.smallest())
    assert len({key for key, _, _ in parts(SPACE, SPACE.largest())}) > 8
    with pytest.raises(InputError, match="name another folder"):
        Table(tmp_path / "latency.json", clock, engine="openvino", threads=1)


def judged(choice):
    return 10 + 5 * (1 - np.mean(choice.widths)) + (not choice.mirrored) + 3 * (1 - choice.detail)


def cost(choice):
    return float(np.sum(choice.widths)) + 2 * choice.mirrored + choice.detail + choice.semantic_size / 32


def test_evolution_finds_a_front_and_goes_on_to_the_same_one(tmp_path):
    plan = {"population": 8, "generations": 5}
    whole = list(evolve(SPACE, judged, cost, tmp_path / "a", **plan))
    calls = []

    def counted(choice):
        calls.append(choice)
        return judged(choice)

    some = evolve(SPACE, judged, cost, tmp_path / "b", **plan)
    for _ in range(13):
        next(some)
    del some
    with (tmp_path / "b").open("a") as file:
        file.write('{"choice": {"ker')  # killed while writing
    resumed = list(evolve(SPACE, counted, cost, tmp_path / "b", **plan))
    assert resumed == whole and len(calls) == len(set(whole)) - 13
    members = front(whole)
    assert all(a.ms < b.ms and a.mad > b.mad for a, b in itertools.pairwise(members))
    assert len(members) > 2 and read(tmp_path / "a") == read(tmp_path / "b")


def test_the_budget_decides_or_the_knee():
    some = SPACE.largest()
    members = [Tried(some, 20.0, 1.0), Tried(some, 11.0, 2.0), Tried(some, 10.0, 9.0)]
    assert chosen(members, None).ms == 2.0 and chosen(members, 10.0).ms == 9.0
    with pytest.raises(InputError, match="raise it"):
        chosen(members, 0.5)


def test_a_damaged_log_is_told(tmp_path):
    (tmp_path / "log").write_text("nonsense\n")
    with pytest.raises(InputError, match="line 1"):
        read(tmp_path / "log")
