"""Backgrounds: what each kind of spec gives for a frame, in time, and the errors."""

import sys
import types
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from support.pixels import noise, random_rgb

import koutu.media.conform as conform_module
from koutu.color import to_rgb, yuv_to_rgb
from koutu.composite import blur, solid
from koutu.media.background import Still
from koutu.media.background_spec import make_background
from koutu.types import ColorSpace, Frame, InputError, Yuv420

SIZE = (32, 48)
NOBODY = np.zeros(SIZE, np.uint8)


def at(seconds, picture=None) -> Frame:
    pts = Fraction(seconds) * 90_000
    return Frame(noise(SIZE) if picture is None else picture, round(pts))


def colour(picture) -> list[int]:
    """The mean colour."""
    return to_rgb(picture).mean((0, 1)).round().astype(int).tolist()


@pytest.mark.parametrize(
    ("spec", "rgb"),
    [
        ("#ff8000", (255, 128, 0)),
        ("#F80", (255, 136, 0)),
        ("white", (255, 255, 255)),
        ("Black", (0, 0, 0)),
        ("green", (0, 255, 0)),
        ("grey", (128, 128, 128)),
        ("gray", (128, 128, 128)),
        ("blue", (0, 0, 255)),
        ("rebeccapurple", (102, 51, 153)),
        ("10, 20,30", (10, 20, 30)),
    ],
)
def test_colours(spec, rgb):
    with make_background(spec) as background:
        picture = background(at(0, random_rgb(SIZE)), NOBODY)
        assert isinstance(picture, np.ndarray) and (picture == np.array(rgb)).all() and picture.shape == (*SIZE, 3)
        planes = background(at(0), NOBODY)
        assert isinstance(planes, Yuv420) and np.abs(np.array(colour(planes)) - rgb).max() <= 2


@pytest.mark.parametrize("space", [ColorSpace(), ColorSpace("bt601", True), ColorSpace("bt2020")])
@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("size", [SIZE, (31, 47)])
def test_the_picture_is_laid_out_as_the_frame(space, depth, size, tmp_path):
    Image.new("RGB", (64, 20), (200, 100, 50)).save(tmp_path / "a.png")
    frame, nobody = Frame(noise(size, space, depth)), np.zeros(size, np.uint8)
    for spec in ("#c86432", tmp_path / "a.png", "blur"):
        picture = make_background(spec)(frame, nobody)
        assert isinstance(picture, Yuv420)
        assert (picture.size, picture.space, picture.depth) == (size, space, depth)
        assert picture.y.dtype == frame.picture.y.dtype  # type: ignore[union-attr]
        if spec != "blur":
            assert np.abs(np.array(colour(picture)) - (200, 100, 50)).max() <= 2


def test_images_from_everywhere(tmp_path, monkeypatch):
    rgb = np.zeros((40, 120, 3), np.uint8)
    rgb[:, :60], rgb[:, 60:] = (250, 0, 0), (0, 0, 250)
    image = Image.fromarray(rgb)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "turned.png", exif=exif)
    image.save(tmp_path / "blur", "PNG")
    monkeypatch.chdir(tmp_path)
    frame = at(0, random_rgb((40, 120)))
    nobody = np.zeros((40, 120), np.uint8)
    for spec in (rgb, image, tmp_path / "blur", "./blur"):
        assert np.array_equal(np.asarray(make_background(spec)(frame, nobody)), rgb)
    assert np.array_equal(np.asarray(make_background("turned.png")(frame, nobody)), rgb[:, ::-1])
    assert not np.array_equal(np.asarray(make_background("blur")(frame, nobody)), rgb)


def test_fit_is_passed_on():
    rgb = np.full((10, 100, 3), 255, np.uint8)
    frame = at(0, random_rgb((50, 50)))
    nobody = np.zeros((50, 50), np.uint8)
    assert colour(make_background(rgb, fit="cover")(frame, nobody)) == [255] * 3
    assert colour(make_background(rgb, fit="contain")(frame, nobody)) == [round(255 * 5 / 50)] * 3


def test_a_still_is_converted_once_per_layout(monkeypatch):
    calls = []
    real = conform_module.fit
    monkeypatch.setattr(conform_module, "fit", lambda *a: calls.append(1) or real(*a))
    background = make_background(random_rgb((30, 30)))
    first = background(at(0), NOBODY)
    assert background(at(1), NOBODY) is first and len(calls) == 1
    background(at(2, noise((20, 20))), NOBODY)
    background(at(2, noise(SIZE, depth=10)), NOBODY)
    assert len(calls) == 3


