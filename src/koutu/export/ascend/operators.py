"""Which operators of an ONNX file a chip's converter does not know, by name, and what can be written instead.

Two lists. "kit": what the HiLens Kit's converter takes, after the tables of Caffe and TensorFlow operators in its user
guide (hilens_02_0059 and _0060), in ONNX's words. "cann": what atc takes of ONNX, after CANN 8.0's list
(operatorlist_00176). No network has run on the hardware here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from koutu.export.onnx_graph import Graph, attributes, axes_of, label, load, slices_of
from koutu.types import InputError

POSITIONS = 10_000  # of a channel, in one global mean
SHRINK = 7  # a resize's result must be more than a seventh of its source's area
KERNEL, STRIDE = 255, 63
ROW = 1024  # columns, in whole sixteens, times the kernel's: what a depthwise convolution has room for
_KIT = """Abs Add AveragePool BatchNormalization Cast Clip Concat Constant Conv ConvTranspose Div Exp Flatten Gemm
GlobalAveragePool HardSigmoid Identity LeakyRelu MatMul MaxPool Mul PRelu Pad Pow ReduceMean ReduceSum Relu Reshape
Resize Sigmoid Slice Softmax Split Squeeze Sub Tanh Transpose Unsqueeze"""
_CANN = """Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BitShift
BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast Ceil Celu Clip Compress Concat Constant ConstantOfShape Conv
ConvTranspose Cos Cosh CumSum DepthToSpace Det Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU
Gather GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample
HardSigmoid HardSwish Hardmax Identity If InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less
LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization
Min Mod Mul Multinomial Neg NonMaxSuppression NonZero Not OneHot Or PRelu Pad Pow RandomNormal RandomNormalLike
RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean
ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign Round Scatter
ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth
Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where Xor"""
LISTS = {"kit": frozenset(_KIT.split()), "cann": frozenset(_CANN.split())}
REWRITES = {  # operator → what `koutu.export.ascend.rewrite` writes instead
    "InstanceNormalization": "means, differences and a power", "HardSwish": "x times its hard sigmoid",
    "DepthToSpace": "a transposed convolution with ones", "SpaceToDepth": "a convolution with ones",
    "GlobalMaxPool": "a pooling as large as the picture", "Sqrt": "a power", "Reciprocal": "a power",
    "Neg": "a product",
}  # fmt: skip
_FIXED = "export it for one size, with koutu.export.fixed"
_WITHOUT = "build the network without it"


@dataclass(frozen=True)
class Finding:
    """What is wrong with one node. remedy: what to do; rewrite: whether `rewrite` does it."""

    node: str
    kind: str
    problem: str
    remedy: str
    rewrite: bool = False

    def __str__(self) -> str:
        return f"{self.kind} ({self.node}): {self.problem}; {'rewrite it as ' if self.rewrite else ''}{self.remedy}"


Found = Iterator[tuple[str, str, bool]]  # problem, remedy, whether it is rewritten


def check(source: Path | Any, operators: str = "kit") -> list[Finding]:
    """Every node of an ONNX file (or onnx.ModelProto) that the list "kit" or "cann" does not allow, in their order.

    Raises InputError for a file that cannot be read or another list.
    """
    if operators not in LISTS:
        raise InputError(f"expected a list out of {', '.join(LISTS)}, got {operators!r}; choose one of them")
    graph = load(source)
    findings = [
        Finding(name, "Input", f"its shape {shape} is not fixed", _FIXED)
        for name, shape in graph.inputs.items()
        if min(shape, default=0) < 1
    ]
    for node in graph.nodes:
        problems = [*_unlisted(node, operators), *_moving(graph, node)]
        if operators == "kit" and graph.fixed([*node.input, *node.output]):
            problems += RULES.get(node.op_type, _nothing)(graph, node)
        findings += [Finding(label(node), node.op_type, *problem) for problem in problems]
    return findings


def _unlisted(node: Any, operators: str) -> Found:
    if node.domain not in ("", "ai.onnx"):
        yield f"it is an operator of {node.domain}", _WITHOUT, False
    elif node.op_type not in LISTS[operators]:
        rewritten = REWRITES.get(node.op_type)
        yield "it is not in the list", rewritten or _WITHOUT, rewritten is not None


def _moving(graph: Graph, node: Any) -> Found:
    if not graph.fixed([*node.input, *node.output]):
        yield "the size of what goes in or comes out is not fixed", _FIXED, False
    if any(attribute.HasField("g") for attribute in node.attribute):
        yield "it branches or loops while it runs", _WITHOUT, False


def _nothing(graph: Graph, node: Any) -> Found:
    yield from ()


def _conv(graph: Graph, node: Any) -> Found:
    about, weight = attributes(node), graph.shape(node.input[1])
    if max(weight[2:], default=1) > KERNEL or max(about.get("strides", [1])) > STRIDE:
        yield f"its kernel is over {KERNEL} or its stride over {STRIDE}", "smaller convolutions in a row", False
    channels, width = graph.shape(node.input[0])[1], graph.shape(node.input[0])[-1]
    group = about.get("group", 1)
    if 1 < group < channels:
        yield f"it has {group} groups of {channels} channels", "a convolution of one group, with zeros", True
    elif group == channels > 1 and -(-width // 16) * 16 * weight[-1] > ROW:
        yield f"{width} columns by {weight[-1]} are too many for a depthwise convolution", "parts side by side", False


def _transposed(graph: Graph, node: Any) -> Found:
    if attributes(node).get("group", 1) > 1:
        yield "it has groups", "a convolution of one group, with zeros", True
    if max(attributes(node).get("dilations", [1])) > 1:
        yield "it is dilated", _WITHOUT, False


def _mean(graph: Graph, node: Any) -> Found:
    shape = graph.shape(node.input[0])
    if node.op_type == "ReduceMean":
        if axes_of(graph, node) not in ([2, 3], [3, 2]) or len(shape) != 4:
            yield "it is not over rows and columns", "a mean over both", False
            return
        if not attributes(node).get("keepdims", 1):
            yield "it leaves out the axes of its mean", "a mean that keeps them, and a reshape", True
    positions = int(np.prod(shape[2:]))
    if positions > POSITIONS:
        stages = factors(shape[2], shape[3]) is not None
        yield (
            f"{positions} positions in one mean, over {POSITIONS}",
            "two means, one of the other's" if stages else ("a size whose sides have small factors"),
            stages,
        )


def factors(height: int, width: int) -> tuple[int, int] | None:
    """The smallest windows that tile the picture and are at most `POSITIONS`; None if no sides do."""
    tiles = [
        (a * b, abs(a - b), a, b)
        for a in range(1, height + 1) if height % a == 0
        for b in range(1, width + 1) if width % b == 0 and height * width // (a * b) <= POSITIONS
    ]  # fmt: skip
    fitting = [tile for tile in tiles if tile[0] <= POSITIONS]
    return min(fitting)[2:] if fitting else None


def _resize(graph: Graph, node: Any) -> Found:
    about, (before, after) = attributes(node), (graph.shape(node.input[0]), graph.shape(node.output[0]))
    if about.get("mode", "nearest") == "cubic" or about.get("antialias", 0):
        yield "it is neither bilinear nor nearest", "bilinear resizing without antialiasing", False
    elif before[:2] != after[:2]:
        yield "it resizes more than rows and columns", _WITHOUT, False
    elif after[2] * after[3] * SHRINK <= before[2] * before[3]:
        area = before[2] * before[3] / (after[2] * after[3])
        yield f"its result is a {area:.0f}th of its source, {SHRINK}ths are the limit", "rows first, then columns", True


def _slice(graph: Graph, node: Any) -> Found:
    taken = slices_of(graph, node)
    if taken is None:
        yield "what it takes is not a constant", _FIXED, False
        return
    for axis, indices in taken:
        shape = graph.shape(node.input[0])
        if indices.step == -1 and axis >= len(shape) - 2 and len(indices) == shape[axis]:
            yield "it turns rows or columns round (a step of −1)", "a product with ones", True
        elif indices.step != 1 and len(indices) > 1:
            possible = indices.step > 1 and axis >= 2 and len(shape) == 4
            yield (
                f"it has a step of {indices.step} along axis {axis}",
                "a pooling of one value each" if possible else (_WITHOUT),
                possible,
            )


def _clip(graph: Graph, node: Any) -> Found:
    low, high = (graph.constant(node, place) for place in (1, 2))
    if low is not None and high is not None and (float(low), float(high)) != (0.0, 6.0):
        yield f"it cuts at {float(low):g} and {float(high):g}, not at 0 and 6", "differences of two ReLUs", True
    elif low is None or high is None:
        yield "one of its limits is missing or no constant", "constant limits on both sides", False


def _pad(graph: Graph, node: Any) -> Found:
    mode = attributes(node).get("mode", "constant")
    if mode != "constant":
        yield f"it pads by {mode}", "constant padding", False
    elif graph.constant(node, 1) is None:
        yield "its widths are no constants", _FIXED, False


def _pool(graph: Graph, node: Any) -> Found:
    about, shape = attributes(node), graph.shape(node.input[0])
    kernel, strides = about["kernel_shape"], about.get("strides", [1] * len(about["kernel_shape"]))
    pads = about.get("pads", [0] * 2 * len(kernel))
    windows = zip(shape[2:], kernel, strides, pads[: len(kernel)], pads[len(kernel) :], strict=True)
    rest = any((side + before + after - k) % step for side, k, step, before, after in windows)
    if max(about.get("dilations", [1])) > 1 or (about.get("ceil_mode", 0) and rest):
        yield "it is dilated, or rounds up", "a size that leaves no rest", False
    if any(k > side for k, side in zip(kernel, shape[2:], strict=True)):
        yield "its window is larger than the picture", "a smaller window", False


RULES: dict[str, Callable[[Graph, Any], Found]] = {
    "Conv": _conv, "ConvTranspose": _transposed, "GlobalAveragePool": _mean, "ReduceMean": _mean, "Resize": _resize,
    "Slice": _slice, "Clip": _clip, "Pad": _pad, "AveragePool": _pool, "MaxPool": _pool,
}  # fmt: skip
