"""AIPP on the host: its arithmetic by hand, its colours beside exact and OpenCV's, its text, refusals."""

from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest

from koutu.color import rgb_to_yuv, yuv_to_rgb_matrix
from koutu.engines.ascend.aipp import Aipp, read_aipp
from koutu.engines.ascend.backend import camera_bytes
from koutu.export.ascend.aipp import aipp_for, aipp_text, rows
from koutu.types import ColorSpace, InputError, ModelError

SIZE = (48, 64)
SPACES = [ColorSpace(matrix, full) for matrix, full in product(("bt601", "bt709"), (False, True))]
LARGEST = 1.5  # levels: a matrix in 256ths and rounding down, beside the exact colour
CFG = """
aipp_op {  # of a camera
  aipp_mode: static  related_input_rank: 0
  input_format: YUV420SP_U8
  src_image_size_w: 64  src_image_size_h: 48
  csc_switch: true  rbuv_swap_switch: true
  matrix_r0c0: 298  matrix_r0c1: 0     matrix_r0c2: 409
  matrix_r1c0: 298  matrix_r1c1: -100  matrix_r1c2: -208
  matrix_r2c0: 298  matrix_r2c1: 516   matrix_r2c2: 0
  input_bias_0: 16  input_bias_1: 128  input_bias_2: 128
  min_chn_0: 0.0  min_chn_1: 0.0  min_chn_2: 0.0
  var_reci_chn_0: 0.003921569  var_reci_chn_1: 0.003921569  var_reci_chn_2: 0.003921569
}
"""


def random_bytes(size=SIZE, source="nv21", seed=0) -> Any:
    count = size[0] * size[1] * (3 if "888" in source else 1.5)
    return np.random.default_rng(seed).integers(0, 256, int(count), np.uint8)


def planes_of(data: np.ndarray, source: str, size=SIZE) -> np.ndarray:
    """(3, H, W): Y, Cb, Cr of a camera's bytes, each chroma sample as 2×2; written apart from the simulation."""
    height, width = size
    luma = data[: height * width].reshape(height, width)
    pairs = data[height * width :].reshape(height // 2, width // 2, 2)
    first, second = (np.kron(pairs[..., i], np.ones((2, 2), np.uint8)) for i in (0, 1))
    return np.stack([luma, second, first] if source == "nv21" else [luma, first, second]).astype(np.float64)


def exact(planes: np.ndarray, space: ColorSpace) -> np.ndarray:
    """R, G, B in 0…255 by the standards' own numbers."""
    red, blue = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}[space.matrix]
    y, cb, cr = planes[0], planes[1] - 128, planes[2] - 128
    if not space.full_range:
        y, cb, cr = (y - 16) * 255 / 219, cb * 255 / 224, cr * 255 / 224
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    return np.clip(np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b]), 0, 255)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: f"{s.matrix} {'full' if s.full_range else 'limited'}")
@pytest.mark.parametrize("source", ["nv21", "nv12"])
def test_colours_are_the_standards_within_levels(source, space):
    data = random_bytes(source=source)
    found = aipp_for(SIZE, source, space).levels(data).astype(float)
    off = found - exact(planes_of(data, source), space)
    assert np.abs(off).max() <= LARGEST
    assert -0.8 < off.mean() < 0  # rounding down


