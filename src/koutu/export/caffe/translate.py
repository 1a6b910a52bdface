"""From an ONNX graph to a Caffe network, node by node; a batch becomes as many pictures side by side.

Caffe networks for the kit hold one picture. Where a graph puts two into a batch (a picture and its mirror image), each
layer is written for each of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from koutu.export.caffe import pointwise, spatial
from koutu.export.caffe.layers import concat, cut
from koutu.export.caffe.net import Blob, Net, Shape
from koutu.export.caffe.node import REMEDY, Node
from koutu.export.caffe.shuffles import with_shuffles
from koutu.export.onnx_graph import Graph
from koutu.types import InputError, ModelError

Items = list[Blob]  # one for each picture of a batch

OPERATORS: dict[str, Callable[[Net, Node, list[Blob], Shape], Blob]] = {
    "Conv": spatial.conv, "ConvTranspose": spatial.conv_transpose, "AveragePool": spatial.average_pool,
    "MaxPool": spatial.max_pool, "GlobalAveragePool": spatial.reduced, "GlobalMaxPool": spatial.reduced,
    "ReduceMean": spatial.reduced, "ReduceMax": spatial.reduced, "Resize": spatial.resize,
    "Pad": spatial.pad, "DepthToSpace": spatial.shuffle, "SpaceToDepth": spatial.shuffle, "MatMul": spatial.matrix,
    "Gemm": spatial.matrix, "Reshape": spatial.reshaped, "Flatten": spatial.reshaped, "Squeeze": spatial.reshaped,
    "Unsqueeze": spatial.reshaped, "Identity": spatial.reshaped, "Transpose": spatial.transpose,
    "Relu": pointwise.activation, "Sigmoid": pointwise.activation, "Tanh": pointwise.activation,
    "Clip": pointwise.clip, "HardSigmoid": pointwise.hard_sigmoid, "HardSwish": pointwise.hard_swish,
    "Add": pointwise.arithmetic, "Sub": pointwise.arithmetic, "Mul": pointwise.arithmetic,
    "Div": pointwise.arithmetic, "InstanceNormalization": pointwise.instance_norm,
    "BatchNormalization": pointwise.batch_norm,
}  # fmt: skip
OTHERS = ("Concat", "Slice", "Split")


@dataclass(frozen=True)
class Piece:
    """A result that is some of its source's indices along an axis."""

    name: str
    source: str
    axis: int
    indices: range


