"""U²-Net and its small variant against reference outputs of the published code, and against the networks' contract."""

import hashlib
import json
from pathlib import Path

import pytest
from support.long import LONG

torch = pytest.importorskip("torch")

from support.hashed import fill, samples, uniform  # noqa: E402

from koutu.losses.portrait import u2net  # noqa: E402
from koutu.models.u2net import SMALL, Config, U2Net  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "u2net.json").read_text())
TINY = Config(encoder=((4, 8),) * 6, decoder=((4, 8),) * 5)


@pytest.mark.parametrize("name, cfg", [("u2net", Config()), ("u2netp", SMALL)])
def test_state_dict_is_the_published_one(name, cfg):
    with torch.device("meta"):
        model = U2Net(cfg)
    lines = sorted(f"{k} {list(v.shape)}" for k, v in model.state_dict().items())
    expected = GOLDEN[name]["state_dict"]
    assert len(lines) == expected["n_keys"]
    assert sum(p.numel() for p in model.parameters()) == expected["params"]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == expected["sha256"]


@torch.no_grad()
def test_all_heads_match_the_published_code():
    model = U2Net(SMALL).double().eval()
    fill(model)
    out = model.heads(4 * uniform("in:image", 1, 3, 96, 128) - 2)
    for i, logits in enumerate((out.fused, *out.sides)):
        pred, expected = torch.sigmoid(logits), GOLDEN["u2netp"]["outputs"][f"d{i}"]
        assert list(pred.shape) == expected["shape"]
        assert pred.mean().item() == pytest.approx(expected["mean"], rel=1e-8)
        assert pred.std(unbiased=False).item() == pytest.approx(expected["std"], rel=1e-7)
        assert samples(pred) == pytest.approx(expected["samples"], rel=1e-8)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (33, 70), (96, 64)])
def test_any_size(size):
    src = torch.rand(2, 3, *size)
    model = U2Net(TINY).eval()
    fgr, pha = model(src)
    assert fgr is src and pha.shape == (2, 1, *size) and pha.min() >= 0 and pha.max() <= 1
    assert model.initial_state(src) == []


@torch.no_grad()
def test_brightness_is_divided_out_and_the_result_stretched_when_asked():
    src = torch.rand(1, 3, 40, 40)
    model = U2Net(TINY).eval()
    torch.testing.assert_close(model(src)[1], model(src / 2)[1])
    stretched = U2Net(Config(TINY.encoder, TINY.decoder, stretch=True)).eval()
    stretched.load_state_dict(model.state_dict())
    pha = stretched(src)[1]
    assert pha.min() == 0 and pha.max() == 1
    assert stretched(torch.zeros(1, 3, 8, 8))[1].isfinite().all()


def test_every_parameter_learns():
    model, true = U2Net(TINY), (torch.rand(2, 1, 48, 48) > 0.5).float()
    out = model.training_outputs(torch.rand(2, 3, 48, 48))
    loss = u2net((out.fused, *out.sides), true)
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    probabilities = [x.sigmoid() for x in (out.fused, *out.sides)]
    by_hand = torch.stack([-(true * p.log() + (1 - true) * (1 - p).log()).mean() for p in probabilities]).sum()
    torch.testing.assert_close(loss, by_hand, rtol=1e-4, atol=1e-5)


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match="expected src"):
        U2Net(TINY)(torch.rand(1, 4, 32, 32))


@LONG
@pytest.mark.filterwarnings("ignore")
def test_export_matches(tmp_path):
    import onnxruntime

    model = U2Net(TINY).eval()
    src = torch.rand(1, 3, 64, 96)
    axes = {"src": {2: "h", 3: "w"}, "pha": {2: "h", 3: "w"}}
    torch.onnx.export(
        model, (src,), str(tmp_path / "u2net.onnx"), input_names=["src"], output_names=["fgr", "pha"], opset_version=17,
        dynamic_axes=axes, dynamo=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(tmp_path / "u2net.onnx"), providers=["CPUExecutionProvider"])
    for size in ((64, 96), (96, 64), (40, 50)):
        src = torch.rand(1, 3, *size)
        (pha,) = session.run(["pha"], {"src": src.numpy()})
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(pha), model(src)[1], rtol=1e-4, atol=1e-5)