@pytest.mark.parametrize("source", ["nv21", "nv12"])
def test_colours_are_opencvs_within_levels(source):
    data = np.random.default_rng(1).integers(16, 236, SIZE[0] * SIZE[1] * 3 // 2, np.uint8)
    code = cv2.COLOR_YUV2RGB_NV21 if source == "nv21" else cv2.COLOR_YUV2RGB_NV12
    theirs = cv2.cvtColor(data.reshape(SIZE[0] * 3 // 2, SIZE[1]), code).transpose(2, 0, 1)
    ours = aipp_for(SIZE, source, ColorSpace("bt601")).levels(data)
    assert np.abs(ours.astype(int) - theirs).max() <= 2


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (ColorSpace("bt601"), ((298, 0, 409), (298, -100, -208), (298, 516, 0))),
        (ColorSpace("bt601", True), ((256, 0, 359), (256, -88, -183), (256, 454, 0))),
        (ColorSpace("bt709"), ((298, 0, 459), (298, -55, -136), (298, 541, 0))),
        (ColorSpace("bt709", True), ((256, 0, 403), (256, -48, -120), (256, 475, 0))),
    ],
)
def test_matrices_are_the_documentations(space, expected):
    assert rows(space) == expected
    assert np.abs(np.array(expected) / 256 - yuv_to_rgb_matrix(space, 8)[:, :3]).max() < 0.004


def test_a_pixel_by_hand(tmp_path):
    path = tmp_path / "aipp.cfg"
    path.write_text(CFG)
    (aipp,) = read_aipp(path)
    data = np.full(aipp.size, 128, np.uint8)
    data[0], data[48 * 64], data[48 * 64 + 1] = 81, 240, 90  # pure red: Y, V, U
    # 298·65 + 409·112 = 65178 → 254; 298·65 − 100·(−38) − 208·112 = −126 → −1 → 0; 298·65 − 516·38 = −238 → 0
    assert aipp.levels(data)[:, 0, 0].tolist() == [254, 0, 0]
    expected = np.float16(254) * np.float16(0.003921569)
    assert aipp(data)[0, 0, 0, 0] == np.float32(expected)
    assert aipp(data).dtype == np.float32 and aipp(data).shape == (1, 3, 48, 64)


def test_the_sum_is_shifted_so_that_it_is_rounded_down():
    aipp = Aipp("RGB888_U8", (1, 2), matrix=((255, 0, 0), (-1, 0, 0), (0, 0, 256)), bias=(0, 7, 0))
    levels = aipp.levels(np.array([1, 0, 200, 255, 0, 3], np.uint8))
    assert levels[:, 0].tolist() == [[0, 254], [6, 6], [200, 3]]  # 255 >> 8 = 0; −1 >> 8 = −1


@pytest.mark.parametrize(
    ("mean", "std"), [((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
)
def test_a_network_sees_what_it_was_trained_on(mean, std):
    data = random_bytes(source="rgb888")
    found = aipp_for(SIZE, "rgb888", mean=mean, std=std)(data)[0]
    levels = data.reshape(*SIZE, 3).transpose(2, 0, 1).astype(np.float64)
    true = (levels / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    assert np.abs(found - true).max() < 1 / 8 * 1 / 255 / std[0]  # half floats: an eighth of a level
    if mean[0] == 0:
        assert found.max() == 1.0 and found.min() == 0.0


def test_whole_levels_of_a_mean_are_subtracted_as_such():
    aipp = aipp_for(SIZE, "rgb888", mean=(0.485, 0.456, 0.406))
    assert aipp.mean == (123, 116, 103)
    assert np.allclose(aipp.low, (0.675, 0.28, 0.53))


def test_channels_are_swapped_for_bgr():
    rgb = np.random.default_rng(3).integers(0, 256, (*SIZE, 3), np.uint8)
    space = ColorSpace("bt601")
    plain, swapped = (aipp_for(SIZE, kind)(camera_bytes(rgb, kind, space)) for kind in ("rgb888", "bgr888"))
    assert np.array_equal(plain, swapped)


def test_crop_and_padding_are_where_they_are_asked_for():
    rgb = np.random.default_rng(4).integers(1, 256, (60, 80, 3), np.uint8)
    aipp = aipp_for((40, 64), "rgb888", source=(60, 80), at=(4, 10), padding=(2, 4, 6, 8))
    assert aipp.window == (4, 10, 34, 50) and aipp.output == (40, 64)
    found = aipp(rgb.reshape(-1))[0]
    part = rgb[4:38, 10:60].transpose(2, 0, 1)
    inner = found[:, 2:36, 6:56]
    assert np.array_equal(inner, (part.astype(np.float16) * np.float16(1 / 255)).astype(np.float32))
    border = found.copy()
    border[:, 2:36, 6:56] = 0
    assert not border.any()


def test_nv21_is_cropped_as_the_picture_is():
    rgb = cv2.GaussianBlur(np.random.default_rng(5).integers(0, 256, (60, 80, 3), np.uint8), (0, 0), 2)
    space = ColorSpace("bt709")
    whole = aipp_for((60, 80), "nv21", space).levels(camera_bytes(np.asarray(rgb), "nv21", space))
    cut = aipp_for((32, 48), "nv21", space, source=(60, 80), at=(6, 8))
    assert np.array_equal(cut.levels(camera_bytes(np.asarray(rgb), "nv21", space)), whole[:, 6:38, 8:56])
    assert aipp_for((32, 48), "nv21", space, source=(60, 80)).window == (14, 16, 32, 48)  # the middle, on even pixels


@pytest.mark.parametrize("space", SPACES, ids=lambda s: f"{s.matrix} {s.full_range}")
def test_a_picture_there_and_back(space):
    rgb = np.full((*SIZE, 3), (200, 90, 40), np.uint8)
    found = aipp_for(SIZE, "nv12", space).levels(camera_bytes(rgb, "nv12", space))
    assert np.abs(found[:, 5, 5].astype(int) - (200, 90, 40)).max() <= 3


def test_camera_bytes_are_luma_then_pairs():
    rgb = np.random.default_rng(6).integers(0, 256, (*SIZE, 3), np.uint8)
    space = ColorSpace("bt601")
    yuv = rgb_to_yuv(rgb, space)
    data = camera_bytes(rgb, "nv21", space)
    assert data.size == 48 * 64 * 3 // 2 and np.array_equal(data[: 48 * 64].reshape(SIZE), yuv.y)
    assert data[48 * 64] == yuv.v[0, 0] and data[48 * 64 + 1] == yuv.u[0, 0]
    with pytest.raises(ModelError, match="even sides"):
        camera_bytes(rgb[:47], "nv21", space)
    with pytest.raises(ModelError, match="nv21, nv12"):
        camera_bytes(rgb, "yuv444", space)


@pytest.mark.parametrize(
    "aipp",
    [
        aipp_for(SIZE),
        aipp_for(SIZE, "nv12", ColorSpace("bt709", True), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)),
        aipp_for((40, 64), "rgb888", source=(60, 80), padding=(2, 4, 6, 8)),
        aipp_for((32, 48), "bgr888", source=(60, 80), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    ],
)
def test_a_text_says_all_of_it(tmp_path, aipp):
    path = tmp_path / "aipp.cfg"
    path.write_text(aipp_text(aipp, "two\nlines"))
    (again,) = read_aipp(path)
    data = np.random.default_rng(7).integers(0, 256, aipp.size, np.uint8)
    assert np.array_equal(again(data), aipp(data))
    assert again.source == aipp.source and again.window == aipp.window


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("static", "dynamic"), "aipp_mode: dynamic"),
        (("YUV420SP_U8", "RAW10"), "RAW10"),
        (("aipp_mode: static", "aipp_mode: static resize: true"), "resize: true"),
        (("aipp_mode: static", "aipp_mode: static rotation_angle: 1"), "rotation_angle: 1"),
        (("aipp_mode: static", "aipp_mode: static ax_swap_switch: true"), "ax_swap_switch"),
        (("aipp_mode: static", "aipp_mode: static colour: blue"), "colour: blue"),
        (("matrix_r0c0: 298", ""), "matrix_r0c0"),
        (("src_image_size_w: 64", ""), "src_image_size_w"),
        (("src_image_size_w: 64", "src_image_size_w: 63"), "even sizes"),
        (("src_image_size_w: 64", "src_image_size_w: 6400"), "4096"),
        (("src_image_size_w: 64", "src_image_size_w: many"), "many"),
        (("csc_switch: true", "csc_switch: maybe"), "true or false"),
        (("matrix_r0c0: 298", "matrix_r0c0: 298000"), "16-bit"),
        (("input_bias_0: 16", "input_bias_0: 300"), "0…255"),
        (("0.003921569", "1e6"), "half floats"),
        (("min_chn_0: 0.0", "min_chn_0: 0.0 min_chn_0: 1.0"), "each name once"),
        (("aipp_mode: static", "crop: true aipp_mode: static"), "crop_size"),
        (("aipp_mode: static", "padding: true left_padding_size: 33 aipp_mode: static"), "0…32"),
        (("aipp_op {", "{"), "nothing else"),
    ],
)
def test_what_cannot_be_simulated_is_refused(tmp_path, change, match):
    path = tmp_path / "aipp.cfg"
    path.write_text(CFG.replace(*change))
    with pytest.raises(ModelError, match=match) as e:
        read_aipp(path)
    assert str(path) in str(e.value)


def test_rubbish_is_refused(tmp_path):
    for content in (b"", b"\xff\xfe\x00", b"hello", CFG.encode()[:200]):
        path = tmp_path / "aipp.cfg"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"aipp\.cfg"):
            read_aipp(path)
    with pytest.raises(ModelError, match="none"):
        read_aipp(tmp_path / "none")
    path.write_text(CFG + CFG)
    with pytest.raises(ModelError, match="one aipp_op for an input"):
        read_aipp(path)
    aipp = aipp_for(SIZE)
    wrong: list[Any] = [np.zeros(5, np.uint8), np.zeros(aipp.size, np.float32)]
    for data in wrong:
        with pytest.raises(ModelError, match=f"expected {aipp.size} bytes"):
            aipp(data)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"source_format": "yuyv"}, "nv12"),
        ({"space": ColorSpace("bt2020")}, "bt601"),
        ({"source": (20, 64)}, "at least"),
        ({"padding": (0, 0, 0, 40)}, "0…32"),
        ({"source": (60, 80), "at": (30, 0)}, "within"),
        ({"source": (60, 80), "at": (3, 0)}, "even"),
        ({"mean": (0.4, 0.5, 0.6), "padding": (2, 2, 2, 2)}, "one mean"),
        ({"mean": (2.0, 0.0, 0.0)}, r"\[0, 1\]"),
        ({"std": (0.0, 1.0, 1.0)}, "above 0"),
    ],
)
def test_impossible_configurations_are_refused(options, match):
    with pytest.raises(InputError, match=match):
        aipp_for(SIZE, **options)
