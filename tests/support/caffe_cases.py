"""ONNX operators one by one, at odd sizes, and small graphs that our networks have: what Caffe files are tried on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass
class Case:
    """One operator. inputs: shapes of what flows, arrays that are constant, None where one is left out."""

    kind: str
    inputs: list[Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1


def weight(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


X = (1, 5, 7, 9)
HALF = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}

CASES: dict[str, Case] = {
    "conv": Case("Conv", [X, weight(4, 5, 3, 3), weight(4)], {"pads": [1, 1, 1, 1]}),
    "conv stride 2 padded right and below": Case(
        "Conv", [X, weight(4, 5, 3, 3)], {"pads": [0, 0, 1, 1], "strides": [2, 2]}
    ),
    "conv 5 padded unevenly": Case("Conv", [X, weight(4, 5, 5, 3)], {"pads": [1, 0, 2, 2], "strides": [2, 1]}),
    "conv dilated": Case("Conv", [X, weight(4, 5, 3, 3)], {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "depthwise": Case("Conv", [X, weight(5, 1, 3, 3), weight(5)], {"group": 5, "pads": [1, 1, 1, 1]}),
    "depthwise 5 padded unevenly": Case(
        "Conv", [X, weight(5, 1, 5, 5)], {"group": 5, "pads": [1, 1, 2, 2], "strides": [2, 2]}
    ),
    "grouped": Case("Conv", [(1, 6, 5, 5), weight(4, 3, 1, 1)], {"group": 2}),
    "deconv": Case("ConvTranspose", [X, weight(5, 2, 2, 2), weight(2)], {"strides": [2, 2]}),
    "deconv 3": Case(
        "ConvTranspose", [X, weight(5, 2, 3, 3)], {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}
    ),
    "deconv grouped": Case("ConvTranspose", [(1, 6, 5, 3), weight(6, 2, 2, 2)], {"strides": [2, 2], "group": 3}),
    "up 2": Case("Resize", [X, None, floats(1, 1, 2, 2)], HALF),
    "up 3 by 4": Case("Resize", [X, None, floats(1, 1, 3, 4)], HALF),
    "up 2 of one row and of two columns": Case("Resize", [(1, 2, 1, 2), None, floats(1, 1, 2, 2)], HALF),
    "up 2 of many channels": Case("Resize", [(1, 600, 3, 2), None, floats(1, 1, 2, 2)], HALF),
    "up in one direction": Case("Resize", [X, None, floats(1, 1, 1, 2)], HALF),
    "down 2": Case("Resize", [(1, 3, 6, 10), None, floats(1, 1, 0.5, 0.5)], HALF),
    "down 4 by 3": Case("Resize", [(1, 3, 8, 9), None, None, ints(1, 3, 2, 3)], HALF),
    "any size": Case("Resize", [X, None, None, ints(1, 5, 11, 5)], HALF),
    "down and up": Case("Resize", [(1, 2, 6, 5), None, None, ints(1, 2, 3, 10)], HALF),
    "rows alone": Case("Resize", [X, None, None, ints(1, 5, 4, 9)], HALF),
    "columns alone": Case("Resize", [X, None, None, ints(1, 5, 7, 4)], HALF),
    "odd scale": Case("Resize", [X, None, floats(1, 1, 1.7, 0.6)], HALF),
    "corners aligned": Case(
        "Resize", [X, None, None, ints(1, 5, 9, 13)], {**HALF, "coordinate_transformation_mode": "align_corners"}
    ),
    "corners aligned, much smaller": Case(
        "Resize", [(1, 2, 40, 40), None, None, ints(1, 2, 6, 7)],
        {**HALF, "coordinate_transformation_mode": "align_corners"},
    ),
    "global mean": Case("GlobalAveragePool", [X]),
    "global maximum": Case("GlobalMaxPool", [X]),
    "mean of rows and columns": Case("ReduceMean", [X], {"axes": [2, 3], "keepdims": 1}),
    "mean of many positions": Case("ReduceMean", [(1, 2, 105, 101)], {"axes": [-1, -2], "keepdims": 1}),
    "pool": Case("AveragePool", [(1, 3, 6, 8)], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "pool with a rest": Case("AveragePool", [X], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "pool padded": Case(
        "AveragePool", [X], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 0, 1], "count_include_pad": 1}
    ),
    "pool that rounds up": Case(
        "AveragePool", [X], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
    ),
    "mean of channels": Case("ReduceMean", [X], {"axes": [1], "keepdims": 1}),
    "maximum of all": Case("ReduceMax", [(1, 3, 105, 101)], {"axes": [1, 2, 3], "keepdims": 1}),
    "maximum of channels": Case("ReduceMax", [(1, 6, 4, 5)], {"axes": [1], "keepdims": 1}),
    "maxima": Case("MaxPool", [(1, 3, 6, 8)], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "maxima with a rest": Case("MaxPool", [X], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "maxima, rounding up": Case("MaxPool", [X], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    "maxima, padded": Case("MaxPool", [(1, 3, 8, 9)], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}),
    "relu": Case("Relu", [X]),
    "sigmoid": Case("Sigmoid", [X]),
    "tanh": Case("Tanh", [X]),
    "relu6": Case("Clip", [X, np.float32(0), np.float32(0.6)]),
    "clip": Case("Clip", [X, np.float32(-0.3), np.float32(0.4)]),
    "clip from below": Case("Clip", [X, np.float32(-0.3)]),
    "clip from above": Case("Clip", [X, None, np.float32(0.4)]),
    "hard sigmoid": Case("HardSigmoid", [X], {"alpha": 0.7}),
    "hard swish": Case("HardSwish", [X]),
    "add": Case("Add", [X, X]),
    "subtract": Case("Sub", [X, X]),
    "multiply": Case("Mul", [X, X]),
    "add of channels": Case("Add", [(1, 5, 1, 1), X]),
    "subtract from channels": Case("Sub", [(1, 5, 1, 1), X]),
    "gate": Case("Mul", [X, (1, 5, 1, 1)]),
    "one channel over all": Case("Mul", [X, (1, 1, 7, 9)]),
    "one number over all": Case("Add", [(1, 1, 1, 1), X]),
    "channels of one, places of another": Case("Sub", [(1, 5, 1, 1), (1, 1, 7, 9)]),
    "add a constant": Case("Add", [X, weight(1, 5, 1, 1)]),
    "subtract from a constant": Case("Sub", [np.float32(0.7), X]),
    "divide by a constant": Case("Div", [X, np.float32(0.3)]),
    "join channels": Case("Concat", [X, (1, 2, 7, 9), X], {"axis": 1}),
    "join rows": Case("Concat", [X, (1, 5, 2, 9)], {"axis": -2}),
    "split": Case("Split", [X, ints(2, 2, 1)], {"axis": 1}, outputs=3),
    "slice of channels": Case("Slice", [X, ints(1), ints(4), ints(1)]),
    "slice of rows and columns": Case("Slice", [X, ints(1, -5), ints(6, 2**62), ints(2, 3)]),
    "mirror image": Case("Slice", [X, ints(-1), ints(-(2**62)), ints(3), ints(-1)]),
    "upside down": Case("Slice", [X, ints(-1), ints(-(2**62)), ints(2), ints(-1)]),
    "every second column": Case("Slice", [X, ints(0), ints(9), ints(3), ints(2)]),
    "pad": Case("Pad", [X, ints(0, 0, 1, 2, 0, 0, 0, 3)]),
    "pad with a constant, cut above": Case("Pad", [X, ints(0, 0, -1, 2, 0, 0, 1, 0), np.float32(0.5)]),
    "pad by edges": Case("Pad", [X, ints(0, 0, 1, 2, 0, 0, 0, 3)], {"mode": "edge"}),
    "pad by mirroring": Case("Pad", [X, ints(0, 0, 1, 2, 0, 0, 0, 3)], {"mode": "reflect"}),
    "pixel shuffle": Case("DepthToSpace", [(1, 12, 3, 5)], {"blocksize": 2, "mode": "CRD"}),
    "depth to space": Case("DepthToSpace", [(1, 18, 3, 5)], {"blocksize": 3}),
    "space to depth": Case("SpaceToDepth", [(1, 3, 4, 6)], {"blocksize": 2}),
    "turn axes": Case("Transpose", [X], {"perm": [0, 2, 3, 1]}),
    "reshape": Case("Reshape", [X, ints(1, 7, 5, 9)]),
    "instance norm": Case("InstanceNormalization", [X, weight(5), weight(5, seed=1)], {"epsilon": 1e-2}),
    "batch norm": Case(
        "BatchNormalization", [X, weight(5), weight(5, seed=1), weight(5, seed=2), weight(5) ** 2], {"epsilon": 1e-2}
    ),
}  # fmt: skip
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
    "divided by what is kept above nought": """<ir_version: 8, opset_import: ["" : 17]>
        divided (float[1,3,4,5] x, float[1,3,4,5] z) => (float[1,3,4,5] y, float[1,3,4,5] w) {
            least = Constant<value = float {0.1}>()
            most = ReduceMax<axes = [1, 2, 3], keepdims = 1>(x)
            clipped = Clip(most, least)
            y = Div(x, clipped)
            shares = Sigmoid(z)
            w = Div(z, shares)
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


def write(case: Case | str, path: Path) -> None:
    """The case, by itself, as an ONNX file; its one node is "the/node", its results y0, y1, …."""
    onnx.save(onnx.shape_inference.infer_shapes(_model(case)), path)


def _model(case: Case | str) -> onnx.ModelProto:
    if isinstance(case, str):
        return onnx.parser.parse_model(case)
    inputs, constants, names = [], [], []
    for i, given in enumerate(case.inputs):
        names.append("" if given is None else f"x{i}")
        if isinstance(given, tuple):
            inputs.append(helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, given))
        elif given is not None:
            constants.append(numpy_helper.from_array(np.asarray(given), f"x{i}"))
    outputs = [f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(case.kind, names, outputs, name="the/node", **case.attributes)
    ends = [helper.make_empty_tensor_value_info(output) for output in outputs]
    graph = helper.make_graph([node], "case", inputs, ends, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_together(cases: dict[str, Case | str], path: Path) -> None:
    """All cases side by side in one ONNX file; names begin with the case's number."""
    models = [onnx.compose.add_prefix(_model(case), f"{i}/") for i, case in enumerate(cases.values())]
    parts = [[x for m in models for x in getattr(m.graph, f)] for f in ("node", "input", "output", "initializer")]
    graph = helper.make_graph(parts[0], "cases", parts[1], parts[2], parts[3])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)


def feeds_for(path: Path, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = onnx.load(path).graph.input
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
