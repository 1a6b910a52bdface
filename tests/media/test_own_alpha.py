"""Alpha that pictures bring along: read at every door, times what the network finds; hidden colours stay hidden."""

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from support.backends import Everything
from support.media import make_clip, sound_packets

import koutu
from koutu.color import rgb_to_yuv, to_rgb
from koutu.composite import hide
from koutu.live.connection import Feed, Still
from koutu.live.source_address import parse_source
from koutu.matting.matte import Matte
from koutu.matting.matter import Matter
from koutu.matting.one_frame_delay import one_frame_delay
from koutu.media.background_spec import make_background
from koutu.media.given import frame_of
from koutu.media.image import read_frame, read_image
from koutu.media.reader import open_video
from koutu.server.cut import cut_out
from koutu.types import Frame

SIZE = (48, 64)
SECRET = (200, 40, 90)  # below alpha 0
VIDEOS = {
    "vp8.webm": ("libvpx", "yuva420p"),
    "vp9.mkv": ("libvpx-vp9", "yuva420p"),
    "prores.mov": ("prores_ks", "yuva444p10le"),
    "animation.mov": ("qtrle", "argb"),
    "ffv1.mkv": ("ffv1", "gbrap12le"),
    "palette.apng": ("apng", "pal8"),
}


def rgba(size=SIZE) -> np.ndarray:
    """Grey to the left, half transparent in the middle, hidden colours to the right."""
    pixels = np.full((*size, 4), (90, 90, 90, 255), np.uint8)
    third = size[1] // 3 & ~1
    pixels[:, third : 2 * third, 3] = 128
    pixels[:, 2 * third :] = (*SECRET, 0)
    return pixels


def video(path: Path) -> Path:
    codec, pix_fmt = VIDEOS[path.name]
    options = {"auto-alt-ref": "0", "crf": "4", "b": "0"} if codec.startswith("libvpx") else {}
    picture = Image.fromarray(rgba())
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, pix_fmt
        if codec.startswith("libvpx"):
            stream.metadata["alpha_mode"] = "1"
        for index in range(3):
            if pix_fmt == "pal8":
                frame = av.VideoFrame.from_ndarray(palette(picture), "pal8")  # type: ignore[arg-type]
            else:
                frame = av.VideoFrame.from_ndarray(rgba(), "rgba").reformat(format=pix_fmt)
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def palette(picture: Image.Image):
    """Its indices, and its three colours as FFmpeg wants them."""
    alpha = np.asarray(picture)[..., 3]
    colours = np.zeros((256, 4), np.uint8)
    colours[:3] = [(255, 90, 90, 90), (128, 90, 90, 90), (0, *SECRET)]
    return np.select([alpha == 255, alpha == 128], [0, 1], 2).astype(np.uint8), colours


