"""The nodes of an ONNX file as the writer takes them, and refusals that name the node."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from koutu.export.caffe.net import Array
from koutu.export.onnx_graph import Graph, attributes, label, load
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


def read(path: Path) -> Graph:
    """The graph of an ONNX file; raises InputError if it cannot be read, is not float32 or not of one size."""
    graph = load(path, strict=True)
    if wrong := graph.not_float:
        raise InputError(f"expected float32 inputs in {path}, got others: {', '.join(wrong)}; export it in float32")
    needed = {name for node in nodes_of(graph) for name in (*node.inputs, *node.outputs)} - graph.constants.keys()
    if unknown := sorted(name for name in needed if not graph.fixed([name])):
        raise InputError(f"expected one fixed size in {path}, {unknown[0]} has none; use koutu.export.fixed")
    return graph


def nodes_of(graph: Graph) -> list[Node]:
    """All operators but constants, in order."""
    return [_node(node, graph.constants) for node in graph.model.graph.node if node.output[0] not in graph.constants]


def _node(node: Any, constants: Mapping[str, Array]) -> Node:
    known = {i: constants[name] for i, name in enumerate(node.input) if name in constants}
    return Node(label(node), node.op_type, tuple(node.input), tuple(node.output), attributes(node), known)
