"""Packages for Ascend chips: operators and what is written instead, commands, the folder, and what runs by its card."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from koutu.color import rgb_to_yuv
from koutu.types import Frame, InputError, ModelError, OutputError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")
torch = pytest.importorskip("torch")

from onnx import TensorProto, numpy_helper  # noqa: E402
from support.graphs import f32, network  # noqa: E402

from koutu.engines.ascend.backend import AscendBackend, camera_bytes  # noqa: E402
from koutu.export.ascend import check, rewrite, write_package  # noqa: E402
from koutu.export.ascend.commands import Conversion, atc, omg, script  # noqa: E402
from koutu.export.ascend.rewrite import half_weights, largest_difference  # noqa: E402

SIZE = (64, 96)


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def turned(axis: int) -> dict[str, np.ndarray]:
    """A Slice's constants, that turn an axis round."""
    return {"a": i64(-1), "b": i64(-(2**62)), "c": i64(axis), "d": i64(-1)}


WRITTEN = {
    "InstanceNorm": network(
        (2, 5, 9, 7), [("InstanceNormalization", ["s", "b"], {"epsilon": 1e-3})], {"s": f32(5), "b": f32(5, seed=1)}
    ),
    "InstanceNorm over many positions": network(
        (1, 3, 120, 96), [("InstanceNormalization", ["s", "b"], {})], {"s": f32(3), "b": f32(3, seed=1)}
    ),
    "global mean": network((1, 3, 128, 96), [("GlobalAveragePool", [], {})]),
    "mean without its axes": network((1, 3, 128, 96), [("ReduceMean", [], {"axes": [2, 3], "keepdims": 0})]),
    "small mean without its axes": network((1, 3, 8, 9), [("ReduceMean", [], {"axes": [-1, -2], "keepdims": 0})]),
    "resize to a sixteenth": network(
        (1, 3, 64, 96), [("Resize", ["", "s"], {"mode": "linear"})], {"s": np.array([1, 1, 0.25, 0.25], np.float32)}
    ),
    "resize by sizes": network(
        (1, 3, 50, 70),
        [("Resize", ["", "", "n"], {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"})],
        {"n": i64(1, 3, 13, 20)},
    ),
    "resize to a hundredth": network(
        (1, 2, 80, 100), [("Resize", ["", "s"], {"mode": "linear"})], {"s": np.array([1, 1, 0.1, 0.1], np.float32)}
    ),
    "nearest": network(
        (1, 2, 80, 100),
        [("Resize", ["", "s"], {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"})],
        {"s": np.array([1, 1, 0.1, 0.2], np.float32)},
    ),
    "steps": network(
        (1, 3, 9, 12), [("Slice", ["a", "b", "c", "d"], {})],
        {"a": i64(1, 0), "b": i64(9, 2**40), "c": i64(2, 3), "d": i64(2, 3)},
    ),
    "mirror": network((2, 3, 4, 7), [("Slice", ["a", "b", "c", "d"], {})], turned(3)),
    "upside down": network((2, 3, 4, 7), [("Slice", ["a", "b", "c", "d"], {})], turned(2)),
    "DepthToSpace": network((1, 12, 4, 5), [("DepthToSpace", [], {"blocksize": 2})]),
    "DepthToSpace, CRD": network((1, 12, 4, 5), [("DepthToSpace", [], {"blocksize": 2, "mode": "CRD"})]),
    "SpaceToDepth": network((1, 3, 4, 6), [("SpaceToDepth", [], {"blocksize": 2})]),
    "HardSwish": network((1, 3, 4, 6), [("HardSwish", [], {})]),
    "Clip": network((1, 3, 4, 6), [("Clip", ["l", "h"], {})], {"l": np.float32(0.2), "h": np.float32(0.7)}),
    "groups": network((1, 6, 8, 8), [("Conv", ["w"], {"group": 2, "pads": [1] * 4})], {"w": f32(4, 3, 3, 3)}),
    "transposed groups": network(
        (1, 6, 8, 8), [("ConvTranspose", ["w"], {"group": 3, "strides": [2, 2]})], {"w": f32(6, 2, 2, 2)}
    ),
    "GlobalMaxPool": network((1, 3, 9, 7), [("GlobalMaxPool", [], {})]),
    "Sqrt and Neg": network((1, 3, 4, 6), [("Sqrt", [], {}), ("Neg", [], {})]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_instead_does_the_same(name):
    model = WRITTEN[name]
    assert any(finding.rewrite for finding in check(model))
    found = rewrite(model)
    assert found.done and found.left == ()
    assert check(found.model) == []
    assert largest_difference(model, found.model) == pytest.approx(found.difference, abs=1e-5)
    assert found.difference < 2e-6


REFUSED = {
    "a size that is not fixed": (network((1, 3, 8, 0), [("Relu", [], {})]), "not fixed"),
    "an operator of nobody's": (network((1, 3, 4, 6), [("Erf", [], {})]), "not in the list"),
    "cubic": (
        network((1, 3, 8, 8), [("Resize", ["", "s"], {"mode": "cubic"})], {"s": np.array([1, 1, 2, 2], np.float32)}),
        "bilinear",
    ),
    "reflection": (
        network((1, 3, 8, 8), [("Pad", ["p"], {"mode": "reflect"})], {"p": i64(0, 0, 1, 1, 0, 0, 1, 1)}), "reflect",
    ),
    "a mean over channels": (network((1, 3, 8, 8), [("ReduceMean", [], {"axes": [1]})]), "rows and columns"),
    "primes": (network((1, 1, 10007, 2), [("GlobalAveragePool", [], {})]), "positions"),
    "channels turned round": (network((1, 3, 4, 7), [("Slice", ["a", "b", "c", "d"], {})], turned(1)), "step of -1"),
    "a wide depthwise convolution": (
        network((1, 4, 8, 400), [("Conv", ["w"], {"group": 4, "pads": [1] * 4})], {"w": f32(4, 1, 3, 3)}), "depthwise",
    ),
    "a pooling with a rest": (
        network((1, 3, 9, 9), [("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1})]),
        "rest",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_otherwise_is_named(name):
    model, problem = REFUSED[name]
    found = [finding for finding in check(model) if problem in str(finding)]
    assert found and not found[0].rewrite
    assert "node0" in str(found[0]) or "(x)" in str(found[0])
    assert "; " in str(found[0])  # what to do


def test_the_lists_differ():
    model = network((1, 3, 4, 6), [("HardSwish", [], {}), ("Erf", [], {})])
    assert [finding.kind for finding in check(model, "kit")] == ["HardSwish", "Erf"]
    assert check(model, "cann") == []
    with pytest.raises(InputError, match="kit, cann"):
        check(model, "all")


def test_a_wrong_rewrite_would_be_seen(monkeypatch):
    from koutu.export.ascend import rules

    monkeypatch.setitem(rules.RULES, "HardSwish", lambda write, node: write("Relu", node.input[0]))
    with pytest.raises(ModelError, match="node0"):
        rewrite(WRITTEN["HardSwish"])


def test_weights_are_rounded_to_half_floats():
    model = half_weights(WRITTEN["groups"])
    weights = numpy_helper.to_array(model.graph.initializer[0])
    assert np.array_equal(weights, f32(4, 3, 3, 3).astype(np.float16).astype(np.float32))
    large = network((1, 3, 8, 8), [("Conv", ["w"], {})], {"w": 1e6 * f32(4, 3, 3, 3)})
    with np.errstate(over="ignore"), pytest.raises(ModelError, match="65504"):
        half_weights(large)


def test_commands_are_what_the_converters_take():
    shapes = {"src": (1, 3, 288, 512), "prev": (1, 1, 288, 512)}
    about = Conversion("net", "Ascend310P3", shapes, ("prev",))
    assert atc(about)[:6] == [
        "atc", "--model=net.onnx", "--framework=5", "--output=net", "--soc_version=Ascend310P3", "--input_format=NCHW",
    ]  # fmt: skip
    assert "--input_shape=src:1,3,288,512;prev:1,1,288,512" in atc(about)
    assert "--insert_op_conf=aipp.cfg" in atc(about) and "--output_type=FP32" in atc(about)
    assert not any("fp16_nodes" in word for word in atc(about))
    half = Conversion("net", "Ascend310B4", shapes, ("prev",), memory_type="FP16", precision="allow_mix_precision")
    assert {"--input_fp16_nodes=prev", "--output_type=FP16", "--precision_mode=allow_mix_precision"} <= set(atc(half))
    kit = Conversion("net", "Ascend310", shapes, ("prev",))
    assert {"--model=net.prototxt", "--weight=net.caffemodel", "--framework=0"} <= set(atc(kit, "caffe")) & set(
        omg(kit)
    )
    assert omg(kit)[0] == "omg" and not any("soc_version" in word for word in omg(kit))
    with pytest.raises(InputError, match="use atc"):
        omg(about)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"soc": "310B"}, "npu-smi"), ({"soc": "Ascend910"}, "Ascend310"), ({"memory_type": "INT8"}, "FP32"),
        ({"precision": "fast"}, "force_fp16"), ({"implementation": "best"}, "high_precision"),
        ({"precision": "must_keep_origin_dtype"}, "half floats"),
    ],
)  # fmt: skip
def test_impossible_conversions_are_refused(change, match):
    with pytest.raises(InputError, match=match):
        Conversion(**({"name": "net", "soc": "Ascend310", "shapes": {"src": (1, 3, 8, 8)}} | change))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A small temporal network of random weights, one size."""
    from koutu.export.fixed import fixed_onnx
    from koutu.models.tmodnet import Config, TMODNet

    torch.manual_seed(0)
    net = TMODNet(Config(semantic_size=64, detail_channels=(4, 8), detail_blocks=1, context=16)).eval()
    torch.nn.init.normal_(net.fusion_branch.correction.weight, std=0.1)
    path = tmp_path_factory.mktemp("ascend") / "tiny.onnx"
    fixed_onnx(net, path, SIZE)
    return path


@pytest.fixture(scope="module")
def package(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "tiny"
    heard: list[str] = []
    files = write_package(tiny, folder, size=SIZE, tell=heard.append, about={"licence": "Apache-2.0"})
    assert [file.name for file in files] == [
        "README.md", "aipp.cfg", "build-caffe.sh", "build-kit.sh", "build.sh", "card.json", "tiny.caffemodel",
        "tiny.onnx", "tiny.prototxt",
    ]  # fmt: skip
    assert "atc is not on PATH" in heard[0]
    return folder


@pytest.fixture
def without_atc(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"/usr/bin{os.pathsep}/bin")


def scene(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 256, (8, 12, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def test_a_package_answers_as_its_network(package, tiny):
    import onnxruntime

    chip = AscendBackend(package / "card.json")
    rgb = scene()
    assert chip.network_size((1080, 1920)) == SIZE
    state = chip.initial_state(SIZE)
    _, pha, state = chip(rgb, state)
    session = onnxruntime.InferenceSession(str(tiny), providers=["CPUExecutionProvider"])
    src = (rgb.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    (true,) = session.run(None, {"src": src, "prev": np.zeros((1, 1, *SIZE), np.float32)})
    assert pha.shape == SIZE and np.abs(pha - np.asarray(true)[0, 0]).mean() < 0.02
    assert np.array_equal(pha, pha.astype(np.float16)) and np.array_equal(state["prev"][0, 0], pha)


def test_a_cameras_bytes_give_what_a_picture_gives(package):
    chip = AscendBackend(package / "card.json")
    rgb, state = scene(1), chip.initial_state(SIZE)
    yuv = rgb_to_yuv(rgb, chip.space)
    nv21 = np.concatenate([yuv.y.reshape(-1), np.stack([yuv.v, yuv.u], axis=-1).reshape(-1)])
    alpha, _ = chip.infer(nv21, state)
    assert np.array_equal(alpha, chip(rgb, state)[1])
    with pytest.raises(ModelError, match="bytes"):
        chip.infer(nv21[:-1], state)
    with pytest.raises(ModelError, match="scale it"):
        chip(rgb[:-2], state)
    with pytest.raises(ModelError, match="memory"):
        chip.infer(nv21, {})


def test_a_matter_runs_it_and_holds_it_steady(package):
    from koutu.engines.stabilise import SteadyBackend, held_steady
    from koutu.matting.matter import Matter

    steady = held_steady(AscendBackend(package / "card.json"))
    assert isinstance(steady, SteadyBackend)
    matter = Matter(steady)
    pictures = [np.roll(scene(2), 2 * i, axis=1).repeat(2, 0).repeat(2, 1) for i in range(3)]
    mattes = [matter(Frame(picture, i * 3000)) for i, picture in enumerate(pictures)]
    assert all(matte.alpha.shape == (128, 192) for matte in mattes)


def test_the_middle_of_a_larger_camera_picture(tiny, tmp_path, without_atc):
    folder = tmp_path / "cut"
    write_package(tiny, folder, soc="Ascend310B4", camera=(80, 120), padding=(4, 4, 0, 0), source_format="nv12")
    chip = AscendBackend(folder / "card.json")
    assert chip.network_size((1, 1)) == (80, 120) and chip.aipp.window == (12, 12, 56, 96)
    rgb = np.kron(scene(3)[::8, ::8], np.ones((10, 10, 1))).astype(np.uint8)
    _, pha, state = chip(rgb, chip.initial_state((80, 120)))
    assert pha.shape == (80, 120) and not pha[:12].any() and not pha[:, :12].any() and pha[12:68, 12:108].any()
    assert state["prev"].shape == (1, 1, *SIZE)
    inner, _ = chip.infer(camera_bytes(rgb, "nv12", chip.space), chip.initial_state((80, 120)))
    assert np.array_equal(inner[4:60], pha[12:68, 12:108])
    assert not (folder / "cut.prototxt").exists() and "omg" not in (folder / "README.md").read_text()


def test_the_card_says_what_there_is(package):
    card = json.loads((package / "card.json").read_text())
    assert card["target"] == "ascend" and card["licence"] == "Apache-2.0" and card["ascend"]["om"] == "not built"
    assert card["ascend"]["bytes"] == 64 * 96 * 3 // 2 and card["size"] == {"width": 96, "height": 64}
    assert set(card["files"]) == {file.name for file in package.iterdir()} - {"card.json", "README.md"}
    assert card["parity"]["verified"] and card["parity"]["clips"][0]["frames"] == 60
    readme = (package / "README.md").read_text()
    assert "not run: atc was not there" in readme and "--soc_version=Ascend310" in readme and "omg" in readme


def test_scripts_say_what_is_missing(package):
    for name, program in (("build.sh", "atc"), ("build-caffe.sh", "atc"), ("build-kit.sh", "omg")):
        done = subprocess.run(
            ["bash", str(package / name)], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
        )
        assert done.returncode == 1 and f"{program} is not on PATH" in done.stderr
    assert "'--input_shape=src:1,3,8,8;prev:1,1,8,8'" in script(["atc", "--input_shape=src:1,3,8,8;prev:1,1,8,8"], "x")


def put_atc(folder: Path, text: str, monkeypatch) -> None:
    """A program in atc's place: what is tested is how it is called and what its answers lead to."""
    folder.mkdir()
    (folder / "atc").write_text(f"#!/usr/bin/env bash\n{text}\n")
    (folder / "atc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_atc_is_run_where_it_is(tiny, tmp_path, monkeypatch):
    put_atc(tmp_path / "bin", 'test -f net.onnx && test -f aipp.cfg && printf "%s\\n" "$@" > net.om', monkeypatch)
    heard: list[str] = []
    files = write_package(tiny, tmp_path / "out", name="net", soc="Ascend310P3", tell=heard.append)
    om = next(file for file in files if file.suffix == ".om")
    assert heard == ["atc built net.om"] and "--soc_version=Ascend310P3" in om.read_text().split()
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["ascend"]["om"] == "net.om" and "net.om" in card["files"]
    assert "; done" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(("text", "match"), [("echo E10001 >&2; exit 3", "E10001"), ("exit 0", "it said nothing")])
def test_nothing_is_left_where_atc_fails(tiny, tmp_path, monkeypatch, text, match):
    put_atc(tmp_path / "bin", text, monkeypatch)
    with pytest.raises(ModelError, match=match):
        write_package(tiny, tmp_path / "out", soc="Ascend310P3")
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_what_cannot_be_packed_is_refused_and_nothing_is_left(tiny, tmp_path, without_atc):
    folder = tmp_path / "work"
    folder.mkdir()
    out = folder / "out"
    unknown = folder.parent / "erf.onnx"
    onnx.save(network((1, 3, 8, 8), [("Erf", [], {})]), unknown)
    floats = folder.parent / "uint8.onnx"
    model = network((1, 3, 8, 8), [("Relu", [], {})])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    floats.write_bytes(model.SerializeToString())
    cases: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
        (folder.parent / "none.onnx", {}, InputError, "none.onnx"),
        (tiny, {"size": (8, 8)}, InputError, "8×8"), (tiny, {"soc": "310"}, InputError, "npu-smi"),
        (tiny, {"chip": "310"}, InputError, "source_format"), (tiny, {"source_format": "jpeg"}, InputError, "nv12"),
        (tiny, {"matrix": "bt2020"}, InputError, "bt601"), (tiny, {"camera": (16, 16)}, InputError, "at least"),
        (tiny, {"operators": "every"}, InputError, "kit"), (unknown, {}, InputError, "alpha"),
        (floats, {}, InputError, "float32"),
    ]  # fmt: skip
    for source, options, error, match in cases:
        with pytest.raises(error, match=match):
            write_package(source, out, **options)
        assert not list(folder.iterdir()), match
    for data in (b"", b"rubbish", tiny.read_bytes()[:3000]):
        (folder.parent / "bad.onnx").write_bytes(data)
        with pytest.raises(InputError):
            write_package(folder.parent / "bad.onnx", out)
    full = folder / "full"
    full.mkdir()
    (full / "file").touch()
    for place, match in ((full, "holds something"), (folder / "no" / "out", "make it first")):
        with pytest.raises(OutputError, match=match):
            write_package(tiny, place)
    assert [path.name for path in folder.iterdir()] == ["full"]


def test_operators_that_remain_are_all_named(tmp_path):
    model = network((1, 3, 8, 8), [("Erf", [], {}), ("Selu", [], {}), ("ReduceMean", [], {"axes": [1], "keepdims": 1})])
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=r"(?s)Erf \(node0\).*Selu \(node1\).*ReduceMean \(node2\)"):
        write_package(tmp_path / "net.onnx", tmp_path / "out")


def test_a_wrong_matrix_is_refused(tiny, tmp_path, monkeypatch, without_atc):
    from koutu.export.ascend import package as made
    from koutu.export.parity import Bounds, ParityError

    monkeypatch.setattr("koutu.export.ascend.parity.BOUNDS", Bounds(0.0, 0.0, 0.0))
    monkeypatch.setattr("koutu.export.ascend.parity.require.__defaults__", (Bounds(0.0, 0.0, 0.0),))
    with pytest.raises(ParityError, match="nothing was written"):
        made.write_package(tiny, tmp_path / "out", soc="Ascend310P3")
    assert not list(tmp_path.iterdir())


def test_a_damaged_package_is_refused(package, tmp_path):
    import shutil

    for change, match in (
        (lambda f: (f / "aipp.cfg").write_text("aipp_op { }"), "SHA-256"),
        (lambda f: (f / "tiny.onnx").unlink(), "tiny.onnx"),
        (lambda f: (f / "card.json").write_text("{}"), "card"),
    ):
        folder = tmp_path / match
        shutil.copytree(package, folder)
        change(folder)
        with pytest.raises(ModelError, match=match):
            AscendBackend(folder / "card.json")
