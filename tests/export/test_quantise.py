"""Int8 files: how far they are from float32, which layers stay, what is refused, and that both engines run them."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.long import LONG

from koutu.engines.early_exit import parts_of
from koutu.engines.onnxruntime import OnnxBackend
from koutu.engines.table import ENGINES
from koutu.types import InputError, ModelError

SIZE = (64, 96)
onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tmodnet of random weights with its parts."""
    torch = pytest.importorskip("torch")
    from koutu.export.early_exit.parts import export_parts
    from koutu.export.onnx import export_onnx
    from koutu.models.tmodnet import Config, TMODNet

    torch.manual_seed(0)
    network = TMODNet(Config(semantic_size=64, detail_channels=(4, 8), detail_blocks=1, context=16)).eval()
    torch.nn.init.normal_(network.fusion_branch.correction.weight, std=0.4)
    path = tmp_path_factory.mktemp("quantise") / "tiny.onnx"
    export_onnx(network, path, name="tiny", pixels=SIZE[0] * SIZE[1])
    export_parts(network, path, name="tiny", pixels=SIZE[0] * SIZE[1])
    return path


def clips(count: int = 4, frames: int = 5) -> list:
    from koutu.export.clips import CalibrationClip

    rng = np.random.default_rng(0)
    scenes = [np.kron(rng.integers(0, 256, (8, 12, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(count)]
    return [CalibrationClip(np.stack([np.roll(scene, 3 * t, axis=1) for t in range(frames)])) for scene in scenes]


@pytest.fixture(scope="module")
def whole(exported, tmp_path_factory):
    """All layers in eight bits."""
    from koutu.export.int8.quantise import quantise

    return quantise(exported, tmp_path_factory.mktemp("int8") / "int8.onnx", clips(), tolerance=1000)


def kinds(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def test_with_room_enough_all_layers_become_int8(exported, whole):
    found = kinds(whole.path)
    assert whole.kept == () and whole.error == whole.whole > 0 and whole.sensitivity == {}
    assert whole.layers < kinds(exported).count("Conv")  # those over one position stay
    weights = [
        w for w in onnx.load(whole.path).graph.initializer if w.data_type == onnx.TensorProto.INT8 and len(w.dims) == 4
    ]
    assert len(weights) == whole.layers and found.count("QuantizeLinear") >= whole.layers / 2
    assert any(np.prod(scale.dims) > 1 for scale in onnx.load(whole.path).graph.initializer if "scale" in scale.name)
    assert OnnxBackend(whole.path).card["precision"] == "int8"


def test_it_says_what_it_differs_by(exported, whole):
    true, ours = OnnxBackend(exported), OnnxBackend(whole.path)
    off = []
    for clip in clips()[1::2]:
        state = true.initial_state(SIZE)
        for t, rgb in enumerate((clip.src[0], *clip.src)):
            _, pha, after = true(rgb, state)
            if t % 4 == 0:
                off.append(np.abs(ours(rgb, state)[1] - pha).mean())
            state = after
    assert whole.error == pytest.approx(1000 * np.mean(off), rel=1e-3)


@LONG
def test_sensitive_layers_stay_float(tiny_onnx, tmp_path):
    """Of a network with half as many layers, since each is tried alone."""
    from koutu.export.int8.quantise import quantise

    whole = quantise(tiny_onnx, tmp_path / "all.onnx", clips(), tolerance=1000)
    found = quantise(tiny_onnx, tmp_path / "some.onnx", clips(), tolerance=whole.whole / 2)
    assert 0 < len(found.kept) < found.layers == len(found.sensitivity)
    assert found.error <= whole.whole / 2 and found.whole == pytest.approx(whole.whole, rel=1e-6)
    least = min(found.sensitivity[name] for name in found.kept)
    assert all(error <= least for name, error in found.sensitivity.items() if name not in found.kept)
    assert OnnxBackend(found.path).card["kept"] == list(found.kept)
    none = quantise(tiny_onnx, tmp_path / "none.onnx", clips(2, 2), tolerance=0.0)
    assert len(none.kept) == none.layers and none.error == 0 and "QuantizeLinear" not in kinds(none.path)


def test_the_gates_parts_come_along(exported, whole):
    low, rest = parts_of(whole.path)
    assert low.read_bytes() == parts_of(exported)[0].read_bytes()
    assert "QuantizeLinear" in kinds(rest) and OnnxBackend(rest).card["part"] == "rest"
    begun = OnnxBackend(low).run(feeds := {"rgb": clips(1)[0].src[:1], "prev": np.zeros((1, 1, *SIZE), np.float32)})
    feeds |= {name: begun[name] for name in ("logits", "features")}
    pair = [OnnxBackend(part).run(feeds)["pha"] for part in (rest, parts_of(exported)[1])]
    assert 0 < np.abs(pair[0] - pair[1]).mean() < 0.05


def test_the_engines_run_the_same_file(whole):
    pytest.importorskip("openvino")
    # in a process of its own: OpenVINO upsets the handler of SIGCHLD that PyTorch's loaders leave behind
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        other = apart.submit(_alpha, "openvino", whole.path).result()
    # an activation at the edge of two steps may fall to either
    assert np.abs(_alpha("onnxruntime", whole.path) - other).mean() < 2e-3


def _alpha(engine: str, path: Path) -> np.ndarray:
    backend = ENGINES[engine](path)
    return backend(clips(1)[0].src[0], backend.initial_state(SIZE))[1]


def test_what_cannot_be_quantised_is_refused_and_nothing_written(exported, whole, tmp_path):
    from koutu.export.int8.quantise import quantise

    with pytest.raises(InputError, match="two clips"):
        quantise(exported, tmp_path / "a.onnx", clips(1))
    with pytest.raises(ModelError, match="already"):
        quantise(whole.path, tmp_path / "a.onnx", clips())
    with pytest.raises(InputError, match="another file"):
        quantise(exported, exported, clips())
    with pytest.raises(ModelError, match="expected a model file"):
        quantise(tmp_path / "none.onnx", tmp_path / "a.onnx", clips())
    assert not any(tmp_path.iterdir())


def test_a_film_of_ones_own_is_enough(exported, tmp_path):
    from support.media import make_clip
    from typer.testing import CliRunner

    from koutu.cli import app

    video, out = make_clip(tmp_path / "video.mp4", frames=16), tmp_path / "out.onnx"
    given = ["quantise", str(exported), "-o", str(out), "--clip", str(video), "--tolerance", "1000"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0 and f"wrote {out}" in done.output and "thousandths" in done.output
    assert OnnxBackend(out).card["precision"] == "int8"
    alone = CliRunner().invoke(app, [*given[:4], "--people", str(tmp_path)])
    assert isinstance(alone.exception, InputError) and "together" in str(alone.exception)
