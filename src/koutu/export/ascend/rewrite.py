"""An ONNX file with what a converter does not know written in other operators, and the proof that it does the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from koutu.export.ascend.operators import Finding, check
from koutu.export.ascend.rules import RULES, Writer
from koutu.export.onnx_file import require_valid
from koutu.export.onnx_graph import Array, Graph, label, load
from koutu.types import ModelError

TOLERANCE = 1e-4  # of any output's largest value, by which the rewritten network may differ
PASSES = 4  # what one rule writes may need another
_ROUNDS = 3  # inputs that both are compared on


@dataclass(frozen=True)
class Rewritten:
    """model: an onnx.ModelProto. done: what was found and written anew; left: what remains. difference: the largest."""

    model: Any
    done: tuple[Finding, ...]
    left: tuple[Finding, ...]
    difference: float


def rewrite(source: Path | Any, operators: str = "kit", *, compare: bool = True) -> Rewritten:
    """The network of an ONNX file without what the list does not know, as far as that can be written otherwise.

    compare: both are run on random inputs, and every place that changed must be the same in both. Raises ModelError
    if they differ by more than `TOLERANCE`, InputError for a file that cannot be read. Names of inputs and outputs
    stay; the source is not changed.
    """
    graph = load(source)
    given, done = graph.model, []
    places: list[str] = []
    for _ in range(PASSES):
        found = [finding for finding in check(graph.model, operators) if finding.rewrite]
        if not found:
            break
        wanted = {finding.node for finding in found}
        places += [node.output[0] for node in graph.nodes if label(node) in wanted]
        graph = _pass(graph, wanted)
        done += found
    left = check(graph.model, operators)
    difference = largest_difference(given, graph.model, places) if done and compare else 0.0
    if difference > TOLERANCE:
        raise ModelError(
            f"expected the rewritten network within {TOLERANCE} of the given one, got {difference:.2g}; "
            f"leave these as they are: {', '.join(finding.node for finding in done)}"
        )
    return Rewritten(graph.model, tuple(done), tuple(finding for finding in left), difference)


def _pass(graph: Graph, wanted: set[str]) -> Graph:
    """Each wanted node once."""
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    nodes: list[Any] = []
    for node in model.graph.node:
        write = Writer(graph, f"{label(node).strip('/')}/rewritten")
        rule = RULES.get(node.op_type)
        result = rule(write, node) if rule and label(node) in wanted else None
        if result is None:
            nodes.append(node)
            continue
        write.nodes[-1].output[0] = node.output[0]
        nodes += write.nodes
        model.graph.initializer.extend(write.tensors)
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    _drop_unused(model)
    require_valid(model, "the rewritten network")
    return Graph(model)


def _drop_unused(model: Any) -> None:
    used = {name for node in model.graph.node for name in node.input} | {value.name for value in model.graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def half_weights(model: Any) -> Any:
    """The network with weights and biases of convolutions and products rounded to half floats, as atc stores them."""
    import onnx
    from onnx import numpy_helper

    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    kinds = ("Conv", "ConvTranspose", "Gemm", "MatMul")
    names = {name for node in rounded.graph.node if node.op_type in kinds for name in node.input}
    for tensor in rounded.graph.initializer:
        if tensor.name in names and tensor.data_type == onnx.TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            if not np.isfinite(values).all():
                raise ModelError(f"expected weights below 65504, {tensor.name} has larger ones; half floats end there")
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
    return rounded


def largest_difference(first: Any, second: Any, places: Sequence[str] = ()) -> float:
    """The largest difference of two networks on random inputs in [0, 1], by each tensor's largest value.

    places: names of tensors inside that are compared too, where both have them.
    """
    inside = [name for name in dict.fromkeys(places) if _has(first, name) and _has(second, name)]
    sessions = [_session(model, inside) for model in (first, second)]
    shapes = {value.name: value.shape for value in sessions[0].get_inputs()}
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(_ROUNDS):
        feeds: Mapping[str, Array] = {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
        for a, b in zip(*(session.run(None, feeds) for session in sessions), strict=True):
            worst = max(worst, float(np.abs(a - b).max() / max(1.0, float(np.abs(a).max()))))
    return worst


def _has(model: Any, name: str) -> bool:
    return any(name in node.output for node in model.graph.node) and all(
        name != value.name for value in model.graph.output
    )


def _session(model: Any, inside: Sequence[str]) -> Any:
    import onnx
    import onnxruntime

    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inside)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    try:
        return onnxruntime.InferenceSession(opened.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as e:  # types of its own
        raise ModelError(f"the network could not be run to compare it: {str(e)[:300]}; is its size fixed?") from e
