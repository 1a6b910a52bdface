"""Deep Image Matting against reference outputs and parameter counts of its re-implementations."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.hashed import assert_equals, fill, signature, uniform  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from koutu.models.dim import DIM, VARIANTS, Config  # noqa: E402
from koutu.nn.vgg import pool, unpool  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "dim.json").read_text())
TINY = Config(width=0.05, neck_kernel=3, neck_channels=512)


def test_unpooling_is_pytorchs():
    x = torch.rand(2, 3, 8, 12)
    small, where = pool(x)
    assert torch.equal(unpool(small, where), F.max_unpool2d(small, where, [2, 2]))
    tied, where = pool(torch.ones(1, 1, 4, 4))
    assert torch.equal(unpool(tied, where), F.max_unpool2d(tied, where, [2, 2]))


@pytest.mark.parametrize("stage, variant", [("stage1", "huochaitiantang_stage1"), ("stage3", "huochaitiantang")])
def test_state_dict_is_the_published_one(stage, variant):
    with torch.device("meta"):
        assert signature(DIM(VARIANTS[variant])) == GOLDEN["state_dicts"][f"dim_huochaitiantang_{stage}"]


@pytest.mark.parametrize("variant, params", [("paper", 130_613_698), ("mmagic", 26_276_802)])
def test_parameters_of_the_other_layouts(variant, params):
    with torch.device("meta"):
        assert sum(p.numel() for p in DIM(VARIANTS[variant]).parameters()) == params


@torch.no_grad()
def test_both_alphas_match_the_reference():
    x = torch.cat([4 * uniform("in:image", 1, 3, 96, 128) - 2, (3 * uniform("in:tri", 1, 1, 96, 128)).floor() / 2], 1)
    model = DIM(VARIANTS["huochaitiantang"]).double().eval()
    fill(model, gain=1.4)
    out, expected = model.heads(x), GOLDEN["fixtures"]["dim_huochaitiantang_stage3"]
    assert_equals(out.pha, expected["pred_mattes"])
    assert out.refined is not None
    assert_equals(out.refined, expected["pred_alpha"])


def test_mmagic_names_become_ours():
    model = DIM(Config(width=0.05, neck_kernel=1, neck_channels=512))
    state = model.state_dict()

    def theirs(key: str) -> str:
        layer, kind = key.split(".")
        if layer.startswith("refine"):
            return f"refiner.{layer}.{kind}" if layer == "refine_pred" else f"refiner.{layer}.conv.{kind}"
        if layer.startswith("deconv"):
            return f"backbone.decoder.{layer}.{kind}"
        if layer == "conv6_1":
            return f"backbone.encoder.layer6.conv.{kind}"
        stage, index = layer.removeprefix("conv").split("_")
        return f"backbone.encoder.layer{stage}.{int(index) - 1}.conv.{kind}"

    assert DIM.rename({theirs(k): v for k, v in state.items()}).keys() == state.keys()
    assert DIM.rename(state) is state


@torch.no_grad()
def test_known_pixels_are_kept():
    src, trimap = torch.rand(1, 3, 40, 50), (3 * torch.rand(1, 1, 40, 50)).floor() / 2
    pha = DIM(TINY)(src, trimap)[1]
    known = trimap != 0.5
    assert torch.equal(pha[known], trimap[known]) and not torch.equal(pha, trimap)


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_layout_runs(variant):
    from dataclasses import replace

    model = DIM(replace(VARIANTS[variant], width=0.05)).eval()
    pha = model(torch.rand(1, 3, 33, 70), torch.full((1, 1, 33, 70), 0.5))[1]
    assert pha.shape == (1, 1, 33, 70) and pha.min() >= 0 and pha.max() <= 1
