"""A small MobileNetV3 with a gated U-shaped decoder: where a person is, for a few dozen million operations.

The defaults have the layout of MediaPipe's selfie segmentation (Google, Apache-2.0), whose weights `from_onnx` reads,
so that a training can begin where it ended. Blocks after Howard et al., "Searching for MobileNetV3", ICCV 2019. It has
no norm layers: published files have them folded into the convolutions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.types import ModelError


@dataclass(frozen=True)
class Block:
    """kernel of the depthwise convolution, expanded and resulting channels, hidden channels of the gate (0: none)."""

    kernel: int
    expanded: int
    channels: int
    hidden: int = 0
    swish: bool = False
    stride: int = 1


SELFIE = (
    Block(3, 16, 16, 8, stride=2), Block(3, 72, 24, stride=2), Block(3, 88, 24), Block(5, 96, 32, 24, True, 2),
    Block(5, 128, 32, 32, True), Block(5, 128, 32, 32, True), Block(5, 96, 32, 24, True), Block(5, 96, 32, 24, True),
)  # fmt: skip
STEM = 16


class Conv(nn.Conv2d):
    """Convolution with bias whose padding lies, at stride 2, right and below only, as TensorFlow's does."""

    def __init__(self, inp: int, out: int, kernel: int = 1, *, stride: int = 1, groups: int = 1):
        super().__init__(inp, out, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)
        self.before, self.after = (kernel - 2) // 2, (kernel - 1) // 2

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        if self.stride[0] > 1:
            x = F.pad(x, (self.before, self.after, self.before, self.after))
        return super().forward(x)


class Gate(nn.Module):
    """A factor in [0, 1] for each channel, out of the means of all; (N, C, H, W) → (N, C, 1, 1)."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.squeeze, self.excite = Conv(channels, hidden), Conv(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean(dim=(2, 3), keepdim=True)))))


class InvertedResidual(nn.Module):
    """(N, inp, H, W) → (N, channels, H/s, W/s): expand, filter each channel, gate, reduce."""

    def __init__(self, inp: int, block: Block):
        super().__init__()
        self.expand = Conv(inp, block.expanded)
        self.depthwise = Conv(block.expanded, block.expanded, block.kernel, stride=block.stride, groups=block.expanded)
        self.gate = Gate(block.expanded, block.hidden) if block.hidden else None
        self.reduce = Conv(block.expanded, block.channels)
        self.act = nn.Hardswish() if block.swish else nn.ReLU()
        self.residual = block.stride == 1 and inp == block.channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.depthwise(self.act(self.expand(x))))
        y = self.reduce(y * self.gate(y) if self.gate is not None else y)
        return x + y if self.residual else y


class Context(nn.Module):
    """What the whole picture says, by channel, on the deepest features; (N, inp, h, w) → (N, out, h, w)."""

    def __init__(self, inp: int, out: int):
        super().__init__()
        self.local, self.whole = Conv(inp, out), Conv(inp, out)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.whole(x.mean(dim=(2, 3), keepdim=True)))
        return torch.relu(self.local(x)) * gate


class Up(nn.Module):
    """Deep features (N, inp, h, w) and shallower ones (N, out, 2h, 2w) → (N, out, 2h, 2w)."""

    def __init__(self, inp: int, out: int):
        super().__init__()
        self.reduce, self.gate = Conv(inp, out), Gate(out, out)
        self.mix, self.filter = Conv(out, out), Conv(out, out, 3, groups=out)

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        deep = self.reduce(F.interpolate(deep, scale_factor=2.0, mode="bilinear", align_corners=False))
        x = torch.relu(self.mix(shallow * self.gate(shallow + deep) + deep))
        return x + torch.relu(self.filter(x))


class MobileNetV3UNet(nn.Module):
    """x (N, inp, H, W), H and W multiples of 16, RGB in [0, 1] first → logits (N, 1, H, W), features (N, 16, H/2, W/2).

    blocks: of strides 2, 2, 2 (a new stage each) and 1; the output of a stage's last block goes to the decoder.
    """

    def __init__(self, inp: int = 3, blocks: tuple[Block, ...] = SELFIE, context: int = 128):
        super().__init__()
        self.stem = Conv(inp, STEM, 3, stride=2)
        widths = [STEM, *(block.channels for block in blocks)]
        self.blocks = nn.ModuleList(InvertedResidual(i, block) for i, block in zip(widths, blocks, strict=False))
        self.ends = [i for i in range(len(blocks)) if i + 1 == len(blocks) or blocks[i + 1].stride > 1]
        if len(self.ends) != 3:
            raise ValueError(f"expected blocks with three of stride 2, the first among them, got {len(self.ends)}")
        first, second, last = (blocks[i].channels for i in self.ends)
        self.context = Context(last, context)
        self.up8x, self.up4x, self.up2x = Up(context, second), Up(second, first), Up(first, STEM)
        self.head = nn.ConvTranspose2d(STEM, 1, 2, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = enc2x = F.hardswish(self.stem(x))
        kept = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.ends:
                kept.append(x)
        enc4x, enc8x, enc16x = kept
        dec2x = self.up2x(self.up4x(self.up8x(self.context(enc16x), enc8x), enc4x), enc2x)
        return self.head(dec2x), dec2x


def from_onnx(path: Path) -> dict[str, Tensor]:
    """The state dict of the default network, from MediaPipe's selfie segmentation (general) converted to ONNX.

    Its convolutions stand in the file in the order in which they run. Raises ModelError if the file is another network.
    """
    import onnx
    from onnx.numpy_helper import to_array

    try:
        graph = onnx.load(path).graph
    except Exception as e:  # protobuf's own errors have no common base
        raise ModelError(f"expected an ONNX file at {path}, got one that cannot be read ({e}); get it again") from e
    constants = {i.name: torch.from_numpy(to_array(i).copy()) for i in graph.initializer}
    found = [[constants[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
    target = MobileNetV3UNet()
    convs = dict(_in_order(target))
    shapes = [(conv.weight.shape, conv.weight.shape[:1]) for conv in convs.values()]
    last = next((node for node in graph.node if node.op_type == "ConvTranspose"), None)
    if [tuple(x.shape for x in pair) for pair in found] != shapes or last is None:
        raise ModelError(
            f"expected MediaPipe's selfie segmentation (general) in {path}, got a network of {len(found)} other "
            f"convolutions; give selfie_segmentation.onnx"
        )
    state = {f"{name}.{part}": x for (name, pair) in zip(convs, found, strict=True)
             for part, x in zip(("weight", "bias"), pair, strict=True)}  # fmt: skip
    after = next((node for node in graph.node if last.output[0] in node.input), last)
    bias = next(constants[i] for i in [*last.input[2:], *after.input] if i in constants)
    return state | {"head.weight": constants[last.input[1]], "head.bias": bias.reshape(1)}


def _in_order(network: MobileNetV3UNet) -> Iterator[tuple[str, Conv]]:
    """Every convolution with its name, as they run; of the context the published file runs the gate first."""
    named = {module: name for name, module in network.named_modules() if isinstance(module, Conv)}
    order = [network.stem]
    for block in network.blocks:
        assert isinstance(block, InvertedResidual)
        gate = [block.gate.squeeze, block.gate.excite] if block.gate is not None else []
        order += [block.expand, block.depthwise, *gate, block.reduce]
    order += [network.context.whole, network.context.local]
    for up in (network.up8x, network.up4x, network.up2x):
        order += [up.reduce, up.gate.squeeze, up.gate.excite, up.mix, up.filter]
    yield from ((named[conv], conv) for conv in order)
