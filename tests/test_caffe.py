"""Caffe files: every operator by itself and whole networks, against ONNX Runtime.

What the files mean is worked out twice: by Caffe's definitions in torch, always, and by OpenCV 4's importer, in a
process of its own, where KOUTU_OPENCV4 names the folder it is in.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("google.protobuf")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxslim")

import caffe_reader  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from koutu.export.caffe import write_caffe  # noqa: E402
from koutu.export.caffe.check import FOLDER, by_onnx, by_opencv, difference  # noqa: E402
from koutu.export.caffe.linear import bilinear  # noqa: E402
from koutu.export.fixed import fixed_onnx  # noqa: E402
from koutu.models import build, load_checkpoint  # noqa: E402
from koutu.types import InputError, ModelError, OutputError  # noqa: E402

WEIGHTS = Path(__file__).parent.parent / "src" / "koutu" / "weights"
EXACT = 2e-5  # float32, of values around 1

needs_opencv = pytest.mark.skipif(
    not os.environ.get(FOLDER), reason=f"{FOLDER} names no folder with OpenCV 4, which reads Caffe files"
)


@dataclass
class Case:
    """One operator. inputs: shapes of what flows, arrays that are constant, None where one is left out."""

    kind: str
    inputs: list[Any]
    outputs: int = 1


def weight(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


X = (1, 5, 7, 9)
HALF, NOTHING = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}, np.zeros(0, np.float32)

CASES: dict[str, tuple[Case, dict[str, Any]]] = {
    "conv": (Case("Conv", [X, weight(4, 5, 3, 3), weight(4)]), {"pads": [1, 1, 1, 1]}),
    "conv stride 2 padded right and below": (
        Case("Conv", [X, weight(4, 5, 3, 3)]),
        {"pads": [0, 0, 1, 1], "strides": [2, 2]},
    ),
    "conv 5 padded unevenly": (Case("Conv", [X, weight(4, 5, 5, 3)]), {"pads": [1, 0, 2, 2], "strides": [2, 1]}),
    "conv dilated": (Case("Conv", [X, weight(4, 5, 3, 3)]), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "depthwise": (Case("Conv", [X, weight(5, 1, 3, 3), weight(5)]), {"group": 5, "pads": [1, 1, 1, 1]}),
    "depthwise 5 padded unevenly": (
        Case("Conv", [X, weight(5, 1, 5, 5)]),
        {"group": 5, "pads": [1, 1, 2, 2], "strides": [2, 2]},
    ),
    "grouped": (Case("Conv", [(1, 6, 5, 5), weight(4, 3, 1, 1)]), {"group": 2}),
    "deconv": (Case("ConvTranspose", [X, weight(5, 2, 2, 2), weight(2)]), {"strides": [2, 2]}),
    "deconv 3": (
        Case("ConvTranspose", [X, weight(5, 2, 3, 3)]),
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    ),
    "deconv grouped": (Case("ConvTranspose", [(1, 6, 5, 3), weight(6, 2, 2, 2)]), {"strides": [2, 2], "group": 3}),
    "up 2": (Case("Resize", [X, None, floats(1, 1, 2, 2)]), HALF),
    "up 3 by 4": (Case("Resize", [X, None, floats(1, 1, 3, 4)]), HALF),
    "up 2 of one row and of two columns": (Case("Resize", [(1, 2, 1, 2), None, floats(1, 1, 2, 2)]), HALF),
    "up 2 of many channels": (Case("Resize", [(1, 600, 3, 2), None, floats(1, 1, 2, 2)]), HALF),
    "up in one direction": (Case("Resize", [X, None, floats(1, 1, 1, 2)]), HALF),
    "down 2": (Case("Resize", [(1, 3, 6, 10), None, floats(1, 1, 0.5, 0.5)]), HALF),
    "down 4 by 3": (Case("Resize", [(1, 3, 8, 9), None, None, ints(1, 3, 2, 3)]), HALF),
    "any size": (Case("Resize", [X, None, None, ints(1, 5, 11, 5)]), HALF),
    "down and up": (Case("Resize", [(1, 2, 6, 5), None, None, ints(1, 2, 3, 10)]), HALF),
    "rows alone": (Case("Resize", [X, None, None, ints(1, 5, 4, 9)]), HALF),
    "columns alone": (Case("Resize", [X, None, None, ints(1, 5, 7, 4)]), HALF),
    "odd scale": (Case("Resize", [X, None, floats(1, 1, 1.7, 0.6)]), HALF),
    "corners aligned": (
        Case("Resize", [X, None, None, ints(1, 5, 9, 13)]),
        {**HALF, "coordinate_transformation_mode": "align_corners"},
    ),
    "global mean": (Case("GlobalAveragePool", [X]), {}),
    "mean of rows and columns": (Case("ReduceMean", [X]), {"axes": [2, 3], "keepdims": 1}),
    "mean of many positions": (Case("ReduceMean", [(1, 2, 105, 101)]), {"axes": [-1, -2], "keepdims": 1}),
    "pool": (Case("AveragePool", [(1, 3, 6, 8)]), {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "pool with a rest": (Case("AveragePool", [X]), {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "pool padded": (
        Case("AveragePool", [X]),
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 0, 1], "count_include_pad": 1},
    ),
    "relu": (Case("Relu", [X]), {}),
    "sigmoid": (Case("Sigmoid", [X]), {}),
    "tanh": (Case("Tanh", [X]), {}),
    "relu6": (Case("Clip", [X, np.float32(0), np.float32(0.6)]), {}),
    "clip": (Case("Clip", [X, np.float32(-0.3), np.float32(0.4)]), {}),
    "clip from below": (Case("Clip", [X, np.float32(-0.3)]), {}),
    "clip from above": (Case("Clip", [X, None, np.float32(0.4)]), {}),
    "hard sigmoid": (Case("HardSigmoid", [X]), {"alpha": 0.7}),
    "hard swish": (Case("HardSwish", [X]), {}),
    "add": (Case("Add", [X, X]), {}),
    "subtract": (Case("Sub", [X, X]), {}),
    "multiply": (Case("Mul", [X, X]), {}),
    "add of channels": (Case("Add", [(1, 5, 1, 1), X]), {}),
    "subtract from channels": (Case("Sub", [(1, 5, 1, 1), X]), {}),
    "gate": (Case("Mul", [X, (1, 5, 1, 1)]), {}),
    "add a constant": (Case("Add", [X, weight(1, 5, 1, 1)]), {}),
    "subtract from a constant": (Case("Sub", [np.float32(0.7), X]), {}),
    "divide by a constant": (Case("Div", [X, np.float32(0.3)]), {}),
    "join channels": (Case("Concat", [X, (1, 2, 7, 9), X]), {"axis": 1}),
    "join rows": (Case("Concat", [X, (1, 5, 2, 9)]), {"axis": -2}),
    "split": (Case("Split", [X, ints(2, 2, 1)], 3), {"axis": 1}),
    "slice of channels": (Case("Slice", [X, ints(1), ints(4), ints(1)]), {}),
    "slice of rows and columns": (Case("Slice", [X, ints(1, -5), ints(6, 2**62), ints(2, 3)]), {}),
    "mirror image": (Case("Slice", [X, ints(-1), ints(-(2**62)), ints(3), ints(-1)]), {}),
    "upside down": (Case("Slice", [X, ints(-1), ints(-(2**62)), ints(2), ints(-1)]), {}),
    "every second column": (Case("Slice", [X, ints(0), ints(9), ints(3), ints(2)]), {}),
    "pad": (Case("Pad", [X, ints(0, 0, 1, 2, 0, 0, 0, 3)]), {}),
    "pad with a constant, cut above": (Case("Pad", [X, ints(0, 0, -1, 2, 0, 0, 1, 0), np.float32(0.5)]), {}),
    "pad by edges": (Case("Pad", [X, ints(0, 0, 1, 2, 0, 0, 0, 3)]), {"mode": "edge"}),
    "pad by mirroring": (Case("Pad", [X, ints(0, 0, 1, 2, 0, 0, 0, 3)]), {"mode": "reflect"}),
    "pixel shuffle": (Case("DepthToSpace", [(1, 12, 3, 5)]), {"blocksize": 2, "mode": "CRD"}),
    "depth to space": (Case("DepthToSpace", [(1, 18, 3, 5)]), {"blocksize": 3}),
    "space to depth": (Case("SpaceToDepth", [(1, 3, 4, 6)]), {"blocksize": 2}),
    "turn axes": (Case("Transpose", [X]), {"perm": [0, 2, 3, 1]}),
    "reshape": (Case("Reshape", [X, ints(1, 7, 5, 9)]), {}),
    "instance norm": (Case("InstanceNormalization", [X, weight(5), weight(5, seed=1)]), {"epsilon": 1e-2}),
    "batch norm": (
        Case("BatchNormalization", [X, weight(5), weight(5, seed=1), weight(5, seed=2), weight(5) ** 2]),
        {"epsilon": 1e-2},
    ),
}
TEXTS = {
    "a batch of a picture and its mirror image": """<ir_version: 8, opset_import: ["" : 17]>
        both (float[1,2,3,5] x) => (float[1,2,3,5] y) {
            zero = Constant<value = int64[1] {0}>()
            one = Constant<value = int64[1] {1}>()
            two = Constant<value = int64[1] {2}>()
            end = Constant<value = int64[1] {-100}>()
            last = Constant<value = int64[1] {-1}>()
            flipped = Slice(x, last, end, last, last)
            batch = Concat<axis = 0>(x, flipped)
            seen = Tanh(batch)
            plain = Slice(seen, zero, one, zero)
            turned = Slice(seen, one, two, zero)
            back = Slice(turned, last, end, last, last)
            y = Add(plain, back)
        }""",
    "pixels to channels in three steps": """<ir_version: 8, opset_import: ["" : 17]>
        unshuffle (float[1,3,4,6] x) => (float[1,12,2,3] y) {
            parts = Constant<value = int64[6] {-1, 3, 2, 2, 3, 2}>()
            whole = Constant<value = int64[4] {-1, 12, 2, 3}>()
            six = Reshape(x, parts)
            turned = Transpose<perm = [0, 1, 3, 5, 2, 4]>(six)
            y = Reshape(turned, whole)
        }""",
    "a gate out of vectors": """<ir_version: 8, opset_import: ["" : 17]>
        gate (float[1,3,4,5] x) => (float[1,3,4,5] y) {
            w = Constant<value = float[3,3] {0.1, 0.2, -0.3, 0.4, 0.5, 0.6, 0.7, -0.8, 0.9}>()
            axes = Constant<value = int64[2] {2, 3}>()
            mean = ReduceMean<axes = [2, 3], keepdims = 0>(x)
            mixed = MatMul(mean, w)
            factor = Sigmoid(mixed)
            shaped = Unsqueeze(factor, axes)
            y = Mul(x, shaped)
        }""",
    "half of each norm": """<ir_version: 8, opset_import: ["" : 17]>
        halves (float[1,4,3,5] x) => (float[1,4,3,5] y, float[1,2,3,5] first, float[1,4,3,5] same) {
            zero = Constant<value = int64[1] {0}>()
            one = Constant<value = int64[1] {1}>()
            two = Constant<value = int64[1] {2}>()
            end = Constant<value = int64[1] {100}>()
            ones = Constant<value = float[2] {1.0, 1.0}>()
            none = Constant<value = float[2] {0.0, 0.0}>()
            first = Slice(x, zero, two, one)
            second = Slice(x, two, end, one)
            normed = InstanceNormalization(second, ones, none)
            y = Concat<axis = 1>(first, normed)
            same = Identity(y)
        }""",
}


def write_case(name: str, path: Path) -> None:
    if name in TEXTS:
        onnx.save(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(TEXTS[name])), path)
        return
    case, attributes = CASES[name]
    inputs, constants, names = [], [], []
    for i, given in enumerate(case.inputs):
        names.append("" if given is None else f"x{i}")
        if isinstance(given, tuple):
            inputs.append(helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, given))
        elif given is not None:
            constants.append(numpy_helper.from_array(np.asarray(given), f"x{i}"))
    outputs = [f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(case.kind, names, outputs, name="the/node", **attributes)
    ends = [helper.make_empty_tensor_value_info(output) for output in outputs]
    graph = helper.make_graph([node], "case", inputs, ends, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)


def feeds_for(path: Path, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = onnx.load(path).graph.input
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def assert_same(found: dict[str, np.ndarray], true: dict[str, np.ndarray], tolerance: float = EXACT) -> None:
    assert found.keys() == true.keys()
    for name, expected in true.items():
        assert found[name].shape == expected.shape
        assert np.abs(found[name] - expected).max() <= tolerance, name


@pytest.mark.parametrize("gate", ["Scale", "Interp"])
@pytest.mark.parametrize("name", [*CASES, *TEXTS])
def test_an_operator_by_itself(tmp_path, name, gate):
    write_case(name, tmp_path / "case.onnx")
    files = write_caffe(tmp_path / "case.onnx", tmp_path / "case", gate=gate)
    assert files.beyond == ()
    feeds = feeds_for(tmp_path / "case.onnx")
    (true,) = by_onnx(tmp_path / "case.onnx", [feeds], {})
    assert_same(caffe_reader.run(tmp_path / "case", feeds), true)


@needs_opencv
@pytest.mark.parametrize("name", [*CASES, *TEXTS])
def test_an_operator_by_itself_in_opencv(tmp_path, name):
    write_case(name, tmp_path / "case.onnx")
    write_caffe(tmp_path / "case.onnx", tmp_path / "case", depthwise="DepthwiseConvolution")
    feeds = feeds_for(tmp_path / "case.onnx")
    assert difference(tmp_path / "case", tmp_path / "case.onnx", feeds) <= EXACT


def clip(size: tuple[int, int], frames: int, temporal: bool = True) -> list[dict[str, np.ndarray]]:
    """The packaged sample's first frames, and empty memory."""
    import av
    import cv2

    with av.open(str(WEIGHTS.parent / "sample" / "talk.mp4")) as file:
        pictures = [f.to_ndarray(format="rgb24") for f, _ in zip(file.decode(video=0), range(frames), strict=False)]
    small = [cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA) for picture in pictures]
    feeds = [{"src": picture.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)} for picture in small]
    if temporal:
        feeds[0]["prev"] = np.zeros((1, 1, *size), np.float32)
    return feeds


