"""Pixel shuffles that an exporter wrote as Reshape, Transpose, Reshape: six axes, of which Caffe has four."""

from dataclasses import replace

from koutu.export.caffe.node import Node, nodes_of
from koutu.export.onnx_graph import Graph

# axes of the picture in six parts, how they are turned → operator and the order of its channels
_KINDS = {
    (0, 1, 4, 2, 5, 3): ("DepthToSpace", "CRD"),
    (0, 3, 4, 1, 5, 2): ("DepthToSpace", "DCR"),
    (0, 1, 3, 5, 2, 4): ("SpaceToDepth", "CRD"),
    (0, 3, 5, 1, 2, 4): ("SpaceToDepth", "DCR"),
}


def with_shuffles(graph: Graph) -> list[Node]:
    """The graph's nodes with every such three as one."""
    all_nodes = nodes_of(graph)
    makers = {name: node for node in all_nodes for name in node.outputs}
    readers: dict[str, int] = {}
    for node in all_nodes:
        for name in node.inputs:
            readers[name] = readers.get(name, 0) + 1
    nodes, dropped = [], set()
    for last in all_nodes:
        middle = makers.get(last.inputs[0]) if last.inputs else None
        first = makers.get(middle.inputs[0]) if middle and middle.inputs else None
        if first and middle and (found := _shuffle(graph, first, middle, last)):
            if readers[first.outputs[0]] == readers[middle.outputs[0]] == 1:
                dropped |= {first.outputs[0], middle.outputs[0]}
            nodes.append(found)
        else:
            nodes.append(last)
    return [node for node in nodes if node.outputs[0] not in dropped]


def _shuffle(graph: Graph, first: Node, middle: Node, last: Node) -> Node | None:
    if (first.kind, middle.kind, last.kind) != ("Reshape", "Transpose", "Reshape"):
        return None
    shape, parts, result = (graph.shape(name) for name in (first.inputs[0], first.outputs[0], last.outputs[0]))
    order = tuple(middle.attributes.get("perm", ()))
    if order not in _KINDS or len(shape) != 4 or len(result) != 4:
        return None
    kind, mode = _KINDS[order]
    block = result[2] // shape[2] if kind == "DepthToSpace" else shape[2] // result[2]
    if parts != _parts(shape, block, kind, mode) or result != _result(shape, block, kind):
        return None
    return replace(
        last, kind=kind, inputs=first.inputs[:1], attributes={"blocksize": block, "mode": mode}, constants={}
    )


def _parts(shape: tuple[int, ...], block: int, kind: str, mode: str) -> tuple[int, ...]:
    count, channels, height, width = shape
    if kind == "SpaceToDepth":
        return count, channels, height // block, block, width // block, block
    deep = channels // block**2
    return (count, deep, block, block, height, width) if mode == "CRD" else (count, block, block, deep, height, width)


def _result(shape: tuple[int, ...], block: int, kind: str) -> tuple[int, ...]:
    count, channels, height, width = shape
    if kind == "DepthToSpace":
        return count, channels // block**2, height * block, width * block
    return count, channels * block**2, height // block, width // block
