"""The HiLens skill: fit for Python 3.7, right on frames, unmoved by faults; its archive; the simulated Kit."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.python37 import problems

from koutu.composite import replace, solid
from koutu.engines.backend import Backend
from koutu.export.hilens.card import SkillCard
from koutu.export.hilens.package import ARTICLE, PROGRAM, Skill, write_skill
from koutu.hilens_simulator import Session, simulate
from koutu.hilens_simulator.__main__ import main
from koutu.hilens_simulator.plan import parse
from koutu.hilens_simulator.run import SITE
from koutu.matting.matter import Matter
from koutu.media.image import write_image
from koutu.media.reader import open_video
from koutu.types import ColorSpace, Frame, InputError, ModelError, OutputError, Yuv420

TALK = Path(__file__).parent.parent.parent / "src" / "koutu" / "sample" / "talk.mp4"
FRAMES = 10
SIZE = (320, 180)  # of the clip, width and height
NET = 96
VIEW = 180
MODULES = {
    "cv2", "hilens", "json", "numpy", "os", "re", "select", "signal", "socket", "sys", "threading", "time", "traceback",
}  # fmt: skip
OWN = {path.stem for path in PROGRAM.glob("*.py")}
SETTINGS = {"view_width": VIEW, "view_height": VIEW, "camera_wait": 10, "failures": 3, "layout": "full"}
AIPP = """
aipp_op {{ aipp_mode: static related_input_rank: 0 input_format: {format} src_image_size_w: {side}
 src_image_size_h: {side} csc_switch: {csc} {matrix}
 var_reci_chn_0: 0.003921569 var_reci_chn_1: 0.003921569 var_reci_chn_2: 0.003921569 }}