def write_packaged(folder: Path, name: str, kind: str, size: tuple[int, int], **dialect: Any) -> tuple[Path, Path, Any]:
    path, prefix = folder / f"{name}.onnx", folder / name
    fixed_onnx(load_checkpoint(WEIGHTS / f"{name}.pt", kind), path, size)
    return path, prefix, write_caffe(path, prefix, **dialect)


@pytest.mark.parametrize("size", [(96, 136), (144, 256)])
def test_the_packaged_network_keeps_its_alpha(tmp_path, size):
    path, prefix, files = write_packaged(tmp_path, "koutu", "tmodnet", size, depthwise="DepthwiseConvolution")
    assert files.beyond == ()
    feeds = clip(size, 3)
    true = by_onnx(path, feeds, {"prev": "pha"})
    assert 0.1 < true[-1]["pha"].mean() < 0.9
    prev = feeds[0]["prev"]
    for frame, expected in zip(feeds, true, strict=True):
        found = caffe_reader.run(prefix, {**frame, "prev": prev})
        assert_same(found, expected, 1e-3)
        prev = found["pha"]


@needs_opencv
@pytest.mark.parametrize("size", [(288, 512), (272, 480)])
@pytest.mark.parametrize("name, kind", [("koutu", "tmodnet"), ("koutu-small", "tmodnet")])
def test_the_packaged_networks_keep_their_alpha_over_ten_frames_in_opencv(tmp_path, name, kind, size):
    path, prefix, _ = write_packaged(tmp_path, name, kind, size)
    assert difference(prefix, path, clip(size, 10), {"prev": "pha"}) <= 1e-3


