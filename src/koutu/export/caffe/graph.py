"""An ONNX file as the writer reads it: constants, nodes with their attributes, and refusals that name the node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from koutu.export.caffe.net import Array
from koutu.types import InputError, ModelError

REMEDY = "write this network for ONNX Runtime instead, or do without the operator"


@dataclass(frozen=True)
class Node:
    """An operator. constants: of its inputs, those that are known, by position."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    constants: Mapping[int, Array]

    def constant(self, position: int, name: str, default: Any = None) -> Any:
        """An input that must be known; raises ModelError if it is not. default: what it is where it is left out."""
        if position in self.constants:
            return self.constants[position]
        if position >= len(self.inputs) or not self.inputs[position]:
            return default
        self.refuse(f"its {name} is not a constant")

    def refuse(self, reason: str, remedy: str = REMEDY) -> NoReturn:
        """Raise the ModelError that says why this node has no place in a Caffe file."""
        raise ModelError(f"Caffe's layers cannot do {self.kind} of node {self.name}: {reason}; {remedy}")


@dataclass(frozen=True)
class Graph:
    """inputs and outputs: shapes by name. shapes: of everything between."""

    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]
    shapes: dict[str, tuple[int, ...]]
    nodes: list[Node]


def read(path: Path) -> Graph:
    """The graph of an ONNX file; raises InputError if it cannot be read, is not float32 or not of one size."""
    try:
        import onnx
    except ModuleNotFoundError as e:
        raise ModelError("reading ONNX files needs onnx, found none; pip install 'koutu[export]'") from e
    if not path.is_file():
        raise InputError(f"expected an ONNX file at {path}, found none; write one with koutu.export.fixed")
    try:
        graph = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True, data_prop=True).graph
    except Exception as e:  # onnx raises whatever its parsers meet
        raise InputError(f"{path} could not be read as ONNX ({str(e)[:200]}); is it complete?") from e
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    nodes = [_node(node, constants) for node in graph.node if node.output[0] not in constants]
    inputs = [value for value in graph.input if value.name not in constants]
    if wrong := [value.name for value in inputs if value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT]:
        raise InputError(f"expected float32 inputs in {path}, got others: {', '.join(wrong)}; export it in float32")
    shapes = {value.name: _shape(value) for value in (*graph.value_info, *inputs, *graph.output)}
    needed = {name for node in nodes for name in (*node.inputs, *node.outputs) if name and name not in constants}
    if unknown := sorted(name for name in needed if min(shapes.get(name, (0,)), default=1) < 1):
        raise InputError(f"expected one fixed size in {path}, {unknown[0]} has none; use koutu.export.fixed")
    return Graph(_named(inputs, shapes), _named(graph.output, shapes), shapes, nodes)


def _node(node: Any, constants: Mapping[str, Array]) -> Node:
    from onnx.helper import get_attribute_value

    def plain(value: Any) -> Any:
        return value.decode() if isinstance(value, bytes) else value

    attributes = {attribute.name: plain(get_attribute_value(attribute)) for attribute in node.attribute}
    known = {i: np.asarray(constants[name]) for i, name in enumerate(node.input) if name in constants}
    name = node.name or node.output[0]
    return Node(name, node.op_type, tuple(node.input), tuple(node.output), attributes, known)


def _shape(value: Any) -> tuple[int, ...]:
    """Sides, 0 for one that is not fixed."""
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _named(values: Sequence[Any], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {value.name: shapes[value.name] for value in values}
