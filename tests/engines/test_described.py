"""Other people's networks by description: tiny ONNX and TFLite files of each kind, and what misfits tell."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from koutu import third_party
from koutu.color import shrink
from koutu.engines.described.backend import DescribedBackend
from koutu.engines.described.description import parse_description, read_description
from koutu.engines.described.per_size import files_of
from koutu.engines.described.sizing import Size
from koutu.matting.hints import Hints
from koutu.matting.matter import Matter
from koutu.types import ModelError
from koutu.zoo import load

yaml = pytest.importorskip("yaml")
onnx = pytest.importorskip("onnx")
RGB = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
FLOAT, HALF, BYTE = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.UINT8


def network(path: Path, nodes: list, inputs: dict, outputs: dict, numbers: dict | None = None) -> Path:
    """Write an ONNX file; nodes: (operator, inputs, outputs, attributes); tensors: name → (type, shape)."""
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node(op, ins, outs, **attributes) for op, ins, outs, attributes in nodes],
        "tiny",
        [helper.make_tensor_value_info(name, *tensor) for name, tensor in inputs.items()],
        [helper.make_tensor_value_info(name, *tensor) for name, tensor in outputs.items()],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in (numbers or {}).items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def passing(path: Path, kind: int = FLOAT, shape: tuple = (1, 3, 8, 12)) -> Path:
    """A network whose output y is its input x."""
    return network(path, [("Identity", ["x"], ["y"], {})], {"x": (kind, shape)}, {"y": (kind, shape)})


def describe(**changes: Any) -> dict[str, Any]:
    given = {
        "title": "tiny", "source": "https://example.org", "licence": "MIT", "files": ["net.onnx"], "format": "onnx",
        "size": {"rule": "fixed"}, "inputs": {"x": {"kind": "src"}}, "outputs": {"pha": {"name": "y"}},
    }  # fmt: skip
    return given | changes


def backend(path: Path, constants: dict | None = None, **changes: Any) -> DescribedBackend:
    return DescribedBackend(parse_description(describe(**changes), "tiny.yaml"), path, constants=constants)


def alpha_of(path: Path, **changes: Any) -> np.ndarray:
    """Alpha of RGB at the network's own size."""
    net = backend(path, **changes)
    rgb = np.asarray(cv2.resize(RGB, net.network_size((24, 32))[::-1], interpolation=cv2.INTER_AREA))
    return net(rgb, net.initial_state((8, 12)))[1]


SMALL = np.asarray(cv2.resize(RGB, (12, 8), interpolation=cv2.INTER_AREA)).astype(np.float32)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, SMALL[..., 1] / 255),
        ({"range": "-1-1", "mean": -1, "std": [2, 2, 2]}, SMALL[..., 1] / 255),
        ({"range": "max"}, SMALL[..., 1] / SMALL.max()),
        ({"mean": [0, -0.5, 0], "std": [1, 4, 1]}, (SMALL[..., 1] / 255 + 0.5) / 4),
    ],
)
def test_levels_are_what_the_description_says(tmp_path, entry, expected):
    path = passing(tmp_path / "n.onnx")
    pha = alpha_of(path, inputs={"x": {"kind": "src", **entry}}, outputs={"pha": {"name": "y", "channel": 1}})
    assert pha.dtype == np.float32 and np.abs(pha - expected).max() < 1e-6


def test_channels_may_come_in_the_other_order_with_their_own_means(tmp_path):
    entry = {"kind": "src", "channels": "bgr", "mean": [0.0, 0, -0.25], "std": [1.0, 1, 2]}
    pha = alpha_of(passing(tmp_path / "n.onnx"), inputs={0: entry}, outputs={"pha": {"name": 0, "channel": 2}})
    assert np.abs(pha - (SMALL[..., 0] / 255 + 0.25) / 2).max() < 1e-6


@pytest.mark.parametrize("kind", [FLOAT, HALF, BYTE])
def test_nhwc_and_number_types_follow_the_file(tmp_path, kind):
    levels = "0-255" if kind == BYTE else "0-1"
    pha = alpha_of(
        passing(tmp_path / "n.onnx", kind, (1, 8, 12, 3)),
        inputs={"x": {"kind": "src", "layout": "NHWC", "range": levels}},
        outputs={"pha": {"name": "y", "layout": "NHWC", "channel": 2, "range": levels}},
    )
    assert np.abs(pha - SMALL[..., 2] / 255).max() < (1e-3 if kind == HALF else 1e-6)


