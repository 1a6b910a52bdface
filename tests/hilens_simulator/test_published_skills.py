"""Skills as they are published run as they are: run(work_path), no handler for signals, models under other names."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.media import frame_times, make_clip

from koutu.hilens_simulator import Session, simulate
from koutu.hilens_simulator.accelerator import WRONG_SIZE, Accelerator
from koutu.hilens_simulator.cameras import BUILT_IN, _fitted
from koutu.hilens_simulator.pixels import cropped, scaled
from koutu.hilens_simulator.run import SITE
from koutu.hilens_simulator.stopping import STOPPED
from koutu.types import ModelError

FRAMES, NET = 6, 32
AIPP = f"""aipp_op {{ aipp_mode: static related_input_rank: 0 input_format: RGB888_U8 src_image_size_w: {NET}
 src_image_size_h: {NET} var_reci_chn_0: 0.003921569 var_reci_chn_1: 0.003921569 var_reci_chn_2: 0.003921569 }}"""
UTILS = f"""import cv2

def preprocess(rgb):
    return cv2.resize(rgb, ({NET}, {NET})), rgb.shape[1], rgb.shape[0]
"""
SKILL = """import os, threading, time
import cv2, hilens
from utils import preprocess

def run(work_path):
    hilens.init("portrait")
    camera, display = hilens.VideoCapture(), hilens.Display(hilens.HDMI)
    model = hilens.Model(os.path.join(work_path, "model/portrait_320.om"))
    while True:
        try:
            rgb = cv2.cvtColor(camera.read(), cv2.COLOR_YUV2RGB_NV21)
            picture, width, height = preprocess(rgb)
            alpha = cv2.resize(model.infer([picture.flatten()])[0].reshape(32, 32), (width, height))[..., None]
            display.show(hilens.cvt_color((alpha * rgb).astype("uint8"), hilens.RGB2YUV_NV21))
        EXCEPT
    hilens.terminate()
"""
THREADED = """
def inner():
    run(os.getcwd())

if __name__ == "__main__":
    threading.Thread(target=inner, daemon=True).start()
    while True:
        time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "in.mp4", frames=FRAMES, size=(90, 160))


def network(path: Path, *, inputs: tuple[str, ...] = ("src",)) -> Path:
    """pha: the mean of the colours."""
    onnx = pytest.importorskip("onnx")
    shapes = {"src": [1, 3, NET, NET], "prev": [1, 1, NET, NET], "pha": [1, 1, NET, NET]}
    values = {name: onnx.helper.make_tensor_value_info(name, 1, shape) for name, shape in shapes.items()}
    weights = onnx.numpy_helper.from_array(np.full((1, 3, 1, 1), 1 / 3, np.float32), "w")
    node = onnx.helper.make_node("Conv", ["src", "w"], ["pha"])
    graph = onnx.helper.make_graph([node], "net", [values[name] for name in inputs], [values["pha"]], [weights])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def published(folder: Path, main: str) -> Path:
    """A skill around a network that was exported under a name of its own."""
    (folder / "build").mkdir(parents=True)
    (folder / "main.py").write_text(main)
    (folder / "utils.py").write_text(UTILS)
    network(folder / "build" / "mine.onnx")
    (folder / "build" / "aipp.cfg").write_text(AIPP)
    return folder