def thirds(plane: np.ndarray) -> list[float]:
    """The means of three columns, one in each part."""
    return [float(plane[:, x].mean()) for x in (8, 30, 56)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return video(tmp_path_factory.mktemp("alpha") / "vp9.mkv")


@pytest.mark.parametrize("name", VIDEOS)
def test_videos_are_read_with_their_alpha_and_without_what_it_hides(name, tmp_path):
    path = video(tmp_path / name)
    with open_video(path) as reader:
        frames = list(reader)
    assert len(frames) == 3
    for frame in frames:
        assert frame.alpha is not None and np.abs(np.subtract(thirds(frame.alpha), (255, 128, 0))).max() <= 3
        assert np.abs(to_rgb(frame.picture)[:, 46:].astype(int) - 255).max() <= 1
    with open_video(path, keep_hidden=True) as reader:
        assert np.abs(to_rgb(next(reader).picture)[24, 56].astype(int) - SECRET).max() <= 12


def test_a_live_source_keeps_it(clip):
    feed = Feed(parse_source(str(clip)))
    first = next(item for item in feed if isinstance(item, Still))
    feed.close()
    assert first.alpha is not None and np.abs(np.subtract(thirds(first.alpha), (255, 128, 0))).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_images_have_their_alpha_beside_them_and_lie_on_white_as_backgrounds(kind):
    file = io.BytesIO()
    Image.fromarray(rgba()).save(file, kind)
    frame = read_frame(file.getvalue())
    assert frame.alpha is not None and np.abs(np.subtract(thirds(frame.alpha), (255, 128, 0))).max() <= 2
    assert (to_rgb(frame.picture)[:, 44:] == 255).all()
    assert np.abs(np.subtract(thirds(read_image(file.getvalue())[..., 0]), (90, 172, 255))).max() <= 3


def test_a_video_behind_lies_on_white(clip):
    with make_background(clip) as behind:
        rgb = behind(Frame(np.zeros((*SIZE, 3), np.uint8)), np.zeros(SIZE, np.uint8))
    assert rgb is not None and np.abs(np.subtract(thirds(to_rgb(rgb)), (90, 172, 255))).max() <= 4


def test_alpha_is_the_network_s_times_the_frame_s():
    frame = frame_of(rgba())
    matte = Matter(Everything(200))(frame)
    assert matte.found is not None and (matte.mixed == 200).all()
    assert thirds(matte.alpha) == [200, 100, 0]
    assert Matter(Everything(200))(rgba()[..., :3]).found is None
    assert thirds(cut_out(frame, Everything()).alpha) == [255, 128, 0]
    assert thirds(cut_out(frame, Everything(), (0, 24, 48, 64)).alpha) == [0, 128, 0]


def test_a_correction_cannot_bring_it_back():
    matter, nothing_said = Matter(Everything(200)), np.full(SIZE, 128, np.uint8)
    frame = frame_of(rgba())
    matter(frame)
    for mask in (np.where(nothing_said, 255, 0).astype(np.uint8), nothing_said):
        kept = matter.correct(mask)
        assert thirds(kept.alpha) == [255, 128, 0] and (kept.mixed == 255).all()
    assert (
        np.abs(np.subtract(thirds(matter(replace(frame, pts=3000)).alpha), (255, 128, 0))).max() <= 1
    )  # carried along
    assert not matter.correct(np.zeros(SIZE, np.uint8)).alpha.any()
    assert np.array_equal(np.asarray(kept.cutout())[..., 3], kept.alpha)
    assert thirds(np.asarray(kept.composite("white"))[..., 0]) == [90, 172, 255]


def test_smoothing_cannot_bring_it_back():
    own = np.zeros((4, 4), np.uint8)
    shapes = [(255, 255), (0, 0), (255, 255)]
    mattes = [
        Matte(Frame(np.zeros((4, 4, 3), np.uint8), alpha=own), own, found=np.full((4, 4), level, np.uint8))
        for level, _ in shapes
    ]
    middle = list(one_frame_delay(mattes))[1]
    assert not middle.alpha.any() and middle.found is not None and (middle.found == 255).all()


def test_what_was_cut_away_of_a_video_stays_away(clip, tmp_path):
    koutu.convert(clip, tmp_path / "a.mkv", background="#0000ff", model=Everything(), refine=False)
    with open_video(tmp_path / "a.mkv") as reader:
        rgb = to_rgb(next(reader).picture)
    assert np.abs(rgb[24, 56].astype(int) - (0, 0, 255)).max() <= 12
    assert np.abs(rgb[24, 30].astype(int) - (45, 45, 172)).max() <= 12
    assert np.abs(rgb[24, 8].astype(int) - 90).max() <= 6


def test_what_was_cut_away_of_an_image_stays_away(tmp_path):
    Image.fromarray(rgba()).save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", Image.fromarray(rgba()), rgba()):
        picture, alpha = koutu.convert_image(source, tmp_path / "b.png", backend=Everything())
        assert thirds(alpha) == [255, 128, 0]
        written = np.asarray(Image.open(tmp_path / "b.png"))
        assert np.array_equal(written[..., :3], picture) and np.array_equal(written[..., 3], alpha)
        assert (written[:, 46:] == 0).all() and thirds(written[..., 0])[:2] == [90, 90]


def test_premultiplied_colours_by_option(clip, tmp_path):
    picture, alpha = koutu.convert_image(rgba(), tmp_path / "a.png", backend=Everything(), premultiplied=True)
    assert thirds(alpha) == [255, 128, 0] and np.abs(np.subtract(thirds(picture[..., 0]), (90, 45, 0))).max() <= 1
    koutu.convert(
        clip, tmp_path / "cut", background="transparent", model=Everything(), refine=False, premultiplied=True
    )
    written = np.asarray(Image.open(tmp_path / "cut" / "0000.png")).astype(int)
    assert (
        np.abs(written[24, 30] - (45, 45, 45, 128)).max() <= 4 and np.abs(written[24, 8] - (90, 90, 90, 255)).max() <= 4
    )


def test_hidden_pixels_are_white_in_planes_and_in_rgb():
    rgb, alpha = rgba()[..., :3], rgba()[..., 3]
    for hidden in (hide(rgb, alpha), hide(rgb_to_yuv(rgb), alpha), hide(rgb_to_yuv(rgb, depth=10), alpha)):
        assert np.abs(np.subtract(thirds(to_rgb(hidden)), (90, 90, 255))).max() <= 1


@pytest.mark.parametrize("ending", ["mkv", "mp4", "mov", "webm"])
def test_sound_before_a_cut_is_not_copied(ending, tmp_path):
    source = make_clip(tmp_path / "a.mov", audio="aac", audio_start=Fraction(-1, 5), frames=12)
    assert sound_packets(source)[0][0] < Fraction(-1, 6)
    koutu.convert(source, tmp_path / f"b.{ending}", background="green", model=Everything(), refine=False)
    first = sound_packets(tmp_path / f"b.{ending}")[0][0]
    lead = {"mkv": 0, "webm": Fraction(1, 100)}.get(ending, Fraction(2 * 1024, 48_000))  # of Opus; hidden packets
    assert -lead <= first < Fraction(1, 20)
