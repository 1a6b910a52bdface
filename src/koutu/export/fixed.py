"""A network as a plain ONNX file of one size: the form that converters for small devices begin from."""

from dataclasses import dataclass
from pathlib import Path

from koutu.export.deployed import Deployed
from koutu.export.geometry import geometry
from koutu.export.onnx_file import save
from koutu.export.trace import slimmed, traced
from koutu.models.base import Network
from koutu.types import ModelError

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """What goes in and out, in the file's order. states: inputs that an output fills for the next frame, else 0."""

    inputs: Shapes
    outputs: Shapes
    states: dict[str, str]


def fixed_onnx(
    network: Network, path: Path, size: tuple[int, int], *, src: str = "src", prev: str = "prev", pha: str = "pha"
) -> Layout:
    """Write `network` for pictures of `size` (H, W) to `path`: float32, NCHW, opset 17, constants folded.

    src: (1, 3, H, W) RGB in [0, 1]; prev, of a network whose memory is its alpha: (1, 1, H, W); pha: (1, 1, H, W).
    These names may be changed. Another memory goes in as r1i, r2i … and comes out as r1o, r2o …. Raises InputError for
    a size that is no multiple of the network's stride, ModelError for a network that needs more than a picture, and
    without onnx or onnxslim. The file appears whole or not at all.
    """
    if network.needs:
        wanted = ", ".join(network.needs)
        raise ModelError(f"expected a network that needs a picture alone, got one that needs {wanted}")
    seen = geometry(network, size, None, pixels=0, refine=False)
    module = Deployed(network, seen, inside=False, colours=False)
    own = {"src": src, "prev": prev, "pha": pha}
    inputs = {own.get(name, name): tensor for name, tensor in module.example(size).items()}
    outputs = [own.get(name, name) for name in module.names.outputs]
    states = {own.get(fed, fed): own.get(output, output) for fed, output in module.names.states.items()}
    save(slimmed(traced(module, inputs, outputs)), path)
    shapes = {name: tuple(tensor.shape) for name, tensor in inputs.items()}
    made = {pha: (1, 1, *size)} | {after: shapes[before] for before, after in states.items() if after != pha}
    return Layout(shapes, made, states)
