"""One contract over all engines: the same clip gives the same matte; what cannot run says why."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from koutu.engines.onnxruntime import OnnxBackend
from koutu.engines.table import ENGINES
from koutu.types import ModelError
from koutu.zoo import load


def engines() -> list[str]:
    found = ["onnxruntime"]
    try:
        import openvino  # noqa: F401
    except ImportError:
        return found
    return [*found, "openvino"]


def clip(frames: int = 8) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (96, 160, 3), np.uint8)
    return [np.ascontiguousarray(np.roll(scene, 4 * t, axis=1)) for t in range(frames)]


@pytest.mark.parametrize("engine", engines())
def test_same_clip_same_matte(engine, tiny_onnx):
    reference, backend = OnnxBackend(tiny_onnx), ENGINES[engine](tiny_onnx)
    state, other = reference.initial_state((96, 160)), backend.initial_state((96, 160))
    for rgb in clip():
        _, true, state = reference(rgb, state)
        fgr, pha, other = backend(rgb, other)
        assert fgr is None and pha.shape == (96, 160) and pha.dtype == np.float32
        assert np.abs(pha - true).max() < 2e-3


@pytest.mark.parametrize("engine", engines())
def test_a_backend_holds_no_memory(engine, tiny_onnx):
    backend = ENGINES[engine](tiny_onnx)
    first, second = clip(2)
    state = backend.initial_state((96, 160))
    _, once, _ = backend(first, state)
    backend(second, state)
    _, again, _ = backend(first, backend.initial_state((96, 160)))
    assert np.array_equal(once, again)


@pytest.mark.parametrize("engine", engines())
@pytest.mark.parametrize("size", [(720, 1280), (1280, 720), (1, 1), (2, 16000), (16000, 2), (640, 640)])
def test_network_size_keeps_the_cost(engine, size, tiny_onnx):
    h, w = ENGINES[engine](tiny_onnx).network_size(size)
    assert h % 32 == 0 == w % 32 and min(h, w) >= 32
    assert h * w <= 2 * 96 * 160


def test_size_may_change_between_frames(tiny_onnx):
    for engine in engines():
        backend = ENGINES[engine](tiny_onnx)
        for size in ((64, 64), (96, 160), (64, 64)):
            _, pha, _ = backend(np.zeros((*size, 3), np.uint8), backend.initial_state(size))
            assert pha.shape == size


@pytest.mark.parametrize("engine", engines())
def test_what_cannot_run_says_why(engine, tiny_onnx, tmp_path: Path):
    with pytest.raises(ModelError, match="expected a model file at"):
        load(tmp_path / "none.onnx", engine=engine)
    (tmp_path / "rubbish.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelError, match="could not be loaded"):
        load(tmp_path / "rubbish.onnx", engine=engine)
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(tiny_onnx.read_bytes()[:5000])
    with pytest.raises(ModelError):
        load(cut, engine=engine)
    with pytest.raises(ModelError, match="quantum"):
        load(tiny_onnx, engine=engine, device="quantum")


def test_a_foreign_network_is_refused(tiny_onnx, tmp_path: Path):
    import onnx

    model = onnx.load(tiny_onnx)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    for engine in engines():
        with pytest.raises(ModelError, match="exported by koutu"):
            load(tmp_path / "foreign.onnx", engine=engine)


def test_names_are_checked(tiny_onnx, tmp_path: Path, monkeypatch):
    with pytest.raises(ModelError, match="expected a model out of"):
        load("u2mot")
    with pytest.raises(ModelError, match="expected an engine out of"):
        load(tiny_onnx, engine="tensorrt")
    with pytest.raises(ModelError, match="threads"):
        load(tiny_onnx, threads=-1)
    from koutu import zoo

    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match="missing"):
        load()
    for get in (load, zoo.checkpoint_of):
        with pytest.raises(ModelError, match=r"put modnet-small-research\.(onnx|pt) there"):
            get("modnet-small-research")
    shutil.copy(tiny_onnx, tmp_path / zoo.MODELS[zoo.DEFAULT].file)
    with pytest.raises(ModelError, match="damaged"):
        load()


@pytest.mark.parametrize("engine", engines())
def test_an_engines_own_error_is_told_as_ours(engine, tiny_onnx):
    backend = ENGINES[engine](tiny_onnx)
    wrong = {name: np.zeros((1, 1, 32, 64), np.float32) for name in backend.initial_state((32, 32))}
    with pytest.raises(ModelError, match="expected alpha of a frame"):
        backend(np.zeros((32, 32, 3), np.uint8), wrong)