"""
MATRIX = """rbuv_swap_switch: true matrix_r0c0: 298 matrix_r0c1: 0 matrix_r0c2: 409 matrix_r1c0: 298 matrix_r1c1: -100
 matrix_r1c2: -208 matrix_r2c0: 298 matrix_r2c1: 516 matrix_r2c2: 0 input_bias_0: 16 input_bias_1: 128 input_bias_2: 128
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the sample, small and without loss."""
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    with av.open(str(TALK)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"qp": "0", "preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index, frame in zip(range(FRAMES), source.decode(video=0), strict=False):
            frame = frame.reformat(*SIZE, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pha = blurred mean of the colours · 3/4 + prev · 1/4: it sees the picture and remembers."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    path = tmp_path_factory.mktemp("net") / "net.onnx"
    weights = [np.full((1, 3, 5, 5), 0.01, np.float32), np.full((1, 1, 1, 1), 0.25, np.float32)]
    nodes = [
        helper.make_node("Conv", ["src", "w"], ["seen"], pads=[2, 2, 2, 2]),
        helper.make_node("Conv", ["prev", "v"], ["kept"]),
        helper.make_node("Add", ["seen", "kept"], ["pha"]),
    ]
    shapes = {"src": [1, 3, NET, NET], "prev": [1, 1, NET, NET], "pha": [1, 1, NET, NET]}
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    constants = [numpy_helper.from_array(x, name) for x, name in zip(weights, "wv", strict=True)]
    graph = helper.make_graph(nodes, "net", [values["src"], values["prev"]], [values["pha"]], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def written(folder: Path, network: Path, *, source: Any = "nv21", **settings: Any) -> Skill:
    """A skill of the tiny network in `folder`."""
    nv21 = source == "nv21"
    kind = {"format": "YUV420SP_U8" if nv21 else "RGB888_U8", "csc": str(nv21).lower(), "matrix": MATRIX * nv21}
    build = folder.with_name(f"{folder.name}-build")
    build.mkdir()
    (build / "aipp.cfg").write_text(AIPP.format(side=NET, **kind))
    (build / "tiny.onnx").write_bytes(network.read_bytes())
    card = SkillCard("tiny", (NET, NET), source)
    return write_skill(folder, model_card=card, settings=SETTINGS | settings, build=build)


def shown(path: Path) -> list[np.ndarray]:
    """Luma of every picture of a video."""
    with open_video(path) as video:
        return [frame.picture.y for frame in video if isinstance(frame.picture, Yuv420)]


# The program


@pytest.mark.parametrize("path", sorted([*PROGRAM.glob("*.py"), *ARTICLE.glob("*.py")]), ids=lambda path: path.name)
def test_the_program_is_python_3_7(path: Path) -> None:
    assert problems(path.read_text("utf-8"), MODULES | {one.stem for one in path.parent.glob("*.py")}) == []


@pytest.mark.parametrize(
    "line",
    [
        "if (n := 3): pass", "def f(a, /): pass", "x = f'{a=}'", "x = {'a': 1} | b", "x |= {'a': 1}", "x: int | None",
        "import math; math.prod([1])", "'a'.removeprefix('a')", "def f(x: list[int]): pass", "import torch",
        "from koutu import api", "match x:\n case 1: pass", "zip(a, b, strict=True)", "with (a as b, c as d): pass",
    ],
)  # fmt: skip
def test_what_python_3_7_lacks_is_found(line: str) -> None:
    assert problems(line, {"math"})


def test_a_run_is_what_koutu_makes_of_the_same_frames(tmp_path: Path, clip: Path, network: Path) -> None:
    skill = written(tmp_path / "skill", network, camera=str(clip), background="#3050a0")
    run = simulate(Session(str(skill.folder), out=str(tmp_path / "out.mp4"), crf=0))
    assert run.code == 0 and any("the file has ended" in line for line in run.log)
    with open_video(tmp_path / "out.mp4") as video:
        ours = [frame.picture for frame in video]
    theirs = [expected for expected in by_koutu(clip, network)]
    assert len(ours) == len(theirs) == FRAMES
    for mine, other in zip(ours, theirs, strict=True):
        assert isinstance(mine, Yuv420)
        for plane, wanted in zip((mine.y, mine.u, mine.v), (other.y, other.u, other.v), strict=True):
            error = np.square(plane.astype(float) - wanted).mean()
            assert 10 * np.log10(255**2 / max(error, 1e-9)) >= 40


class Fixed(Backend):
    """The tiny network behind koutu's own contract."""

    name = "tiny"

    def __init__(self, path: Path):
        import onnxruntime as ort

        self._session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return NET, NET

    def initial_state(self, size: tuple[int, int]) -> dict[str, Any]:
        return {"prev": np.zeros((1, 1, *size), np.float32)}

    def __call__(self, rgb: np.ndarray, state: dict[str, Any], **hints: Any) -> tuple[None, np.ndarray, dict[str, Any]]:
        src = (rgb.astype(np.float32) / 255).transpose(2, 0, 1)[None]
        pha = np.asarray(self._session.run(None, {"src": src, **state})[0])
        return None, pha[0, 0], {"prev": pha}


