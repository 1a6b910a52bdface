"""Guided filters against reference outputs and against what they promise."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.hashed import samples, uniform  # noqa: E402

from koutu.nn.guided import AdaptiveNorm, ConvGuidedFilter, box_mean, fast_guided_filter, guided_filter  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "guided.json").read_text())


def assert_matches(pred, expected) -> None:
    assert list(pred.shape) == expected["shape"]
    assert pred.mean().item() == pytest.approx(expected["mean"], rel=1e-8)
    assert pred.std(unbiased=False).item() == pytest.approx(expected["std"], rel=1e-7)
    assert samples(pred) == pytest.approx(expected["samples"], rel=1e-7)


def test_reference_outputs():
    x, y = uniform("in:gx", 1, 1, 48, 64), uniform("in:gy", 1, 1, 48, 64)
    assert_matches(guided_filter(x, y, 4, 1e-2), GOLDEN["guided_filter_r4_eps1e-2"])
    large = uniform("in:ghx", 1, 1, 96, 128)
    assert_matches(fast_guided_filter(x, y, large, 2, 1e-4), GOLDEN["fast_guided_filter_r2_eps1e-4"])


def test_box_mean_counts_only_pixels_that_exist():
    x = uniform("box", 1, 1, 5, 7)
    by_hand = [[x[0, 0, max(0, i - 2) : i + 3, max(0, j - 2) : j + 3].mean() for j in range(7)] for i in range(5)]
    np.testing.assert_allclose(box_mean(x, 2)[0, 0].numpy(), np.array(by_hand), rtol=1e-12)


def test_a_line_of_the_guide_is_kept():
    guide = uniform("guide", 2, 1, 20, 30)
    target = torch.cat([0.5 * guide + 0.1, 0.9 - 0.3 * guide], dim=1)
    torch.testing.assert_close(guided_filter(guide, target, 3, 1e-12), target, rtol=0, atol=1e-8)
    plain = torch.full_like(guide, 0.4)
    torch.testing.assert_close(guided_filter(plain, target, 30), box_mean(box_mean(target, 30), 30))


def test_gradients():
    guide, target = (uniform(name, 1, 1, 5, 6).requires_grad_() for name in ("g", "t"))
    large = uniform("l", 1, 1, 10, 12).requires_grad_()
    assert torch.autograd.gradcheck(lambda g, t: guided_filter(g, t, 1, 1e-2), (guide, target))
    assert torch.autograd.gradcheck(lambda g, t, x: fast_guided_filter(g, t, x, 1, 1e-2), (guide, target, large))


def test_a_learned_filter_with_the_plain_slope_is_the_plain_filter():
    class PlainSlope(torch.nn.Module):
        def forward(self, x):
            covariance, variance = x.split(3, dim=1)
            return covariance / (variance + 1e-4)

    learned = ConvGuidedFilter(radius=1).double()
    learned.conv_a = PlainSlope()  # type: ignore[assignment]
    guide, target, large = (torch.rand(2, 3, *size).double() for size in ((12, 16), (12, 16), (30, 40)))
    torch.testing.assert_close(learned(guide, target, large), fast_guided_filter(guide, target, large, 1, 1e-4))


def test_an_adaptive_norm_begins_as_nothing_and_learns():
    norm, x = AdaptiveNorm(4), torch.rand(2, 4, 5, 5)
    assert torch.equal(norm(x), x)
    ConvGuidedFilter()(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8), torch.rand(1, 3, 16, 16)).sum().backward()
    norm(x).sum().backward()
    assert norm.w_1.grad is not None


def test_windows_that_count_what_is_outside_darken_the_border():
    x = torch.ones(1, 1, 5, 5)
    assert box_mean(x, 1, count_outside=True)[0, 0, 0, 0] == pytest.approx(4 / 9)
    assert box_mean(x, 1)[0, 0, 0, 0] == 1
