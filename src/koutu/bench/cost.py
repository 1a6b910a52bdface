"""What a network costs before it runs: bytes on disk, parameters, and multiply-accumulates counted from its graph."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

Shape = tuple[int, ...]
Shapes = Mapping[str | int, Shape]  # of inputs, by name or place; only for the sides that the file leaves open

# Where a convolution's weights (M, C/group, …) are among its inputs; of a transposed one (C, M/group, …).
_KERNEL = {"Conv": 1, "ConvInteger": 1, "FusedConv": 1, "QLinearConv": 3, "ConvTranspose": 1}
_PRODUCTS = {"MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3, "Gemm": 1, "FusedMatMul": 1, "FusedGemm": 1}
_PLACE = _KERNEL | _PRODUCTS
_UNCOUNTED = {"LSTM", "GRU", "RNN", "Einsum", "Attention", "MultiHeadAttention", "DeformConv"}  # work of another shape
_WEIGHTS = {1: "fp32", 10: "fp16", 16: "bf16", 11: "fp64", 2: "int8", 3: "int8"}  # onnx.TensorProto's types
_TYPES = {f"tensor({name})": kind for name, kind in (("float", "float32"), ("float16", "float16"), ("uint8", "uint8"))}


@dataclass(frozen=True)
class Cost:
    """None where it is unknown. macs: of one frame of (H, W) = `at`, as the network is shown it."""

    file: str | None = None
    bytes: int | None = None
    params: int | None = None
    macs: int | None = None
    at: tuple[int, int] | None = None
    precision: str = "unknown"
    source: str = "unknown"  # "graph", or "card" for what koutu's list of networks says of the published variant


def onnx_cost(path: Path, shapes: Shapes, at: tuple[int, int] | None = None) -> Cost:
    """Cost of an ONNX file with inputs of these shapes; only its size where the package onnx is missing.

    MACs: of Conv, ConvTranspose, Gemm and MatMul and their quantised forms; None unless every one's shape is known.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        return Cost(path.name, path.stat().st_size)
    model = onnx.load(str(path), load_external_data=False)
    tensors = list(_weights(model.graph))
    beside = {entry.value for t in tensors for entry in t.external_data if entry.key == "location"}
    size = path.stat().st_size + sum((path.parent / name).stat().st_size for name in beside)
    params = sum(prod(t.dims) for t in tensors)
    macs = count_macs(model, shapes, path.parent if beside else None)
    return Cost(path.name, size, params, macs, at if macs is not None else None, _precision(tensors), "graph")


def count_macs(model: Any, shapes: Shapes, folder: Path | None = None) -> int | None:
    """Multiply-accumulates of an onnx.ModelProto, its inputs `shapes` set first; None where a shape stays unknown.

    Shapes that ONNX's inference leaves open are seen in a run on zeros; folder: of weights that lie beside the file.
    """
    import onnx
    from onnx import inliner, shape_inference

    if model.functions:
        model = inliner.inline_local_functions(model)
    _fix_inputs(model.graph, shapes)
    try:
        model = shape_inference.infer_shapes(model, data_prop=True)
        known = _known(model.graph)
        counted = [node for node in model.graph.node if node.op_type in _PLACE]
        names = {name for node in counted for name in (node.output[0], *_factors(node))}
        if missing := names - set(known):
            known |= _seen(model, sorted(missing), folder)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        return None
    counts = [_of(node, known) for node in model.graph.node]
    return None if None in counts else sum(count for count in counts if count is not None)


def _known(graph: Any) -> dict[str, Shape]:
    known: dict[str, Shape] = {t.name: tuple(t.dims) for t in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        if (shape := _shape(value)) is not None:
            known[value.name] = shape
    return known


def _seen(model: Any, names: Sequence[str], folder: Path | None) -> dict[str, Shape]:
    """Shapes that tensors have in a run; raises RuntimeError or ValueError where the network cannot be run on zeros."""
    import numpy as np
    import onnx
    import onnxruntime

    if folder is not None:
        onnx.load_external_data_for_model(model, str(folder))
    present = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        feeds = {i.name: np.zeros(i.shape, _TYPES[i.type]) for i in session.get_inputs()}
        return {name: np.asarray(out).shape for name, out in zip(names, session.run(list(names), feeds), strict=True)}
    except Exception as e:  # the engine raises types of its own
        raise RuntimeError(f"the network could not be run on zeros: {e}") from e


def _of(node: Any, known: Mapping[str, Shape]) -> int | None:
    """MACs of a node, 0 for those that multiply nothing with weights, None where they are unknown."""
    kind = node.op_type
    if kind in _UNCOUNTED or any(a.HasField("g") for a in node.attribute):
        return None  # a branch may or may not run, a loop any number of times
    if kind not in _PLACE:
        return 0
    first, second = (known.get(name) for name in _factors(node))
    out = known.get(node.output[0])
    if first is None or second is None or out is None:
        return None
    if kind == "ConvTranspose":
        return prod(first) * prod(second[1:])
    if kind in _KERNEL:
        return prod(out) * prod(second[1:])
    turned = any(a.name == "transA" and a.i for a in node.attribute)
    return prod(out) * (first[-2] if turned else first[-1])


def _factors(node: Any) -> tuple[str, str]:
    """The names of what is multiplied."""
    return node.input[0], node.input[_PLACE[node.op_type]]


def _fix_inputs(graph: Any, shapes: Shapes) -> None:
    """Give the open sides of the inputs their lengths."""
    inner = {tensor.name for tensor in graph.initializer}  # old files list their weights among the inputs
    for place, value in enumerate(value for value in graph.input if value.name not in inner):
        sides = value.type.tensor_type.shape.dim
        for side, length in zip(sides, shapes.get(value.name, shapes.get(place, ())), strict=False):
            if not side.HasField("dim_value"):
                side.dim_value = length
    for value in [*graph.value_info, *graph.output]:  # names of open sides would win over what follows from the inputs
        if any(side.HasField("dim_param") for side in value.type.tensor_type.shape.dim):
            value.type.tensor_type.ClearField("shape")


def _shape(value: Any) -> Shape | None:
    tensor = value.type.tensor_type
    sides = tensor.shape.dim
    if not tensor.HasField("shape") or any(not side.HasField("dim_value") for side in sides):
        return None
    return tuple(side.dim_value for side in sides)


def _weights(graph: Any) -> Iterator[Any]:
    """Tensors of numbers that were learnt; whole numbers of 32 bits and more are shapes and indices."""
    for tensor in graph.initializer:
        if tensor.data_type in _WEIGHTS:
            yield tensor
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "value" and node.op_type == "Constant" and attribute.t.data_type in _WEIGHTS:
                yield attribute.t


def _precision(tensors: Sequence[Any]) -> str:
    """The type most of the weights have."""
    counts: dict[str, int] = {}
    for tensor in tensors:
        kind = _WEIGHTS[tensor.data_type]
        counts[kind] = counts.get(kind, 0) + prod(tensor.dims)
    return max(counts, key=lambda kind: counts[kind]) if counts else "unknown"
