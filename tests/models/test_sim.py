"""SIM and its classifier against reference outputs of the published code, and against the networks' contract."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.hashed import assert_equals, fill, signature, uniform  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from koutu.models.sim import SIM, Config, StandardisedConv2d, mirrored  # noqa: E402
from koutu.models.sim_classifier import CLASSES, SIMClassifier, semantic_map  # noqa: E402
from koutu.nn import distance  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "sim.json").read_text())
SMALL = {"width": 4, "depths": (2, 1, 2, 2)}


def small(**options) -> SIM:
    torch.manual_seed(0)
    model = SIM(Config(**SMALL, **options)).eval()
    fill(model, gain=0.8)
    return model


def trimap_of(*shape: int) -> Tensor:
    return torch.randint(0, 3, shape) / 2


@pytest.fixture(scope="module")
def classifier() -> SIMClassifier:
    torch.manual_seed(0)
    return SIMClassifier((1, 1, 1, 1)).eval()


def test_state_dicts_are_the_published_ones():
    with torch.device("meta"):
        assert signature(SIM()) == GOLDEN["state_dicts"]["sim"]
        assert signature(SIMClassifier()) == GOLDEN["state_dicts"]["sim_classifier"]


@torch.no_grad()
def test_all_heads_match_the_published_code():
    model = SIM().double().train()
    fill(model, gain=0.8)
    model.decoder.global_module.project[-1].eval()  # no dropout
    known = torch.zeros(2, 2, 96, 128, dtype=torch.float64)
    known[:, 0, :, :40] = known[:, 1, :, 90:] = 1
    clicks, semantic = uniform("in:clicks", 2, 6, 96, 128), uniform("in:smap", 2, 20, 96, 128)
    out = model.heads(uniform("in:image", 2, 3, 96, 128), known, clicks, semantic)
    for name, pred in {"alpha": out.pha, "fg": out.fgr, "bg": out.bgr, "r1": out.attention[:, 1:2]}.items():
        assert_equals(pred, GOLDEN["fixtures"]["sim"][name])


def test_a_standardised_weight_has_no_mean_and_a_spread_of_one():
    conv, x = StandardisedConv2d(3, 4, 3, padding=1).double(), torch.rand(2, 3, 9, 7, dtype=torch.float64)
    weight = conv.weight.detach().numpy()
    rows = [(w - w.mean()) / (np.sqrt(w.var(ddof=1) + 1e-12) + 1e-5) for w in weight]
    expected = F.conv2d(x, torch.from_numpy(np.stack(rows)), conv.bias, padding=1)
    torch.testing.assert_close(conv(x), expected)


@pytest.mark.parametrize("at_once", [1, 100, 2**17])
def test_distances_are_exact(monkeypatch, at_once):
    monkeypatch.setattr(distance, "_AT_ONCE", at_once)
    region = uniform("region", 2, 2, 17, 23) > 0.97
    rows, columns = torch.meshgrid(torch.arange(17), torch.arange(23), indexing="ij")
    for got, where in zip(distance.squared_distance(region).flatten(0, 1), region.flatten(0, 1), strict=True):
        ys, xs = where.nonzero().T[:, :, None, None]
        expected = ((rows - ys) ** 2 + (columns - xs) ** 2).amin(dim=0)
        assert torch.equal(got, expected.float())


def test_clicks_fade_at_three_scales_and_a_missing_region_gives_none():
    cv2 = pytest.importorskip("cv2")
    known = torch.zeros(1, 2, 40, 60, dtype=torch.float64)
    known[0, 0, 3:9, 50:] = known[0, 0, 30, 5] = 1
    away = cv2.distanceTransform((1 - known[0, 0].numpy()).astype(np.uint8), cv2.DIST_L2, 0).astype(np.float64)
    clicks = distance.click_maps(known)
    assert clicks.shape == (1, 6, 40, 60) and not clicks[0, 3:].any()
    for got, share in zip(clicks[0, :3], (0.02, 0.08, 0.16), strict=True):
        np.testing.assert_allclose(got.numpy(), np.exp(-(away**2) / (2 * (share * 320) ** 2)), rtol=1e-4)
    assert torch.equal(distance.click_maps(known.flip(1)), clicks.roll(3, dims=1))


@pytest.mark.parametrize("size", [(1, 1), (5, 16), (24, 33)])
def test_mirroring_repeats_the_edge_and_always_adds(size):
    x = uniform("x", 2, 3, *size)
    more = [(0, 0), (0, 0)] + [(0, 8 - side % 8) for side in size]
    assert np.array_equal(mirrored(x).numpy(), np.pad(x.numpy(), more, mode="symmetric"))


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (33, 70), (64, 40)])
def test_any_size(size):
    src, trimap = torch.rand(2, 3, *size), trimap_of(2, 1, *size)
    model = small()
    fgr, pha = model(src, trimap=trimap)
    assert fgr is src and pha.shape == (2, 1, *size) and pha.min() >= 0 and pha.max() <= 1
    assert torch.equal(pha[trimap != 0.5], trimap[trimap != 0.5])
    assert model.initial_state(src) == [] and model.network_size(size) == size
    assert model.training_outputs(src, trimap).attention.shape == (2, 3, *size)


@torch.no_grad()
def test_hints_are_made_or_taken_and_options_do_as_they_say():
    src, trimap, semantic = torch.rand(1, 3, 40, 50), trimap_of(1, 1, 40, 50), torch.rand(1, 20, 40, 50)
    model, large = small(), mirrored(trimap)
    pha = model(src, trimap)[1]
    clicks = distance.click_maps(torch.cat([large == 0, large == 1], dim=1).float())
    assert torch.equal(model(src, trimap, torch.zeros(1, 20, 40, 50), clicks)[1], pha)
    known = model(src, trimap, semantic)[1]
    assert not torch.equal(known, pha)
    assert torch.equal(model(src, trimap, mirrored(semantic))[1], known)
    out = model.training_outputs(src, trimap)
    fgr, raw = small(keep_known=False, colours=True)(src, trimap)
    assert torch.equal(raw, out.pha.clamp(0, 1)) and torch.equal(fgr, out.fgr)
    assert torch.equal(torch.where(trimap == 0.5, raw, trimap), pha)


def test_every_parameter_learns():
    model, src = small().train(), torch.rand(2, 3, 64, 64)
    out = model.training_outputs(src, trimap_of(2, 1, 64, 64), torch.rand(2, 20, 64, 64))
    (out.pha + out.fgr.square().sum() + out.bgr.square().sum() + out.attention.square().sum()).sum().backward()
    assert ((out.pha > 0) & (out.pha < 1)).any()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all(), name
        assert p.ndim == 1 or p.grad.any(), name


@torch.no_grad()
def test_activations_sum_up_to_the_logits(classifier):
    out = classifier(torch.rand(2, 4, 64, 96))
    assert out.activation.shape == (2, 20, 2, 3) and len(CLASSES) == 20
    torch.testing.assert_close(out.activation.mean(dim=(2, 3)) + classifier.fc.bias, out.logits)
    assert [f.shape[1] for f in out.features] == [256, 512, 1024, 2048, 2048]


@torch.no_grad()
def test_the_semantic_map_averages_windows_that_overlap(classifier):
    src, trimap = torch.rand(1, 3, 40, 90), torch.zeros(1, 1, 40, 90)
    trimap[..., :6, :20], trimap[..., 20:, 60:] = 0.5, 1
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    x = torch.cat([(src - mean) / std, torch.where(trimap == 0.5, 128 / 255, trimap)], dim=1)
    total, count = torch.zeros(1, 20, 40, 90), torch.zeros(1, 1, 40, 90)
    windows = [(32, top, left) for top in (0, 8) for left in (0, 16, 32, 48, 58)] + [(64, 0, 0), (64, 0, 26)]
    for side, top, left in windows:
        here = (..., slice(top, top + side), slice(left, left + side))
        if (trimap[here] == 0.5).any():
            total[here] += F.interpolate(classifier(x[here]).activation, total[here].shape[2:], mode="bilinear")
            count[here] += 1
    assert count.min() == 0 and count.max() == 3
    mean = total / count.clamp(min=1)
    expected = (mean - mean.min()) / (mean.max() - mean.min()) * (trimap == 0.5)
    torch.testing.assert_close(semantic_map(classifier, src, trimap, (32, 64)), expected)


@torch.no_grad()
def test_the_semantic_map_of_any_picture(classifier):
    for size in ((1, 1), (70, 45)):
        src, trimap = torch.rand(2, 3, *size), trimap_of(2, 1, *size)
        trimap[0] = 1
        semantic = semantic_map(classifier, src, trimap)
        assert semantic.shape == (2, 20, *size) and semantic.min() >= 0 and semantic.max() <= 1
        assert not semantic[0].any() and semantic[1].any() == (trimap[1] == 0.5).any()
    alone = semantic_map(classifier, src[1:], trimap[1:])
    torch.testing.assert_close(semantic[1:], alone)


def test_wrong_use_is_told():
    model, src = small(), torch.rand(1, 3, 64, 64)
    with pytest.raises(ValueError, match="expected trimap"):
        model(src, torch.rand(1, 3, 64, 64))
    with pytest.raises(ValueError, match="expected trimap of src's size"):
        model(src, torch.rand(1, 1, 32, 64))
    with pytest.raises(ValueError, match="multiples of 8"):
        model.heads(src[..., :20], *(torch.rand(1, c, 64, 20) for c in (2, 6, 20)))


@pytest.mark.filterwarnings("ignore")
def test_export_matches(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, path, inputs = small(), str(tmp_path / "sim.onnx"), ["src", "trimap", "semantic"]
    axes = {name: {2: "h", 3: "w"} for name in (*inputs, "pha")}

    def example(*size: int) -> list[Tensor]:
        return [torch.rand(1, 3, *size), trimap_of(1, 1, *size), torch.rand(1, 20, *size)]

    names = {"input_names": inputs, "output_names": ["fgr", "pha"], "dynamic_axes": axes}
    torch.onnx.export(model, tuple(example(64, 96)), path, opset_version=17, dynamo=False, **names)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for size in ((64, 96), (40, 50)):
        given = example(*size)
        (pha,) = session.run(["pha"], {name: x.numpy() for name, x in zip(inputs, given, strict=True)})
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(pha), model(*given)[1], rtol=1e-4, atol=1e-4)
