"""What is written instead of operators that a chip's converter does not know; each does the same arithmetic."""

from collections.abc import Callable
from typing import Any

import numpy as np

from koutu.export.ascend.operators import POSITIONS, SHRINK, factors
from koutu.export.onnx_graph import Array, Graph, attributes, axes_of, slices_of


class Writer:
    """Nodes and constants that take the place of one node; `graph` is what it was part of."""

    def __init__(self, graph: Graph, name: str):
        self.graph, self.name = graph, name
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def constant(self, values: Array) -> str:
        """A float32 or int64 tensor."""
        from onnx import numpy_helper

        name = f"{self.name}/constant_{len(self.tensors)}"
        kind = np.int64 if np.issubdtype(values.dtype, np.integer) else np.float32
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values, kind), name))
        return name

    def __call__(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """A node; numbers among its inputs become constants. The name of what it gives."""
        from onnx import helper

        names = [x if isinstance(x, str) else self.constant(np.asarray(x)) for x in inputs]
        name = f"{self.name}/{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [name], name, **attributes))
        return name


Rule = Callable[[Writer, Any], str | None]  # the name of the result, None where the node may stay


def instance_norm(write: Writer, node: Any) -> str | None:
    """(x − mean) · (variance + ε)^−½ · scale + bias, for each picture and channel."""
    x, scale, bias = node.input
    shape = write.graph.shape(x)
    if len(shape) != 4:
        return None
    away = write("Sub", x, write("ReduceMean", x, axes=[2, 3], keepdims=1))
    variance = write("ReduceMean", write("Mul", away, away), axes=[2, 3], keepdims=1)
    epsilon = attributes(node).get("epsilon", 1e-5)
    by = write("Pow", write("Add", variance, np.float32(epsilon)), np.float32(-0.5))
    one = np.array([1, shape[1], 1, 1])
    scaled = write("Mul", write("Mul", away, by), write("Reshape", scale, one))
    return write("Add", scaled, write("Reshape", bias, one))


def mean(write: Writer, node: Any) -> str | None:
    """Means of windows, then the mean of those; axes stay, and go in a reshape."""
    graph, x = write.graph, node.input[0]
    shape = graph.shape(x)
    reduced = node.op_type == "ReduceMean"
    if len(shape) != 4 or (reduced and axes_of(graph, node) not in ([2, 3], [3, 2])):
        return None
    keeps = not reduced or bool(attributes(node).get("keepdims", 1))
    window = factors(shape[2], shape[3]) if shape[2] * shape[3] > POSITIONS else (1, 1)
    if window is None or (keeps and window == (1, 1)):
        return None
    if window != (1, 1):
        x = write("AveragePool", x, kernel_shape=list(window), strides=list(window))
    x = write("ReduceMean", x, axes=[2, 3], keepdims=1) if reduced else write("GlobalAveragePool", x)
    return x if keeps else write("Reshape", x, np.array(shape[:2]))


def resize(write: Writer, node: Any) -> str | None:
    """Rows first, then columns, where both at once would be too much; a product where one axis alone is too much."""
    graph, x = write.graph, node.input[0]
    before, after = graph.shape(x), graph.shape(node.output[0])
    about = attributes(node)
    much = len(before) == 4 and after[2] * after[3] * SHRINK <= before[2] * before[3]
    if not much or before[:2] != after[:2] or about.get("mode", "nearest") == "cubic" or about.get("antialias", 0):
        return None
    scales = graph.constant(node, 2)
    for axis in (2, 3):
        if after[axis] * SHRINK > before[axis]:
            x = _resized(write, node, x, axis, scales)
        else:
            x = _resampled(write, x, axis, _weights(node, before, after, axis, scales))
    return x


def _resized(write: Writer, node: Any, x: str, axis: int, scales: Any) -> str:
    """The same resize along one axis."""
    before, after = write.graph.shape(node.input[0]), write.graph.shape(node.output[0])
    about = attributes(node)
    if scales is not None and np.size(scales):
        given = np.ones(4, np.float32)
        given[axis] = np.asarray(scales)[axis]
        return write("Resize", x, "", given, **about)
    sizes = np.array([*before[:2], after[2], before[3] if axis == 2 else after[3]])
    return write("Resize", x, "", "", sizes, **about)


def _weights(node: Any, before: Any, after: Any, axis: int, scales: Any) -> Array:
    """(new, old): how much each old place counts for each new one, found by resizing every single place."""
    import onnxruntime
    from onnx import TensorProto, helper

    old, new = before[axis], after[axis]
    attribute = {k: v for k, v in attributes(node).items() if k != "axes"}
    given = np.asarray(scales)[axis] if scales is not None and np.size(scales) else None
    inputs = ["x", "", "scales"] if given is not None else ["x", "", "", "sizes"]
    tensor = (
        helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 1, float(given)])
        if given is not None
        else helper.make_tensor("sizes", TensorProto.INT64, [4], [1, 1, old, new])
    )
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, old, s]) for n, s in (("x", old), ("y", new))]
    one = helper.make_node("Resize", inputs, ["y"], **attribute)
    graph = helper.make_graph([one], "one", values[:1], values[1:], [tensor])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.eye(old, dtype=np.float32)[None, None]})
    return np.asarray(found)[0, 0].T


