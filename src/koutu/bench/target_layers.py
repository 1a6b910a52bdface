"""What each operator of a network asks of a chip: products, other arithmetic, and bytes that move.

As Da Vinci cores have it: channels in sixteens, products in blocks of 16 × 16 × 16, and a block for 16 channels of a
depthwise convolution. What works number by number on the result of one other operator is part of that operator's
kernel, as CANN fuses it: nothing is written between.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

from koutu.export.onnx_graph import Graph, Shape, attributes, label

BLOCK = 16
BYTES = 2  # half floats
# Vector operations for each number that comes out; what moves numbers only counts as one.
_VECTOR = {
    "Sigmoid": 5, "Tanh": 6, "HardSigmoid": 3, "HardSwish": 4, "Softmax": 6, "Exp": 1, "Pow": 3, "Sqrt": 1, "Div": 2,
    "Clip": 2, "Resize": 7, "InstanceNormalization": 6, "BatchNormalization": 2,
}  # fmt: skip
_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_JOINS = {  # number by number
    "Relu", "LeakyRelu", "PRelu", "Clip", "BatchNormalization", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Exp",
    "Pow", "Sqrt", "Add", "Sub", "Mul", "Div",
}  # fmt: skip
_FREE = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Constant")  # nothing moves


@dataclass
class Layer:
    """One kernel. macs: of the network; padded: of whole blocks; vector: other operations; bytes: that move."""

    name: str
    kind: str
    shape: Shape
    macs: int = 0
    padded: int = 0
    vector: int = 0
    bytes: int = 0


def layers(graph: Graph) -> list[Layer]:
    """All kernels of a network of fixed size, in their order."""
    readers: dict[str, int] = {name: 1 for name in graph.outputs}
    for node in graph.nodes:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    made: dict[str, Layer] = {}  # by what they give
    found: list[Layer] = []
    for node in graph.nodes:
        out = graph.shape(node.output[0])
        if node.op_type in _FREE:
            if node.input[0] in made:
                made[node.output[0]] = made[node.input[0]]
            continue
        alone = [made[name] for name in node.input if name in made and readers[name] == 1]
        joined = next((layer for layer in reversed(found) if layer in alone and layer.shape == out), None)
        if node.op_type in _JOINS and joined is not None:
            others = [graph.shape(name) for name in node.input if name and made.get(name) is not joined]
            joined.kind += f" + {node.op_type}"
            joined.vector += _laid(out) * _VECTOR.get(node.op_type, 1)
            joined.bytes += sum(BYTES * _laid(shape) for shape in others)
            made[node.output[0]] = joined
            continue
        layer = _layer(graph, node)
        found.append(layer)
        made |= dict.fromkeys(node.output, layer)
    return found


def _layer(graph: Graph, node: Any) -> Layer:
    out = graph.shape(node.output[0])
    layer = Layer(label(node), node.op_type, out)
    layer.bytes = sum(BYTES * _laid(graph.shape(name)) for name in {*node.input, *node.output} if name)
    if node.op_type in _PRODUCTS:
        layer.macs, layer.padded = _products(graph, node, out)
    elif node.op_type in ("AveragePool", "MaxPool"):
        layer.vector = _laid(out) * prod(attributes(node)["kernel_shape"])
    elif node.op_type in ("ReduceMean", "GlobalAveragePool", "ReduceSum"):
        layer.vector = _laid(graph.shape(node.input[0]))
    else:
        layer.vector = _laid(out) * _VECTOR.get(node.op_type, 1)
    return layer


def _laid(shape: Shape) -> int:
    """Numbers that a tensor takes up, its channels in sixteens."""
    if len(shape) < 4:
        return prod(shape)
    return shape[0] * _blocks(shape[1]) * BLOCK * prod(shape[2:])


def _blocks(count: int) -> int:
    return -(-count // BLOCK)


def _products(graph: Graph, node: Any, out: Shape) -> tuple[int, int]:
    """Multiply-accumulates, and what whole blocks make of them."""
    first, weight = (graph.shape(name) for name in node.input[:2])
    if node.op_type in ("Gemm", "MatMul"):
        inner, columns = first[len(first) - 1], out[len(out) - 1]
        rows = out[-2] if len(out) > 1 else 1
        count = prod(out[:-2])
        return prod(out) * inner, count * _blocks(rows) * _blocks(columns) * _blocks(inner) * BLOCK**3
    group, kernel = attributes(node).get("group", 1), prod(weight[2:])
    inp, channels = first[1], out[1]
    places = first if node.op_type == "ConvTranspose" else out
    positions = places[0] * prod(places[2:])
    macs = positions * kernel * inp * channels // group
    across = max(1, _blocks(inp)) if group == 1 else _blocks(inp)  # depthwise: each block sees its own channels
    deep = across * (_blocks(channels) if group == 1 else 1)
    return macs, _blocks(positions) * BLOCK * kernel * deep * BLOCK**2