@pytest.mark.parametrize("activation", ["softmax", "argmax", "sigmoid", "minmax", "clip", ["sigmoid", "minmax"]])
def test_alpha_comes_out_by_its_activation(tmp_path, activation):
    path = passing(tmp_path / "n.onnx", shape=(1, 3, 8, 12))
    pha = alpha_of(
        path, inputs={"x": {"kind": "src", "range": "-1-1", "std": 0.2}},
        outputs={"pha": {"name": "y", "channel": 1, "activation": activation}},
    )  # fmt: skip
    logits = (SMALL / 127.5 - 1) / 0.2
    sigmoid, exp = 1 / (1 + np.exp(-logits[..., 1])), np.exp(logits)
    expected = {
        "softmax": (exp / exp.sum(-1, keepdims=True))[..., 1],
        "argmax": (logits.argmax(-1) == 1).astype(np.float32),
        "sigmoid": sigmoid,
        "minmax": (logits[..., 1] - logits[..., 1].min()) / np.ptp(logits[..., 1]),
        "clip": logits[..., 1].clip(0, 1),
        "['sigmoid', 'minmax']": (sigmoid - sigmoid.min()) / np.ptp(sigmoid),
    }[str(activation)]
    assert np.abs(pha - expected).max() < 1e-5 and 0.2 < pha.mean() < 0.8


def test_an_even_output_survives_minmax(tmp_path):
    net = backend(passing(tmp_path / "n.onnx"), outputs={"pha": {"name": "y", "activation": "minmax"}})
    _, pha, _ = net(np.full((8, 12, 3), 51, np.uint8), None)
    assert np.abs(pha - 0.2).max() < 1e-6


@pytest.mark.parametrize(
    ("size", "picture", "content"),
    [
        (Size("fixed", (144, 256)), (1080, 1920), (144, 256)),
        (Size("full", multiple=4), (1081, 1918), (1080, 1920)),
        (Size("shorter", side=512, multiple=32, rounding="down", keep_straddling=True), (1080, 1920), (512, 896)),
        (Size("shorter", side=512, multiple=32, rounding="down", keep_straddling=True), (400, 700), (384, 672)),
        (Size("shorter", side=512, multiple=32, rounding="down", keep_straddling=True), (512, 512), (512, 512)),
        (Size("shorter", side=512, multiple=32, rounding="down", keep_straddling=True), (300, 200), (768, 512)),
        (Size("longer", side=512, multiple=16, rounding="up"), (720, 1280), (288, 512)),
        (Size("pixels", pixels=65536, multiple=32), (720, 1280), (192, 352)),
        (Size("fixed", (100, 100), fit="letterbox"), (50, 200), (25, 100)),
        (Size("full", multiple=1000), (10, 10), (1000, 1000)),
        (Size("longer", side=513, multiple=16, plus=1), (1080, 1920), (289, 513)),
        (Size("longer", side=513, multiple=16, plus=1), (480, 480), (513, 513)),
        (Size("longer", side=33, multiple=16, plus=1), (4, 480), (17, 33)),
    ],
)
def test_sizes(size, picture, content):
    assert size.content(picture, None) == content
    assert size.content(picture, (64, 96)) == ((64, 96) if size.fit == "stretch" else (24, 96))


def test_a_letterbox_keeps_the_aspect_and_its_padding_out(tmp_path):
    path = passing(tmp_path / "n.onnx", shape=(1, 3, 32, 32))
    net = backend(path, size={"rule": "fixed", "fit": "letterbox"})
    assert net.network_size((24, 32)) == (24, 32)
    _, pha, _ = net(RGB, None)
    assert np.abs(pha - RGB[..., 0] / 255).max() < 1e-6
    open_sides = passing(tmp_path / "open.onnx", shape=(1, 3, "h", "w"))
    net = backend(open_sides, size={"rule": "full", "multiple": 20, "fit": "letterbox"})
    assert np.abs(net(RGB, None)[1] - RGB[..., 0] / 255).max() < 1e-6