@needs_opencv
@pytest.mark.skipif(not (WEIGHTS / "modnet-small-research.pt").is_file(), reason="its weights are not here")
def test_the_research_network_keeps_its_alpha_over_ten_frames_in_opencv(tmp_path):
    path, prefix, _ = write_packaged(tmp_path, "modnet-small-research", "modnet", (160, 224), gate="Interp")
    assert difference(prefix, path, clip((160, 224), 10), {"prev": "pha"}) <= 1e-3


def modnet(path: Path) -> None:
    torch.manual_seed(0)
    fixed_onnx(build("modnet", width=0.25, last_channels=64).eval(), path, (64, 96))


def test_modnet_with_both_norms_keeps_its_alpha(tmp_path):
    modnet(tmp_path / "modnet.onnx")
    files = write_caffe(tmp_path / "modnet.onnx", tmp_path / "modnet")
    assert files.beyond == ()
    (feeds,) = clip((64, 96), 1, temporal=False)
    (true,) = by_onnx(tmp_path / "modnet.onnx", [feeds], {})
    assert_same(caffe_reader.run(tmp_path / "modnet", feeds), true, 1e-3)


@needs_opencv
def test_modnet_as_published_keeps_its_alpha_in_opencv(tmp_path):
    torch.manual_seed(0)
    fixed_onnx(build("modnet").eval(), tmp_path / "modnet.onnx", (96, 128))
    write_caffe(tmp_path / "modnet.onnx", tmp_path / "modnet")
    (feeds,) = clip((96, 128), 1, temporal=False)
    assert difference(tmp_path / "modnet", tmp_path / "modnet.onnx", feeds) <= 1e-3


