"""Background Matting against reference outputs of the published code."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.hashed import assert_equals, fill, signature, uniform  # noqa: E402

from koutu.models.bgmv1 import BackgroundMatting, Config, Discriminator  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "bgmv1.json").read_text())
TINY = Config(channels=4, shared_blocks=1, head_blocks=1)


def test_state_dicts_are_the_published_ones():
    with torch.device("meta"):
        assert signature(BackgroundMatting()) == GOLDEN["state_dicts"]["bgmv1_generator"]
        assert signature(Discriminator()) == GOLDEN["state_dicts"]["bgmv1_discriminator"]


@torch.no_grad()
def test_both_heads_match_the_published_code():
    model = BackgroundMatting(Config(motion_ignored=True)).double().eval()
    fill(model, gain=0.7)
    inputs = {"image": 3, "back": 3, "seg": 1, "multi": 4}
    pha, fgr = model.heads(*(2 * uniform(f"in:{name}", 1, c, 96, 128) - 1 for name, c in inputs.items()))
    assert_equals(pha, GOLDEN["fixtures"]["bgmv1"]["alpha_tanh"])
    assert_equals(fgr, GOLDEN["fixtures"]["bgmv1"]["fg"])


@torch.no_grad()
def test_motion_counts_unless_the_published_slip_is_asked_for():
    src, bgr, seg = torch.rand(1, 3, 32, 40), torch.rand(1, 3, 32, 40), torch.rand(1, 1, 32, 40)
    for ignored in (True, False):
        model = BackgroundMatting(Config(4, 1, 1, motion_ignored=ignored)).eval()
        one, two = (model(src, bgr, seg, torch.rand(1, 4, 32, 40))[1] for _ in range(2))
        assert torch.equal(one, two) == ignored


@torch.no_grad()
def test_without_motion_the_frame_stands_four_times_and_sure_pixels_keep_their_colour():
    model = BackgroundMatting(TINY).eval()
    src, bgr, seg = torch.rand(1, 3, 32, 40), torch.rand(1, 3, 32, 40), torch.rand(1, 1, 32, 40)
    grey = 0.299 * src[:, :1] + 0.587 * src[:, 1:2] + 0.114 * src[:, 2:]
    torch.testing.assert_close(model(src, bgr, seg)[1], model(src, bgr, seg, grey.expand(-1, 4, -1, -1))[1])
    model.get_submodule("model_al_out.9").bias.fill_(9)  # type: ignore[operator]
    fgr, pha = model(src, bgr, seg)
    assert (pha > 0.95).all() and torch.equal(fgr, src)


def test_the_discriminator_scores_patches():
    model = Discriminator(channels=8)
    score = model(torch.rand(2, 3, 64, 64, requires_grad=True))
    assert score.shape == (2, 1, 11, 11)
    score.sum().backward()
    assert all(p.grad is not None for p in model.parameters())