def test_an_answer_whose_corners_meet_the_frames_is_enlarged_before_its_activation(tmp_path):
    coarse = {"Slice": (["x", "from", "to", "axes", "steps"], ["c"])}  # every eighth value, first and last among them
    numbers = {"from": np.array([0, 0]), "to": np.array([17, 33]), "axes": np.array([2, 3]), "steps": np.array([8, 8])}
    nodes = [("Slice", *coarse["Slice"], {}), ("Sub", ["c", "half"], ["y"], {})]
    shapes = {"x": (FLOAT, (1, 3, "h", "w"))}, {"y": (FLOAT, (1, 3, "p", "q"))}
    path = network(tmp_path / "n.onnx", nodes, *shapes, {**numbers, "half": np.float32(0.5)})
    size = {"rule": "longer", "side": 33, "multiple": 8, "plus": 1}
    net = backend(path, size=size, outputs={"pha": {"name": "y", "corners": True, "gain": 8, "activation": "sigmoid"}})
    ramp = (np.linspace(0, 1, 33) + np.linspace(0, 0.25, 17)[:, None]) / 1.25
    levels = np.rint(ramp * 255).astype(np.uint8)
    _, pha, _ = net(np.repeat(levels[..., None], 3, axis=2), None)
    assert pha.shape == (17, 33)
    assert np.abs(pha - 1 / (1 + np.exp(-8 * (ramp - 0.5)))).max() < 0.01


def test_a_flat_answer_takes_the_shape_that_is_described(tmp_path):
    shapes = {"x": (FLOAT, (1, 3, 8, 12))}, {"y": (FLOAT, (1, 288))}
    nodes = [("Reshape", ["x", "flat"], ["y"], {})]
    path = network(tmp_path / "n.onnx", nodes, *shapes, {"flat": np.array([1, 288])})
    pha = alpha_of(path, outputs={"pha": {"name": "y", "shape": [3, 8, 12], "channel": 1}})
    assert np.abs(pha - SMALL[..., 1] / 255).max() < 1e-6
    with pytest.raises(ModelError, match=r"y of the shape \(8, 12\), got \(1, 288\)"):
        alpha_of(path, outputs={"pha": {"name": "y", "shape": [8, 12]}})


def with_memory(path: Path) -> Path:
    """Like Robust Video Matting: memory of an open shape that begins as 1×1, a ratio, and colours; counts frames."""
    shape = (1, 3, "h", "w")
    nodes = [
        ("ReduceMean", ["src"], ["grey"], {"axes": [1], "keepdims": 1}),
        ("Mul", ["grey", "zero"], ["black"], {}),
        ("Add", ["black", "r1i"], ["old"], {}),
        ("Add", ["old", "step"], ["r1o"], {}),
        ("Mul", ["r1o", "ratio"], ["pha"], {}),
        ("Sub", ["one", "src"], ["fgr"], {}),
    ]
    numbers = {name: np.float32(value) for name, value in {"zero": 0, "step": 0.1, "one": 1}.items()}
    inputs = {"src": (FLOAT, shape), "r1i": (FLOAT, ("b", "c", "p", "q")), "ratio": (FLOAT, (1,))}
    outputs = {"fgr": (FLOAT, shape), "pha": (FLOAT, (1, 1, "h", "w")), "r1o": (FLOAT, (1, 1, "h", "w"))}
    return network(path, nodes, inputs, outputs, numbers)


MEMORY = {
    "size": {"rule": "full"},
    "inputs": {
        "src": {"kind": "src"},
        "r1i": {"kind": "state", "output": "r1o", "shape": [1, 1, 1, 1]},
        "ratio": {"kind": "constant", "value": "auto", "longest": 16},
    },
    "outputs": {"pha": {"name": "pha"}, "fgr": {"name": "fgr"}},
}


def test_memory_runs_on_and_starts_afresh_with_each_stream(tmp_path):
    matter = Matter(backend(with_memory(tmp_path / "n.onnx"), **MEMORY))
    found = [matter(RGB) for _ in range(3)]
    assert [m.alpha.mean() for m in found] == [13, 26, 38]  # 0.1, 0.2, 0.3 times the ratio 16 / 32, of 255
    assert found[0].foreground is not None and np.array_equal(found[0].foreground, 255 - RGB)
    matter.reset()
    assert matter(RGB).alpha.mean() == 13
    assert matter(255 - RGB).alpha.mean() == 13  # a cut
    fixed = Matter(backend(with_memory(tmp_path / "n.onnx"), {"ratio": 1}, **MEMORY))
    assert fixed(RGB).alpha.mean() == 26  # 25.5, rounded


