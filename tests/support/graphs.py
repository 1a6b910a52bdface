"""Small ONNX graphs of a few operators."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Nodes = Sequence[tuple[str, list[str], dict[str, Any]]]


def network(shape: tuple[int, ...], nodes: Nodes, constants: dict[str, Any] | None = None, opset: int = 17) -> Any:
    """x of a shape through nodes in a row; the last gives y."""
    made, last = [], "x"
    for i, (kind, more, attributes) in enumerate(nodes):
        out = "y" if i == len(nodes) - 1 else f"t{i}"
        made.append(helper.make_node(kind, [last, *more], [out], f"node{i}", **attributes))
        last = out
    tensors = [numpy_helper.from_array(values, name) for name, values in (constants or {}).items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_empty_tensor_value_info("y")
    graph = helper.make_graph(made, "graph", [x], [y], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    inferred = onnx.shape_inference.infer_shapes(model)
    del model.graph.output[:]
    model.graph.output.extend(inferred.graph.output)
    return model


def f32(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
