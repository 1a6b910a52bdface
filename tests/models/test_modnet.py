"""MODNet against reference outputs of its published code, and against the contract of every network."""

import hashlib
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.hashed import fill, samples, uniform  # noqa: E402

from koutu.losses.portrait import modnet_detail, modnet_matte, modnet_semantic  # noqa: E402
from koutu.models.modnet import Config, MODNet  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "modnet.json").read_text())
SMALL = Config(
    temporal=True, encoder="resnet", resnet_channels=(8, 8, 16, 16, 24), resnet_depths=(1, 1, 1, 1),
    lr_channels=(16, 8), hr_channels=4, norm="batch", subpixel=True,
)  # fmt: skip
TEMPORAL = Config(temporal=True, width=0.35, last_channels=64, lr_channels=(16, 8), hr_channels=4)


@pytest.fixture(scope="module")
def published() -> MODNet:
    model = MODNet().double().eval()
    fill(model)
    return model


def test_state_dict_is_the_published_one():
    state = MODNet().state_dict()
    lines = sorted(f"{k} {list(v.shape)}" for k, v in state.items())
    assert len(state) == GOLDEN["state_dict"]["n_keys"]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == GOLDEN["state_dict"]["sha256"]
    assert sum(p.numel() for p in MODNet().parameters()) == GOLDEN["state_dict"]["params"]


@torch.no_grad()
def test_all_heads_match_the_published_code(published):
    image = 2 * uniform("in:image", 1, 3, 128, 160) - 1
    out = published.training_outputs((image + 1) / 2)
    for name, pred in {"semantic": out.semantic, "detail": out.detail, "matte": out.pha}.items():
        expected = GOLDEN["modnet_train_fwd"]["outputs"][name]
        assert list(pred.shape) == expected["shape"]
        assert pred.mean().item() == pytest.approx(expected["mean"], rel=1e-8)
        assert pred.std(unbiased=False).item() == pytest.approx(expected["std"], rel=1e-7)
        assert samples(pred) == pytest.approx(expected["samples"], rel=1e-8)


@torch.no_grad()
def test_backbone_features_match_the_published_code(published):
    image = 2 * uniform("in:image", 1, 3, 128, 160) - 1
    features = dict(zip(("enc2x", "enc4x", "enc8x", "enc16x", "enc32x"), published.backbone(image), strict=True))
    for name, expected in GOLDEN["modnet_backbone"]["outputs"].items():
        assert samples(features[name]) == pytest.approx(expected["samples"], rel=1e-7, abs=1e-9)


def test_losses_match_the_published_code():
    image = 2 * uniform("in:image", 2, 3, 96, 128) - 1
    true = (1.6 * uniform("l:gt", 2, 1, 96, 128) - 0.3).clamp(0, 1)
    trimap = torch.where(true <= 0, 0.0, torch.where(true >= 1, 1.0, 0.5)).double()
    detail, matte = uniform("l:pd", 2, 1, 96, 128), uniform("l:pm", 2, 1, 96, 128)
    expected = GOLDEN["modnet_losses"]["values"]
    semantic = modnet_semantic(uniform("l:ps", 2, 1, 6, 8), true)
    assert semantic.item() == pytest.approx(expected["semantic"], rel=1e-8)
    assert modnet_detail(detail, true, trimap).item() == pytest.approx(expected["detail"], rel=1e-8)
    assert modnet_matte(matte, true, trimap, image).item() == pytest.approx(expected["matte"], rel=1e-8)


def test_a_zeroed_fourth_channel_gives_the_image_model(published):
    temporal = MODNet(Config(temporal=True)).double().eval()
    state = published.state_dict()
    for key in [k for k in state if k.endswith("features.0.0.weight")]:
        state[key] = torch.cat([state[key], torch.zeros_like(state[key][:, :1])], dim=1)
    temporal.load_state_dict(state)
    src = uniform("in:image", 1, 3, 64, 64)
    with torch.no_grad():
        pair = temporal(src, uniform("prev", 1, 1, 64, 64))[1], published(src)[1]
        torch.testing.assert_close(*pair, rtol=1e-12, atol=1e-12)  # sums of other lengths may round otherwise


@pytest.mark.parametrize("cfg", [SMALL, TEMPORAL])
@pytest.mark.parametrize("size", [(32, 32), (64, 96), (96, 32)])
def test_contract(cfg, size):
    model = MODNet(cfg).eval()
    src = torch.rand(2, 3, *size)
    state = model.initial_state(src)
    fgr, pha, *memory = model(src, *state)
    assert fgr is src and pha.shape == (2, 1, *size) and len(memory) == 1
    assert pha.min() >= 0 and pha.max() <= 1
    again = model.training_outputs(src, *state)
    assert torch.equal(again.pha, pha) and again.semantic.shape == (2, 1, size[0] // 16, size[1] // 16)


@pytest.mark.parametrize("cfg", [SMALL, TEMPORAL])
def test_the_memory_matters_and_every_parameter_learns(cfg):
    model = MODNet(cfg).train()
    src = torch.rand(2, 3, 64, 64)
    out = model.training_outputs(src, torch.rand(2, 1, 64, 64))
    (out.semantic.sum() + out.detail.sum() + out.pha.sum()).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert not without
    model.eval()
    with torch.no_grad():
        assert not torch.equal(model(src, torch.zeros(2, 1, 64, 64))[1], model(src, torch.ones(2, 1, 64, 64))[1])


def test_wrong_use_is_told():
    model = MODNet(SMALL)
    with pytest.raises(ValueError, match="expected 1 state tensor"):
        model(torch.rand(1, 3, 64, 64))
    with pytest.raises(ValueError, match="multiples of 32"):
        model(torch.rand(1, 3, 60, 64), torch.zeros(1, 1, 60, 64))
