"""MGMatting against reference outputs of its published code, and against the networks' contract."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.hashed import assert_equals, fill, signature, uniform  # noqa: E402

from koutu.losses.guided import mgmatting  # noqa: E402
from koutu.models.mgmatting import Config, MGMatting, refined, uncertain  # noqa: E402
from koutu.nn.spectral import SpectralConv2d, SpectralWeight  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "mgmatting.json").read_text())


@torch.no_grad()
def settle(module: SpectralWeight) -> None:
    """Put u and v where power iterations lead: to the first singular vectors."""
    matrix = module.weight_bar.flatten(1)
    u = torch.linalg.eigh(matrix @ matrix.T).eigenvectors[:, -1]
    v = matrix.T @ u
    module.weight_u.copy_(u)
    module.weight_v.copy_(v / v.norm())


def small(**options) -> MGMatting:
    torch.manual_seed(0)
    model = MGMatting(Config(width=4, **options)).eval()
    fill(model)
    for module in model.modules():
        if isinstance(module, SpectralWeight):
            settle(module)
    return model


def test_state_dict_is_the_published_one():
    with torch.device("meta"):
        model = MGMatting()
    assert signature(model) == GOLDEN["state_dicts"]["mgmatting"]
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 29_596_643


@torch.no_grad()
def test_all_scales_match_the_published_code():
    model = MGMatting().double().eval()
    fill(model)
    for module in model.modules():
        if isinstance(module, SpectralWeight):
            settle(module)
    img, mask = 4 * uniform("in:image", 1, 3, 128, 160) - 2, uniform("in:mask", 1, 1, 128, 160) > 0.5
    out = model.heads(torch.cat([img, mask.double()], dim=1))
    for name in ("os1", "os4", "os8"):
        assert_equals(getattr(out, name), GOLDEN["fixtures"]["mgmatting"][name])


@pytest.mark.parametrize("transposed", [False, True])
def test_a_spectral_weight_iterates_in_training_and_rests_in_evaluation(transposed):
    torch.manual_seed(0)
    conv = SpectralConv2d(6, 5, 4, 2, transposed=transposed).double()
    weight, x = conv.module, torch.rand(1, 6, 8, 8, dtype=torch.float64)
    matrix, u = weight.weight_bar.detach().flatten(1), weight.weight_u.detach().clone()
    v = matrix.T @ u / (matrix.T @ u).norm()
    sigma = (matrix @ v).norm()
    torch.testing.assert_close(weight(), weight.weight_bar / sigma)
    torch.testing.assert_close(weight.weight_u.detach(), matrix @ v / sigma)
    torch.testing.assert_close(weight.weight_v.detach(), v)
    for _ in range(2000):
        conv(x)
    largest = torch.linalg.matrix_norm(conv.eval().module().flatten(1), ord=2)
    torch.testing.assert_close(largest, torch.ones_like(largest))
    before = weight.weight_u.clone()
    conv(x).sum().backward()
    assert torch.equal(weight.weight_u, before) and weight.weight_u.grad is None
    assert weight.weight_bar.grad is not None


def test_two_training_passes_share_a_backward():
    conv, x = SpectralConv2d(3, 4, 3), torch.rand(1, 3, 8, 8)
    (conv(x) + conv(x)).sum().backward()
    assert conv.module.weight_bar.grad is not None


def test_doubt_is_widened_as_opencv_does():
    cv2 = pytest.importorskip("cv2")
    pha = uniform("pha", 1, 1, 50, 70)
    pha = torch.where(uniform("sparse", 1, 1, 50, 70) < 0.004, pha, (pha > 0.5).double())
    seed = ((pha > 1 / 255) & (pha < 254 / 255))[0, 0].byte().numpy()
    assert seed.sum() > 3
    for width in range(1, 30):
        ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
        expected = torch.from_numpy(cv2.dilate(seed, ellipse))
        assert torch.equal(uncertain(pha, width)[0, 0].byte(), expected), width


def test_a_finer_scale_counts_only_where_the_coarser_doubts():
    coarse = torch.tensor([0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 1.0], requires_grad=True)
    fine = torch.full((8,), 0.25, requires_grad=True)
    pha, where = refined(coarse.view(1, 1, 1, 8), fine.view(1, 1, 1, 8), 3)
    assert where.flatten().tolist() == [0, 1, 1, 1, 0, 0, 0, 0]
    assert pha.flatten().tolist() == [0, 0.25, 0.25, 0.25, 0, 0, 0, 1]
    pha.sum().backward()
    assert coarse.grad is not None and coarse.grad.tolist() == [1, 0, 0, 0, 1, 1, 1, 1]


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (33, 70), (64, 32)])
def test_any_size(size):
    src, mask = torch.rand(2, 3, *size), torch.rand(2, 1, *size)
    model = small()
    fgr, pha = model(src, mask=mask)
    assert fgr is src and pha.shape == (2, 1, *size) and pha.min() >= 0 and pha.max() <= 1
    assert model.initial_state(src) == [] and model.network_size(size) == size
    assert model.training_outputs(src, mask).os8.shape == pha.shape


@torch.no_grad()
def test_a_picture_is_mirrored_around_and_the_scales_joined():
    numpy = pytest.importorskip("numpy")
    src, mask = torch.rand(1, 3, 40, 64), (torch.rand(1, 1, 40, 64) > 0.5).float()
    model = small()
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    both = torch.cat([(src - mean) / std, mask], dim=1)
    both = torch.from_numpy(numpy.pad(both.numpy(), ((0, 0), (0, 0), (32, 32 + 24), (32, 32)), mode="reflect"))
    out = model.heads(both)
    pha = torch.where(uncertain(out.os8, 15) > 0, out.os4, out.os8)
    pha = torch.where(uncertain(pha, 7) > 0, out.os1, pha)
    torch.testing.assert_close(model(src, mask)[1], pha[..., 32:72, 32:96])


@torch.no_grad()
def test_the_mask_is_cut_at_the_threshold():
    src, mask = torch.rand(1, 3, 64, 64), torch.randint(0, 256, (1, 1, 64, 64)) / 255
    for model, level in ((small(), 128), (small(threshold=169.5 / 255), 170)):
        binary = (mask * 255 > level - 0.5).float()
        assert torch.equal(model(src, mask)[1], model(src, binary)[1])
    soft = small(threshold=None)
    assert not torch.equal(soft(src, mask)[1], soft(src, (mask > 0.5).float())[1])


def test_every_parameter_learns():
    model, src = small().train(), torch.rand(2, 3, 64, 64)
    true, one = (torch.rand(2, 1, 64, 64) > 0.5).float(), torch.ones(2, 1, 64, 64)
    out = model.training_outputs(src, true)
    os4, at4 = refined(out.os8, out.os4, 9)
    os1, at1 = refined(out.os4, out.os1, 5)
    mgmatting([os1, os4, out.os8], true, [at1, at4, one], src, src, src).backward()
    learning = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in learning)


def test_wrong_use_is_told():
    model, src = small(), torch.rand(1, 3, 64, 64)
    with pytest.raises(ValueError, match="expected mask"):
        model(src, torch.rand(1, 3, 64, 64))
    with pytest.raises(ValueError, match="expected a mask of src's size"):
        model(src, torch.rand(1, 1, 32, 64))
    with pytest.raises(ValueError, match="multiples of 32"):
        model.heads(torch.rand(1, 4, 64, 40))


@pytest.mark.filterwarnings("ignore")
def test_export_matches(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, path = small(), str(tmp_path / "mgmatting.onnx")
    inputs, axes = ["src", "mask"], {2: "h", 3: "w"}
    torch.onnx.export(
        model, (torch.rand(1, 3, 96, 128), torch.rand(1, 1, 96, 128)), path, input_names=inputs, opset_version=17,
        output_names=["fgr", "pha"], dynamic_axes=dict.fromkeys([*inputs, "pha"], axes), dynamo=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for size in ((96, 128), (70, 100)):
        src, mask = torch.rand(1, 3, *size), torch.rand(1, 1, *size)
        (pha,) = session.run(["pha"], {"src": src.numpy(), "mask": mask.numpy()})
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(pha), model(src, mask)[1], rtol=1e-4, atol=1e-4)
