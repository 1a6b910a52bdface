"""Compositing against the plain equation, in RGB and on planes, and what surrounds it."""

import numpy as np
import pytest
from support.pixels import KINDS, doubled, mean_of_four, noise, random_rgb, slow_rgb, slow_yuv

from koutu.color import rgb_to_yuv, yuv_to_rgb
from koutu.composite import blur, fit, matte_picture, replace, side_by_side, solid
from koutu.types import ColorSpace, Yuv, Yuv420

SIZES = [(1, 1), (2, 2), (7, 5), (48, 64), (33, 91)]


def random_alpha(size, seed=5):
    """A third 0, a third 255, a third in between."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.integers(-255, 511, size), 0, 255).astype(np.uint8)


def disc(size, radius, soft=3.0):
    y, x = np.mgrid[: size[0], : size[1]]
    distance = np.hypot(y - size[0] / 2, x - size[1] / 2)
    return np.clip(255 * ((radius - distance) / soft + 0.5), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_rgb_is_the_equation_within_one_level(size):
    front, back, alpha = random_rgb(size, 1), random_rgb(size, 2), random_alpha(size)
    a = alpha[..., None] / 255
    mixed = replace(front, alpha, back)
    assert isinstance(mixed, np.ndarray)
    assert np.abs(mixed - (a * front + (1 - a) * back)).max() <= 1
    assert np.array_equal(mixed[alpha == 255], front[alpha == 255])
    assert np.array_equal(mixed[alpha == 0], back[alpha == 0])


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("size", SIZES)
def test_planes_are_the_equation_within_one_level(size, depth):
    front, back, alpha = noise(size, depth=depth, seed=1), noise(size, depth=depth, seed=2), random_alpha(size)
    mixed = replace(front, alpha, back)
    assert isinstance(mixed, Yuv420) and mixed.depth == depth and mixed.y.dtype == front.y.dtype
    half = mean_of_four(alpha / 255)
    for name, a, tolerance in (("y", alpha / 255, 1), ("u", half, 1 + 2**depth / 510), ("v", half, 1 + 2**depth / 510)):
        f, b = getattr(front, name), getattr(back, name)
        assert np.abs(getattr(mixed, name) - (a * f + (1 - a) * b)).max() <= tolerance  # chroma's alpha is rounded
        for value, source in ((1, f), (0, b)):
            assert np.array_equal(getattr(mixed, name)[a == value], source[a == value])


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
def test_every_pair_of_levels_under_a_flat_alpha(value):
    front, back = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    front, back = np.dstack([front] * 3), np.dstack([back] * 3)
    mixed = replace(front, np.full((256, 256), value, np.uint8), back)
    assert isinstance(mixed, np.ndarray)
    error = mixed - (value / 255 * front + (1 - value / 255) * back)
    assert np.abs(error).max() <= (0 if value in (0, 255) else 1) and abs(error.mean()) < 0.05


def in_gamut(size, space, depth, seed):
    """Smooth random colours well inside the RGB cube, constant over 2×2 so that no chroma is out of gamut."""
    rng = np.random.default_rng(seed)
    half = (size[0] + 1) // 2, (size[1] + 1) // 2
    cells = rng.integers(70, 186, (*half, 3), np.uint8)
    return rgb_to_yuv(cells.repeat(2, 0).repeat(2, 1)[: size[0], : size[1]], space, depth)


@pytest.mark.parametrize(("space", "depth"), KINDS)
def test_planes_equal_the_way_through_rgb(space, depth):
    size = (40, 54)
    front, back = in_gamut(size, space, depth, 1), in_gamut(size, space, depth, 2)
    alpha = random_alpha(size)
    mixed = replace(front, alpha, back)
    assert isinstance(mixed, Yuv420)
    colours = [slow_rgb(p.y, doubled(p.u, size), doubled(p.v, size), space, depth).clip(0, 255) for p in (front, back)]
    a = alpha[..., None] / 255
    y, u, v = slow_yuv(a * colours[0] + (1 - a) * colours[1], space, depth)
    tolerance = 1 if depth == 8 else 2  # ten bits meet an alpha of eight in chroma: its mean is rounded
    assert np.abs(mixed.y - np.rint(y)).max() <= 1
    assert np.abs(mixed.u - np.rint(mean_of_four(u))).max() <= tolerance
    assert np.abs(mixed.v - np.rint(mean_of_four(v))).max() <= tolerance


def test_planes_look_like_compositing_eight_bit_rgb():
    """Rounding to 8-bit RGB twice and back costs up to three levels, and nothing on average."""
    size = (64, 64)
    front, back = (in_gamut(size, ColorSpace(), 8, seed) for seed in (1, 2))
    alpha = random_alpha(size)
    through_rgb = replace(yuv_to_rgb(front), alpha, yuv_to_rgb(back))
    assert isinstance(through_rgb, np.ndarray)
    through_rgb = rgb_to_yuv(through_rgb)
    mixed = replace(front, alpha, back)
    assert isinstance(mixed, Yuv420)
    for plane, other in ((mixed.y, through_rgb.y), (mixed.u, through_rgb.u), (mixed.v, through_rgb.v)):
        difference = plane.astype(int) - other
        assert np.abs(difference).max() <= 3 and abs(difference.mean()) < 0.3


def test_inputs_are_not_written_into():
    front, back, alpha = noise((20, 30), seed=1), noise((20, 30), seed=2), random_alpha((20, 30))
    copies = [plane.copy() for p in (front, back) for plane in (p.y, p.u, p.v)]
    mixed = replace(front, np.zeros_like(alpha), back)
    assert isinstance(mixed, Yuv420) and not np.shares_memory(mixed.y, back.y)
    replace(front, alpha, back)
    blur(front, alpha)
    for plane, copy in zip([p for q in (front, back) for p in (q.y, q.u, q.v)], copies, strict=True):
        assert np.array_equal(plane, copy)


def test_unlike_pictures_are_refused():
    front, alpha = noise((20, 30)), random_alpha((20, 30))
    for other, came in [
        (noise((20, 32)), "32×20"),
        (random_rgb((20, 30)), "RGB 30×20"),
        (noise((20, 30), ColorSpace("bt601")), "bt601"),
        (noise((20, 30), ColorSpace("bt709", True)), "full range"),
        (noise((20, 30), depth=10), "10 bit"),
    ]:
        with pytest.raises(ValueError, match=f"expected .*bt709 limited range 8 bit, got .*{came}"):
            replace(front, alpha, other)
    with pytest.raises(ValueError, match=r"\(20, 30\) and of uint8, got \(10, 15\)"):
        replace(front, alpha[::2, ::2], front)
    with pytest.raises(ValueError, match="of float64"):
        replace(front, alpha / 255, front)  # type: ignore[arg-type]


def test_matte_picture_honours_range_and_depth():
    alpha = np.arange(256, dtype=np.uint8).reshape(1, 256)
    limited = matte_picture(alpha)
    assert (limited.y[0, 0], limited.y[0, 255], limited.y.dtype) == (16, 235, np.uint8)
    assert (limited.u == 128).all() and limited.u.shape == (1, 128)
    ten = matte_picture(alpha, ColorSpace(), 10)
    assert (ten.y[0, 0], ten.y[0, 255], ten.u[0, 0], ten.y.dtype) == (64, 940, 512, np.uint16)
    assert np.array_equal(matte_picture(alpha, ColorSpace("bt709", True)).y, alpha)
    assert np.abs(yuv_to_rgb(ten)[..., 0].astype(int) - alpha).max() <= 1


def test_solid():
    red = solid((3, 5), (255, 0, 0))
    assert red.size == (3, 5) and red.u.shape == (2, 3)
    assert (red.y == 63).all() and (red.u == 102).all() and (red.v == 240).all()
    assert solid((2, 2), (255, 255, 255), ColorSpace("bt2020"), 10).y[0, 0] == 940


@pytest.mark.parametrize("widths", [(6, 8), (6, 7), (5, 8), (5, 7)])
def test_side_by_side(widths):
    left, right = solid((5, widths[0]), (255, 0, 0)), solid((5, widths[1]), (0, 0, 255))
    both = side_by_side(left, right)
    start = widths[0] + widths[0] % 2
    assert both.size == (5, start + widths[1]) and both.u.shape == (3, (start + widths[1] + 1) // 2)
    rgb = yuv_to_rgb(both).astype(int)
    assert np.abs(rgb[:, :start] - (255, 0, 0)).max() <= 3 and np.abs(rgb[:, start:] - (0, 0, 255)).max() <= 3
    with pytest.raises(ValueError, match="one height"):
        side_by_side(left, solid((6, 8), (0, 0, 0)))


@pytest.mark.parametrize("kind", ["yuv", "yuv10", "rgb"])
def test_blur_keeps_the_person_out(kind):
    """A red person before a grey room: without the weights the rim would turn reddish."""
    size = (180, 240)
    alpha = disc(size, 50)
    rgb = np.where(alpha[..., None] > 127, (255, 0, 0), (120, 120, 120)).astype(np.uint8)
    picture = rgb if kind == "rgb" else rgb_to_yuv(rgb, ColorSpace(), 10 if kind == "yuv10" else 8)
    result = blur(picture, alpha, 20)
    assert type(result) is type(picture)
    shown = result if isinstance(result, np.ndarray) else yuv_to_rgb(result)
    assert np.abs(shown[alpha < 255].astype(int) - 120).max() <= 4


def test_blur_blurs_by_its_strength():
    stripes = np.tile((np.arange(400) // 10 % 2 * 200 + 20).astype(np.uint8)[None, :, None], (200, 1, 3))
    nobody = np.zeros((200, 400), np.uint8)
    spreads = [float(np.asarray(blur(stripes, nobody, strength))[:, 60:-60].std()) for strength in (1, 5, 20)]
    assert spreads[0] > 85 > spreads[1] > 50 > 3 > spreads[2]
    step = np.zeros((200, 400, 3), np.uint8)
    step[:, 200:] = 200
    profile = np.asarray(blur(step, nobody, 40))[100, :, 0] / 200  # σ = 20 pixels
    width = np.interp(0.8413, profile, np.arange(400)) - np.interp(0.1587, profile, np.arange(400))
    assert 36 < width < 46


def test_blur_where_all_or_nothing_is_person():
    picture = noise((50, 71))
    for value in (0, 255):
        result = blur(picture, np.full((50, 71), value, np.uint8), 100)
        assert isinstance(result, Yuv420) and result.size == (50, 71)
    assert isinstance(blur(random_rgb((1, 1)), np.zeros((1, 1), np.uint8), 100), np.ndarray)
    for strength in (0, -1, 101, float("nan")):
        with pytest.raises(ValueError, match="blur strength above 0"):
            blur(picture, np.zeros((50, 71), np.uint8), strength)


def quarters(height, width):
    """Four coloured quarters."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[: height // 2, : width // 2], rgb[: height // 2, width // 2 :] = (200, 40, 40), (40, 200, 40)
    rgb[height // 2 :, : width // 2], rgb[height // 2 :, width // 2 :] = (40, 40, 200), (200, 200, 40)
    return rgb


@pytest.mark.parametrize("yuv", [False, True])
@pytest.mark.parametrize("size", [(90, 160), (160, 90), (45, 45), (301, 203), (1, 1)])
def test_fit(size, yuv):
    rgb = quarters(120, 160)
    picture = rgb_to_yuv(rgb) if yuv else rgb

    def at(how):
        fitted = fit(picture, size, how)
        assert isinstance(fitted, Yuv420) == yuv
        return (yuv_to_rgb(fitted) if isinstance(fitted, Yuv) else fitted).astype(int)

    height, width = size
    for how in ("cover", "stretch"):
        shown = at(how)
        assert shown.shape == (*size, 3)
        if min(size) > 1:
            assert np.abs(shown[2, 2] - (200, 40, 40)).max() <= 4 and np.abs(shown[-3, -3] - (200, 200, 40)).max() <= 4
    scale = min(height / 120, width / 160)
    shown = at("contain")
    inside = (shown.max(-1) > 30).nonzero()
    if min(size) > 1:
        assert abs(np.ptp(inside[0]) + 1 - 120 * scale) <= 2 and abs(np.ptp(inside[1]) + 1 - 160 * scale) <= 2
        assert abs(inside[0].min() - (height - 1 - inside[0].max())) <= 3
        assert abs(inside[1].min() - (width - 1 - inside[1].max())) <= 3


def test_fit_keeps_proportions_and_refuses_the_unknown():
    rgb = np.zeros((100, 300, 3), np.uint8)
    rgb[25:75, 125:175] = 255
    covered = fit(rgb, (200, 200), "cover")
    assert isinstance(covered, np.ndarray)
    seen = (covered[..., 0] > 127).nonzero()
    assert abs(np.ptp(seen[0]) + 1 - 100) <= 2 and abs(np.ptp(seen[1]) + 1 - 100) <= 2
    assert fit(rgb, (100, 300)) is rgb
    with pytest.raises(ValueError, match="got 'crop'"):
        fit(rgb, (50, 50), "crop")  # type: ignore[arg-type]