def test_every_picture_meets_the_file_of_its_own_size(tmp_path):
    for size in ((24, 32), (32, 24)):
        passing(tmp_path / f"n{size[0]}x{size[1]}.onnx", shape=(1, 3, *size))
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(describe()))
    template = str(tmp_path / "n{h}x{w}.onnx")
    net = load(tmp_path / "tiny.yaml", weights=template)
    assert net.name.startswith("tiny · n{h}x{w}.onnx") and not net.warms_up and not net.refines
    for rgb in (RGB, np.ascontiguousarray(np.rot90(RGB)), RGB):
        assert np.array_equal(Matter(net)(rgb).alpha, rgb[..., 0])  # neither stretched nor padded
    with pytest.raises(ModelError, match=r"n12x16\.onnx for frames of \(12, 16\)"):
        Matter(net)(RGB[::2, ::2])
    passing(tmp_path / "n12x16.onnx")
    with pytest.raises(ModelError, match=r"frames of \(12, 16\) \(h, w\), got one for \(8, 12\)"):
        Matter(net)(RGB[::2, ::2])
    with pytest.raises(ModelError, match=r"files like .*m720x1280\.onnx, found none"):
        load(tmp_path / "tiny.yaml", weights=tmp_path / "m{h}x{w}.onnx")
    assert [path.name for path in files_of(template)] == ["n12x16.onnx", "n24x32.onnx", "n32x24.onnx"]


def test_states_may_follow_the_size(tmp_path):
    inputs = {**MEMORY["inputs"], "r1i": {"kind": "state", "output": "r1o", "shape": [1, 1, "h/5", "w"]}}
    net = backend(with_memory(tmp_path / "n.onnx"), **{**MEMORY, "inputs": inputs})
    assert {name: zeros.shape for name, zeros in net.initial_state((24, 32)).items()} == {"r1i": (1, 1, 5, 32)}


def test_hints_reach_the_network(tmp_path):
    nodes = [("Sub", ["src", "bgr"], ["d"], {}), ("Add", ["d", "trimap"], ["y"], {})]
    grey = (FLOAT, (1, 1, "h", "w"))
    tensors = {"src": (FLOAT, (1, 3, "h", "w")), "bgr": (FLOAT, (1, 3, "h", "w")), "trimap": grey}
    path = network(tmp_path / "n.onnx", nodes, tensors, {"y": (FLOAT, (1, 3, "h", "w"))})
    inputs = {name: {"kind": name} for name in ("src", "bgr", "trimap")}
    net = backend(path, inputs=inputs, size={"rule": "full"})
    assert net.needs == ("bgr", "trimap")
    trimap = np.full((24, 32), 128, np.uint8)
    trimap[:4] = 0
    alpha = Matter(net, hints=Hints(plate=RGB, trimap=trimap, fixed=True))(RGB).alpha
    assert not alpha[:4].any() and (alpha[4:] == 128).all()  # exactly half
    with pytest.raises(ModelError, match="photograph of the scene"):
        Matter(net)(RGB)
    with pytest.raises(ModelError, match="hint bgr"):
        net(RGB, None, trimap=trimap)


def test_alpha_is_scaled_bilinearly_and_nothing_more(tmp_path):
    rgb = np.random.default_rng(1).integers(0, 256, (96, 144, 3), np.uint8)
    net = backend(passing(tmp_path / "n.onnx"))
    _, pha, _ = net(shrink(rgb, (8, 12)), None)
    expected = cv2.resize(pha, (144, 96), interpolation=cv2.INTER_LINEAR) * 255
    assert np.abs(Matter(net)(rgb).alpha - expected).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": {"z": {"kind": "src"}}}, "among the inputs, which are x"),
        ({"inputs": {1: {"kind": "src"}}}, "expected 1 among the inputs"),
        ({"inputs": {"x": {"kind": "src"}, 0: {"kind": "mask"}}}, "described once"),
        ({"outputs": {"pha": {"name": "z"}}}, "among the outputs, which are y"),
        ({"outputs": {"pha": {"name": "y", "channel": 3}}}, "channel 3 in y, which has 3"),
        ({"inputs": {"x": {"kind": "src", "layout": "NHWC"}}}, "3 channels on axis 3 of x"),
        ({"inputs": {"x": {"kind": "src", "dtype": "uint8"}}}, "x of uint8, got float32"),
        ({"size": {"rule": "fixed", "at": [16, 16]}}, r"network for \(16, 16\) \(h, w\), got one for \(8, 12\)"),
        ({"inputs": {"x": {"kind": "src", "range": "0-255"}}}, r"alpha in \[0, 1\] in y"),
        ({"constants": {"ratio": 1}}, r"constants \(none\), got ratio"),
        ({"format": "tflite"}, "as a TFLite model"),
    ],
)
def test_a_file_that_does_not_fit_is_told(tmp_path, changes, message):
    with pytest.raises(ModelError, match=message):
        alpha_of(passing(tmp_path / "n.onnx"), **changes)


