"""`koutu export`: every target that runs here does what torch does, by its card; what cannot be is refused."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from koutu.types import InputError, KoutuError, ModelError, OutputError
from koutu.zoo import SAMPLE, load

torch = pytest.importorskip("torch")
pytest.importorskip("onnxslim")
from support.exporting import SIZE, checkpoint, run, small_network  # noqa: E402

from koutu.export.parity import BOUNDS, Bounds, ParityError  # noqa: E402
from koutu.models.base import Network  # noqa: E402

CAFFE = pytest.mark.skipif(not os.environ.get("KOUTU_OPENCV4"), reason="KOUTU_OPENCV4 names no OpenCV 4")
NCNN = pytest.mark.skipif(not (find_spec("ncnn") and find_spec("pnnx")), reason="ncnn and pnnx are not installed")
COREML = pytest.mark.skipif(find_spec("coremltools") is None, reason="coremltools is not installed")
LITERT = pytest.mark.skipif(not os.environ.get("KOUTU_LITERT_PYTHON"), reason="KOUTU_LITERT_PYTHON names no Python")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def plain(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """ONNX of one size, pre-processing inside."""
    return run(tmp_path_factory.mktemp("plain"), "onnx", "plain.onnx", model, command="koutu export small.pt …")


@pytest.fixture
def copied(plain: Any, tmp_path: Path) -> Path:
    """Another folder with that export in it."""
    for name in ("plain.onnx", "plain.json"):
        shutil.copy(plain.card.parent / name, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def small(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the ratio's quarter of 120 × 160 sees: 30 and 40, in whole strides."""
    return run(tmp_path_factory.mktemp("small"), "onnx", "small.onnx", model, size=(32, 40))


