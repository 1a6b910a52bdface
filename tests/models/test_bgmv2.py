"""Background Matting V2 against reference outputs of the published code, and against the networks' contract."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.hashed import assert_equals, fill, signature, uniform  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from koutu.models.bgmv2 import BackgroundMattingV2, Config  # noqa: E402
from koutu.nn import patches  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "bgmv2.json").read_text())


def build(**options) -> BackgroundMattingV2:
    model = BackgroundMattingV2(Config(**options)).double().eval()
    fill(model)
    return model


@pytest.mark.parametrize("backbone", ["mobilenetv2", "resnet50", "resnet101"])
def test_state_dict_is_the_published_one(backbone):
    with torch.device("meta"):
        assert (
            signature(BackgroundMattingV2(Config(backbone=backbone)))
            == GOLDEN["state_dicts"][f"bgmv2_refine_{backbone}"]
        )


@torch.no_grad()
@pytest.mark.parametrize("backbone", ["mobilenetv2", "resnet50"])
def test_the_base_network_matches_the_published_code(backbone):
    out = build(backbone=backbone, refine=False).training_outputs(
        uniform("in:src", 1, 3, 128, 160), uniform("in:bgr", 1, 3, 128, 160)
    )
    expected = GOLDEN["fixtures"][f"bgmv2_base_{backbone}"]
    for name in ("pha", "fgr", "err", "hid"):
        assert_equals(getattr(out, name), expected[name])


@torch.no_grad()
@pytest.mark.parametrize(
    "name, options",
    [
        ("full_k3", {"refine_mode": "full"}),
        ("full_k1", {"refine_mode": "full", "refine_kernel_size": 1}),
        ("sampling_k3", {"refine_mode": "sampling", "refine_sample_pixels": 3200}),
        ("thresholding_k3", {"refine_mode": "thresholding", "refine_threshold": 0.05}),
    ],
)
def test_refinement_matches_the_published_code(name, options):
    out = build(backbone="mobilenetv2", **options).training_outputs(
        uniform("in:src", 1, 3, 256, 320), uniform("in:bgr", 1, 3, 256, 320)
    )
    expected = GOLDEN["fixtures"][f"bgmv2_refine_mbv2_{name}"]
    pairs = {"pha": out.fine_pha, "fgr": out.fine_fgr, "pha_sm": out.pha, "fgr_sm": out.fgr, "err_sm": out.err}
    for key, pred in (pairs | {"ref_sm": out.refined}).items():
        assert pred is not None
        assert_equals(pred, expected[key])


@torch.no_grad()
def test_chosen_cells_get_what_full_refinement_gives_them():
    full, some = (
        build(backbone="mobilenetv2", refine_mode=mode, refine_threshold=0.02) for mode in ("full", "thresholding")
    )
    src, bgr = uniform("in:src", 2, 3, 64, 96), uniform("in:bgr", 2, 3, 64, 96)
    everywhere, chosen = full.training_outputs(src, bgr), some.training_outputs(src, bgr)
    assert chosen.refined is not None and chosen.fine_pha is not None and everywhere.fine_pha is not None
    where = F.interpolate(chosen.refined, scale_factor=4) > 0
    assert 0 < where.float().mean() < 1
    torch.testing.assert_close(chosen.fine_pha[where], everywhere.fine_pha[where])


@torch.no_grad()
def test_pictures_smaller_than_the_budget_and_without_error_work():
    model = build(backbone="mobilenetv2", backbone_scale=1.0)
    src, bgr = torch.rand(1, 3, 32, 36).double(), torch.rand(1, 3, 32, 36).double()
    assert model(src, bgr)[1].shape == (1, 1, 32, 36)
    sure = build(backbone="mobilenetv2", refine_mode="thresholding", refine_threshold=2.0)
    refined = sure.training_outputs(src, bgr).refined
    assert refined is not None and not refined.any()
    assert sure(src, bgr)[1].shape == (1, 1, 32, 36)


def test_patches_go_out_and_back():
    x = torch.rand(2, 3, 16, 24)
    selection = (torch.rand(2, 1, 4, 6) > 0.5).float()
    where = patches.cells(selection)
    cut = patches.crop(x, where, 4)
    assert torch.equal(patches.replace(x, cut, where), x)
    changed = patches.replace(x, cut + 1, where)
    assert torch.equal(changed, x + F.interpolate(selection, scale_factor=4))
    margin = patches.crop(x, where, 4, 2)
    assert margin.shape[-2:] == (8, 8) and torch.equal(margin[..., 2:-2, 2:-2], cut)


def test_the_worst_cells_are_chosen():
    err = torch.tensor([[[[0.0, 0.3], [0.2, 0.0]]]])
    assert patches.select_worst(err, 3).sum() == 2 and patches.select_worst(err, 3, only_wrong=False).sum() == 3
    assert patches.select_worst(err, 1)[0, 0, 0, 1] == 1 and patches.select_worst(err, 99).sum() == 2