def by_koutu(clip: Path, network: Path) -> list[Yuv420]:
    """The mirrored middle of every frame, matted and composited by koutu; the Kit's colours are BT.601."""
    matter, space = Matter(Fixed(network), refine=False), ColorSpace("bt601")
    behind, pictures = solid((VIEW, VIEW), (0x30, 0x50, 0xA0), space), []
    with open_video(clip) as video:
        for number, frame in enumerate(video):
            assert isinstance(frame.picture, Yuv420)
            left = (SIZE[0] - VIEW) // 2 & -2
            wide, half = slice(left, left + VIEW), slice(left // 2, (left + VIEW) // 2)
            parts = ((frame.picture.y, wide), (frame.picture.u, half), (frame.picture.v, half))
            y, u, v = (np.ascontiguousarray(plane[:, part][:, ::-1]) for plane, part in parts)
            view = Yuv420(y, u, v, space)
            matte = matter(Frame(view, number, Fraction(1, 25)))
            picture = replace(view, matte.alpha, behind)
            assert isinstance(picture, Yuv420)
            pictures.append(picture)
    return pictures


@pytest.mark.parametrize(
    ("faults", "settings", "told"),
    [
        ("none@2..3", {}, "got NoneType"),
        ("size@3=161x91", {}, "expected NV21"),
        ("size@3..4=200x150", {"scaling": "device"}, "frames of 200 x 150: using 150 x 150 at 24, 0"),
        ("size@3=60x60", {"scaling": "device"}, "the CPU scales from now on"),
        ("lose@4=2", {}, "cannot be opened"),
        ("infer@4..5", {}, "17: inference failed; mostly the inputs are not of the sizes"),
        ("infer@4..6", {}, "loading it anew"),
        ("nan@4", {}, "infinite or none"),
        ("show@4", {"layout": "side_by_side"}, "refused a picture"),
    ],
)
def test_faults_that_pass(
    tmp_path: Path, clip: Path, network: Path, faults: str, settings: dict[str, Any], told: str
) -> None:
    skill = written(tmp_path / "skill", network, **settings)
    run = simulate(Session(str(skill.folder), str(clip), str(tmp_path / "out.mp4"), faults=faults))
    assert run.code == 0, run.log
    assert any(told in line for line in run.log), run.log
    assert len(shown(tmp_path / "out.mp4")) == FRAMES - faults.startswith("show")  # a gap shows the last picture again
    assert run.log[-1].endswith("terminated")


@pytest.mark.parametrize(
    ("faults", "settings", "code", "told"),
    [
        ("infer@3..99=16", {}, 4, "3 failures in a row, also after loading it anew"),
        ("infer@3..5,load@2", {}, 4, "cannot be loaded"),
        ("load@1", {}, 4, "cannot be loaded"),
        ("lose@3=9999", {"camera_seconds": 1}, 3, "no picture for 1 s"),
        ("", {"camera": "/nothing.mp4"}, 3, "/nothing.mp4 cannot be opened"),
        ("", {"display": "h264", "display_path": "no/such/folder.h264"}, 5, "h264 cannot be opened"),
    ],
)
def test_faults_that_end_the_skill(
    tmp_path: Path, clip: Path, network: Path, faults: str, settings: dict[str, Any], code: int, told: str
) -> None:
    skill = written(tmp_path / "skill", network, **settings)
    run = simulate(Session(str(skill.folder), str(clip), faults=faults))
    assert run.code == code, run.log
    assert any(line.startswith("[ERROR]") and told in line for line in run.log), run.log
    assert run.log[-1].endswith("terminated")


def test_memory_is_dropped_with_a_bad_frame(tmp_path: Path, clip: Path, network: Path) -> None:
    skill = written(tmp_path / "skill", network, background="#000000")
    videos = []
    for number, faults in enumerate(("", "none@5", "infer@6")):  # the first frame is inferred twice: 6 is frame 5
        out = tmp_path / f"{number}.mp4"
        simulate(Session(str(skill.folder), str(clip), str(out), faults=faults, crf=0))
        videos.append(shown(out))
    whole, none, failed = videos
    assert np.array_equal(none[4], none[3]) and not np.array_equal(whole[4], whole[3])
    assert np.array_equal(none[5], failed[5])  # begun anew alike, whatever went before
    assert np.array_equal(none[3], whole[3])


def test_sigterm_while_waiting_for_a_camera(tmp_path: Path, clip: Path, network: Path) -> None:
    skill = written(tmp_path / "skill", network, camera_wait=16000)
    session = Session(str(skill.folder), str(clip), faults="open@1..99")
    paths = os.pathsep.join([str(SITE), *filter(None, sys.path)])
    environment = os.environ | session.to_environment() | {"PYTHONPATH": paths}
    with subprocess.Popen(
        [sys.executable, "main.py"], cwd=skill.folder, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "again in 16.0 s" in line)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert "stopped" in rest and "terminated" in rest


def test_a_call_that_does_not_come_back(tmp_path: Path, clip: Path, network: Path) -> None:
    skill = written(tmp_path / "skill", network, held_seconds=1)
    before = set(tmp_path.iterdir())
    run = simulate(Session(str(skill.folder), str(clip), str(tmp_path / "out.mp4"), faults="hang@4"))
    assert run.code == 6 and any("has not gone on for 1 s" in line for line in run.log), run.log
    assert set(tmp_path.iterdir()) == before  # a video without an end is not kept


def test_a_signal_during_a_call_that_does_not_come_back(tmp_path: Path, clip: Path, network: Path) -> None:
    skill = written(tmp_path / "skill", network)
    watch = skill.folder / "watch.py"
    watch.write_text(watch.read_text().replace("GRACE = 10.0", "GRACE = 0.2"))
    run = simulate(Session(str(skill.folder), str(clip), faults="stop@4,hang@4"))
    assert run.code == 6 and any("was told to stop" in line for line in run.log), run.log


def test_usb_camera_rgb_model_blur_and_a_file(tmp_path: Path, clip: Path, network: Path) -> None:
    settings = {"background": "blur", "display": "h264", "display_path": "out.h264", "log_every": 4}
    skill = written(tmp_path / "skill", network, source="rgb", **settings)
    console = {"camera": "0", "mirror": "false", "view_height": "160", "unheard": 1}
    run = simulate(Session(str(skill.folder), str(clip), config=console))
    assert run.code == 0, run.log
    assert any("not understood: unheard" in line for line in run.log)
    timed = [line for line in run.log if "composite" in line]
    assert len(timed) == FRAMES // 4 + 1 and "read" in timed[0]
    video = shown(skill.folder / "workspace" / "out.h264")
    assert len(video) == FRAMES and video[0].shape == (160, VIEW)


@pytest.mark.parametrize(
    ("console", "told"),
    [
        ({"mirror": "perhaps"}, "mirror: expected true or false"),
        ({"layout": "round"}, "layout: expected one of side_by_side, full"),
        ({"failures": "many"}, "failures: expected a whole number"),
        ({"blur": 101}, "blur: expected 1 to 100"),
        ({"camera_width": 100, "camera_height": 100}, "camera size"),
        ({"display": "rtmp", "display_path": "http://x"}, "expected rtmp://"),
        ({"background": "nowhere.png"}, "expected #rrggbb, blur, camera or a picture"),
    ],
)
def test_settings_are_checked(tmp_path: Path, network: Path, console: dict[str, Any], told: str) -> None:
    skill = written(tmp_path / "skill", network)
    run = simulate(Session(str(skill.folder), config=console))
    assert run.code == 2 and any(told in line for line in run.log), run.log


# The parts of the program, in this process


@pytest.fixture
def kit(tmp_path: Path, clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The simulator's module `hilens`, and the skill's modules beside it, forgotten again afterwards."""
    from koutu.hilens_simulator import kit as module

    model = tmp_path / "net.om"
    bucket = str(tmp_path / "bucket")
    session = Session(str(tmp_path), str(clip), onnx=str(network), faults="infer@3", bucket=bucket)
    monkeypatch.setenv(*next(iter(session.to_environment().items())))
    monkeypatch.syspath_prepend(PROGRAM)
    monkeypatch.syspath_prepend(SITE)
    module.kit.cache_clear()
    hilens: Any = import_module("hilens")

    hilens.model_path = str(model)
    yield hilens
    module.kit().close()
    module.kit.cache_clear()
    for name in {"hilens", "hilens.errors", "hilens.services", *OWN} & set(sys.modules):
        del sys.modules[name]


def test_blending_is_within_a_level_and_exact_at_the_ends(kit: Any) -> None:
    kit.init("")
    portrait: Any = import_module("portrait")
    settings: Any = import_module("settings")

    rng = np.random.default_rng(0)
    given = settings.read_settings({"background": "#804020", "mirror": False})[0]
    one = portrait.Portrait(given, (160, 128), ())
    frame = rng.integers(0, 256, (192, 160), np.uint8)
    alpha = rng.integers(0, 256, (128, 160), np.uint8)
    alpha[:40], alpha[40:80] = 0, 255
    one.look(frame)
    one.compose(alpha)
    view, result = one.shown[:, :160], one.shown[:, 160:]
    behind = one._behind.astype(float)
    assert np.array_equal(view, frame)
    exact = (alpha / 255 * frame[:128]) + (1 - alpha / 255) * behind[:128]
    assert np.abs(result[:128] - exact).max() <= 1
    assert np.array_equal(result[:40], one._behind[:40]) and np.array_equal(result[40:80], frame[40:80])
    weight = alpha.reshape(64, 2, 80, 2).mean((1, 3)).repeat(2, axis=1) / 255
    exact = weight * frame[128:] + (1 - weight) * behind[128:]
    assert np.abs(result[128:] - exact).max() <= 2  # the weight is rounded too


def test_bgr_comes_and_goes(kit: Any) -> None:
    nv21: Any = import_module("nv21")

    bgr = np.full((65, 97, 3), (200, 60, 30), np.uint8)
    picture = nv21.checked(bgr)
    assert nv21.size(picture) == (96, 64)
    import cv2

    assert np.abs(cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_NV21).astype(int) - bgr[:64, :96]).max() <= 3
    assert np.array_equal(picture, kit.cvt_color(bgr[:64, :96], kit.BGR2YUV_NV21))
    mirrored = nv21.empty(96, 64)
    nv21.mirror(picture, mirrored)
    assert np.array_equal(mirrored, picture)
    assert nv21.window(1280, 720, 1.0) == (280, 0, 720, 720)


# The simulated Kit


def test_the_framework_fails_as_documented(kit: Any) -> None:
    with pytest.raises(kit.CreateError, match="init comes first"):
        kit.VideoCapture()
    assert kit.init("koutu") == 0
    model = kit.Model(kit.model_path)
    src, prev = np.zeros(3 * NET * NET, np.float32), np.zeros(NET * NET, np.float32)
    assert [out.shape for out in model.infer([src, prev])] == [(NET * NET,)]
    assert model.infer([src[:-1], prev]) == 17
    assert model.infer([src, prev]) == 17  # the fault
    with pytest.raises(ValueError, match="dtype"):
        model.infer([src.astype(np.float64), prev])
    tool = kit.Preprocessor()
    picture = np.zeros((180 * 3 // 2, 320), np.uint8)
    assert tool.resize(picture, 96, 64, 0).shape == (96, 96)
    for size in ((62, 64), (97, 64), (1922, 64), (64, 1082)):
        with pytest.raises(ValueError, match="resize"):
            tool.resize(picture, *size, 0)
    with pytest.raises(ValueError, match="crop"):
        tool.crop(picture, 300, 0, 64, 64, 0)
    display = kit.Display(kit.HDMI)
    with pytest.raises(kit.CreateError, match="HDMI"):
        kit.Display(kit.HDMI)
    assert display.show(picture) == 0
    assert display.show(np.zeros((240, 160), np.uint8)) != 0
    assert kit.Display(kit.RTMP, "rtmp://x").show(np.zeros((96, 96), np.uint8)) != 0


def test_cameras_of_every_kind(kit: Any, clip: Path) -> None:
    kit.init("koutu")
    assert kit.VideoCapture().read().shape == (720 * 3 // 2, 1280)
    assert kit.VideoCapture(0).read().shape == (SIZE[1], SIZE[0], 3)
    assert kit.VideoCapture("hall", 160, 128).read().shape == (192, 160)
    with pytest.raises(kit.CreateError):
        kit.VideoCapture(0, 160, 128)
    with pytest.raises(kit.CreateError):
        kit.VideoCapture("hall", 150, 128)
    video = kit.VideoCapture(str(clip))
    for _ in range(FRAMES):
        assert video.read().shape == (SIZE[1] * 3 // 2, SIZE[0])
    with pytest.raises(RuntimeError, match="Failed to read frame"):
        video.read()


def test_sound_and_the_cloud(kit: Any, tmp_path: Path, clip: Path) -> None:
    with pytest.raises(kit.CreateError, match="init comes first"):
        kit.AudioCapture()
    kit.init("koutu")
    with pytest.raises(kit.CreateError, match="found none"):
        kit.AudioCapture(str(clip))  # a video without sound
    with pytest.raises(ValueError, match="parameter"):
        kit.AudioCapture(1, 2)
    sound = kit.AudioCapture(str(tone(tmp_path / "tone.wav")))
    frames = sound.read(2)
    assert frames.shape == (2, 1024) and frames.dtype == np.int16 and np.abs(frames).max() > 1000
    with pytest.raises(RuntimeError, match="Failed to read frames"):
        sound.read(1000)
    assert kit.upload_buffer_to_obs("a/b.txt", "one", "write") == 0
    assert kit.upload_buffer_to_obs("a/b.txt", b" two", "append") == 0
    assert (tmp_path / "bucket" / "a" / "b.txt").read_text() == "one two"
    (tmp_path / "file").write_text("three")
    assert kit.upload_file_to_obs("c", str(tmp_path / "file"), "write") == 0
    assert kit.upload_file_to_obs("c", str(tmp_path / "none"), "write") != 0
    for key, mode in (("a//b", "write"), ("../b", "write"), ("/b", "write"), ("b", "overwrite")):
        assert kit.upload_buffer_to_obs(key, "x", mode) != 0
    assert kit.download_from_obs("https://bucket.obs.example/a/b.txt", str(tmp_path)) == 0
    assert (tmp_path / "b.txt").read_text() == "one two"
    assert kit.download_from_obs("https://bucket.obs.example/none", str(tmp_path)) != 0
    assert kit.send_msg("subject", "text") == 0 and kit.send_msg("", "text") != 0
    assert kit.md5_of_file(str(tmp_path / "file")) == "35d6d33467aae9a2e3dccb4b6b027878"


def tone(path: Path) -> Path:
    """Half a second of 440 Hz."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=16000, layout="mono")
        values = (8000 * np.sin(np.arange(8000) * 2 * np.pi * 440 / 16000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(values[None], "s16", "mono")
        frame.sample_rate, frame.pts = 16000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_a_film_without_an_end_is_not_kept(tmp_path: Path, clip: Path, network: Path) -> None:
    skill = written(tmp_path / "skill", network)
    text = (skill.folder / "timing.py").read_text().replace("self.frames += 1", "import os; os.kill(os.getpid(), 9)")
    (skill.folder / "timing.py").write_text(text)
    before = set(tmp_path.iterdir())
    assert simulate(Session(str(skill.folder), str(clip), str(tmp_path / "out.mp4"))).code == 128 + 9
    assert set(tmp_path.iterdir()) == before
    with pytest.raises(OutputError, match="ends in"):
        simulate(Session(str(skill.folder), str(clip), str(tmp_path / "out.txt")))
    with pytest.raises(InputError, match=r"main\.py"):
        simulate(Session(str(tmp_path), str(clip)))


@pytest.mark.parametrize("text", ["lose", "break@3", "none@0", "none@5..3", "size@3=40", "infer@3=x"])
def test_faults_are_checked(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)


def test_command(
    tmp_path: Path, clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    skill = written(tmp_path / "skill", network)
    out = tmp_path / "out.mp4"
    command = ["x", str(skill.folder), "--video", str(clip), "-o", str(out), "--frames", "3"]
    monkeypatch.setattr(sys, "argv", [*command, "--config", '{"layout": "side_by_side"}'])
    assert main() == 0
    assert [picture.shape for picture in shown(out)] == [(VIEW, 2 * VIEW)] * 3
    assert "3 frames shown" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*"))
    monkeypatch.setattr(sys, "argv", [*command, "--faults", "nonsense"])
    assert main() == InputError.exit_code


# The archive


def test_the_archive_has_the_program_at_its_root(tmp_path: Path, network: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    (build / "tiny.om").write_bytes(b"om")
    (build / "tiny.onnx").write_bytes(network.read_bytes())
    (build / "build-kit.sh").write_text("#!/usr/bin/env bash\nset -e\nomg --model=tiny.prototxt\n")
    write_image(tmp_path / "beach.png", np.full((30, 4000, 3), 200, np.uint8))
    card, picture = SkillCard("tiny", (NET, NET)), tmp_path / "beach.png"
    skills = [write_skill(tmp_path / name, model_card=card, background=picture, build=build) for name in ("one", "two")]
    with zipfile.ZipFile(skills[0].archive) as file:
        names = set(file.namelist())
        assert json.loads(file.read("card.json"))["shapes"] == {"prev": [1, 1, NET, NET]}
        assert json.loads(file.read("config.json"))["background"] == "background.jpg"
    assert names == {f"{name}.py" for name in OWN} | {
        "card.json", "config.json", "model/card.json", "model/tiny.om", "workspace/data/background.jpg",
    }  # fmt: skip
    assert skills[0].archive.read_bytes() == skills[1].archive.read_bytes()
    assert sorted(path.name for path in (skills[0].folder / "build").iterdir()) == ["build-kit.sh", "tiny.onnx"]
    readme = (skills[0].folder / "README.md").read_text("utf-8")
    assert "    # build/build-kit.sh\n    omg --model=tiny.prototxt\n" in readme and "set -e" not in readme


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("#305070", {"background": "#305070"}), ("green", {"background": "#00ff00"}),
        ("blur:7", {"background": "blur", "blur": 7}), ("camera", {"background": "camera"}),
    ],
)  # fmt: skip
def test_a_background_that_is_no_picture(tmp_path: Path, given: str, expected: dict[str, Any]) -> None:
    skill = write_skill(tmp_path / "skill", model_card=SkillCard("tiny", (NET, NET)), background=given)
    config = json.loads((skill.folder / "config.json").read_text())
    assert {name: config[name] for name in expected} == expected
    assert not list((skill.folder / "workspace" / "data").iterdir())


def test_a_skill_appears_whole_or_not_at_all(tmp_path: Path, network: Path) -> None:
    card = SkillCard("tiny", (NET, NET))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    before = set(tmp_path.iterdir())
    wrongs: list[dict[str, Any]] = [
        {"background": tmp_path / "broken.png"}, {"build": tmp_path / "none"}, {"settings": {"layout": "round"}},
        {"background": "transparent"}, {"background": "nowhere.png"},
        {"settings": {"layuot": "full"}}, {"build": network},
    ]  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(InputError):
            write_skill(tmp_path / "skill", model_card=card, **wrong)
        assert set(tmp_path.iterdir()) == before
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds something"):
        write_skill(full, model_card=card)
    assert [path.name for path in full.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    assert write_skill(tmp_path / "empty", model_card=card).archive.is_file()


@pytest.mark.parametrize(
    "wrong",
    [{"size": (95, 96)}, {"source": "bgr"}, {"inputs": ("src",)}, {"alpha": "matte"}, {"states": {"prev": "next"}}],
)
def test_cards_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        SkillCard(**({"name": "tiny", "size": (NET, NET)} | wrong))
