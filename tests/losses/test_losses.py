"""Losses against reference values, against slow plain versions, and their gradients."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.hashed import uniform  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from koutu.losses.guided import (  # noqa: E402
    dim_alpha,
    dim_composition,
    dim_matting,
    igf_alpha,
    mgmatting,
    shm_matting,
    sim_attention,
)
from koutu.losses.laplacian import laplacian_gca, laplacian_p3m, laplacian_rvm, laplacian_sim  # noqa: E402
from koutu.losses.plate import bgmv1_supervised, bgmv2_base, bgmv2_refine  # noqa: E402
from koutu.losses.portrait import (  # noqa: E402
    coarse_target,
    modnet_band,
    modnet_consistency,
    modnet_matte,
    modnet_preservation,
    modnet_semantic,
    u2net,
)
from koutu.losses.terms import charbonnier, compose, l1, sobel, sobel_l1  # noqa: E402
from koutu.losses.video import coherence, dvm_alpha, dvm_divergence, dvm_gradient, rvm_matting, rvm_terms  # noqa: E402

RVM = json.loads((Path(__file__).parent.parent / "golden" / "rvm.json").read_text())["fixtures"]["rvm_matting_loss"]


def clip(name: str, channels: int) -> Tensor:
    return uniform(name, 4, channels, 64, 96)


def test_rvm_matches_the_published_code():
    true_pha = (1.6 * clip("l:tp", 1) - 0.3).clamp(0, 1)
    parts = rvm_terms(clip("l:pf", 3), clip("l:pp", 1), clip("l:tf", 3), true_pha, frames=4)
    for name, value in parts.items():
        assert value.item() == pytest.approx(RVM[name], rel=1e-8)
    total = rvm_matting(clip("l:pf", 3), clip("l:pp", 1), clip("l:tf", 3), true_pha, frames=4)
    assert total.item() == pytest.approx(RVM["total"], rel=1e-8)


def pha(name: str = "p", size: tuple[int, int] = (48, 64)) -> Tensor:
    return uniform(name, 2, 1, *size)


def rgb(name: str, size: tuple[int, int] = (48, 64)) -> Tensor:
    return uniform(name, 2, 3, *size)


UNKNOWN = uniform("u", 2, 1, 48, 64) > 0.6


def test_charbonnier_counts_the_mask_and_all_channels():
    by_hand = ((rgb("a") - rgb("b")) ** 2 + 1e-12).sqrt()[UNKNOWN.expand(-1, 3, -1, -1)].mean()
    assert charbonnier(rgb("a"), rgb("b"), UNKNOWN).item() == pytest.approx(by_hand.item(), rel=1e-9)
    nobody = torch.zeros_like(UNKNOWN)
    assert charbonnier(rgb("a"), rgb("b"), nobody) == 0
    extra = charbonnier(pha("a"), pha("b"), UNKNOWN, extra=1)
    plain = charbonnier(pha("a"), pha("b"), UNKNOWN)
    count = int(UNKNOWN.sum())
    assert extra.item() == pytest.approx(plain.item() * count / (count + 1), rel=1e-9)


def test_sobel_is_the_slope():
    ramp = torch.arange(8.0).double().expand(1, 1, 8, 8) * 0.1
    inner = sobel(ramp, eps=0)[..., 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.1))
    a, b = ramp, torch.zeros_like(ramp)
    assert sobel_l1(a, b).item() == pytest.approx(sobel(ramp, eps=0).mean().item())


def plain_details(x: Tensor, levels: int = 5) -> list[Tensor]:
    """The binomial Laplacian pyramid by OpenCV, whose reflected border is the same."""
    cv2 = pytest.importorskip("cv2")
    taps = torch.tensor([1, 4, 6, 4, 1], dtype=torch.float64).numpy() / 16
    current, out = x[0, 0].numpy(), []
    for _ in range(levels):
        small = cv2.sepFilter2D(current, -1, taps, taps, borderType=cv2.BORDER_REFLECT_101)[::2, ::2]
        spread = current * 0
        spread[::2, ::2] = small
        up = cv2.sepFilter2D(spread, -1, 2 * taps, 2 * taps, borderType=cv2.BORDER_REFLECT_101)
        out.append(torch.from_numpy(current - up))
        current = small
    return out


def test_the_laplacian_losses_differ_as_the_table_says():
    a, b = uniform("a", 1, 1, 64, 96), uniform("b", 1, 1, 64, 96)
    means = [(p - q).abs().mean().item() for p, q in zip(plain_details(a), plain_details(b), strict=True)]
    assert laplacian_rvm(a, b).item() == pytest.approx(sum(2**k * m for k, m in enumerate(means)) / 5, rel=1e-9)
    assert laplacian_gca(a, b).item() == pytest.approx(sum(2**k * m for k, m in enumerate(means)), rel=1e-6)
    assert laplacian_sim(a, b).item() == pytest.approx(sum(means), rel=1e-9)
    mask = (uniform("m", 1, 1, 64, 96) > 0.5).double()
    pairs = list(zip(plain_details(a), plain_details(b), strict=True))
    masked = sum(
        2**k * ((p - q).abs() * (w := mask[0, 0, :: 2**k, :: 2**k])).sum() / w.sum() for k, (p, q) in enumerate(pairs)
    )
    assert laplacian_gca(a, b, mask).item() == pytest.approx(float(masked), rel=1e-6)


def test_the_p3m_laplacian_counts_the_last_blur():
    constant = laplacian_p3m(torch.full((1, 1, 64, 64), 0.7), torch.full((1, 1, 64, 64), 0.2))
    assert constant.item() == pytest.approx(0.5, rel=1e-5)
    assert laplacian_rvm(torch.full((1, 1, 64, 64), 0.7), torch.full((1, 1, 64, 64), 0.2)).item() < 1e-6
    cv2 = pytest.importorskip("cv2")
    g = torch.exp(-(torch.arange(-2.0, 3.0).double() ** 2))
    kernel = ((g[:, None] + g) / (g[:, None] + g).sum()).numpy()
    current, by_hand = (pha("a") - pha("b"))[:1, 0][0].numpy(), 0.0
    for _ in range(5):
        blurred = cv2.filter2D(current, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        by_hand += abs(current - blurred).mean()
        current = F.avg_pool2d(torch.from_numpy(blurred)[None, None], 2)[0, 0].numpy()
    by_hand += abs(current).mean()
    assert laplacian_p3m(pha("a")[:1], pha("b")[:1]).item() == pytest.approx(by_hand, rel=1e-9)


def test_weights_of_the_combined_losses():
    p, t, f, b = pha("p"), pha("t"), rgb("f"), rgb("b")
    src = compose(f, b, t)
    alpha, colour = dim_alpha(p, t, UNKNOWN), dim_composition(p, f, b, src, UNKNOWN)
    assert dim_matting(p, t, f, b, src, UNKNOWN).item() == pytest.approx((alpha + colour).item() / 2)
    weights = [torch.ones_like(p)] * 3
    one = l1(p, t) + (compose(f, b, p) - src).abs().mean() + laplacian_gca(p, t)
    assert mgmatting([p, t, t], t, weights, f, b, src).item() == pytest.approx(0.4 * one.item(), rel=1e-6)
    assert mgmatting([t, p, t], t, weights, f, b, src).item() == pytest.approx(0.2 * one.item(), rel=1e-6)
    known = ~UNKNOWN
    expected = charbonnier(p, t, UNKNOWN) + 0.5 * charbonnier(p, t, known)
    assert dvm_alpha(p, t, UNKNOWN).item() == pytest.approx(expected.item())


def test_bgmv2_error_map_learns_the_error_of_alpha_only_in_the_base_stage():
    p, t, f = pha("p").requires_grad_(), pha("t"), rgb("f")
    err = (p.detach() - t).abs()
    with_map = bgmv2_base(p, f, err, t, f)
    without = bgmv2_base(p, f, torch.zeros_like(err), t, f)
    assert (without - with_map).item() == pytest.approx((err**2).mean().item())
    (a,), (b,) = torch.autograd.grad(with_map, p), torch.autograd.grad(without, p)
    torch.testing.assert_close(a, b)
    fine = bgmv2_refine(p, f, p, f, torch.zeros_like(err), t, f)
    (c,) = torch.autograd.grad(fine, p)
    assert not torch.allclose(c, 2 * a)


def test_modnet_adaptation_is_quiet_where_nobody_is():
    empty = torch.zeros(1, 1, 64, 64)
    band = modnet_band(torch.zeros(1, 1, 4, 4), empty)
    assert not band.any() and modnet_preservation(empty, empty, empty + 1, empty + 1, band) == 0
    person = torch.zeros(1, 1, 64, 64)
    person[..., 16:48, 16:48] = 1
    band = modnet_band(F.avg_pool2d(person, 16), person)
    assert band[0, 0, 16, 30] and not band[0, 0, 30, 30] and not band[0, 0, 2, 2]
    sure = modnet_consistency(coarse_target(person), person)
    assert sure.item() < 1e-3 < modnet_consistency(torch.zeros(1, 1, 4, 4), person).item()


def test_changes_need_a_clip():
    with pytest.raises(ValueError, match="expected a clip"):
        coherence(pha("a"), pha("b"), frames=1)
    with pytest.raises(ValueError, match="expected a clip"):
        coherence(pha("a"), pha("b"), frames=3)


def test_a_divergence_of_equals_is_nothing():
    assert dvm_divergence(pha("a"), pha("a")).abs() < 1e-12 < dvm_divergence(pha("a"), pha("b"))


def test_the_weight_of_dvm_gradient_is_not_followed():
    p = pha("p").requires_grad_()
    (gradient,) = torch.autograd.grad(dvm_gradient(p, pha("t"), UNKNOWN), p)
    weight = 2 * (sobel(pha("t")) - sobel(p.detach())).abs() * UNKNOWN / UNKNOWN.sum()
    torch.testing.assert_close(gradient, weight * (p.detach() - pha("t")).sign())


SMALL = (32, 32)


def small(name: str, channels: int = 1) -> Tensor:
    return 0.1 + 0.8 * uniform(name, 2, channels, *SMALL)


GRADIENTS = {
    "charbonnier": lambda p: charbonnier(p, small("t"), UNKNOWN[..., :32, :32], eps2=1e-3),
    "sobel": lambda p: l1(sobel(p), sobel(small("t"))),
    "laplacian_rvm": lambda p: laplacian_rvm(p, small("t")),
    "laplacian_gca": lambda p: laplacian_gca(p, small("t"), UNKNOWN[..., :32, :32]),
    "laplacian_p3m": lambda p: laplacian_p3m(p, small("t")),
    "laplacian_sim": lambda p: laplacian_sim(p, small("t")),
    "coherence": lambda p: coherence(p, small("t"), frames=2),
    "dvm_divergence": lambda p: dvm_divergence(p, small("t")),
    "modnet_semantic": lambda p: modnet_semantic(F.avg_pool2d(p, 16), small("t")),
    "modnet_matte": lambda p: modnet_matte(p, small("t"), small("m").round() / 1, small("i", 3)),
    "shm_matting": lambda p: shm_matting(p, small("t"), small("f", 3), small("b", 3), small("i", 3)),
    "bgmv1_supervised": lambda p: bgmv1_supervised(
        p, small("g", 3), small("t"), small("f", 3), small("i", 3), small("b", 3)
    ),
    "igf_alpha": lambda p: igf_alpha(p, small("t")),
    "sim_attention": lambda p: sim_attention(
        small("a", 3), p, small("f", 3), small("b", 3), small("i", 3), UNKNOWN[..., :32, :32]
    ),
    "u2net": lambda p: u2net([p, 2 * p], small("t")),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_the_slope_of_the_value(name):
    """The derivative along a random direction, against a central difference."""
    loss, p = GRADIENTS[name], small("p").requires_grad_()
    direction = uniform("d", 2, 1, *SMALL) - 0.5
    (gradient,) = torch.autograd.grad(loss(p), p)
    step = 1e-6
    with torch.no_grad():
        slope = (loss(p + step * direction) - loss(p - step * direction)) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=2e-3, abs=1e-7)
    assert gradient.abs().sum() > 0
