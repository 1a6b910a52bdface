"""How long a network would take on a chip that is not here: a roofline, layer by layer; nothing is measured.

Each layer takes as long as the slowest of its three needs would, alone and at full rate: products, other arithmetic,
and bytes to and from memory. Not counted: starting each kernel (no figure is published), caches, imperfect kernels.
"""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from koutu.bench.target_chips import Chip, chip
from koutu.bench.target_layers import Layer, layers
from koutu.export.ascend.rewrite import rewrite
from koutu.export.onnx_graph import load
from koutu.models import MODELS as NETWORKS
from koutu.sizes import near_area
from koutu.types import InputError, ModelError
from koutu.zoo import MODELS, checkpoint_of

PREDICTION = "prediction by a roofline; nothing has run on the chip"
PRECISIONS = {"fp16": 1.0, "int8": 2.0}

Size = tuple[int, int]


@dataclass(frozen=True)
class Predicted:
    """us: microseconds of the slowest need; by: products, arithmetic or memory."""

    layer: Layer
    products_us: float
    arithmetic_us: float
    memory_us: float

    @property
    def us(self) -> float:
        """What it takes."""
        return max(self.products_us, self.arithmetic_us, self.memory_us)

    @property
    def by(self) -> str:
        """What it waits for."""
        needs = {"products": self.products_us, "arithmetic": self.arithmetic_us, "memory": self.memory_us}
        return max(needs, key=lambda need: needs[need])


def predict(spec: str, target: str, size: Size, precision: str = "fp16") -> dict[str, Any]:
    """The network of `spec` for frames of (H, W) on a target, as a dictionary for JSON and `koutu.bench.target_text`.

    spec: a packaged name, NAME=WEIGHTS or NAME=random of the field, or an .onnx file. Operators that the chip's list
    does not know are written otherwise first; those that cannot be are named and not counted. Raises InputError for an
    unknown target or precision, ModelError for an unknown network.
    """
    about = chip(target)
    if precision not in PRECISIONS:
        raise InputError(f"expected a precision of {', '.join(PRECISIONS)}, got {precision!r}; choose one")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        seen = fixed_file(spec, size, path)
        rewritten = rewrite(path, about.operators, compare=False)
    rows = [_predicted(layer, about, PRECISIONS[precision]) for layer in layers(load(rewritten.model))]
    return {
        "what": PREDICTION, "model": spec, "target": target, "chip": asdict(about), "precision": precision,
        "frames": list(size), "network_size": list(seen), "ms": sum(row.us for row in rows) / 1000,
        "kernels": len(rows), "gmacs": sum(row.layer.macs for row in rows) / 1e9,
        "gmacs_in_blocks": sum(row.layer.padded for row in rows) / 1e9,
        "megabytes": sum(row.layer.bytes for row in rows) / 1e6,
        "rewritten": [str(finding) for finding in rewritten.done],
        "not_counted": [str(finding) for finding in rewritten.left],
        "layers": [_row(row) for row in rows],
    }  # fmt: skip


def _predicted(layer: Layer, about: Chip, faster: float) -> Predicted:
    products = 2 * layer.padded / (about.teraflops * faster) / 1e6
    return Predicted(layer, products, layer.vector / about.vector / 1e3, layer.bytes / about.gigabytes / 1e3)


def _row(row: Predicted) -> dict[str, Any]:
    needs = {"products_us": row.products_us, "arithmetic_us": row.arithmetic_us, "memory_us": row.memory_us}
    return {**asdict(row.layer), "shape": list(row.layer.shape), **needs, "us": row.us, "by": row.by}


def fixed_file(spec: str, size: Size, path: Path) -> Size:
    """Write the network of `spec` as ONNX of one size to `path`; the (h, w) it sees of frames of (H, W)."""
    name, _, weights = spec.partition("=")
    if name.endswith(".onnx"):
        return _of_file(Path(name), size, path)
    if name not in MODELS and name not in NETWORKS:
        known = ", ".join([*MODELS, *(f"{network}=random" for network in NETWORKS)])
        raise ModelError(f"expected a network out of {known} or an .onnx file, got {spec!r}; see `koutu models`")
    from koutu.export.fixed import fixed_onnx

    network = _network(name, weights)
    pixels = MODELS[name].pixels if name in MODELS else 0
    seen = near_area(size, pixels, network.stride) if pixels else tuple(network.network_size(size))
    fixed_onnx(network, path, seen)
    return seen


def _network(name: str, weights: str) -> Any:
    from koutu.models import build, load_checkpoint

    if name in MODELS:
        from koutu.export.onnx import load_network

        if MODELS[name].float32:
            raise ModelError(
                f"expected {MODELS[name].float32}, with --precision for smaller numbers, got {name}; name it so"
            )
        return load_network(checkpoint_of(name))
    if not weights:
        raise ModelError(f"expected {name}=WEIGHTS, or {name}=random, whose time is the same; give one of them")
    return (build(name) if weights == "random" else load_checkpoint(weights, name)).eval()


def _of_file(source: Path, size: Size, path: Path) -> Size:
    """A file of one size as it is; one of koutu's for any size, fixed for the frames."""
    graph = load(source)
    first, shape = next(iter(graph.inputs.items()))
    if all(min(sides, default=0) > 0 for sides in graph.inputs.values()):
        path.write_bytes(source.read_bytes())
        return (shape[1], shape[2]) if shape[-1] == 3 else (shape[-2], shape[-1])
    import onnxslim

    from koutu.engines.backend import NetworkShape

    about = NetworkShape(source, {entry.key: entry.value for entry in graph.model.metadata_props})
    seen = about.network_size(size)
    shapes = [f"{first}:1,{seen[0]},{seen[1]},3", *(f"{state}:1,1,{seen[0]},{seen[1]}" for state in about.states)]
    path.write_bytes(onnxslim.slim(str(source), input_shapes=shapes).SerializeToString())  # type: ignore[union-attr]
    return seen
