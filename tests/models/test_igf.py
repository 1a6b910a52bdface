"""The inductive guided filter: what is known of it, its filters, and that it learns."""

import math

import pytest

torch = pytest.importorskip("torch")

import cv2  # noqa: E402

from koutu.losses.guided import igf_alpha, igf_gabor  # noqa: E402
from koutu.losses.terms import l1  # noqa: E402
from koutu.models.igf import IGF, Config, Discriminator  # noqa: E402
from koutu.nn.gabor import gabor_bank, gabor_kernel  # noqa: E402

TINY = Config(channels=(4, 8, 8, 16), blocks=1)


@pytest.mark.parametrize("k", range(16))
def test_the_filters_are_opencvs(k):
    theirs = cv2.getGaborKernel((5, 5), 0.5, k * math.pi / 8, 5, 0.5, ktype=cv2.CV_64F)
    assert torch.allclose(gabor_kernel(theta=k * math.pi / 8), torch.from_numpy(theirs), atol=1e-12)
    assert torch.allclose(gabor_bank()[k, 0], torch.from_numpy(theirs).float(), atol=1e-7)


@torch.no_grad()
def test_untrained_it_gives_the_mask_back():
    src, mask = torch.rand(2, 3, 33, 50), torch.rand(2, 1, 33, 50)
    fgr, pha = IGF(TINY).eval()(src, mask)
    assert fgr is src
    torch.testing.assert_close(pha, mask)


def test_alpha_is_a_line_of_the_picture():
    model = IGF(TINY).eval()
    torch.nn.init.normal_(model.head.weight)
    src, mask = torch.rand(1, 3, 32, 48), torch.rand(1, 1, 32, 48)
    out = model.training_outputs(src, mask)
    large = torch.nn.functional.interpolate(torch.cat([out.slope, out.offset], 1), scale_factor=2, mode="bilinear")
    torch.testing.assert_close(out.pha, (large[:, :3] * src).sum(1, keepdim=True) + large[:, 3:] + mask)


def test_it_learns_an_edge_that_the_mask_misses():
    torch.manual_seed(0)
    model, bank = IGF(TINY), gabor_bank()
    src = torch.rand(1, 3, 32, 32) * 0.2
    true = torch.zeros(1, 1, 32, 32)
    true[..., 8:24, 10:22] = 1
    src = src + 0.7 * true
    mask = torch.zeros_like(true)
    mask[..., 4:26, 6:24] = 1
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    pha = mask
    for _ in range(120):
        pha = model.training_outputs(src, mask).pha
        loss = igf_alpha(pha, true) + igf_gabor(pha, true, bank)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert l1(pha, true) < 0.3 * l1(mask, true)


def test_the_discriminator_judges_triplets():
    score = Discriminator(8)(torch.rand(2, 3, 32, 32), torch.rand(2, 1, 32, 32), torch.rand(2, 1, 32, 32))
    assert score.shape == (2, 1, 4, 4)