@pytest.mark.parametrize(
    ("main", "told"),
    [
        (SKILL.replace("EXCEPT", "except Exception: break"), "main.py only defines run(work_path): called"),
        (SKILL.replace("EXCEPT", "except: pass"), "main.py only defines run(work_path): called"),
        (SKILL.replace("EXCEPT", "except RuntimeError: break") + THREADED, ""),
    ],
    ids=["run", "catches everything", "threads"],
)
def test_it_runs_as_printed_and_its_film_is_kept(tmp_path: Path, clip: Path, main: str, told: str) -> None:
    skill = published(tmp_path / "skill", main)
    run = simulate(Session(str(skill), str(clip), str(tmp_path / "out.mp4")))
    assert run.code == STOPPED, run.log
    renamed = "found no portrait_320.onnx; mine.onnx, the only one here, stands for it"
    assert all(any(text in line for line in run.log) for text in (told, renamed)), run.log
    assert len(frame_times(tmp_path / "out.mp4")) == FRAMES
    assert {path.name for path in tmp_path.iterdir()} == {"skill", "out.mp4"}


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGINT reaches programs that are started: a shell may have it ignored in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_the_film_is_kept_when_it_is_stopped(tmp_path: Path, clip: Path, number: signal.Signals) -> None:
    main = SKILL.replace("EXCEPT", "finally: print('shown', flush=True); time.sleep(60)")
    out = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "koutu.hilens_simulator", str(published(tmp_path / "skill", main))]
    with subprocess.Popen(
        [*command, "--video", str(clip), "-o", str(out)], stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SITE.parents[2]), *filter(None, sys.path)])},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        next(line for line in process.stderr if "shown" in line)
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 128 + number and "Traceback" not in rest
    assert len(frame_times(out)) == 1 and not list(tmp_path.glob(".*"))


def test_what_is_wrong_with_an_inference_is_told_once(tmp_path: Path) -> None:
    lines: list[str] = []
    both = network(tmp_path / "both.onnx", inputs=("src", "prev"))
    (tmp_path / "aipp.cfg").write_text(AIPP)
    session = Session(str(tmp_path), onnx=str(both), aipp=str(tmp_path / "aipp.cfg"))
    model = Accelerator(session, lambda level, text: lines.append(f"{level} {text}")).load("model/both.om")
    picture = np.zeros(NET * NET * 3, np.uint8)
    for _ in range(2):
        assert model.infer([picture]) == WRONG_SIZE
    assert model.infer([picture.astype(np.float32), picture]) == WRONG_SIZE
    assert model.infer([picture, picture]) == WRONG_SIZE
    assert isinstance(model.infer([picture, np.zeros(NET * NET, np.float32)]), list)
    assert len(lines) == 3 and all(line.startswith("ERROR infer: ") and "error code 17" in line for line in lines)
    assert "2 inputs expected, got 1: the model takes src, prev (prev is the network's memory: --article" in lines[0]
    assert "input 1, src: 3072 bytes expected, uint8 RGB888_U8 of 32x32, got 12288 of float32" in lines[1]
    assert "input 2, prev: 4096 bytes expected, float32 [1, 1, 32, 32], got 3072 of uint8" in lines[2]


def test_of_several_networks_none_is_guessed(tmp_path: Path) -> None:
    skill = published(tmp_path / "skill", SKILL)
    network(skill / "build" / "other.onnx")
    accelerator = Accelerator(Session(str(skill)), lambda level, text: None)
    with pytest.raises(ModelError, match=r"expected third\.onnx .* found none among mine\.onnx, other\.onnx; give it"):
        accelerator.load(str(skill / "model" / "third.om"))


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (96, 64), (300, 90)], ids=str)
def test_films_of_other_aspects_are_seen_whole(size: tuple[int, int]) -> None:
    width, height = size
    frame = np.random.default_rng(0).integers(60, 200, (height * 3 // 2, width), np.uint8)
    seen = _fitted(frame, *BUILT_IN)
    scale = min(BUILT_IN[0] / width, BUILT_IN[1] / height)
    inner = round(width * scale) & -2, round(height * scale) & -2
    left, top = (BUILT_IN[0] - inner[0]) // 4 * 2, (BUILT_IN[1] - inner[1]) // 4 * 2
    assert seen.shape == (BUILT_IN[1] * 3 // 2, BUILT_IN[0])
    assert np.array_equal(cropped(seen, left, top, *inner), scaled(frame, *inner))
    bars = seen[: BUILT_IN[1], :left] if left else seen[:top]
    assert bars.size and (bars == 16).all() and (seen[BUILT_IN[1] :, :left] == 128).all()


def test_a_film_of_its_aspect_fills_the_built_in_camera() -> None:
    frame = np.random.default_rng(0).integers(60, 200, (90 * 3 // 2, 160), np.uint8)
    assert np.array_equal(_fitted(frame, *BUILT_IN), scaled(frame, *BUILT_IN))
