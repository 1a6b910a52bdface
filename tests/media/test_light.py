"""Light of one kind as another: what ITU-R BT.2408 says of white, and there and back."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from support.media import make_clip

from koutu.color import to_rgb
from koutu.media.background import Still
from koutu.media.background_spec import make_background
from koutu.media.light import relit
from koutu.media.reader import open_video
from koutu.types import ColorSpace, Frame, Planes, Viewing, Yuv420

SDR, PQ, HLG = Viewing(), Viewing("pq", "bt2020"), Viewing("hlg", "bt2020")
WIDE, P3 = Viewing("sdr", "bt2020"), Viewing("sdr", "p3")
NOBODY = np.zeros((36, 64), np.uint8)


def planar(viewing: Viewing, depth: int = 10, size=(36, 64)) -> Frame:
    half = (size[0] + 1) // 2, (size[1] + 1) // 2
    kind = np.uint8 if depth == 8 else np.uint16
    chroma = np.full(half, 1 << (depth - 1), kind)
    return Frame(Yuv420(np.zeros(size, kind), chroma, chroma, ColorSpace("bt2020"), depth), viewing=viewing)


def luma(picture) -> int:
    assert isinstance(picture, Yuv420)
    return int(picture.y[18, 30])


@pytest.mark.parametrize(("viewing", "code"), [(PQ, 573), (HLG, 721), (SDR, 940), (WIDE, 940)])
@pytest.mark.parametrize("spec", ["white", np.full((9, 16, 3), 255, np.uint8)])
def test_white_stands_at_graphics_white(viewing, code, spec):
    with make_background(spec) as behind:
        picture = behind(planar(viewing), NOBODY)
    assert abs(luma(picture) - code) <= 1
    assert isinstance(picture, Yuv420) and abs(int(picture.u[3, 3]) - 512) <= 1 and abs(int(picture.v[3, 3]) - 512) <= 1


def test_masks_keep_their_numbers():
    with make_background("white", raw=True) as behind:
        assert luma(behind(planar(PQ), NOBODY)) == 940


@pytest.mark.parametrize("viewing", [PQ, HLG, WIDE, P3])
def test_there_and_back(viewing):
    rng = np.random.default_rng(0)
    rgb = cv2.resize(rng.integers(0, 200, (6, 8, 3), np.uint8), (64, 36), interpolation=cv2.INTER_NEAREST)
    there = relit(rgb, SDR, viewing, Planes(ColorSpace("bt2020"), 10))
    back = relit(there, viewing, SDR, None)
    assert np.abs(to_rgb(back)[4::6, 4::8].astype(int) - rgb[4::6, 4::8]).mean() < 3


def test_primaries_are_met():
    green = relit(np.full((2, 2, 3), (0, 255, 0), np.uint8), SDR, WIDE, None)
    assert np.abs(to_rgb(green)[0, 0].astype(int) - (156, 245, 84)).max() <= 2


@pytest.mark.parametrize(("tags", "code"), [((9, 16, 9, 1), 573), ((9, 18, 9, 1), 721)])
def test_bright_films_behind_sdr(tags, code, tmp_path):
    """A film of graphics white becomes nearly white, and one of the same light stays as it is."""
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv420p10le", frames=2, tags=tags, size=(36, 64))
    with open_video(path) as reader:
        viewing, frame = reader.viewing, next(reader)
    with make_background(path) as behind:
        same = behind(frame, NOBODY)
    assert isinstance(same, Yuv420) and isinstance(frame.picture, Yuv420)
    assert np.array_equal(same.y, frame.picture.y)
    assert viewing == Viewing("pq" if tags[1] == 16 else "hlg", "bt2020") == frame.viewing
    bright = planar(viewing).picture
    assert isinstance(bright, Yuv420)
    bright.y[:] = code
    assert 242 <= int(to_rgb(relit(bright, viewing, SDR, None))[9, 9, 0]) <= 255


@pytest.mark.parametrize("how", ["cover", "contain"])
@pytest.mark.parametrize("aspect", [Fraction(64, 45), Fraction(16, 15), Fraction(3, 4)])
def test_a_circle_is_shown_as_a_circle(how, aspect):
    picture = np.zeros((180, 320, 3), np.uint8)
    cv2.circle(picture, (160, 90), 60, (255, 255, 255), -1)
    frame = planar(Viewing(pixel_aspect=aspect), size=(144, 180))
    shown = Still(picture, how)(frame, np.zeros((144, 180), np.uint8))
    assert isinstance(shown, Yuv420)
    y, x = np.nonzero(shown.y > 500)
    assert np.ptp(x) * float(aspect) / np.ptp(y) == pytest.approx(1, abs=0.05)


def test_a_wide_film_behind_a_wide_film(tmp_path):
    path = make_clip(tmp_path / "a.mkv", aspect=Fraction(64, 45), frames=1)
    with open_video(path) as reader, make_background(path) as behind:
        frame = next(reader)
        shown = behind(frame, NOBODY)
        assert isinstance(shown, Yuv420) and isinstance(frame.picture, Yuv420)
        assert np.array_equal(shown.y, frame.picture.y) and frame.viewing.pixel_aspect == Fraction(64, 45)
