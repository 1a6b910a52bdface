"""The command line from a user's side: every mistake ends in one sentence, its exit code and no litter."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image
from support.media import frame_times, make_clip, sound_packets

from koutu import __version__, cli, zoo
from koutu.zoo import SAMPLE

SIZE = (64, 96)
FRAMES = 12
KOUTU = [sys.executable, "-m", "koutu"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """96×64 with sound, in a folder of its own."""
    return make_clip(tmp_path_factory.mktemp("clip") / "talk.mp4", frames=FRAMES, size=SIZE, audio="aac")


@pytest.fixture(scope="module")
def portrait(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("portrait") / "me.jpg"
    ramp = np.tile(np.linspace(40, 220, SIZE[1]).astype(np.uint8), (SIZE[0], 1))
    Image.fromarray(np.dstack([ramp, ramp, ramp[::-1]])).save(path)
    return path


@pytest.fixture
def koutu(monkeypatch, capfd):
    """Run the command line in this process; gives its exit code, standard output and standard error."""

    def run(*words: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["koutu", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capfd.readouterr()
        return SimpleNamespace(code=left.value.code or 0, out=out, err=err)

    return run


@pytest.fixture
def video(koutu, tiny_onnx):
    """`koutu video` with the tiny network."""
    return lambda *words: koutu("video", "-m", tiny_onnx, "--preset", "ultrafast", *words)


@pytest.fixture
def image(koutu, tiny_onnx):
    """`koutu image` with the tiny network."""
    return lambda *words: koutu("image", "-m", tiny_onnx, *words)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def assert_refused(result, code: int, *words: str) -> None:
    """One sentence that says what was expected, what came and what to do; no traceback."""
    assert result.code == code, result.err
    assert result.out == "" and result.err.startswith("koutu: ") and result.err.count("\n") == 1
    assert ";" in result.err and "Traceback" not in result.err  # the remedy follows the semicolon
    for word in ("expected", *words):
        assert word in result.err, result.err


# Video


def test_all_outputs_in_one_run(video, clip, tmp_path):
    result = video(
        clip, "-o", tmp_path / "c.mp4", "--alpha", tmp_path / "a.mp4", "--foreground", tmp_path / "f.mp4",
        "--side-by-side", tmp_path / "s.mp4", "--smooth", "-b", "blur:5",
    )  # fmt: skip
    assert result.code == 0 and result.out == ""
    assert f"{FRAMES} frames in" in result.err and "frames per second end to end" in result.err
    assert "smoothing adds 1 frame of delay" in result.err and "model: tiny" in result.err
    assert names(tmp_path) == ["a.mp4", "c.mp4", "f.mp4", "s.mp4"]
    for name in names(tmp_path):
        assert f"wrote {tmp_path / name}" in result.err
        assert frame_times(tmp_path / name) == frame_times(clip)
        assert sound_packets(tmp_path / name) == sound_packets(clip)


@pytest.mark.parametrize("background", ["#204060", "green", "lake.jpg", "talk.mp4"])
def test_backgrounds(background, video, clip, tmp_path):
    spec = SAMPLE / background if "." in background else background
    result = video(clip, "-o", tmp_path / "out.mkv", "-b", spec, "--fit", "contain", "--hold", "--no-audio")
    assert result.code == 0 and len(frame_times(tmp_path / "out.mkv")) == FRAMES
    with av.open(str(tmp_path / "out.mkv")) as file:
        assert not file.streams.audio


@pytest.mark.parametrize("name", ["cut.mov", "cut.webm", "cut.gif", "cut"])
def test_transparent(name, video, clip, tmp_path):
    assert video(clip, "-o", tmp_path / name, "-b", "transparent").code == 0
    assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--keep", "3"], "320,200@1.5"), (["--keep", "3,4@9"], "got 9 s"), (["--keep", "500,4"], "within 96×64"),
        (["--only-person", "99"], "expected 99 people"), (["--only-person", "1", "--keep", "3,4"], "got both"),
    ],
)  # fmt: skip
def test_people_who_cannot_be_chosen(words, told, video, clip, tmp_path):
    assert_refused(video(clip, "-o", tmp_path / "out.mp4", *words), 3, told)
    assert names(tmp_path) == []


def test_ten_bit_hevc(video, clip, tmp_path):
    assert video(clip, "-o", tmp_path / "out.mp4", "--depth", "10", "--codec", "hevc").code == 0
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert (file.streams.video[0].codec_context.name, file.streams.video[0].format.name) == ("hevc", "yuv420p10le")


@pytest.mark.parametrize("size", [(1, 1), (16, 16384), (301, 4)])
def test_extreme_sizes(size, video, tmp_path):
    path = make_clip(tmp_path / "in.mkv", frames=2, size=size, codec="ffv1")
    assert video(path, "-o", tmp_path / "out.mp4").code == 0
    with av.open(str(tmp_path / "out.mp4")) as file:
        stream = file.streams.video[0]
        assert (stream.height, stream.width) == (size[0] + size[0] % 2, size[1] + size[1] % 2)


def test_a_size_no_encoder_takes(video, tmp_path):
    path = make_clip(tmp_path / "in.mkv", frames=2, size=(16, 16384), codec="ffv1")
    assert_refused(video(path, "--side-by-side", tmp_path / "out.mp4"), 4, "32768×16", "smaller")
    assert names(tmp_path) == ["in.mkv"]


def damaged(path: Path) -> Path:
    """A video whose middle is overwritten, but not its index."""
    make_clip(path, frames=60, size=SIZE, options={"preset": "ultrafast", "g": "1"})
    data = bytearray(path.read_bytes())
    begin, length = len(data) // 2, len(data) // 6
    data[begin : begin + length] = bytes(length)
    path.write_bytes(data)
    return path


def test_damage_in_the_middle_keeps_the_rest(video, tmp_path):
    result = video(damaged(tmp_path / "bad.mp4"), "-o", tmp_path / "out.mp4")
    assert result.code == 6 and "lost: " in result.err and "damaged frame" in result.err
    times = frame_times(tmp_path / "out.mp4")
    assert 40 <= len(times) < 60 and times[-1] == Fraction(59, 25)
    assert names(tmp_path) == ["bad.mp4", "out.mp4"]


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("missing", "No such file"), ("empty", "empty file"), ("truncated", "FFmpeg cannot read"),
        ("text", "FFmpeg cannot read"), ("folder", "got a folder"), ("sound", "sound only"), ("no frames", "got none"),
        ("forbidden", "Permission denied"),
    ],
)  # fmt: skip
def test_unusable_input(kind, word, video, clip, tmp_path, monkeypatch):
    path, results = tmp_path / "in.mp4", tmp_path / "out"
    results.mkdir()
    if kind == "empty":
        path.touch()
    elif kind == "truncated":
        path.write_bytes(clip.read_bytes()[:2000])
    elif kind == "text":
        path.write_text("not a video\n" * 100)
    elif kind == "folder":
        path.mkdir()
    elif kind == "sound":
        sound_only(path)
    elif kind == "no frames":
        data = make_clip(path, frames=6, size=SIZE).read_bytes()
        begin = data.index(b"mdat") + 4
        length = int.from_bytes(data[begin - 8 : begin - 4], "big") - 8
        path.write_bytes(data[:begin] + bytes(length) + data[begin + length :])
    elif kind == "forbidden":
        path.write_bytes(clip.read_bytes())
        forbid(monkeypatch, path)
    assert_refused(video(path, "-o", results / "out.mp4"), 3, str(path), word)
    assert names(results) == []


def forbid(monkeypatch, path: Path) -> None:
    """As if the user had no right to read the file; chmod stops no administrator."""

    def refusing(file, *args, **kwargs):
        if os.fspath(file) == str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return open(file, *args, **kwargs)

    monkeypatch.setattr("koutu.media.demux.open", refusing, raising=False)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 4, ["--side-by-side"]),
        (["-o", "x.mp4", "-b", "transparent"], 4, [".mov, .webm"]),
        (["--side-by-side", "x.mp4", "-b", "transparent"], 4, ["background", "colour"]),
        (["-o", "x.mp4", "--alpha", "./x.mp4"], 4, ["place of its own"]),
        (["-o", "x.avi"], 4, [".mp4", "'.avi'"]),
        (["-o", "x.mp4", "--depth", "9"], 4, ["8, 10", "got 9"]),
        (["-o", "x.mp4", "--preset", "warp"], 4, ["veryfast", "'warp'"]),
        (["-o", "none/x.mp4"], 4, ["does not exist", "make it first"]),
        (["-o", "here"], 4, ["not empty"]),
        (["-o", "x.mp4", "-b", "beahc.jpg"], 3, ["beahc.jpg", "spelling"]),
        (["-o", "x.mp4", "-b", "300,0,0"], 3, ["255"]),
        (["-o", "x.mp4", "-b", "blur:x"], 3, ["blur:10"]),
        (["-o", "x.mp4", "-b", "here/broken.jpg"], 3, ["broken.jpg", "damaged"]),
        (["-o", "x.mp4", "-b", "here/text.jpg"], 3, ["text.jpg", "got neither"]),
        (["-o", "here/text.jpg", "-b", "here/text.jpg"], 4, ["other than the background"]),
        (["-o", "x.mp4", "-m", "nobody"], 5, ["koutu-small", "koutu models"]),
        (["-o", "x.mp4", "-m", "none.onnx"], 5, ["none.onnx", "koutu models"]),
        (["-o", "x.mp4", "--engine", "steam"], 5, ["onnxruntime", "'steam'"]),
        (["-o", "x.mp4", "--device", "abacus"], 5, ["cpu or cuda", "'abacus'"]),
    ],
)
def test_wrong_wishes(words, code, said, video, clip, portrait, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = tmp_path / "here"
    here.mkdir()
    (here / "broken.jpg").write_bytes(portrait.read_bytes()[:700])
    (here / "text.jpg").write_text("no picture")
    assert_refused(video(clip, *words), code, *said)
    assert names(tmp_path) == ["here"] and names(here) == ["broken.jpg", "text.jpg"]


@pytest.mark.parametrize(
    "words",
    [
        ["video"], ["video", "in.mp4", "--crf", "99"], ["video", "in.mp4", "--fit", "shrink"], ["video", "--nonsense"],
        ["video", "in.mp4", "--codec", "av1"], ["video", "in.mp4", "--threads", "-1"], ["image", "a.jpg"], ["fly"],
    ],
)  # fmt: skip
def test_wrong_usage(words, koutu):
    result = koutu(*words)
    assert result.code == 2 and "Usage:" in result.err and "--help" in result.err and "Traceback" not in result.err


def test_input_is_never_its_own_output(video, tmp_path):
    path = make_clip(tmp_path / "talk.mp4", frames=2)
    before = path.read_bytes()
    (tmp_path / "link.mp4").symlink_to(path)
    for name in ("talk.mp4", "link.mp4"):
        assert_refused(video(path, "-o", tmp_path / name), 4, "being read", "another name")
    assert path.read_bytes() == before and names(tmp_path) == ["link.mp4", "talk.mp4"]


def test_folder_that_may_not_be_written_to(video, clip, tmp_path, monkeypatch):
    monkeypatch.setattr("koutu.media.destination.os.access", lambda *_: False)
    assert_refused(video(clip, "-o", tmp_path / "out.mp4"), 4, "may not be written", "permissions")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["out.mp4", "pictures"])
@pytest.mark.parametrize("late", [False, True])
def test_full_disk(name, late, video, clip, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    sink = "encode.VideoSink" if name == "out.mp4" else "png_folder.PngSink"
    monkeypatch.setattr(f"koutu.media.{sink}.{'finish' if late else 'put'}", full)
    result = video(clip, "-o", tmp_path / name)
    assert_refused(result, 4, "No space left", "free some space")
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to one process")
@pytest.mark.parametrize("name, code", [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupted_run_leaves_nothing(name, code, tmp_path):
    # A shell's background jobs ignore SIGINT, and children inherit that.
    with subprocess.Popen(
        [sys.executable, "-c",
         "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from koutu.cli import main; main()",
         "video", str(SAMPLE / "talk.mp4"), "-o", str(tmp_path / "a.mp4"), "--alpha", str(tmp_path / "b.mov"),
         "--foreground", str(tmp_path / "shots")],
        stderr=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".*.part/*.png")) and time.monotonic() < deadline and run.poll() is None:
            time.sleep(0.02)
        during = names(tmp_path)
        run.send_signal(getattr(signal, name))
        _, said = run.communicate(timeout=60)
    assert len(during) == 3 and all(name.endswith(".part") for name in during), said
    assert run.returncode == code and said == "koutu: interrupted; nothing half-written was left\n"
    assert names(tmp_path) == []


# Images


def test_image_to_file(image, portrait, tmp_path):
    assert image(portrait, "-o", tmp_path / "cut.webp").code == 0
    with Image.open(tmp_path / "cut.webp") as cut:
        assert (cut.mode, cut.size) == ("RGBA", SIZE[::-1])
    assert image(portrait, "-o", tmp_path / "b.jpg", "-b", SAMPLE / "lake.jpg", "--fit", "stretch").code == 0
    with Image.open(tmp_path / "b.jpg") as composite:
        assert (composite.mode, composite.size) == ("RGB", SIZE[::-1])
    assert names(tmp_path) == ["b.jpg", "cut.webp"]


def test_alpha_only_is_the_alpha_of_the_cut_out(image, portrait, tmp_path):
    assert image(portrait, "-o", tmp_path / "cut.png").code == 0
    assert image(portrait, "-o", tmp_path / "alpha.png", "--alpha-only").code == 0
    with Image.open(tmp_path / "alpha.png") as grey, Image.open(tmp_path / "cut.png") as cut:
        assert np.array_equal(np.asarray(grey.convert("L")), np.asarray(cut)[..., 3])


def test_exif_orientation_is_applied(image, portrait, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90° clockwise to show
    with Image.open(portrait) as picture:
        picture.save(tmp_path / "turned.jpg", exif=exif)
    assert image(tmp_path / "turned.jpg", "-o", tmp_path / "cut.png").code == 0
    with Image.open(tmp_path / "cut.png") as cut:
        assert cut.size == SIZE and not cut.getexif().get(0x0112)


def test_one_bad_image_among_good_ones(image, portrait, tmp_path):
    for name in ("a.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(portrait.read_bytes())
    (tmp_path / "b.jpg").write_bytes(portrait.read_bytes()[:700])
    result = image(*(tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg")), "-o", tmp_path / "cut")
    assert result.code == 3 and names(tmp_path / "cut") == ["a.png", "c.png"]
    first, second = result.err.splitlines()
    assert "b.jpg" in first and "damaged" in first and "d.jpg" in second and "No such file" in second


def test_no_folder_is_made_for_nothing(image, tmp_path):
    assert_refused(image(tmp_path / "missing.jpg", "-o", tmp_path / "cut"), 3, "missing.jpg")
    assert names(tmp_path) == []


def test_a_bad_background_is_told_once(image, portrait, tmp_path):
    other = tmp_path / "other.jpg"
    other.write_bytes(portrait.read_bytes())
    assert_refused(image(portrait, other, "-o", tmp_path / "cut", "--background", "nowhere.jpg"), 3, "nowhere.jpg")
    assert names(tmp_path) == ["other.jpg"]


def test_standard_input_to_standard_output(tiny_onnx, portrait):
    done = subprocess.run(
        [*KOUTU, "image", "-m", str(tiny_onnx), "-", "-o", "-"], input=portrait.read_bytes(), capture_output=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == b""
    with Image.open(io.BytesIO(done.stdout)) as cut:
        assert (cut.format, cut.mode, cut.size) == ("PNG", "RGBA", SIZE[::-1])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["me.jpg", "-o", "out.jpg"], 4, ["JPEG has none", ".png"]),
        (["me.jpg", "-o", "out.gif"], 4, ["PNG"]),
        (["me.jpg", "-o", "none/out.png"], 4, ["folder exists"]),
        (["me.jpg", "-o", "me.jpg", "-b", "white"], 4, ["other than the input"]),
        (["me.jpg", "again.jpg", "-o", "-"], 4, ["one image", "folder"]),
        (["me.jpg", "again.jpg", "-o", "out.png"], 4, ["a folder for 2 images", "out.png/"]),
        (["me.jpg", "-o", "again.jpg/", "-b", "white"], 4, ["got the file"]),
        (["none.jpg", "-o", "out.png"], 3, ["No such file"]),
        (["text.jpg", "-o", "out.png"], 3, ["something else", "PNG or JPEG"]),
        (["empty.jpg", "-o", "out.png"], 3, ["an empty file"]),
        (["me.jpg", "-o", "out.png", "-b", "none.jpg"], 3, ["none.jpg", "spelling"]),
        (["me.jpg", "-o", "out.png", "--device", "abacus"], 5, ["'abacus'"]),
    ],
)
def test_wrong_wishes_for_images(words, code, said, image, portrait, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    for name in ("me.jpg", "again.jpg"):
        (tmp_path / name).write_bytes(portrait.read_bytes())
    assert_refused(image(*words), code, *said)
    assert names(tmp_path) == ["again.jpg", "empty.jpg", "me.jpg", "text.jpg"]
    assert (tmp_path / "me.jpg").read_bytes() == portrait.read_bytes()


def test_no_target_takes_a_sources_place(image, portrait, tmp_path):
    (tmp_path / "sub").mkdir()
    for path in (tmp_path / "sub" / "a.jpg", tmp_path / "a.png"):
        with Image.open(portrait) as picture:
            picture.save(path)
    before = (tmp_path / "a.png").read_bytes()
    result = image(tmp_path / "sub" / "a.jpg", tmp_path / "a.png", "-o", tmp_path)
    assert result.code == 4 and "both be written" in result.err and (tmp_path / "a.png").read_bytes() == before


def test_folder_with_a_dot(image, portrait, tmp_path):
    assert image(portrait, "-o", f"{tmp_path}/cut.2/").code == 0
    assert names(tmp_path / "cut.2") == ["me.png"]


# The rest


def test_demo(koutu, tmp_path, monkeypatch):
    sample = tmp_path / "sample"
    sample.mkdir()
    make_clip(sample / "talk.mp4", frames=4, size=SIZE)
    (sample / "lake.jpg").write_bytes((SAMPLE / "lake.jpg").read_bytes())
    monkeypatch.setattr("koutu.zoo.SAMPLE", sample)
    result = koutu("demo", "-o", tmp_path / "demo")
    assert result.code == 0 and "4 frames in" in result.out and "wrote" in result.out
    assert names(tmp_path / "demo") == ["alpha.mp4", "composite.mp4", "side-by-side.mp4"]


def test_models(koutu):
    result = koutu("models")
    assert result.code == 0 and "koutu (default)" in result.out
    assert "licence:" in result.out and "data:" in result.out and "modnet-small-research  12.8 MB" in result.out


def test_models_says_what_pip_does_not_install(koutu, monkeypatch, tmp_path):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    result = koutu("models")
    assert result.code == 0 and "modnet-small-research  not installed" in result.out


def test_doctor(koutu):
    result = koutu("doctor")
    assert result.code == 0, result.out
    for word in (f"koutu {__version__}", "numpy: ", "encoder libx264: found", "onnxruntime devices: ", "will run: "):
        assert word in result.out


def test_doctor_tells_what_is_missing(koutu, monkeypatch):
    for module in ("av", "onnxruntime", "torch", "openvino"):
        monkeypatch.setitem(sys.modules, module, None)
    result = koutu("doctor")
    assert result.code == 5 and result.err == ""
    assert "onnxruntime: MISSING" in result.out and "av: MISSING" in result.out and "torch: not installed" in result.out
    assert "pip install onnxruntime" in result.out


def test_version_and_help(koutu):
    assert koutu("--version").out == f"koutu {__version__}\n"
    result = koutu("--help")
    assert result.code == 0 and "koutu video talk.mp4 -o out.mp4 --background beach.jpg" in result.out
    assert "Exit codes: 0 done, 2 wrong usage" in result.out
    for command in ("video", "image"):
        result = koutu(command, "--help")
        assert result.code == 0 and f"koutu {command} " in result.out and "--background" in result.out


def test_help_where_output_knows_no_chinese():
    done = subprocess.run(
        [*KOUTU, "--help"], capture_output=True, timeout=60, env={**os.environ, "PYTHONIOENCODING": "cp1252"}
    )
    assert done.returncode == 0 and done.stderr == b"" and b"koutu (??)" in done.stdout
