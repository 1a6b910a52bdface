"""How long shapes take on this machine: a table of measured parts, and how well their sum predicts whole networks."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu import machine
from koutu.export.trace import traced
from koutu.files import whole_file
from koutu.models.space import Choice, Space
from koutu.models.tmodnet import Config, DetailBranch, FusionBranch, Residual, TMODNet
from koutu.nn.mobilenetv3_unet import STEM, Block, Conv, InvertedResidual, MobileNetV3UNet
from koutu.sizes import near_area
from koutu.types import InputError

ASPECT = (720, 1280)  # images that latency is given for
RUNS, WARM = 25, 5

Clock = Callable[[nn.Module, Sequence[Tensor]], float]  # a module and its inputs → milliseconds


@dataclass(frozen=True)
class Fit:
    """Whole networks against the sums of their parts: ms ≈ slope · sum."""

    slope: float = 1.0
    correlation: float = float("nan")
    error: float = float("nan")  # median relative error
    networks: int = 0


class Table:
    """Milliseconds of parts, measured when first asked for and kept in a file with the machine's name.

    Raises InputError if the file tells of another machine or engine.
    """

    def __init__(self, path: Path, clock: Clock, *, engine: str, threads: int):
        self.path, self._clock = path, clock
        self.about = {"machine": machine.describe(), "engine": engine, "threads": threads}
        self.parts: dict[str, float] = {}
        self.fit = Fit()
        if path.exists():
            found = json.loads(path.read_text("utf-8"))
            if found["about"] != self.about:
                raise InputError(f"{path}: expected figures of {self.about}, got {found['about']}; name another folder")
            self.parts, self.fit = found["parts"], Fit(**found["fit"])

    def __call__(self, space: Space, choice: Choice) -> float:
        """Milliseconds predicted for a frame of 16 : 9."""
        total = sum(self.of(key, make) * times for key, times, make in parts(space, choice))
        return self.fit.slope * total

    def check(self, space: Space, choices: Sequence[Choice]) -> Fit:
        """Measure whole networks, and correct the sums by the median of their ratios."""
        self.fit = Fit()
        sums = np.array([self(space, c) for c in choices])
        whole = np.array([self._clock(*whole_network(space, c)) for c in choices])
        slope = np.median(whole / sums)
        error = np.median(np.abs(slope * sums - whole) / whole)
        self.fit = Fit(float(slope), float(np.corrcoef(sums, whole)[0, 1]), float(error), len(choices))
        self.save()
        return self.fit

    def save(self) -> None:
        """Write the file whole."""
        content = {"about": self.about, "fit": vars(self.fit), "parts": self.parts}
        with whole_file(self.path) as file:
            file.write(json.dumps(content, indent=1).encode())

    def of(self, key: str, make: Callable[[], tuple[nn.Module, list[Tensor]]]) -> float:
        """Milliseconds of one part, measured unless the table has it."""
        if key not in self.parts:
            self.parts[key] = self._clock(*make())
        return self.parts[key]


class _Frame(nn.Module):
    """What every network does to an image before and after its branches."""

    def __init__(self, side: int):
        super().__init__()
        self.side = side

    def forward(self, x: Tensor, low: Tensor, correction: Tensor) -> tuple[Tensor, Tensor]:
        small = F.interpolate(x, size=(self.side, self.side), mode="bilinear")
        correction = F.pixel_shuffle(correction, 2)
        return small, torch.sigmoid(F.interpolate(low, size=correction.shape[-2:], mode="bilinear") + correction)


class _Rest(nn.Module):
    """The semantic branch without its blocks: stem, context, decoder and head."""

    def __init__(self, inp: int, blocks: tuple[Block, ...], context: int):
        super().__init__()
        self.net = MobileNetV3UNet(inp, blocks, context)
        self.down = nn.ModuleList([nn.AvgPool2d(2), nn.AvgPool2d(4), nn.AvgPool2d(8)])
        self.fit = nn.ModuleList([Conv(STEM, blocks[i].channels) for i in self.net.ends])

    def forward(self, x: Tensor) -> Tensor:
        net = self.net
        stem = F.hardswish(net.stem(x))
        first, second, last = (fit(down(stem)) for fit, down in zip(self.fit, self.down, strict=True))
        return net.head(net.up2x(net.up4x(net.up8x(net.context(last), second), first), stem))


class _Detail(nn.Module):
    """Detail and fusion branch without residual blocks."""

    def __init__(self, inp: int, channels: tuple[int, int]):
        super().__init__()
        cfg = Config(detail_channels=channels, detail_blocks=0)
        self.detail, self.fusion = DetailBranch(inp, STEM, cfg), FusionBranch(cfg)

    def forward(self, x: Tensor, features: Tensor, low: Tensor) -> Tensor:
        return self.fusion.correction(torch.relu(self.fusion.mix(self.detail(x, features, low))))


Part = tuple[str, int, Callable[[], tuple[nn.Module, list[Tensor]]]]


def parts(space: Space, choice: Choice) -> list[Part]:
    """The parts of a network of that shape: what tells them apart, how often they come, and how one is made."""
    cfg, s = space.config(choice), choice.semantic_size
    views, inp = 1 + choice.mirrored, 3 + cfg.temporal
    h, w = near_area(ASPECT, choice.pixels, TMODNet.stride)
    fine, coarse = cfg.detail_channels
    base = space.base

    def rest() -> tuple[nn.Module, list[Tensor]]:
        return _Rest(inp, base.blocks, base.context), [torch.rand(views, inp, s, s)]

    def frame() -> tuple[nn.Module, list[Tensor]]:
        sides = torch.rand(1, inp, h, w), torch.rand(1, 1, s, s), torch.rand(1, 4, h // 2, w // 2)
        return _Frame(s), list(sides)

    def detail() -> tuple[nn.Module, list[Tensor]]:
        features, low = torch.rand(1, STEM, s // 2, s // 2), torch.rand(1, 1, s, s)
        return _Detail(inp, (fine, coarse)), [torch.rand(1, inp, h, w), features, low]

    def residual() -> tuple[nn.Module, list[Tensor]]:
        return Residual(coarse), [torch.rand(1, coarse, h // 4, w // 4)]

    found: list[Part] = [
        (f"rest {s} {views}", 1, rest),
        (f"frame {s} {h} {w}", 1, frame),
        (f"detail {fine} {coarse} {s} {h} {w}", 1, detail),
        (f"residual {coarse} {h} {w}", cfg.detail_blocks, residual),
    ]
    side = s // 2
    for i, block in enumerate(base.blocks):
        if choice.kept[i]:
            found.append(_block(space.inputs()[i], space.block(choice, i), side, views))
        side //= block.stride
    return found


def _block(inp: int, block: Block, side: int, views: int) -> Part:
    key = f"block {inp} {block.kernel} {block.expanded} {block.channels} {block.stride} {side} {views}"
    return key, 1, lambda: (InvertedResidual(inp, block), [torch.rand(views, inp, side, side)])


def whole_network(space: Space, choice: Choice) -> tuple[nn.Module, list[Tensor]]:
    """A network of that shape, and a blank image and memory."""
    h, w = near_area(ASPECT, choice.pixels, TMODNet.stride)
    return TMODNet(space.config(choice)), [torch.rand(1, 3, h, w), torch.rand(1, 1, h, w)]


def engine_clock(engine: str, threads: int) -> Clock:
    """Milliseconds in ONNX Runtime or OpenVINO: the median of some runs after a few. Raises InputError for others."""
    if engine not in ("onnxruntime", "openvino"):
        raise InputError(f"expected an engine out of onnxruntime, openvino, got {engine!r}; choose one of them")

    def clock(module: nn.Module, inputs: Sequence[Tensor]) -> float:
        named = {f"x{i}": x for i, x in enumerate(inputs)}
        run = _session(traced(module, named), engine, threads)
        feeds = {name: x.numpy() for name, x in named.items()}
        times = []
        for _ in range(WARM + RUNS):
            start = perf_counter()
            run(feeds)
            times.append(1000 * (perf_counter() - start))
        return float(np.median(times[WARM:]))

    return clock


def _session(model: bytes, engine: str, threads: int) -> Callable[[dict[str, Any]], Any]:
    if engine == "openvino":
        import openvino

        core = openvino.Core()
        compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_NUM_THREADS": threads})
        return lambda feeds: compiled(feeds)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)