def test_the_text_has_no_weights_and_the_kits_own_names(tmp_path):
    write_case("depthwise", tmp_path / "case.onnx")
    files = write_caffe(tmp_path / "case.onnx", tmp_path / "case", depthwise="DepthwiseConvolution")
    first, second = caffe_reader.layers_of(files.prototxt)
    assert (first.type, list(first.top)) == ("Input", ["x0"])
    assert (second.type, list(second.top), len(second.blobs)) == ("DepthwiseConvolution", ["y0"], 0)
    assert second.convolution_param.group == 5
    assert list(first.input_param.shape[0].dim) == [1, 5, 7, 9]
    write_caffe(tmp_path / "case.onnx", tmp_path / "case")  # over the old ones
    assert caffe_reader.layers_of(files.prototxt)[1].type == "Convolution"
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".caffemodel", ".onnx", ".prototxt"]


def test_large_means_and_deconvolutions_stay_within_the_kits_limits(tmp_path):
    write_case("mean of many positions", tmp_path / "mean.onnx")
    files = write_caffe(tmp_path / "mean.onnx", tmp_path / "mean")
    kinds = [layer.type for layer in caffe_reader.layers_of(files.prototxt)]
    assert kinds == ["Input", "Pooling", "Pooling"]
    write_case("up 2 of many channels", tmp_path / "up.onnx")
    files = write_caffe(tmp_path / "up.onnx", tmp_path / "up")
    assert "Deconvolution" not in {layer.type for layer in caffe_reader.layers_of(files.prototxt)}