def picture(size: tuple[int, int] = SIZE) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.kron(rng.integers(0, 256, (4, 4, 3)), np.ones((size[0] // 4, size[1] // 4, 1))).astype(np.uint8)


def alphas(backend: Any, size: tuple[int, int] = SIZE, frames: int = 3) -> list[np.ndarray]:
    state, found = backend.initial_state(size), []
    for t in range(frames):
        _, pha, state = backend(np.roll(picture(size), 4 * t, axis=1), state)
        found.append(pha)
    return found


def by_torch(size: tuple[int, int] = SIZE, frames: int = 3) -> list[np.ndarray]:
    network = small_network()
    state, found = network.initial_state(torch.zeros(1, 3, *size)), []
    for t in range(frames):
        rgb = np.ascontiguousarray(np.roll(picture(size), 4 * t, axis=1))
        src = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            _, pha, *state = network(src, *state)
        found.append(pha[0, 0].numpy())
    return found


def off(found: list[np.ndarray], true: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(found, true, strict=True))


def test_the_card_says_all_that_is_needed(plain, model):
    card = json.loads(plain.card.read_text())
    file = plain.card.parent / "plain.onnx"
    assert card["files"]["plain.onnx"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert card["size"] == card["network_size"] == {"width": 64, "height": 48}
    source = card["input"]
    assert (source["name"], source["dtype"], source["layout"]) == ("rgb", "uint8", "NHWC")
    assert source["shape"] == [1, 48, 64, 3] and source["colours"] == "RGB" and "inside" in source["normalisation"]
    (memory,) = card["states"]
    assert (memory["name"], memory["fed_by"], memory["first"], memory["shape"]) == (
        "prev",
        "pha",
        "zeros",
        [1, 1, 48, 64],
    )
    assert card["made_from"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert card["licence"] and card["data"] and card["command"] == "koutu export small.pt …"
    assert card["tools"]["torch"] and card["tools"]["onnx"] and card["tools"]["koutu"]
    (row,) = card["parity"]["clips"]
    assert row["frames"] == 60 and row["clip"] == "talk.mp4" and row["largest"] <= BOUNDS["fp32"].largest
    assert card["parity"]["allowed"]["mean"] == BOUNDS["fp32"].mean


def test_it_runs_by_its_card_or_by_the_file_beside_it(plain):
    file = plain.card.parent / "plain.onnx"
    found = [alphas(load(path, steady=False)) for path in (plain.card, file)]
    assert off(found[0], by_torch()) < 1e-4 and off(*found) == 0
    assert load(plain.card).name.endswith("steady")  # as the network itself would be run
    assert load(plain.card, steady=False).network_size((1080, 1920)) == SIZE


def test_koutu_video_takes_it(plain, tmp_path):
    from support.media import frame_times, make_clip

    from koutu.cli import app

    out = tmp_path / "out.mp4"
    video = make_clip(tmp_path / "in.mp4", frames=6)
    done = CliRunner().invoke(app, ["video", str(video), "-o", str(out), "--model", str(plain.card), "--no-steady"])
    assert done.exit_code == 0 and "plain.onnx" in done.output and len(frame_times(out)) == 6


def test_any_size_and_pictures_as_floats(model, tmp_path):
    done = run(tmp_path, "onnx", "any.onnx", model, size="any", preprocess="outside")
    backend = load(done.card, steady=False)
    assert done.content["input"]["shape"] == [1, 3, "H", "W"] and len(done.figures) == 2
    for size in ((48, 64), (80, 40)):
        assert off(alphas(backend, size), by_torch(size)) < 1e-4


def test_a_file_of_any_size_also_runs_without_its_card(model, tmp_path):
    done = run(tmp_path, "onnx", "any.onnx", model, size="any")
    done.card.unlink()
    assert off(alphas(load(done.files[0], steady=False)), by_torch()) < 1e-4


def test_half_floats(model, tmp_path):
    done = run(tmp_path, "onnx", "half.onnx", model, precision="fp16")
    assert done.files[0].stat().st_size < 0.7 * model.stat().st_size and done.bounds == BOUNDS["fp16"]
    assert 0 < off(alphas(load(done.card, steady=False)), by_torch()) < 0.05


def test_int8_tells_what_it_costs(model, tmp_path):
    from support.media import make_clip

    video = make_clip(tmp_path / "video.mp4", frames=10)
    done = run(tmp_path, "onnx", "int8.onnx", model, precision="int8", clips=(video,), tolerance=1000.0,
               bounds=Bounds(1.0, 1.0, 100.0), preprocess="outside")  # fmt: skip
    eight = done.content["int8"]
    (row,) = eight["quality"]
    assert row["clip"] == "video.mp4" and row["mean"] > 0 and not eight["kept_in_float32"]
    import onnx

    assert "QuantizeLinear" in {node.op_type for node in onnx.load(done.files[0]).graph.node}


def test_int8_against_the_truth_of_packs(model, tmp_path):
    from support.media import make_clip
    from support.people import make_packs

    from koutu.export.defaults import SceneSources

    packs = make_packs(tmp_path)
    video = make_clip(tmp_path / "video.mp4", frames=10)
    done = run(tmp_path, "onnx", "int8.onnx", model, precision="int8", tolerance=1000.0, clips=(video,),
               scenes=SceneSources(*packs, scenes=2, frames=3, held_out=2), bounds=Bounds(1.0, 1.0, 100.0))  # fmt: skip
    rows = {row["clip"]: row for row in done.content["int8"]["quality"]}
    assert "int8_mad_x1000" not in rows["video.mp4"]
    assert rows["scene 1"]["float32_mad_x1000"] > 0 and rows["scene 1"]["int8_mad_x1000"] > 0


@pytest.mark.parametrize("size", [(120, 160), "any"])
def test_ratio_and_refinement_are_in_the_file(model, small, tmp_path, monkeypatch, size):
    from support.media import make_clip

    from koutu.matting.matter import Matter
    from koutu.media.reader import open_video

    monkeypatch.setattr("koutu.matting.matter.follow_colours", lambda pha, rgb: pha)  # these stay outside of a file
    clip = make_clip(tmp_path / "clip.mp4", frames=10, size=(120, 160))  # of any size, it is looked at in its own
    done = run(tmp_path, "onnx", "large.onnx", model, size=size, ratio=Fraction(1, 4), refine=True, clips=(clip,))
    backend = load(done.card)
    assert done.content["refined"] and done.content["states"][0]["fed_by"] == "small"
    assert backend.initial_state((120, 160))["prev"].shape == (1, 1, 32, 40)
    inside, outside = Matter(backend), Matter(load(small.card, steady=False))
    with open_video(SAMPLE / "talk.mp4") as video:
        rgb = np.asarray(_rgb(next(iter(video)), (120, 160)))
    pair = [m(rgb).alpha.astype(int) for m in (inside, outside)]
    assert np.abs(pair[0] - pair[1]).mean() < 1.0  # of 255: rounding between, and refinement near edges alone
    assert np.abs(pair[0] - pair[1]).max() < 24


def _rgb(frame, size):
    from koutu.color import to_rgb

    return to_rgb(frame.picture, size)


def test_without_refinement_alpha_is_enlarged(model, tmp_path):
    done = run(tmp_path, "onnx", "large.onnx", model, size=(120, 160), ratio=Fraction(1, 2))
    assert alphas(load(done.card), (120, 160))[0].shape == (120, 160) and not done.content["refined"]


def test_openvino_in_a_process_of_its_own(model, tmp_path):
    pytest.importorskip("openvino")
    out = tmp_path / "net.xml"
    words = ["export", str(model), "--to", "openvino", "-o", str(out), "--precision", "fp16", "--size", "64x48"]
    # OpenVINO upsets the handler of SIGCHLD that PyTorch's loaders leave behind
    done = subprocess.run([sys.executable, "-m", "koutu", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    card = json.loads(out.with_suffix(".json").read_text())
    assert set(card["files"]) == {"net.xml", "net.bin"} and card["precision"] == "fp16"
    assert card["command"].startswith("koutu export") and "parity, 60 frames" in done.stdout


@NCNN
def test_ncnn(tmp_path):
    done = run(tmp_path, "ncnn", "net.param", checkpoint(tmp_path, mirrored=True))
    assert {file.name for file in done.files} == {"net.param", "net.bin"}
    assert load(tmp_path / "net.json").name.endswith("steady")
    assert done.content["input"]["layout"] == "CHW" and len(alphas(load(tmp_path / "net.param", threads=1))) == 3


@COREML
def test_core_ml_is_made_and_says_that_it_was_not_proved(model, tmp_path):
    done = run(tmp_path, "coreml", "net", model)
    assert done.files[0].is_dir() and done.content["parity"]["verified"] is False
    assert "macOS" in done.content["parity"]["why"] and len(done.content["files"]) >= 3
    if sys.platform != "darwin":
        with pytest.raises(ModelError, match="macOS"):
            load(done.card)


@CAFFE
def test_caffe(model, tmp_path):
    done = run(tmp_path, "caffe", "net.caffemodel", model)
    assert done.figures[0].largest < 1e-3
    assert off(alphas(load(tmp_path / "net.prototxt", steady=False)), by_torch()) < 1e-3


def test_its_speed_is_measured_by_the_card(model, plain, tmp_path):
    from koutu.bench.cases import cases
    from koutu.bench.plan import BenchPlan

    run(tmp_path, "openvino", "other.xml", model)
    specs = [str(plain.card), str(tmp_path / "other.xml")]
    (first, second) = cases(specs, BenchPlan(sizes=[SIZE], against=specs[0]))
    assert (first.name, first.engine, first.precision, first.file) == ("plain", "onnxruntime", "fp32", "plain.onnx")
    assert (second.engine, second.precision, second.file) == ("openvino", "fp32", "other.xml")
    cost = first.cost(first.open())
    assert cost.macs and cost.at == SIZE and second.cost(second.open()).bytes


def test_a_package_for_a_chip(model, tmp_path):
    done = run(tmp_path, "ascend", "package", model, device={"soc": "Ascend310B1", "source_format": "nv12"})
    card = json.loads((tmp_path / "package" / "card.json").read_text())
    assert card["ascend"]["soc"] == "Ascend310B1" and card["parity_of_its_onnx"]["verified"] and card["licence"]
    assert done.card == tmp_path / "package" / "card.json" and "build.sh" in {file.name for file in done.files}
    assert off(alphas(load(tmp_path / "package", steady=False)), by_torch()) < 0.2  # chroma at half size, half floats
    with pytest.raises(OutputError, match="holds something"):
        run(tmp_path, "ascend", "package", model)
    with pytest.raises(InputError, match="--to hilens"):
        run(tmp_path, "ascend", "other", model, device={"background": SAMPLE / "lake.jpg"})


def test_a_skill(model, tmp_path):
    told = {"background": SAMPLE / "lake.jpg", "settings": {"layout": "full"}}
    done = run(tmp_path, "hilens", "skill", model, device=told)
    assert {file.name for file in done.files} == {"skill", "skill.zip"}
    assert json.loads((tmp_path / "skill" / "config.json").read_text())["layout"] == "full"
    assert len(alphas(load(tmp_path / "skill", steady=False))) == 3
    with pytest.raises(InputError, match="leave --soc out"):
        run(tmp_path, "hilens", "other", model, device={"soc": "Ascend310P1"})


def test_a_skill_of_the_picture_alone(model, tmp_path):
    """For published programs: main.py has run(work_path), and the network takes RGB and nothing else."""
    from support.media import frame_times, make_clip

    from koutu.hilens_simulator import Session, simulate

    done = run(tmp_path, "hilens", "skill", model, device={"article": True, "background": "#305070"})
    folder = tmp_path / "skill"
    card = json.loads((folder / "model" / "card.json").read_text())
    assert (card["inputs"], card["states"], card["source"], done.content["states"]) == (["src"], {}, "rgb", [])
    assert {path.name for path in folder.glob("*")} == {
        "main.py", "utils.py", "card.json", "model", "build", "workspace", "README.md"
    }  # fmt: skip
    assert "build-kit.sh" in (folder / "README.md").read_text() and (folder / "workspace/data/background.jpg").is_file()
    clip = make_clip(tmp_path / "square.mp4", frames=3, size=(96, 96))
    ended = simulate(Session(str(folder), str(clip), str(tmp_path / "out.mp4")))
    assert ended.code == 143 and len(frame_times(tmp_path / "out.mp4")) == 3, ended.log


def test_what_the_picture_alone_cannot_do(tmp_path):
    from koutu.export.subject import subject

    with pytest.raises(ModelError, match="whose memory is its alpha or none, got RVM"):
        subject("rvm", "random").picture_only()


@LITERT
def test_tflite(model, tmp_path):
    done = run(tmp_path, "tflite", "net.tflite", model)
    assert done.figures[0].largest < 1e-3


def test_a_network_with_another_memory(tmp_path):
    done = run(tmp_path, "onnx", "rvm.onnx", "rvm", size=(64, 96), ratio=Fraction(1, 2), weights="random")
    names = [(memory["name"], memory["fed_by"]) for memory in done.content["states"]]
    assert names == [(f"r{i}i", f"r{i}o") for i in range(1, 5)]
    fgr, pha, _ = load(done.card)(picture((64, 96)), load(done.card).initial_state((64, 96)))
    assert fgr is not None and fgr.shape == (64, 96, 3) and pha.shape == (64, 96)


def test_the_card_of_something_else_stays(model, copied):
    """NAME.json may be another export's card or no card at all; the same export may be written anew."""
    (copied / "mine.json").write_text("{}")
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    with pytest.raises(OutputError, match="export to onnx"):
        run(copied, "openvino", "plain.xml", model)
    with pytest.raises(OutputError, match="no card of koutu's"):
        run(copied, "openvino", "mine.xml", model)
    with pytest.raises(OutputError, match="rename it"):
        run(copied, "openvino", "plain.onnx", model)
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == before
    run(copied, "onnx", "plain.onnx", model)
    run(copied, "ascend", "plain", model)  # its card is inside its folder


def test_what_differs_too_much_is_not_written(model, tmp_path):
    from koutu.cli import app

    given = ["export", str(model), "--to", "onnx", "--size", "64x48", "-o", str(tmp_path / "out.onnx")]
    done = CliRunner().invoke(app, [*given, "--allow", "0,0,0"])
    assert isinstance(done.exception, ParityError) and done.exception.exit_code == 9
    assert "talk.mp4" in str(done.exception) and "--allow" in str(done.exception) and not any(tmp_path.iterdir())


def test_numbers_that_are_none_are_too_much():
    from koutu.export.parity import compared

    zeros = [np.zeros((2, 2), np.float32)] * 2
    broken = [np.full((2, 2), np.nan, np.float32)] * 2
    assert not compared(broken, zeros, "c", (2, 2)).within(Bounds(9, 9, 9))
    assert compared(zeros, zeros, "c", (2, 2)).within(Bounds(0, 0, 0))


BAD: list[tuple[dict[str, Any], type[KoutuError], str]] = [
    ({"target": "tpu"}, InputError, "out of onnx, openvino"),
    ({"size": (50, 64)}, InputError, "multiples of 8 .* got 64x50; use --size 64x48"),
    ({"size": (48, 64), "target": "ncnn", "preprocess": "inside"}, InputError, "--preprocess outside for ncnn"),
    ({"target": "caffe", "precision": "int8"}, InputError, "--precision fp32 for caffe"),
    ({"precision": "fp8"}, InputError, "fp32 or fp16 or int8"),
    ({"target": "ncnn", "size": "any"}, InputError, "of one size; give --size"),
    ({"target": "caffe", "refine": True}, InputError, "hold the refinement"),
    ({"size": "any", "refine": True}, InputError, "--ratio to refine"),
    ({"ratio": Fraction(1, 4), "target": "ascend"}, InputError, "no --ratio for ascend"),
    ({"precision": "int8", "clips": (Path("none.mp4"),)}, InputError, "none.mp4"),
    ({"frames": 10}, InputError, "60 frames or more"),
    ({"name": "out.xml"}, OutputError, "out.onnx for onnx, got out.xml"),
    ({"name": "nowhere/out.onnx"}, OutputError, "found no"),
    ({"device": {"soc": "Ascend310"}}, InputError, "--soc with --to ascend or hilens, got it with onnx"),
    ({"target": "hilens", "name": "skill", "device": {"settings": {"layuot": "full"}}}, InputError, "layuot"),
    ({"target": "hilens", "name": "skill", "device": {"background": "blur:2.5"}}, InputError, "whole strength"),
    ({"device": {"article": True}}, InputError, "--article with --to ascend or hilens, got it with onnx"),
    ({"target": "ascend", "name": "kit", "device": {"article": True}}, InputError, "--article with --to hilens"),
    (
        {"target": "hilens", "name": "skill", "device": {"article": True, "settings": {"layout": "full"}}},
        InputError,
        "no --setting with --article",
    ),
    (
        {"target": "hilens", "name": "skill", "device": {"article": True, "background": "blur"}},
        InputError,
        "an image or a colour behind the article's program, got blur",
    ),
    (
        {"target": "hilens", "name": "skill", "device": {"background": "red", "settings": {"background": "blur"}}},
        InputError,
        "got both",
    ),
]


@pytest.mark.parametrize(("asked", "kind", "said"), BAD, ids=[said for _, _, said in BAD])
def test_what_cannot_be_is_refused_before_anything_is_done(model, tmp_path, asked, kind, said):
    target, name = asked.get("target", "onnx"), asked.get("name", "out")
    more = {key: value for key, value in asked.items() if key not in ("target", "name")}
    if target == "ncnn" and not find_spec("pnnx"):
        pytest.skip("pnnx is not installed")
    with pytest.raises(kind, match=said):
        run(tmp_path, target, name, model, **more)
    assert not any(tmp_path.iterdir())


def test_a_network_that_needs_more_than_pictures_is_refused(tmp_path):
    from koutu.export.subject import subject

    with pytest.raises(ModelError, match="also needs bgr"):
        subject("bgmv2", "random")
    for name, said in (("nobody", "packaged weights"), ("none.pt", "no such file"), ("rvm", "--weights random")):
        with pytest.raises(ModelError, match=said):
            subject(name)


def test_rvm_is_of_one_size_and_refines_by_itself(tmp_path):
    with pytest.raises(InputError, match="graph of rvm is of one size"):
        run(tmp_path, "onnx", "out", "rvm", size="any", weights="random")
    with pytest.raises(InputError, match="refines by itself"):
        run(tmp_path, "onnx", "out", "rvm", size=(64, 64), refine=True, weights="random")


class Odd(Network):
    """A network with an operator that few targets have."""

    cfg = None

    def __init__(self, function: Any):
        super().__init__()
        self.conv, self.function = torch.nn.Conv2d(3, 1, 3, padding=1), function

    def forward(self, src: Any) -> tuple[Any, ...]:
        return src, torch.sigmoid(self.function(self.conv(src)))


def test_an_operator_that_a_target_lacks_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("koutu.export.targets.tools.require_opencv4", lambda: None)  # it is not come to
    from koutu.export.run import Request, export
    from koutu.export.subject import Subject
    from koutu.export.targets.ncnn import require_layers

    param = tmp_path / "net.param"
    param.write_text("7767517\n2 2\nInput in0 0 1 in0\nF.max_unpool2d u0 1 1 in0 out0\n")
    with pytest.raises(ModelError, match=r"no layer for F\.max_unpool2d"):
        require_layers(param, "shm")
    for target, function, said in (
        ("onnx", torch.special.i0, "aten::i0"), ("caffe", torch.erf, "Erf"), ("ascend", torch.erf, "Erf")
    ):  # fmt: skip
        odd = Subject("odd", "odd", Odd(function), 64, "yours", "none")
        with pytest.raises(ModelError, match=said):
            export(Request(target, tmp_path / "out", SIZE), odd)
    assert [path.name for path in tmp_path.iterdir()] == ["net.param"]


def test_a_missing_tool_is_named_with_its_remedy(model, tmp_path, monkeypatch):
    monkeypatch.setattr("koutu.export.targets.table.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"torch, which is not installed; pip install"):
        run(tmp_path, "onnx", "out", model)
    monkeypatch.undo()
    monkeypatch.setattr("koutu.export.run._module", None)  # before any work
    for python, got in (("", "none"), (sys.executable, "which has none"), (str(SAMPLE / "lake.jpg"), "does not run")):
        monkeypatch.setenv("KOUTU_LITERT_PYTHON", python)
        if find_spec("ai_edge_litert"):
            with pytest.raises(ModelError, match=rf"litert-torch .*{got}.* && litert/bin/pip install"):
                run(tmp_path, "tflite", "out", model)
    monkeypatch.setenv("KOUTU_OPENCV4", str(tmp_path))
    with pytest.raises(ModelError, match=rf"OpenCV 4 in the folder .* got {tmp_path}; pip install"):
        run(tmp_path, "caffe", "out", model)
    assert not any(tmp_path.iterdir())


def test_a_missing_tool_is_named_before_anything_heavy_is_loaded(tmp_path):
    """In the first second: neither PyTorch nor a network was touched."""
    code = "import sys; from koutu.cli.export import export\ntry: export('rvm', {!r}, sys.argv[1])\n"
    code += "except Exception as e: print(e, 'torch' in sys.modules, 'cv2' in sys.modules)"
    bare = {name: value for name, value in os.environ.items() if name not in ("KOUTU_OPENCV4", "KOUTU_LITERT_PYTHON")}
    for target, said in (("caffe", "KOUTU_OPENCV4"), ("tflite", "KOUTU_LITERT_PYTHON")):
        words = [sys.executable, "-c", code.format(target), str(tmp_path / "out")]
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=bare)
        assert "False False" in done.stdout and (said in done.stdout or "not installed" in done.stdout)


def test_what_was_there_stays_when_an_export_fails(model, copied):
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    with pytest.raises(ParityError):
        run(copied, "onnx", "plain.onnx", model, bounds=Bounds(0, 0, 0))
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == before


def test_cards_and_files_that_do_not_go_together_are_told(plain, tmp_path):
    card = json.loads(plain.card.read_text())

    def written(**changes: Any) -> Path:
        (tmp_path / "plain.onnx").write_bytes((plain.card.parent / "plain.onnx").read_bytes())
        (tmp_path / "plain.json").write_text(json.dumps({**card, **changes}))
        return tmp_path / "plain.json"

    assert load(written(), steady=False)
    for changes, said in (
        ({"koutu_export": 9}, "version 1, got 9"), ({"states": 3}, "states as a list"), ({"size": 3}, "a width"),
        ({"ratio": "much"}, "a ratio"), ({"outputs": {}}, "the output pha"), ({"target": "tpu"}, "that runs here"),
        ({"input": {"name": "rgb"}}, "too"), ({"files": {"gone.onnx": "00"}}, "beside its card"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=said):
            load(written(**changes))
    written()
    (tmp_path / "plain.onnx").write_bytes(b"cut")
    with pytest.raises(ModelError, match="damaged or of another export"):
        load(tmp_path / "plain.json")
    (tmp_path / "plain.json").write_text("[")
    with pytest.raises(ModelError, match="expected the JSON card"):
        load(tmp_path / "plain.json")
    with pytest.raises(ModelError, match="no such file"):
        load(tmp_path / "none.json")
    with pytest.raises(ModelError, match=r"card alone\.json beside"):
        load(tmp_path / "alone.xml")
    with pytest.raises(ModelError, match="an engine for onnx"):
        load(plain.card, engine="torch")
    with pytest.raises(ModelError, match="leave it out"):
        load(plain.card, gate=True)