def _resampled(write: Writer, x: str, axis: int, weights: Array) -> str:
    return write("MatMul", x, weights.T.copy()) if axis == 3 else write("MatMul", weights, x)


def slices(write: Writer, node: Any) -> str | None:
    """Steps as poolings of one value, a whole turn of rows or columns as a product, the rest as a plain slice."""
    taken = slices_of(write.graph, node)
    shape = write.graph.shape(node.input[0])
    if taken is None or all(indices.step == 1 or len(indices) == 1 for _, indices in taken):
        return None
    x, steps = node.input[0], [1, 1]
    for axis, indices in taken:
        if indices.step == -1 and axis >= len(shape) - 2 and len(indices) == shape[axis]:
            turn = np.eye(shape[axis], dtype=np.float32)[::-1].copy()
            x = write("MatMul", x, turn) if axis == len(shape) - 1 else write("MatMul", turn, x)
        elif indices.step == 1 or len(indices) == 1:
            x = _part(write, x, axis, indices.start, indices[-1] + 1)
        elif indices.step > 1 and axis >= 2 and len(shape) == 4:
            x = _part(write, x, axis, indices.start, indices[-1] + 1)
            steps[axis - 2] = indices.step
        else:
            return None
    return x if steps == [1, 1] else write("MaxPool", x, kernel_shape=[1, 1], strides=steps)


def _part(write: Writer, x: str, axis: int, start: int, end: int) -> str:
    return write("Slice", x, np.array([start]), np.array([end]), np.array([axis]))


def depth_to_space(write: Writer, node: Any) -> str:
    """A transposed convolution whose kernels are single ones."""
    block, inp = attributes(node)["blocksize"], write.graph.shape(node.input[0])[1]
    out = inp // block**2
    kernel = np.zeros((inp, out, block, block), np.float32)
    for channel, row, column in np.ndindex(out, block, block):
        if attributes(node).get("mode", "DCR") == "DCR":
            kernel[(row * block + column) * out + channel, channel, row, column] = 1
        else:
            kernel[(channel * block + row) * block + column, channel, row, column] = 1
    return write("ConvTranspose", node.input[0], kernel, kernel_shape=[block, block], strides=[block, block])


def space_to_depth(write: Writer, node: Any) -> str:
    """A convolution whose kernels are single ones."""
    block, inp = attributes(node)["blocksize"], write.graph.shape(node.input[0])[1]
    kernel = np.zeros((inp * block**2, inp, block, block), np.float32)
    for channel, row, column in np.ndindex(inp, block, block):
        kernel[(row * block + column) * inp + channel, channel, row, column] = 1
    return write("Conv", node.input[0], kernel, kernel_shape=[block, block], strides=[block, block])


def hard_swish(write: Writer, node: Any) -> str:
    """x · hard_sigmoid(x)."""
    return write("Mul", node.input[0], write("HardSigmoid", node.input[0], alpha=1 / 6, beta=0.5))


def clip(write: Writer, node: Any) -> str | None:
    """low + ReLU(x − low) − ReLU(x − high)."""
    low, high = (write.graph.constant(node, place) for place in (1, 2))
    if low is None or high is None or (float(low), float(high)) == (0.0, 6.0):
        return None
    x, low, high = node.input[0], float(low), float(high)
    above = write("Relu", write("Sub", x, np.float32(low)) if low else x)
    cut = write("Sub", above, write("Relu", write("Sub", x, np.float32(high))))
    return write("Add", cut, np.float32(low)) if low else cut


def ungrouped(write: Writer, node: Any) -> str | None:
    """One group, with zeros where the groups did not meet; depthwise convolutions stay."""
    about, weight = attributes(node), write.graph.constant(node, 1)
    group, inp = about.get("group", 1), write.graph.shape(node.input[0])[1]
    transposed = node.op_type == "ConvTranspose"
    if weight is None or group == 1 or (group == inp and not transposed):
        return None
    rows, columns = weight.shape[0] // group, weight.shape[1]
    kernel = np.zeros((weight.shape[0], columns * group, *weight.shape[2:]), np.float32)
    for i in range(group):
        kernel[i * rows : (i + 1) * rows, i * columns : (i + 1) * columns] = weight[i * rows : (i + 1) * rows]
    return write(node.op_type, node.input[0], kernel, *node.input[2:], **(about | {"group": 1}))


def global_max(write: Writer, node: Any) -> str:
    """A pooling whose window is the picture."""
    return write("MaxPool", node.input[0], kernel_shape=list(write.graph.shape(node.input[0])[2:]))


def power(write: Writer, node: Any) -> str:
    """A square root or a reciprocal."""
    return write("Pow", node.input[0], np.float32({"Sqrt": 0.5, "Reciprocal": -1.0}[node.op_type]))


def negative(write: Writer, node: Any) -> str:
    """−1 · x."""
    return write("Mul", node.input[0], np.float32(-1))


RULES: dict[str, Rule] = {
    "InstanceNormalization": instance_norm, "ReduceMean": mean, "GlobalAveragePool": mean, "Resize": resize,
    "Slice": slices, "DepthToSpace": depth_to_space, "SpaceToDepth": space_to_depth, "HardSwish": hard_swish,
    "Clip": clip, "Conv": ungrouped, "ConvTranspose": ungrouped, "GlobalMaxPool": global_max, "Sqrt": power,
    "Reciprocal": power, "Neg": negative,
}  # fmt: skip