def test_the_callers_array_may_change_afterwards():
    rgb = np.full((*SIZE, 3), 9, np.uint8)
    background = make_background(rgb)
    rgb[:] = 200
    assert colour(background(at(0, random_rgb(SIZE)), NOBODY)) == [9, 9, 9]


def test_transparent_and_blur():
    assert make_background("transparent")(at(0), NOBODY) is None
    stripes = np.tile(np.array([[[0], [255]]], np.uint8), (32, 24, 3))
    soft, softer = (np.asarray(make_background(spec)(at(0, stripes), NOBODY)) for spec in ("blur:5", "BLUR:20%"))
    assert stripes.std() > soft.std() > softer.std()
    assert np.array_equal(
        np.asarray(make_background("blur")(at(0, stripes), NOBODY)), np.asarray(blur(stripes, NOBODY))
    )


@pytest.mark.parametrize("spec", ["gren", "#12", "#gggggg", "nowhere.mp4", "", "1,2", "blurry", "x" * 5000, "a\0b"])
def test_an_unknown_spec_is_told_what_there_is(spec):
    with pytest.raises(InputError, match=r'expected as background an image or video file, a colour .*"transparent"'):
        make_background(spec)


@pytest.mark.parametrize("spec", ["blur:", "blur:x", "blur:0", "blur:101", "blur:-5", "blur:nan"])
def test_a_wrong_strength(spec):
    with pytest.raises(InputError, match=f"blur:STRENGTH.*got '{spec}'; try"):
        make_background(spec)


def test_other_wrong_specs(tmp_path):
    with pytest.raises(InputError, match="numbers from 0 to 255, got '1,2,256'"):
        make_background("1,2,256")
    with pytest.raises(InputError, match="got a folder"):
        make_background(tmp_path)
    with pytest.raises(InputError, match="floats from 0 to 1, got 255"):
        make_background(np.full((4, 4, 3), 255.0))
    with pytest.raises(InputError, match="got 7"):
        make_background(7)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'crop'"):
        make_background("white", fit="crop")  # type: ignore[arg-type]
    Image.fromarray(random_rgb((64, 64))).save(tmp_path / "broken.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "broken.png").read_bytes()[:2000])
    with pytest.raises(InputError, match=r"broken\.png: expected a whole image"):
        make_background(tmp_path / "broken.png")


class FakeVideo:
    """Stands for koutu.media.reader.open_video: frames of one level each, shown at the given seconds."""

    opened = 0
    open_now = 0
    decoded = 0

    def __init__(self, seconds, picture_of):
        self.seconds, self.picture_of = seconds, picture_of
        last = [Fraction(0), *map(Fraction, seconds)][-2:]
        self.end = last[-1] + ((last[1] - last[0]) if len(seconds) > 1 else Fraction(1, 25))

    def __call__(self, path):
        FakeVideo.opened += 1
        return self

    def __enter__(self):
        FakeVideo.open_now += 1
        return self

    def __exit__(self, *exc_info):
        FakeVideo.open_now -= 1

    def __iter__(self):
        for index, seconds in enumerate(self.seconds):
            FakeVideo.decoded += 1
            yield at(seconds, self.picture_of(index))


@pytest.fixture
def video(tmp_path, monkeypatch):
    """Makes a background of a fake video with frames at the given seconds; frame i is grey 10 · i."""
    FakeVideo.opened = FakeVideo.open_now = FakeVideo.decoded = 0
    path = tmp_path / "a.mp4"
    path.write_bytes(b"not an image")

    def make(seconds, *, picture_of=lambda i: solid((20, 30), (10 * i,) * 3), **options):
        module = types.ModuleType("koutu.media.reader")
        module.open_video = FakeVideo(seconds, picture_of)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "koutu.media.reader", module)
        return make_background(path, **options)

    return make


def shown(background, seconds) -> list[int]:
    """The indices of the frames shown at these moments."""
    return [round(colour(background(at(moment), NOBODY))[0] / 10) for moment in seconds]