def test_broken_files_and_wrong_pictures_are_told(tmp_path):
    with pytest.raises(ModelError, match="found none"):
        backend(tmp_path / "missing.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="could not be loaded as an ONNX model"):
        backend(tmp_path / "broken.onnx")
    path = passing(tmp_path / "n.onnx")
    with pytest.raises(ModelError, match=r"frame of \(8, 12\) \(h, w\), got \(24, 32\)"):
        backend(path)(RGB, None)
    with pytest.raises(ModelError, match="device"):
        DescribedBackend(parse_description(describe(), "tiny.yaml"), path, device="abacus")
    open_sides = passing(tmp_path / "open.onnx", shape=(1, 3, "h", "w"))
    with pytest.raises(ModelError, match="file of fixed size"):
        backend(open_sides)
    inputs = {**MEMORY["inputs"], "r1i": {"kind": "state", "output": "r1o"}}
    with pytest.raises(ModelError, match="shape of the state r1i"):
        backend(with_memory(tmp_path / "m.onnx"), **{**MEMORY, "inputs": inputs})


def test_values_that_are_not_finite_are_told(tmp_path):
    shape = (FLOAT, (1, 3, 8, 12))
    path = network(tmp_path / "n.onnx", [("Log", ["x"], ["y"], {})], {"x": shape}, {"y": shape})
    with pytest.raises(ModelError, match="finite values in y"):
        backend(path, inputs={"x": {"kind": "src", "range": "-1-1"}})(np.zeros((8, 12, 3), np.uint8), None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (describe(colour="red"), "title, source, licence, files, format, size, inputs, outputs, got colour"),
        ([1], "expected the keys title"),
        ({"title": "tiny"}, "source, licence"),
        (describe(format="caffe"), "onnx, tflite"),
        (describe(title=3), "title: expected a text"),
        (describe(inputs={"x": {"kind": "source"}}), "kind out of"),
        (describe(inputs={"x": {"kind": "src", "swap": True}}), "inputs x: expected keys out of kind, layout"),
        (describe(inputs={"x": {"kind": "src", "std": [1, 2]}}), "expected 1 or 3 values"),
        (describe(inputs={"x": {"kind": "src", "std": 0}}), "other than 0"),
        (describe(inputs={"x": {"kind": "src"}, "m": {"kind": "mask", "mean": [1, 2, 3]}}), "which is grey"),
        (describe(inputs={"x": {"kind": "mask"}}), "one input src"),
        (describe(inputs={"x": {"kind": "src"}, "s": {"kind": "state"}}), "the keys output too"),
        (describe(inputs={"x": {"kind": "src"}, "s": {"kind": "state", "output": "o", "shape": ["h/0"]}}), "h/2"),
        (describe(inputs={"x": {"kind": "src"}, "c": {"kind": "constant", "value": "much"}}), "expected a number"),
        (describe(outputs={"fgr": {"name": "y"}}), "expected pha"),
        (describe(outputs={"pha": {"name": "y", "activation": "relu"}}), "sigmoid"),
        (describe(size={"rule": "shorter"}), "side and the rest above 0"),
        (describe(size={"rule": "fixed", "multiple": 0}), "above 0"),
        (describe(size={"rule": "fixed", "crop": 1}), "keys out of rule, at"),
        (describe(size={"rule": "full", "keep_straddling": 1}), "true or false"),
    ],
)
def test_a_wrong_description_is_told(given, message):
    with pytest.raises(ModelError, match=message):
        parse_description(given, "tiny.yaml")