def test_what_the_kit_has_no_room_for_is_told(tmp_path):
    CASES["large"] = Case("ConvTranspose", [(1, 512, 2, 2), weight(512, 512, 2, 2)]), {"strides": [2, 2]}
    try:
        write_case("large", tmp_path / "case.onnx")
    finally:
        del CASES["large"]
    (told,) = write_caffe(tmp_path / "case.onnx", tmp_path / "case").beyond
    assert "Deconvolution" in told and "bytes" in told


def test_half_pixel_rows_are_torchs():
    row = torch.rand(1, 1, 1, 9)
    for out in (4, 9, 18, 31):
        true = torch.nn.functional.interpolate(row, size=(1, out), mode="bilinear", align_corners=False)
        assert np.allclose(bilinear(9, out, out / 9) @ row.numpy().ravel(), true.numpy().ravel(), atol=1e-6)


@pytest.mark.parametrize(
    "case, attributes, reason",
    [
        (Case("Softmax", [X]), {}, r"Softmax \(the/node\)"),
        (Case("Resize", [X, None, floats(1, 1, 2, 2)]), {"mode": "nearest"}, "the/node.*nearest"),
        (Case("Conv", [X, (1, 5, 3, 3)]), {}, "the/node.*kernel is not a constant"),
        (Case("AveragePool", [X]), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, "the/node.*rounds up"),
        (Case("ReduceMean", [X]), {"axes": [1]}, "the/node.*rows and columns"),
        (Case("Div", [X, X]), {}, "the/node.*divided"),
        (Case("Add", [X, (1, 1, 7, 9)]), {}, "the/node.*neither"),
        (Case("Add", [X, weight(7, 1)]), {}, "the/node.*neither"),
    ],
)
def test_what_caffe_cannot_do_is_refused_and_nothing_written(tmp_path, monkeypatch, case, attributes, reason):
    monkeypatch.setitem(CASES, "refused", (case, attributes))
    write_case("refused", tmp_path / "case.onnx")
    with pytest.raises(ModelError, match=reason) as caught:
        write_caffe(tmp_path / "case.onnx", tmp_path / "case")
    assert "instead" in str(caught.value) or "use" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["case.onnx"]