def test_frames_are_matched_by_time(video):
    tenths = [Fraction(i, 10) for i in range(10)]
    assert shown(video(tenths), [Fraction(i, 30) for i in range(12)]) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert shown(video(tenths), [Fraction(i, 5) for i in range(5)]) == [0, 2, 4, 6, 8]
    uneven = [Fraction(0), Fraction(1, 10), Fraction(1, 2), Fraction(9, 10)]
    assert shown(video(uneven), [0, Fraction(1, 10), Fraction(4, 10), Fraction(1, 2), Fraction(8, 10)]) == [
        0,
        1,
        1,
        2,
        2,
    ]


def test_both_clocks_may_start_anywhere(video):
    background = video([Fraction(7) + Fraction(i, 10) for i in range(5)])
    assert shown(background, [100, Fraction(1001, 10), Fraction(1003, 10)]) == [0, 1, 3]


def test_looping_opens_again_and_keeps_time(video):
    background = video([Fraction(i, 10) for i in range(4)])  # lasts 0.4 s
    assert shown(background, [Fraction(i, 10) for i in range(10)]) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert FakeVideo.opened == 3 and FakeVideo.open_now == 1
    assert shown(background, [100, Fraction(1003, 10)]) == [0, 3]  # a long gap costs one more turn, not 250
    assert FakeVideo.opened <= 5
    background.close()
    background.close()
    assert FakeVideo.open_now == 0


def test_a_gap_over_the_end_at_once(video):
    assert shown(video([Fraction(i, 10) for i in range(4)]), [0, Fraction(9, 10)]) == [0, 1]


def test_without_loop_the_last_frame_stays(video):
    background = video([Fraction(i, 10) for i in range(4)], loop=False)
    assert shown(background, [0, Fraction(2, 10), 5, 6]) == [0, 2, 3, 3] and FakeVideo.opened == 1


def test_time_that_jumps_back_starts_over(video):
    background = video([Fraction(i, 10) for i in range(4)], loop=False)
    assert shown(background, [0, Fraction(2, 10), 0, Fraction(1, 10)]) == [0, 2, 0, 1]


def test_decoding_is_lazy_and_a_shown_frame_is_converted_once(video):
    background = video([Fraction(i, 10) for i in range(1000)])
    assert FakeVideo.decoded == 2
    first = background(at(0), NOBODY)
    assert background(at(Fraction(1, 20)), NOBODY) is first and FakeVideo.decoded == 2
    assert shown(background, [Fraction(3, 10)]) == [3] and FakeVideo.decoded == 5


def test_one_frame_and_none(video):
    background = video([Fraction(3)])
    assert shown(background, [0, 1, 50]) == [0, 0, 0] and FakeVideo.opened == 1
    with pytest.raises(InputError, match="at least one frame"):
        video([])
    assert FakeVideo.open_now == 0


def test_video_of_other_size_space_and_depth(video):
    def picture_of(i):
        return solid((90, 60), (200, 100, 50), ColorSpace("bt601", True), 10)

    background = video([Fraction(0), Fraction(1)], picture_of=picture_of)
    for picture in (noise(SIZE), noise(SIZE, ColorSpace("bt601", True), 10), random_rgb(SIZE)):
        result = background(at(0, picture), NOBODY)
        assert type(result) is type(picture)
        if isinstance(result, Yuv420) and isinstance(picture, Yuv420):
            assert (result.size, result.space, result.depth) == (picture.size, picture.space, picture.depth)
        assert np.abs(np.array(colour(result)) - (200, 100, 50)).max() <= 2


def test_a_real_video(tmp_path):
    pytest.importorskip("koutu.media.reader")
    av = pytest.importorskip("av")
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * index + 20, np.uint8), format="rgb24")
            for packet in stream.encode(frame.reformat(format="yuv420p")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    with make_background(str(path)) as background:
        assert not isinstance(background, Still)
        for moment, index in ((0, 0), (Fraction(1, 5), 2), (Fraction(1, 2), 5), (Fraction(7, 10), 1), (2, 2)):
            picture = background(at(moment), NOBODY)
            assert isinstance(picture, Yuv420) and picture.size == SIZE
            assert abs(int(yuv_to_rgb(picture).mean()) - (40 * index + 20)) <= 4
    (tmp_path / "b.mp4").write_bytes(path.read_bytes()[:300])
    (tmp_path / "c.mp4").write_bytes(b"")
    for name in ("b.mp4", "c.mp4"):
        with pytest.raises(InputError, match="expected an image or a video, got neither"):
            make_background(tmp_path / name)
