"""Measures against reference values of published scripts, and against slow plain versions of their definitions."""

import json
import math
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from koutu import metrics
from koutu.metrics import ports
from koutu.metrics.picture import connected_level, gaussian_derivative, slope
from koutu.metrics.video import lookup
from koutu.types import InputError

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "metrics.json").read_text())


def noise(name: str, height: int, width: int) -> np.ndarray:
    """The stream in [0, 1) of tests/support/hashed.py, without torch."""
    h = (np.arange(height * width, dtype=np.uint64) * 2654435761 + zlib.crc32(name.encode())) % 2**32
    for _ in range(2):
        h ^= h >> np.uint64(16)
        h = (h * np.uint64(0x45D9F3B)) % 2**32
    h ^= h >> np.uint64(16)
    return (h / 2**32).reshape(height, width)


def frame(t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prediction, truth and trimap that the reference values were made with."""
    y, x = np.mgrid[0:96, 0:128].astype(float)
    away = np.hypot(x - (60 + 2 * t), y - 48)
    true = np.clip((32 - away + 5 * np.sin(0.35 * x) + 4 * np.cos(0.5 * y)) / 14 + 0.5, 0, 1)
    rough = 0.25 * (noise(f"m:noise{t}", 96, 128) - 0.5) * ((true > 0) & (true < 1))
    pred = np.clip(0.93 * true + rough + 0.04 * np.sin(0.2 * x) * np.cos(0.15 * y), 0, 1)
    p, g = (np.round(255 * alpha).astype(np.uint8) for alpha in (pred, true))
    unsure = ndimage.maximum_filter(((g > 0) & (g < 255)).astype(np.uint8), 7) > 0
    return p, g, np.where(unsure, 128, np.where(g == 255, 255, 0)).astype(np.uint8)


PRED, TRUE, TRIMAP = frame(0)
MASKED, REGION = metrics.known(PRED, TRIMAP), metrics.unknown(TRIMAP)


def test_the_pictures_are_those_of_the_reference_values():
    sums = GOLDEN["checksums"]
    assert (PRED.sum(), TRUE.sum(), MASKED.sum()) == (sums["pred_sum"], sums["gt_sum"], sums["predmasked_sum"])
    assert REGION.sum() == sums["unknown_px"]


@pytest.mark.parametrize(("pred", "kind"), [(PRED, "raw_pred"), (MASKED, "masked_pred")], ids=["raw", "masked"])
def test_the_unknown_region_as_the_matlab_code_has_it(pred, kind):
    expected = GOLDEN["adobe_matlab_port"][kind]
    assert metrics.sad(pred, TRUE, REGION) / 1000 == pytest.approx(expected["SAD_over_1000"], rel=1e-9)
    assert metrics.mse(pred, TRUE, REGION) == pytest.approx(expected["MSE"], rel=1e-9)
    assert metrics.gradient(pred, TRUE, REGION) == pytest.approx(expected["Grad_raw"], rel=1e-9)
    assert metrics.connectivity(pred, TRUE, REGION) == pytest.approx(expected["Conn_raw"], rel=1e-9)


def test_the_whole_picture_as_the_matlab_code_has_it():
    expected = GOLDEN["whole_image"]
    assert metrics.sad(PRED, TRUE) / 1000 == pytest.approx(expected["SAD_over_1000"], rel=1e-9)
    assert metrics.mse(PRED, TRUE) == pytest.approx(expected["MSE"], rel=1e-9)
    assert metrics.mad(PRED, TRUE) == pytest.approx(expected["MAD"], rel=1e-9)
    assert metrics.gradient(PRED, TRUE) == pytest.approx(expected["Grad_raw"], rel=1e-9)
    assert metrics.connectivity(PRED, TRUE) == pytest.approx(expected["Conn_raw"], rel=1e-9)


def test_rvms_scores():
    expected = GOLDEN["rvm"]
    assert metrics.mad(PRED, TRUE) * 1e3 == pytest.approx(expected["mad"], rel=1e-6)
    assert metrics.mse(PRED, TRUE) * 1e3 == pytest.approx(expected["mse"], rel=1e-6)
    assert ports.rvm_gradient(PRED, TRUE) == pytest.approx(expected["grad"], rel=1e-6)
    assert ports.rvm_connectivity(PRED, TRUE) == pytest.approx(expected["conn"], rel=1e-6)
    frames = [frame(t) for t in range(4)]
    found = [metrics.dtssd(a[0], a[1], b[0], b[1]) * 1e2 for a, b in pairwise(frames)]
    assert found == pytest.approx(expected["dtssd"], rel=1e-6)


def test_scores_of_other_scripts():
    assert ports.gca_gradient(PRED, TRUE, TRIMAP) == pytest.approx(GOLDEN["gca_mg_python"]["grad"], rel=1e-9)
    assert ports.gca_connectivity(PRED, TRUE, TRIMAP) == pytest.approx(GOLDEN["gca_mg_python"]["conn"], rel=1e-9)
    assert ports.p3m_gradient(PRED, TRUE) == pytest.approx(GOLDEN["p3m_python"]["grad_whole"], rel=1e-6)
    inside, outside = TRIMAP == 255, TRIMAP == 0
    found = [metrics.sad(PRED, TRUE, region) / 1000 for region in (inside, outside)]
    assert found == pytest.approx(GOLDEN["p3m_python"]["fgbg"], rel=1e-6)


@pytest.mark.parametrize("t", range(3))
def test_tcvoms_scores(t):
    expected, flow = GOLDEN["tcvom_video_flow_plus2x"][t], np.zeros((96, 128, 2))
    flow[..., 0] = 2
    (p, g, trimap), (p_next, g_next, _) = frame(t), frame(t + 1)
    region = metrics.between(trimap)
    assert region.sum() == expected["n"]
    assert metrics.mad(p, g, region) == pytest.approx(expected["mSAD"], rel=1e-6)
    assert metrics.mse(p, g, region) == pytest.approx(expected["MSE"], rel=1e-6)
    assert metrics.ssda(p, g, region) == pytest.approx(expected["SSDA"], rel=1e-6)
    assert metrics.dtssd_sum(p, g, p_next, g_next, region) == pytest.approx(expected["dtSSD"], rel=1e-6)
    assert metrics.messddt(p, g, p_next, g_next, flow, region) == pytest.approx(expected["MESSDdt"], rel=1e-6)
    assert metrics.messddt_fix(p, g, p_next, g_next, flow, region) == pytest.approx(expected["MESSDdt_fix"], rel=1e-6)


def plain_connectivity(pred: np.ndarray, true: np.ndarray) -> float:
    """The definition, threshold by threshold, pixel by pixel where it is decided."""
    p, g = pred / 255, true / 255
    last = np.full(p.shape, -1.0)
    for i in range(1, 11):
        labels, count = ndimage.label((p >= i * 0.1) & (g >= i * 0.1))  # pyright: ignore[reportGeneralTypeIssues]
        sizes = [int((labels == label).sum()) for label in range(1, count + 1)]
        largest = labels == 1 + int(np.argmax(sizes)) if sizes else np.zeros(p.shape, bool)
        last[(last == -1) & ~largest] = (i - 1) * 0.1
    last[last == -1] = 1
    total = 0.0
    for a, b, level in zip(p.ravel(), g.ravel(), last.ravel(), strict=True):
        phi = [1 - (x - level if x - level >= 0.15 else 0) for x in (a, b)]
        total += abs(phi[0] - phi[1])
    return total


@pytest.mark.parametrize("kind", ["parts", "noise", "binary", "empty", "equal parts"])
def test_connectivity_equals_its_definition(kind):
    rng = np.random.default_rng(7)
    smooth = ndimage.gaussian_filter(rng.random((60, 70)), 4)
    true = np.clip((smooth - smooth.mean()) / smooth.std() * 120 + 110, 0, 255).astype(np.uint8)
    pred = np.clip(true + rng.normal(0, 25, true.shape), 0, 255).astype(np.uint8)
    if kind == "noise":
        pred, true = (rng.integers(0, 256, (40, 50)).astype(np.uint8) for _ in range(2))
    elif kind == "binary":
        pred, true = ((x > 128).astype(np.uint8) * 255 for x in (pred, true))
    elif kind == "empty":
        pred = np.zeros_like(true)
    elif kind == "equal parts":
        true = np.zeros((20, 20), np.uint8)
        true[2:5, 12:15], true[8:11, 2:5], true[14:17, 9:12] = 200, 200, 255
        pred = np.minimum(true, 180)
    expected = plain_connectivity(pred, true)
    assert metrics.connectivity(pred, true) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert metrics.connectivity(pred / 255, true / 255) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_part_that_only_a_corner_joins_is_another_part():
    shared = np.zeros((8, 8))
    shared[1:4, 1:4], shared[4:6, 4:6] = 1.0, 1.0
    level = connected_level(shared)
    assert (level[1:4, 1:4] == 1).all() and (level[4:6, 4:6] == 0).all()


def test_gradient_equals_its_definition():
    kernel = gaussian_derivative()
    assert kernel.shape == (9, 9) and (kernel**2).sum() == pytest.approx(1)
    bell = [math.exp(-(x**2) / (2 * 1.4**2)) / (1.4 * math.sqrt(2 * math.pi)) for x in range(-4, 5)]
    assert kernel[2, 7] / kernel[4, 5] == pytest.approx(bell[2] * 3 * bell[7] / (bell[4] * 1 * bell[5]))
    alpha = TRUE / 255
    across, down = (ndimage.convolve(alpha, k, mode="nearest") for k in (kernel, kernel.T))
    assert np.allclose(slope(alpha), np.sqrt(across**2 + down**2), rtol=0, atol=1e-12)


def test_gradient_of_flat_alphas_is_zero():
    flat = np.full((12, 12), 255, np.uint8)
    assert metrics.gradient(flat, np.zeros_like(flat)) == 0


def test_p3ms_gradient_is_that_of_scipys_gaussian():
    slopes = []
    for alpha in (PRED, TRUE):
        x = (alpha - float(alpha.min())) / (float(alpha.max()) - alpha.min())
        slopes.append(np.hypot(*(ndimage.gaussian_filter(x, 1.4, order=o) for o in ((1, 0), (0, 1)))))  # pyright: ignore[reportArgumentType]
    assert ports.p3m_gradient(PRED, TRUE) == pytest.approx(((slopes[0] - slopes[1]) ** 2).sum() / 10, rel=1e-9)


def test_plain_measures_equal_loops_over_pixels():
    p, g = PRED[30:50, 30:60], TRUE[30:50, 30:60]
    region = np.zeros(p.shape, bool)
    region[3:9, 4:20] = True
    errors = [(int(p[i, j]) - int(g[i, j])) / 255 for i in range(20) for j in range(30) if region[i, j]]
    assert metrics.sad(p, g, region) == pytest.approx(sum(abs(e) for e in errors))
    assert metrics.mad(p, g, region) == pytest.approx(sum(abs(e) for e in errors) / len(errors))
    assert metrics.mse(p, g, region) == pytest.approx(sum(e * e for e in errors) / len(errors))
    assert metrics.ssda(p, g, region) == pytest.approx(math.sqrt(sum(e * e for e in errors)))
    both = [(p[i, j] > 127.5, g[i, j] > 127.5) for i in range(20) for j in range(30)]
    assert metrics.iou(p, g) == pytest.approx(sum(a and b for a, b in both) / sum(a or b for a, b in both))


def test_colours_count_where_there_is_foreground():
    pha = np.array([[0, 1], [255, 0]], np.uint8)
    true = np.zeros((2, 2, 3), np.uint8)
    pred = true.copy()
    pred[0, 0], pred[0, 1], pred[1, 0] = 255, (51, 0, 0), (0, 102, 0)
    assert metrics.foreground_mad(pred, true, pha) == pytest.approx((0.2 + 0.4) / 6)
    assert metrics.foreground_mse(pred, true, pha) == pytest.approx((0.04 + 0.16) / 6)
    with pytest.raises(InputError, match="no pixel"):
        metrics.foreground_mad(pred, true, np.zeros_like(pha))


def test_lookup_is_bilinear_and_knows_its_limits():
    alpha = np.arange(12, dtype=float).reshape(3, 4)
    flow = np.zeros((3, 4, 2))
    flow[0, 0], flow[1, 1], flow[2, 3], flow[0, 3] = (0.5, 0), (1.25, 0.5), (0.5, 0), (np.nan, 0)
    found, valid = lookup(alpha, flow)
    assert found[0, 0] == 0.5 and found[1, 1] == pytest.approx(5 + 1.25 + 2) and found[2, 2] == 10
    assert not valid[2, 3] and not valid[0, 3] and valid.sum() == 10


def test_a_still_error_does_not_flicker_and_a_flickering_one_does():
    frames = [frame(t)[1] for t in range(2)]
    wrong = [np.clip(f.astype(int) - 20, 0, 255).astype(np.uint8) for f in frames]
    assert metrics.dtssd(frames[0], frames[0], frames[0], frames[1]) > 0.02  # truth moves under a still prediction
    assert metrics.dtssd(frames[0], frames[0], frames[1], frames[1]) == 0
    assert metrics.dtssd(wrong[0], frames[0], frames[1], frames[1]) > 0.02


@pytest.mark.parametrize(
    ("pred", "true", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8), "one channel"),
        (np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8), "one size"),
        (np.full((4, 4), np.nan), np.zeros((4, 4)), "NaN or infinity in 16 pixels"),
        (np.full((4, 4), 2.0), np.zeros((4, 4)), r"\[0, 1\]"),
        (np.zeros((4, 4), np.int32), np.zeros((4, 4), np.int32), "unsigned"),
        (np.zeros((0, 4), np.uint8), np.zeros((0, 4), np.uint8), "one channel"),
    ],
    ids=["colour", "sizes", "nan", "range", "signed", "nothing"],
)
def test_what_is_no_alpha_is_told(pred, true, message):
    for measure in (metrics.sad, metrics.gradient, metrics.connectivity):
        with pytest.raises(InputError, match=message):
            measure(pred, true)


def test_regions():
    with pytest.raises(InputError, match="no pixel"):
        metrics.mad(PRED, TRUE, np.zeros(PRED.shape, bool))
    with pytest.raises(InputError, match="region"):
        metrics.mad(PRED, TRUE, TRIMAP)  # type: ignore[arg-type]
    deep = (TRUE.astype(np.uint16) * 257).astype(np.uint16)
    assert metrics.mad(deep, TRUE) == 0  # 16 bits and 8 bits mean the same
    binary = np.zeros((20, 20), np.uint8)
    binary[:, 10:] = 255
    columns = np.flatnonzero(metrics.band(binary)[5])
    assert columns.min() == 7 and columns.max() == 12
