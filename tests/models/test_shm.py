"""Semantic Human Matting against reference outputs of its re-implementations."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.long import LONG

torch = pytest.importorskip("torch")

from support.hashed import assert_equals, fill, signature, uniform  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from koutu.models.shm import SHM, VARIANTS, Config  # noqa: E402
from koutu.nn.ppm import GridMean  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "shm.json").read_text())


def test_state_dicts_are_the_published_ones():
    with torch.device("meta"):
        large, light = SHM(), SHM(VARIANTS["light"])
    assert signature(large.t_net) == GOLDEN["state_dicts"]["t_net"]
    assert signature(large.m_net) == GOLDEN["state_dicts"]["m_net"]
    assert signature(light) == GOLDEN["state_dicts"]["light"]


@LONG
@torch.no_grad()
def test_the_large_layout_matches_the_reference():
    model = SHM().double().eval()
    fill(model.t_net, gain=0.8)
    fill(model.m_net)
    out = model.heads(uniform("in:image", 1, 3, 96, 128) - 0.45)
    expected = GOLDEN["fixtures"]["shm_psp_vgg_tsing90"]
    for name, pred in {"trimap_logits": out.trimap, "alpha_r": out.alpha_r, "alpha_p": out.pha}.items():
        assert_equals(pred, expected[name])


@pytest.mark.parametrize("size", [(6, 6), (7, 12), (13, 5), (1, 1)])
@pytest.mark.parametrize("bins", [1, 2, 3, 6])
def test_grid_means_are_adaptive_pooling(size, bins):
    x = torch.rand(2, 3, *size)
    torch.testing.assert_close(GridMean(bins)(x), F.adaptive_avg_pool2d(x, bins))


@torch.no_grad()
def test_the_fusion_takes_the_classes_in_the_order_of_their_labels():
    torch.manual_seed(0)
    right, swapped = SHM(VARIANTS["light_corrected"]).eval(), SHM(VARIANTS["light"]).eval()
    swapped.load_state_dict(right.state_dict())
    src = torch.rand(1, 3, 32, 48)
    background, unknown, foreground = right.trimap(src).split(1, dim=1)
    out = right.training_outputs(src)
    torch.testing.assert_close(out.pha, foreground + unknown * out.alpha_r)
    torch.testing.assert_close(swapped.training_outputs(src).pha, unknown + foreground * out.alpha_r)
    torch.testing.assert_close(background + unknown + foreground, torch.ones_like(background))


@torch.no_grad()
@pytest.mark.parametrize("cfg", [replace(Config(), width=0.05, depths=(1, 1, 1, 1)), VARIANTS["light"]])
@pytest.mark.parametrize("size", [(33, 70), (16, 16)])
def test_any_size(cfg, size):
    fgr, pha = SHM(cfg).eval()(src := torch.rand(1, 3, *size))
    assert fgr is src and pha.shape == (1, 1, *size) and pha.min() >= 0 and pha.max() <= 1