def test_descriptions_come_from_files(tmp_path):
    passing(tmp_path / "net.onnx")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(describe()))
    net = load(tmp_path / "tiny.yaml", weights=tmp_path / "net.onnx", engine="onnxruntime", threads=1)
    assert net.name.startswith("tiny · net.onnx · onnxruntime") and Matter(net)(RGB).alpha.shape == (24, 32)
    with pytest.raises(ModelError, match=r"net.onnx\) is not distributed"):
        load(tmp_path / "tiny.yaml")
    with pytest.raises(ModelError, match="engine out of onnxruntime"):
        load(tmp_path / "tiny.yaml", weights=tmp_path / "net.onnx", engine="openvino")
    with pytest.raises(ModelError, match="no such file"):
        load(tmp_path / "other.yml", weights=tmp_path / "net.onnx")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ModelError, match="expected YAML"):
        load(tmp_path / "bad.yaml", weights=tmp_path / "net.onnx")


@pytest.mark.parametrize("name", third_party.names())
def test_every_packaged_description_is_sound(name, tmp_path):
    description = read_description(third_party.path(name))
    assert all(file.endswith(description.format) for file in description.files)
    with pytest.raises(ModelError, match="is not distributed"):
        load(name)
    wrong = network(
        tmp_path / "wrong.onnx", [("Identity", ["a"], ["b"], {})], {"a": (FLOAT, (1, 5))}, {"b": (FLOAT, (1, 5))}
    )
    with pytest.raises(ModelError, match=r"wrong\.onnx"):
        load(name, weights=wrong)


def test_packaged_descriptions_are_listed_and_others_refused():
    assert {"rvm-onnx", "mediapipe-selfie", "sinet", "modnet-onnx"} <= set(third_party.names())
    with pytest.raises(ModelError, match="rvm-onnx"):
        third_party.path("nothing")
    with pytest.raises(ModelError, match="rvm-onnx"):
        load("nothing")


def tflite(path: Path, *, quantised: bool = False) -> Path:
    """A TFLite file of one operator: (1, 8, 12, 3) float32 → its logistic, or bytes → the same bytes, reshaped."""
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    kind = schema.TensorType.UINT8 if quantised else schema.TensorType.FLOAT32
    operator = schema.BuiltinOperator.RESHAPE if quantised else schema.BuiltinOperator.LOGISTIC
    tensors = []
    for name in ("x", "y"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [1, 8, 12, 3], kind, 0
        if quantised:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [1 / 128], [64]
        tensors.append(tensor)
    node, code, graph, model = schema.OperatorT(), schema.OperatorCodeT(), schema.SubGraphT(), schema.ModelT()
    node.opcodeIndex, node.inputs, node.outputs = 0, [0], [1]
    if quantised:
        node.builtinOptionsType, node.builtinOptions = schema.BuiltinOptions.ReshapeOptions, schema.ReshapeOptionsT()
        node.builtinOptions.newShape = [1, 8, 12, 3]
    code.builtinCode = code.deprecatedBuiltinCode = operator
    graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, [0], [1], [node]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


TFLITE = {
    "format": "tflite",
    "inputs": {0: {"kind": "src", "layout": "NHWC"}},
    "outputs": {"pha": {"name": 0, "layout": "NHWC"}},
}


def test_tflite_files_run(tmp_path):
    pha = alpha_of(tflite(tmp_path / "n.tflite"), **TFLITE)
    assert np.abs(pha - 1 / (1 + np.exp(-SMALL[..., 0] / 255))).max() < 1e-5
    with pytest.raises(ModelError, match="device cpu"):
        DescribedBackend(parse_description(describe(**TFLITE), "t"), tmp_path / "n.tflite", device="cuda")


def test_quantised_tflite_files_run(tmp_path):
    pha = alpha_of(tflite(tmp_path / "n.tflite", quantised=True), **TFLITE)
    assert np.abs(pha - SMALL[..., 0] / 255).max() <= 0.5 / 128 + 1e-6


def test_a_missing_tflite_runtime_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("koutu.engines.graph.import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    (tmp_path / "n.tflite").write_bytes(b"")
    with pytest.raises(ModelError, match="ai-edge-litert"):
        backend(tmp_path / "n.tflite", **TFLITE)