@dataclass
class Translation:
    """What is written so far, and the blobs of what has been computed."""

    graph: Graph
    net: Net
    values: dict[str, Items] = field(default_factory=dict)

    def run(self) -> None:
        """Write all nodes; raises ModelError for the first one that Caffe's layers cannot do."""
        nodes = with_shuffles(self.graph)
        _require_known(nodes)
        for name, shape in self.graph.inputs.items():
            if len(shape) != 4 or shape[0] != 1:
                raise InputError(f"expected inputs (1, C, H, W), {name} is {shape}; export for one picture")
            self.values[name] = [self.net.input(name, item_shape(shape))]
        pieces = {piece.name: piece for node in nodes for piece in self._pieces(node)}
        self._wanted = {name for node in nodes for name in node.inputs} | set(self.graph.outputs)
        for node in nodes:
            self.net.place = node.name.strip("/")
            if node.kind in ("Slice", "Split"):
                self._take(node, pieces)
            else:
                self.values[node.outputs[0]] = self._concat(node) if node.kind == "Concat" else self._each(node)
            self._check(node)
        for name in self.graph.outputs:
            self._finish(name)
        if unread := sorted(self.net.unread() - set(self.graph.outputs)):
            raise InputError(f"expected all that is given to be used, {unread[0]} is not; export without it")

    def _finish(self, name: str) -> None:
        if len(self.values[name]) != 1:
            raise InputError(f"expected outputs of one picture, {name} has {len(self.values[name])}; split them")
        blob = self.values[name][0]
        self.net.output(blob, name, copied=[self.values[other] for other in self.graph.outputs].count([blob]) > 1)

    def _each(self, node: Node) -> Items:
        """The node for every picture of its batch."""
        given = [self.values[name] for i, name in enumerate(node.inputs) if name and i not in node.constants]
        shape = item_shape(self.graph.shapes[node.outputs[0]])
        count = max(map(len, given), default=0)
        if not count:
            node.refuse("all of its inputs are constants", "fold constants, as koutu.export.fixed does")
        items = []
        for i in range(count):
            self.net.place = node.name.strip("/") + (f"@{i}" if count > 1 else "")
            items.append(OPERATORS[node.kind](self.net, node, [x[i % len(x)] for x in given], shape))
        return items

    def _concat(self, node: Node) -> Items:
        if node.constants:
            node.refuse("it joins constants")
        given = [self.values[name] for name in node.inputs]
        axis = node.attributes["axis"] % len(self.graph.shapes[node.inputs[0]])
        if axis == 0:
            return [item for items in given for item in items]
        return [concat(self.net, list(parts), axis) for parts in zip(*given, strict=True)]

    def _take(self, node: Node, pieces: dict[str, Piece]) -> None:
        """Slices that together are the whole become one layer; others are taken by themselves."""
        for name in node.outputs:
            if name in self.values or name not in self._wanted:
                continue
            if name not in pieces:
                source = self.values[node.inputs[0]]
                for axis, indices in self._ranges(node):
                    source = self._taken(source, axis, indices)
                self.values[name] = source
                continue
            piece = pieces[name]
            source, axis = self.values[piece.source], piece.axis
            if parts := self._partition(piece, pieces.values()):
                cuts = [cut(self.net, x, axis, [len(part.indices) for part in parts]) for x in source]
                self.values |= {part.name: [c[i] for c in cuts] for i, part in enumerate(parts)}
            else:
                self.values[name] = self._taken(source, axis, piece.indices)

    def _taken(self, source: Items, axis: int, indices: range) -> Items:
        if axis == 0:
            return [source[i] for i in indices]
        return [spatial.taken(self.net, x, axis, indices) for x in source]

    def _partition(self, piece: Piece, pieces: Iterable[Piece]) -> list[Piece]:
        """All pieces of the same source and axis in their order, if they fill it and are wanted; else none."""
        same = [p for p in pieces if (p.source, p.axis) == (piece.source, piece.axis)]
        same.sort(key=lambda p: p.indices.start)
        filled = [i for p in same for i in p.indices]
        whole = filled == list(range(self.graph.shapes[piece.source][piece.axis]))
        wanted = all(p.name in self._wanted for p in same)
        return same if piece.axis and whole and wanted and len(same) > 1 else []

    def _pieces(self, node: Node) -> list[Piece]:
        if node.kind not in ("Slice", "Split"):
            return []
        if node.kind == "Slice":
            ranges = self._ranges(node)
            return [Piece(node.outputs[0], node.inputs[0], *ranges[0])] if len(ranges) == 1 else []
        shape = self.graph.shapes[node.inputs[0]]
        axis, start, pieces = node.attributes.get("axis", 0) % len(shape), 0, []
        for name in node.outputs:
            length = self.graph.shapes[name][axis]
            pieces.append(Piece(name, node.inputs[0], axis, range(start, start + length)))
            start += length
        return pieces

    def _ranges(self, node: Node) -> list[tuple[int, range]]:
        """Axes of a Slice, and what it takes along each."""
        shape = self.graph.shapes[node.inputs[0]]
        starts, ends = node.constant(1, "starts"), node.constant(2, "ends")
        axes = [int(axis) % len(shape) for axis in node.constant(3, "axes", range(len(starts)))]
        steps = node.constant(4, "steps", [1] * len(axes))
        parts = zip(axes, starts, ends, steps, strict=True)
        return [(axis, range(shape[axis])[int(start) : int(end) : int(step)]) for axis, start, end, step in parts]

    def _check(self, node: Node) -> None:
        """Caffe rounds sizes in its own ways: every shape must be what ONNX says."""
        for name in node.outputs:
            if name in self.values:
                expected = [item_shape(self.graph.shapes[name])] * self.graph.shapes[name][0]
                found = [blob.shape for blob in self.values[name]]
                if found != expected:
                    node.refuse(f"it would give {found} instead of {expected}")


def item_shape(shape: tuple[int, ...]) -> Shape:
    """One picture of (N, C, H, W); missing sides count as 1."""
    if not 1 <= len(shape) <= 4:
        raise ModelError(f"Caffe's blobs have four axes at most, got {shape}; {REMEDY}")
    channels, height, width = (*shape[1:], 1, 1, 1)[:3]
    return channels, height, width


def _require_known(nodes: list[Node]) -> None:
    unknown = [node for node in nodes if node.kind not in OPERATORS and node.kind not in OTHERS]
    if unknown:
        named = ", ".join(f"{node.kind} ({node.name})" for node in unknown[:6])
        more = f" and {len(unknown) - 6} more" if len(unknown) > 6 else ""
        raise ModelError(f"Caffe's layers cannot do {named}{more}; {REMEDY}")
