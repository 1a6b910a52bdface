"""What is traced becomes a file with the same answers, of fewer operators and constants."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")

import onnxruntime  # noqa: E402

from koutu.export.trace import compact  # noqa: E402


def padded() -> bytes:
    """Two padded convolutions with equal weights."""
    make = onnx.helper.make_node
    weights = np.float32(np.random.default_rng(1).normal(size=(16, 16, 3, 3)) / 12)
    constants = [onnx.numpy_helper.from_array(weights, name) for name in ("w1", "w2")]
    constants.append(onnx.numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 0, 0]), "around"))
    nodes = [
        make("Pad", ["x", "around"], ["p"]), make("Conv", ["p", "w1"], ["a"], strides=[2, 2]),
        make("Pad", ["a", "around"], ["q"]), make("Conv", ["q", "w2"], ["y"], strides=[2, 2]),
    ]  # fmt: skip
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 16, *sides]) for name, sides in SIDES)
    graph = onnx.helper.make_graph(nodes, "net", [x], [y], constants)
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return made.SerializeToString()


SIDES = ("x", ("H", "W")), ("y", ("h", "w"))


def answer(model: bytes) -> np.ndarray:
    x = np.random.default_rng(2).normal(size=(1, 16, 12, 20)).astype(np.float32)
    return np.asarray(onnxruntime.InferenceSession(model).run(None, {"x": x})[0])


def test_answers_stay_while_paddings_go_and_constants_are_shared():
    plain = padded()
    made = compact(plain)
    assert np.allclose(answer(plain), answer(made), atol=1e-5)
    graph = onnx.load_from_string(made).graph
    assert [node.op_type for node in graph.node] == ["Conv", "Conv"]
    assert [tuple(constant.dims) for constant in graph.initializer] == [(16, 16, 3, 3)]
