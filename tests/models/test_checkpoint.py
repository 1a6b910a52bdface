"""Published checkpoints in the shapes people have them, and files that are none."""

import pickle
from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch")

from koutu.models import MODELS, build, load_checkpoint, variants  # noqa: E402
from koutu.types import ModelError  # noqa: E402

NAME, OPTIONS = "u2net", {"variant": "u2netp"}


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return build(NAME, **OPTIONS).state_dict()


def same(model, state) -> bool:
    loaded = model.state_dict()
    return loaded.keys() == state.keys() and all(torch.equal(loaded[k], v) for k, v in state.items())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: OrderedDict(("module." + k, v) for k, v in s.items()),
        lambda s: {"state_dict": {"module." + k: v for k, v in s.items()}, "epoch": 3, "loss": 0.5},
        lambda s: {"meta": {"time": "now"}, "state_dict": s},
        lambda s: {"model": {"_orig_mod.module." + k: v for k, v in s.items()}, "optimizer": {"lr": 0.1}},
        lambda s: {k: v for k, v in s.items() if not k.endswith("num_batches_tracked")},
    ],
    ids=["plain", "parallel", "nested", "mmcv", "compiled", "old"],
)
def test_files_as_people_have_them_load_and_the_variant_is_found(tmp_path, state, wrap):
    torch.save(wrap(state), tmp_path / "weights.pth")
    model = load_checkpoint(tmp_path / "weights.pth", NAME)
    assert same(model, state) and not model.training and model.cfg == variants(NAME)["u2netp"]


def test_safetensors_load(tmp_path, state):
    pytest.importorskip("safetensors.torch").save_file(dict(state), tmp_path / "weights.safetensors")
    assert same(load_checkpoint(tmp_path / "weights.safetensors", NAME), state)


def test_paddle_files_load(tmp_path):
    model = build("modnet", width=0.35, last_channels=64)
    state = model.state_dict()
    paddle = {}
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):
            continue
        array = value.numpy().T if "fc." in key else value.numpy()
        paddle[key.replace("running_mean", "_mean").replace("running_var", "_variance")] = array
    paddle["StructuredToParameterName@@"] = {"a": "b"}
    (tmp_path / "model.pdparams").write_bytes(pickle.dumps(paddle, protocol=2))
    loaded = load_checkpoint(tmp_path / "model.pdparams", "modnet", width=0.35, last_channels=64)
    assert same(loaded, state | {k: v for k, v in loaded.state_dict().items() if k.endswith("tracked")})


def test_our_own_files_bring_their_config(tmp_path):
    from dataclasses import asdict

    model = build("modnet", temporal=True, encoder="resnet", resnet_channels=(8, 8, 16, 16, 24), norm="batch")
    torch.save({"config": asdict(model.cfg), "ema": model.state_dict(), "step": 3}, tmp_path / "own.pt")
    loaded = load_checkpoint(tmp_path / "own.pt", "modnet")
    assert loaded.cfg == model.cfg and same(loaded, model.state_dict())


def test_every_difference_is_named(tmp_path, state):
    wrong = dict(state)
    del wrong["outconv.bias"]
    wrong["stranger.weight"] = torch.zeros(3)
    wrong["side1.weight"] = torch.zeros(1, 64, 1, 1)
    torch.save(wrong, tmp_path / "wrong.pth")
    with pytest.raises(ModelError) as e:
        load_checkpoint(tmp_path / "wrong.pth", NAME)
    for expected in (
        "1 missing (outconv.bias)",
        "1 unknown (stranger.weight)",
        "side1.weight (1, 64, 1, 1)≠(1, 64, 3, 3)",
    ):
        assert expected in str(e.value)


class Malice:
    def __reduce__(self):
        return (open, ("owned", "w"))


@pytest.mark.parametrize("name", ["evil.pth", "evil.pdparams", "zip.pth"])
def test_code_in_a_pickle_is_never_run(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    if name == "zip.pth":
        torch.save({"state_dict": Malice()}, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(pickle.dumps({"w": Malice()}, protocol=2))
    with pytest.raises(ModelError, match=r"refused|could not be read"):
        load_checkpoint(tmp_path / name, NAME)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "content, message",
    [(b"", "could not be read|refused"), (b"rubbish" * 99, "could not be read|refused"), (None, "found none")],
)
def test_what_is_no_checkpoint_is_told(tmp_path, content, message):
    if content is not None:
        (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_checkpoint(tmp_path / "x.pth", NAME)


def test_a_truncated_checkpoint_is_told(tmp_path, state):
    torch.save(state, tmp_path / "whole.pth")
    (tmp_path / "half.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:200_000])
    with pytest.raises(ModelError, match="complete"):
        load_checkpoint(tmp_path / "half.pth", NAME)
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    with pytest.raises(ModelError, match="dictionary of weights"):
        load_checkpoint(tmp_path / "tensor.pth", NAME)
    torch.save({"epoch": 3}, tmp_path / "nothing.pth")
    with pytest.raises(ModelError, match="got none"):
        load_checkpoint(tmp_path / "nothing.pth", NAME)


def test_wrong_names_and_options_are_told():
    with pytest.raises(ModelError, match="out of tmodnet"):
        build("mednet")
    with pytest.raises(ModelError, match="out of temporal"):
        build("modnet", depth=3)
    with pytest.raises(ModelError, match="variant"):
        build("rvm", variant="resnet18")
    assert "rvm" in MODELS


def test_a_variant_may_be_named(tmp_path):
    model = build("shm", variant="light")
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    assert load_checkpoint(tmp_path / "weights.pth", "shm", variant="light").cfg == variants("shm")["light"]
    with pytest.raises(ModelError, match="variant"):
        load_checkpoint(tmp_path / "weights.pth", "shm", variant="heavy")