def test_files_that_are_no_graph_of_one_size_are_refused(tmp_path):
    with pytest.raises(InputError, match="found none"):
        write_caffe(tmp_path / "none.onnx", tmp_path / "case")
    (tmp_path / "text.onnx").write_text("not a graph")
    with pytest.raises(InputError, match="complete"):
        write_caffe(tmp_path / "text.onnx", tmp_path / "case")
    with pytest.raises(InputError, match="float32"):
        write_caffe(WEIGHTS / "koutu.onnx", tmp_path / "case")
    text = '<ir_version: 8, opset_import: ["" : 17]> any (float[1,3,H,W] x) => (float[1,3,H,W] y) { y = Relu(x) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "any.onnx")
    with pytest.raises(InputError, match="fixed size"):
        write_caffe(tmp_path / "any.onnx", tmp_path / "case")
    text = """<ir_version: 8, opset_import: ["" : 17]>
        x (float[1,3,4,4] x, float[1,3,4,4] z) => (float[1,3,4,4] y) { y = Relu(x) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "unused.onnx")
    with pytest.raises(InputError, match="z is not"):
        write_caffe(tmp_path / "unused.onnx", tmp_path / "case")
    assert not list(tmp_path.glob("case*"))


def test_both_files_or_none(tmp_path):
    write_case("relu", tmp_path / "case.onnx")
    for blocked in ("caffemodel", "prototxt"):
        (tmp_path / f"{blocked}.{blocked}").mkdir()
        with pytest.raises(OutputError, match="another place"):
            write_caffe(tmp_path / "case.onnx", tmp_path / blocked)
    with pytest.raises(OutputError, match="another place"):
        write_caffe(tmp_path / "case.onnx", tmp_path / "no" / "folder")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["caffemodel.caffemodel", "case.onnx", "prototxt.prototxt"]


def test_checking_needs_opencv_and_files(tmp_path, monkeypatch):
    write_case("relu", tmp_path / "case.onnx")
    feeds = feeds_for(tmp_path / "case.onnx")
    with pytest.raises(InputError, match="write_caffe"):
        difference(tmp_path / "case", tmp_path / "case.onnx", feeds)
    write_caffe(tmp_path / "case.onnx", tmp_path / "case")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(ModelError, match="pip install"):
        by_opencv(tmp_path / "case", [feeds], {})
    with pytest.raises(InputError, match="zeros"):
        by_opencv(tmp_path / "case", [feeds], {"prev": "y0"})


def test_a_fixed_file_is_the_network(tmp_path):
    network = build("modnet", temporal=True, width=0.25, last_channels=64, norm="batch").eval()
    fixed_onnx(network, tmp_path / "net.onnx", (64, 32), src="picture", prev="before", pha="alpha")
    assert not network.training
    feeds = feeds_for(tmp_path / "net.onnx")
    assert {name: array.shape for name, array in feeds.items()} == {"picture": (1, 3, 64, 32), "before": (1, 1, 64, 32)}
    with torch.no_grad():
        true = network(*(torch.from_numpy(array) for array in feeds.values()))[1]
    (found,) = by_onnx(tmp_path / "net.onnx", [feeds], {})
    assert np.abs(found["alpha"] - true.numpy()).max() < 1e-4
    with pytest.raises(InputError, match="multiples of 32"):
        fixed_onnx(network, tmp_path / "odd.onnx", (64, 40))
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
