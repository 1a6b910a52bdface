"""An ONNX file for reading: nodes by name, constants, and shapes as far as they are fixed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.extras import pip_line
from koutu.types import InputError, ModelError

Array = NDArray[Any]
_FLOAT = 1  # onnx.TensorProto.FLOAT
Shape = tuple[int, ...]  # 0 for a side that is not fixed


@dataclass
class Graph:
    """model: an onnx.ModelProto. constants: tensors whose values are known. shapes: of all tensors, where known.

    strict: a shape that is unknown is an error.
    """

    model: Any
    strict: bool = False
    constants: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def __post_init__(self) -> None:
        import onnx

        try:
            self.model = onnx.shape_inference.infer_shapes(self.model, strict_mode=self.strict, data_prop=True)
        except Exception as e:  # onnx raises whatever its parsers meet
            raise InputError(f"the ONNX file does not go together: {str(e)[:200]}; export it anew") from e
        graph = self.model.graph
        self.constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                self.constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        for value in (*graph.value_info, *graph.input, *graph.output):
            tensor = value.type.tensor_type
            if tensor.HasField("shape"):
                self.shapes[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
        self.shapes |= {name: array.shape for name, array in self.constants.items()}

    @property
    def nodes(self) -> list[Any]:
        """All but constants."""
        return [node for node in self.model.graph.node if node.op_type != "Constant"]

    @property
    def inputs(self) -> dict[str, Shape]:
        """Shapes of what is fed, by name, in order."""
        return {
            value.name: self.shape(value.name) for value in self.model.graph.input if value.name not in self.constants
        }

    @property
    def outputs(self) -> dict[str, Shape]:
        """Shapes of what comes out."""
        return {value.name: self.shape(value.name) for value in self.model.graph.output}

    @property
    def not_float(self) -> list[str]:
        """Inputs that are no float32."""
        kinds = {value.name: value.type.tensor_type.elem_type for value in self.model.graph.input}
        return [name for name in self.inputs if kinds[name] != _FLOAT]

    def shape(self, name: str) -> Shape:
        """Sides of a tensor, 0 where not fixed, (0,) where nothing is known."""
        return self.shapes.get(name, (0,))

    def fixed(self, names: Sequence[str]) -> bool:
        """Whether these tensors have one size."""
        return all(min(self.shape(name), default=1) > 0 for name in names if name)

    def constant(self, node: Any, place: int, default: Any = None) -> Any:
        """The values of a node's input, `default` where it has none or they are not known."""
        if place >= len(node.input) or not node.input[place]:
            return default
        return self.constants.get(node.input[place], default)


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes by name, text as str."""
    from onnx.helper import get_attribute_value

    found = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def label(node: Any) -> str:
    """What a node is called, by its output where it has no name."""
    return node.name or node.output[0]


def axes_of(graph: Graph, node: Any, default: Any = None) -> list[int] | None:
    """The axes of a reduction or slice, counted from the front; None where they are not known."""
    found = attributes(node).get("axes", graph.constant(node, {"Slice": 3}.get(node.op_type, 1), default))
    if found is None:
        return None
    return [int(axis) % max(1, len(graph.shape(node.input[0]))) for axis in np.asarray(found).reshape(-1)]


def slices_of(graph: Graph, node: Any) -> list[tuple[int, range]] | None:
    """What a Slice takes along each axis; None where that is not known."""
    starts, ends = graph.constant(node, 1), graph.constant(node, 2)
    if starts is None or ends is None or not graph.fixed([node.input[0]]):
        return None
    axes = axes_of(graph, node, np.arange(len(starts)))
    steps = graph.constant(node, 4, np.ones(len(starts), np.int64))
    shape = graph.shape(node.input[0])
    assert axes is not None
    parts = zip(axes, starts, ends, steps, strict=True)
    return [(axis, range(shape[axis])[int(start) : int(end) : int(step)]) for axis, start, end, step in parts]


def load(source: Path | Any, *, strict: bool = False) -> Graph:
    """The graph of a file or an onnx.ModelProto; raises InputError if it cannot be read, ModelError without onnx."""
    try:
        import onnx
    except ModuleNotFoundError as e:
        raise ModelError(f"reading ONNX files needs onnx, found none; {pip_line('export')}") from e
    if not isinstance(source, str | Path):
        return Graph(source, strict)
    path = Path(source)
    if not path.is_file():
        raise InputError(f"expected an ONNX file at {path}, found none; write one with koutu.export.fixed")
    try:
        model = onnx.load(path)
    except Exception as e:
        raise InputError(f"{path} could not be read as ONNX ({str(e)[:200]}); is it complete?") from e
    if not model.graph.node:
        raise InputError(f"{path}: expected a network, found no operator; is it another file?")
    return Graph(model, strict)
