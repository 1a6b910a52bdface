"""Caffe files: every operator by itself against ONNX Runtime, what is refused, and what the files hold.

What the files mean is worked out twice: by Caffe's definitions in torch, always, and by OpenCV 4's importer, in a
process of its own, where KOUTU_OPENCV4 names the folder it is in.
"""

import os
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("google.protobuf")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxslim")

from support import caffe_reader  # noqa: E402
from support.caffe_cases import CASES, TEXTS, Case, X, feeds_for, floats, weight, write, write_together  # noqa: E402
from support.caffe_check import by_onnx, by_opencv, difference  # noqa: E402

from koutu.engines.exported.caffe import FOLDER  # noqa: E402
from koutu.export.caffe import write_caffe  # noqa: E402
from koutu.export.caffe.linear import bilinear  # noqa: E402
from koutu.types import InputError, ModelError, OutputError  # noqa: E402

WEIGHTS = Path(__file__).parent.parent.parent / "src" / "koutu" / "weights"
EXACT = 2e-5  # float32, of values around 1
EVERY = CASES | TEXTS

needs_opencv = pytest.mark.skipif(
    not os.environ.get(FOLDER), reason=f"{FOLDER} names no folder with OpenCV 4, which reads Caffe files"
)


@pytest.fixture(scope="module")
def every_operator(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """All cases in one file, what is fed to it, and what ONNX Runtime makes of that."""
    path = tmp_path_factory.mktemp("all") / "all.onnx"
    write_together(EVERY, path)
    feeds = feeds_for(path)
    return path, feeds, by_onnx(path, [feeds], {})[0]


def cases_apart(found: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> dict[str, float]:
    """Cases whose results are not the same, by how much they differ."""
    assert found.keys() == true.keys()
    names, errors = list(EVERY), {}
    for output, expected in true.items():
        assert found[output].size == expected.size
        error = float(np.abs(found[output].reshape(expected.shape) - expected).max())
        name = names[int(output.partition("/")[0])]
        errors[name] = max(error, errors.get(name, 0.0))
    return {name: error for name, error in errors.items() if error > EXACT}


@pytest.mark.parametrize("gate", ["Scale", "Interp"])
def test_every_operator_by_caffes_definitions(tmp_path, every_operator, gate):
    path, feeds, true = every_operator
    files = write_caffe(path, tmp_path / "all", gate=gate)
    assert files.beyond == ()
    assert cases_apart(caffe_reader.run(tmp_path / "all", feeds), true) == {}


@needs_opencv
@pytest.mark.parametrize("gate", ["Scale", "Interp"])
def test_every_operator_in_opencv(tmp_path, every_operator, gate):
    path, feeds, true = every_operator
    write_caffe(path, tmp_path / "all", depthwise="DepthwiseConvolution", gate=gate)
    (found,) = by_opencv(tmp_path / "all", [feeds], {})
    assert cases_apart(found, true) == {}


def test_the_text_has_no_weights_and_the_kits_own_names(tmp_path):
    write(CASES["depthwise"], tmp_path / "case.onnx")
    files = write_caffe(tmp_path / "case.onnx", tmp_path / "case", depthwise="DepthwiseConvolution")
    first, second = caffe_reader.layers_of(files.prototxt)
    assert (first.type, list(first.top)) == ("Input", ["x0"])
    assert (second.type, list(second.top), len(second.blobs)) == ("DepthwiseConvolution", ["y0"], 0)
    assert second.convolution_param.group == 5
    assert list(first.input_param.shape[0].dim) == [1, 5, 7, 9]
    write_caffe(tmp_path / "case.onnx", tmp_path / "case")  # over the old ones
    assert caffe_reader.layers_of(files.prototxt)[1].type == "Convolution"
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".caffemodel", ".onnx", ".prototxt"]


@pytest.mark.parametrize(
    "name, kinds",
    [
        ("mean of many positions", ["Pooling", "Pooling"]),  # 10 000 are too many for one
        ("up 2", ["Slice", "Concat", "Slice", "Concat", "Deconvolution"]),  # with edges repeated
        ("up 2 of many channels", ["Permute", "Convolution", "Permute", "Convolution", "Permute"]),
        ("corners aligned", ["Interp"]),
        ("corners aligned, much smaller", ["Permute", "Convolution", "Permute", "Convolution", "Permute"]),
    ],
)
def test_layers_are_chosen_by_the_kits_limits(tmp_path, name, kinds):
    write(CASES[name], tmp_path / "case.onnx")
    files = write_caffe(tmp_path / "case.onnx", tmp_path / "case")
    assert [layer.type for layer in caffe_reader.layers_of(files.prototxt)][1:] == kinds


def test_what_the_kit_has_no_room_for_is_told(tmp_path):
    large = Case("ConvTranspose", [(1, 512, 2, 2), weight(512, 512, 2, 2)], {"strides": [2, 2]})
    write(large, tmp_path / "case.onnx")
    (told,) = write_caffe(tmp_path / "case.onnx", tmp_path / "case").beyond
    assert "Deconvolution" in told and "bytes" in told


def test_half_pixel_rows_are_torchs():
    row = torch.rand(1, 1, 1, 9)
    for out in (4, 9, 18, 31):
        true = torch.nn.functional.interpolate(row, size=(1, out), mode="bilinear", align_corners=False)
        assert np.allclose(bilinear(9, out, out / 9) @ row.numpy().ravel(), true.numpy().ravel(), atol=1e-6)


@pytest.mark.parametrize(
    "case, reason",
    [
        (Case("Softmax", [X]), r"Softmax \(the/node\)"),
        (Case("Resize", [X, None, floats(1, 1, 2, 2)], {"mode": "nearest"}), "the/node.*nearest"),
        (Case("Conv", [X, (1, 5, 3, 3)]), "the/node.*kernel is not a constant"),
        (Case("AveragePool", [X], {"kernel_shape": [3, 3], "pads": [1] * 4}), "the/node.*padding out of its means"),
        (Case("MaxPool", [X], {"kernel_shape": [3, 3], "pads": [1, 0, 0, 0]}), "the/node.*unevenly"),
        (Case("ReduceMean", [X], {"axes": [3]}), "the/node.*rows and columns"),
        (Case("Div", [X, X]), "the/node.*divides by what may be 0"),
        (Case("Add", [X, (1, 5, 7, 1)]), "the/node.*neither"),
        (Case("Add", [X, weight(7, 1)]), "the/node.*neither"),
    ],
)
def test_what_caffe_cannot_do_is_refused_and_nothing_written(tmp_path, case, reason):
    write(case, tmp_path / "case.onnx")
    with pytest.raises(ModelError, match=reason) as caught:
        write_caffe(tmp_path / "case.onnx", tmp_path / "case")
    assert any(remedy in str(caught.value) for remedy in ("instead", "use", "keep"))
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
    write(CASES["relu"], tmp_path / "case.onnx")
    for blocked in ("caffemodel", "prototxt"):
        (tmp_path / f"{blocked}.{blocked}").mkdir()
        with pytest.raises(OutputError, match="another place"):
            write_caffe(tmp_path / "case.onnx", tmp_path / blocked)
    with pytest.raises(OutputError, match="another place"):
        write_caffe(tmp_path / "case.onnx", tmp_path / "no" / "folder")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["caffemodel.caffemodel", "case.onnx", "prototxt.prototxt"]


def test_checking_needs_opencv_and_files(tmp_path, monkeypatch):
    write(CASES["relu"], tmp_path / "case.onnx")
    feeds = feeds_for(tmp_path / "case.onnx")
    with pytest.raises(InputError, match="write_caffe"):
        difference(tmp_path / "case", tmp_path / "case.onnx", feeds)
    write_caffe(tmp_path / "case.onnx", tmp_path / "case")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(ModelError, match="pip install"):
        by_opencv(tmp_path / "case", [feeds], {})
    with pytest.raises(InputError, match="zeros"):
        by_opencv(tmp_path / "case", [feeds], {"prev": "y0"})
