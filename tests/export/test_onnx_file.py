"""ONNX files: those that are packaged can be read by all, and what could not be is never written."""

from pathlib import Path
from typing import Any

import pytest

from koutu.types import ModelError
from koutu.zoo import WEIGHTS

onnx = pytest.importorskip("onnx")
cv2 = pytest.importorskip("cv2")
OPENCV5 = pytest.mark.skipif(int(cv2.__version__.split(".")[0]) < 5, reason=f"OpenCV is {cv2.__version__}")
PACKAGED = pytest.mark.parametrize("path", sorted(WEIGHTS.glob("*.onnx")), ids=lambda path: path.name)


@PACKAGED
def test_packaged_files_pass_the_check(path):
    onnx.checker.check_model(onnx.load(path), full_check=True)


@OPENCV5
@PACKAGED
def test_opencv_reads_packaged_files(path):
    """Not by its older parser, which it falls back to with an error in the log."""
    assert not cv2.dnn.readNetFromONNX(str(path), engine=cv2.dnn.ENGINE_NEW).empty()


def broken(kind: str) -> Any:
    nodes = [onnx.helper.make_node("Relu", ["x"], ["h"]), onnx.helper.make_node("Relu", ["h"], ["y"])]
    sides = {"shape": [1, 3]}.get(kind, [1, 2])
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 2])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, sides)
    graph = onnx.helper.make_graph(nodes[::-1] if kind == "order" else nodes, "net", [x], [y])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def test_what_does_not_pass_is_not_written(tmp_path: Path):
    from koutu.export.onnx_file import save

    path = tmp_path / "net.onnx"
    for kind, said in (("order", "topologically sorted"), ("shape", "dimension")):
        with pytest.raises(ModelError, match=rf"net\.onnx to pass .*{said}.*nothing was written"):
            save(broken(kind), path)
        assert not any(tmp_path.iterdir())
    save(broken(""), path)
    before = path.read_bytes()
    with pytest.raises(ModelError):
        save(broken("order"), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
