"""Still pictures: every kind that is read, every way it can fail, and writing whole or not at all."""

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import koutu.media.image as image_module
from koutu.media.image import image_size, is_image, pil_to_rgb, read_frame, read_image, write_image
from koutu.types import InputError, OutputError

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def pattern(height=12, width=16):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 15, y * 20, 255 - x * 10], -1).astype(np.uint8)


def encoded(image: Image.Image, kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_path_bytes_and_open_file_are_the_same_picture(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(pattern())))
    with path.open("rb") as file:
        for source in (path, str(path), path.read_bytes(), file):
            rgb = read_image(source)
            assert rgb.dtype == np.uint8 and np.array_equal(rgb, pattern())
    rgb[0, 0] = 0  # the caller's own


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    """A picture stored turned comes out upright: red top left, green top right, blue bottom left."""
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :12], upright[:8, 12:], upright[8:, :12] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    undo = {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: np.rot90(p, -1),
    }
    stored = undo.get(orientation, lambda p: p)(upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    assert np.array_equal(read_image(data), upright)


def test_photographs_of_phones(tmp_path):
    """HEIC: turned upright by its EXIF, its size known from the header; AVIF, which begins alike, is another format."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[:16], rgb[:, :16] = (200, 40, 30), (20, 60, 220)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn to the right
    Image.fromarray(rgb).save(tmp_path / "a.heic", "HEIF", quality=95, exif=exif.tobytes())
    found = read_image(tmp_path / "a.heic")
    assert image_size((tmp_path / "a.heic").read_bytes()) == found.shape[:2] == (64, 48)
    assert np.abs(found.astype(int) - np.rot90(rgb, -1)).mean() < 4
    assert is_image(tmp_path / "a.heic")
    with pytest.raises(InputError, match=r"expected (an|a whole) image"):
        read_image((tmp_path / "a.heic").read_bytes()[:-200])
    with pytest.raises(InputError, match=r"truncated or damaged|something else"):
        read_image(b"\0\0\0\x1cftypheic" + bytes(200))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I"])
def test_modes(mode):
    grey = np.tile(np.linspace(0, 255, 16).round().astype(np.uint8), (8, 1))
    if mode in ("I;16", "I"):
        image = Image.fromarray(grey.astype(np.uint16) * 257 if mode == "I;16" else grey.astype(np.int32) * 257)
    else:
        image = Image.fromarray(grey).convert(mode, dither=Image.Dither.NONE)
    rgb = read_image(encoded(image, "TIFF" if mode in ("CMYK", "I") else "PNG"))
    expected = (grey > 127) * 255 if mode == "1" else grey
    assert rgb.shape == (8, 16, 3)
    assert np.abs(rgb.astype(int) - expected[..., None]).max() <= (4 if mode == "P" else 0)


def test_transparency_is_put_on_white():
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((1, 1), (100, 0, 0, 255))
    image.putpixel((2, 2), (0, 0, 0, 128))
    rgb = read_image(encoded(image))
    assert rgb[0, 0].tolist() == [255, 255, 255] and rgb[1, 1].tolist() == [100, 0, 0]
    assert abs(int(rgb[2, 2, 0]) - 127) <= 1
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.putpixel((1, 0), 1)
    assert read_image(encoded(palette, transparency=0))[0, :, 0].tolist() == [255, 9]


def test_a_colour_profile_is_converted_and_a_damaged_one_ignored():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(read_image(encoded(Image.fromarray(pattern()), icc_profile=lab)), pattern())
    assert np.array_equal(read_image(encoded(Image.fromarray(pattern()), icc_profile=b"nonsense" * 20)), pattern())
    converted = read_image(encoded(Image.fromarray(pattern()), icc_profile=swapped_profile(lab)))
    assert np.abs(converted.astype(int) - pattern()[..., ::-1]).max() <= 3


def swapped_profile(srgb: bytes) -> bytes:
    """sRGB with red and blue exchanged and another name: the tags' places in the table are swapped."""
    profile = bytearray(srgb.replace("sRGB".encode("utf-16-be"), "xxxx".encode("utf-16-be")))
    red, blue = profile.index(b"rXYZ", 128), profile.index(b"bXYZ", 128)
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def test_missing_folder_and_empty(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.png: expected an image .*No such file.*check the path"):
        read_image(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match="directory"):
        read_image(tmp_path)
    with pytest.raises(InputError, match=r"the given bytes: .*got an empty file"):
        read_image(b"")
    with pytest.raises(InputError, match="null"):
        read_image("a\0b")
    with pytest.raises(InputError, match=r"got something else .*convert it to PNG"):
        read_image(b"this is a letter, not a picture")
    with pytest.raises(InputError):
        read_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")


@pytest.mark.skipif(ROOT, reason="nothing is forbidden to root")
def test_a_forbidden_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"")
    path.chmod(0)
    with pytest.raises(InputError, match=r"Permission denied.*permissions"):
        read_image(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
@pytest.mark.filterwarnings("ignore:Truncated File Read:UserWarning")
def test_truncated_files_are_refused(kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    data = encoded(noise, kind)
    assert read_image(data).shape == (64, 64, 3)
    for length in (len(data) // 3, len(data) * 2 // 3):
        with pytest.raises(InputError, match="expected"):
            read_image(data[:length])


def test_too_many_pixels(monkeypatch):
    huge = bytearray(encoded(Image.new("1", (8, 8))))
    import zlib

    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(InputError, match="at most 200 megapixels"):
        read_image(bytes(huge))
    assert limit == Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(image_module, "MAX_PIXELS", 100)
    for side in (10, 11, 14, 15):
        if side == 10:
            assert read_image(encoded(Image.new("L", (side, side)))).shape == (10, 10, 3)
        else:
            with pytest.raises(InputError, match="at most"):
                read_image(encoded(Image.new("L", (side, side))))


def test_is_image(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(encoded(Image.fromarray(pattern())))
    assert is_image(path)
    path.write_bytes(b"\x00\x00\x01\xba" + bytes(100))  # an MPEG stream, which Pillow knows as an image
    assert not is_image(path)


def test_pillow_images_of_floats_are_refused():
    with pytest.raises(InputError, match="floating point"):
        pil_to_rgb(Image.fromarray(np.zeros((2, 2), np.float32)))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF", ".webp"])
def test_written_with_alpha(tmp_path, suffix):
    alpha = np.tile(np.arange(0, 256, 17, dtype=np.uint8), (12, 1))
    path = tmp_path / f"a{suffix}"
    write_image(path, pattern(), alpha)
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        stored = np.array(image)
    assert np.array_equal(stored[..., 3], alpha)
    if suffix != ".webp":
        assert np.array_equal(stored[..., :3], pattern())
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_written_without_alpha(tmp_path):
    for name, tolerance in (("a.png", 0), ("a.tif", 0), ("a.jpg", 40), ("a.jpeg", 40), ("a.webp", 40)):
        write_image(tmp_path / name, pattern(), quality=95)
        assert np.abs(read_image(tmp_path / name).astype(int) - pattern()).max() <= tolerance
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for name in ("a.jpg", "a.webp"):
        sizes = []
        for quality in (20, 90):
            write_image(tmp_path / name, noise, quality=quality)
            sizes.append((tmp_path / name).stat().st_size)
        assert sizes[0] < sizes[1]
    file = io.BytesIO()
    write_image(file, pattern(), format="PNG")
    assert np.array_equal(read_image(file.getvalue()), pattern())


def test_refused_formats(tmp_path):
    alpha = np.zeros((12, 16), np.uint8)
    with pytest.raises(OutputError, match=r"JPEG has none; write \.png"):
        write_image(tmp_path / "a.jpg", pattern(), alpha)
    with pytest.raises(OutputError, match=r"PNG, WEBP, JPEG, TIFF, got '\.xyz'"):
        write_image(tmp_path / "a.xyz", pattern())
    with pytest.raises(OutputError, match='give format="PNG"'):
        write_image(io.BytesIO(), pattern())
    with pytest.raises(ValueError, match="expected an alpha"):
        write_image(tmp_path / "a.png", pattern(), alpha[1:])
    assert not list(tmp_path.iterdir())


def test_unwritable_places(tmp_path):
    with pytest.raises(OutputError, match="check that the folder exists"):
        write_image(tmp_path / "no" / "a.png", pattern())
    with pytest.raises(OutputError, match="folder"):
        write_image(tmp_path, pattern(), format="PNG")
    with pytest.raises(OutputError, match="20000×1"):
        write_image(tmp_path / "a.webp", np.zeros((1, 20_000, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"the old one")

    def full(source, target):
        assert Path(source).stat().st_size > 50
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match=r"No space left on device.*has room"):
        write_image(path, pattern())
    assert path.read_bytes() == b"the old one" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_is_written_to_not_replaced():
    with pytest.raises(OutputError, match="No space left"):
        write_image("/dev/full", np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8), format="TIFF")
    assert not Path("/dev/full").is_file()


@pytest.mark.parametrize("ending", ["png", "webp", "tif", "jpg"])
def test_what_a_photograph_says_of_itself_is_kept_upright(ending, tmp_path):
    image = Image.fromarray(pattern())
    exif = image.getexif()
    exif[0x0110], exif[0x0112] = "Model X", 6
    exif.get_ifd(0x8769).update({0x9003: "2020:01:01 00:00:00", 0x927C: b"a small picture"})
    xmp = b'<x:xmpmeta tiff:Orientation="6"><xmp:Thumbnails>a picture</xmp:Thumbnails></x:xmpmeta>'
    image.save(tmp_path / "a.jpg", exif=exif, dpi=(300, 300), xmp=xmp)
    frame = read_frame(tmp_path / "a.jpg")
    assert frame.size == (16, 12) and frame.notes is not None
    write_image(tmp_path / f"b.{ending}", frame.picture, notes=frame.notes)  # type: ignore[arg-type]
    with Image.open(tmp_path / f"b.{ending}") as written:
        kept = written.getexif()
        assert kept[0x0110] == "Model X" and kept.get(0x0112, 1) == 1
        assert dict(kept.get_ifd(0x8769)) == {0x9003: "2020:01:01 00:00:00"}
        told = written.info.get("xmp") or written.info.get("XML:com.adobe.xmp") or kept.get(700)
        told = told.decode() if isinstance(told, bytes) else str(told)
        assert 'Orientation="1"' in told and "picture" not in told
        assert ending == "webp" or abs(written.info["dpi"][0] - 300) < 0.1
