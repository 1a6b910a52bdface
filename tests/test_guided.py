"""Guided filters against reference outputs and against what they promise."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hashed import samples, uniform  # noqa: E402

from koutu.nn.guided import box_mean, fast_guided_filter, guided_filter  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent / "golden" / "guided.json").read_text())


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
